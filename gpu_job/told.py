"""Moves as results tell them, those of earlier schemas too. Plain JSON; knows no network, and needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpu_job.titles import UNKNOWN, UNSEEN


def as_now(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """A move of a result of whatever schema, in the fields of this one: schema 1 told a letter for a label,
    ``move-A``, and no names."""
    if "letter" in fields:
        return fields
    if fields["label"] == UNSEEN:
        return {**fields, "names": [], "letter": ""}
    letter = fields["label"].removeprefix("move-")
    return {**fields, "label": UNKNOWN, "confidence": 0.0, "names": [], "letter": letter}
