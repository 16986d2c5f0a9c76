"""Composite indexes: those that the emulator says were needed, and those that are declared."""

import json
import os
from pathlib import Path

import requests

Index = tuple[str, tuple[tuple[str, str], ...]]


def indexes_used(project: str) -> set[Index]:
    address = f"http://{os.environ['FIRESTORE_EMULATOR_HOST']}/emulator/v1/projects/{project}:indexUsage"
    answer = requests.get(address, {"database": f"projects/{project}/databases/(default)"}, timeout=10)
    answer.raise_for_status()
    found = (report["index"] for report in answer.json()["reports"])
    return {index(entry["name"].split("/")[5], entry["fields"]) for entry in found}


def indexes_declared() -> set[Index]:
    declared = json.loads((Path(__file__).parents[2] / "infra" / "gcp" / "firestore.indexes.json").read_text())
    return {index(entry["collectionGroup"], entry["fields"]) for entry in declared["indexes"]}


def index(collection: str, fields: list[dict[str, str]]) -> Index:
    """``__name__`` is implied at the end of each."""
    named = ((field["fieldPath"], field["order"]) for field in fields)
    return collection, tuple(pair for pair in named if pair[0] != "__name__")
