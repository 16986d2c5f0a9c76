"""Asking Firestore's emulator as a phone asks: over REST, with a token of Firebase.

The emulator believes every token that it can read; see ``isSignedIn`` in the rules.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import requests

RULES = Path(__file__).parents[3] / "infra" / "gcp"
TIMEOUT_S = 20

NOW = object()
"""The server's clock, as a field's value."""


class Verdict(StrEnum):
    ALLOWED = "yes"
    DENIED = "no"
    REFUSED = "refused"
    """Before any rule was asked: no token at all can be read."""


ANSWERS: Mapping[int, Verdict] = {200: Verdict.ALLOWED, 403: Verdict.DENIED, 400: Verdict.REFUSED}


def token(uid: str, project: str, **claims: Any) -> str:
    """As Firebase's emulator issues it, without a signature. A claim that is None is left out."""
    now = int(time.time())
    usual = {
        "iss": f"https://securetoken.google.com/{project}", "aud": project, "sub": uid, "user_id": uid,
        "iat": now, "auth_time": now, "exp": now + 3600, "firebase": {"identities": {}, "sign_in_provider": "custom"},
    }  # fmt: skip
    told = {name: claim for name, claim in {**usual, **claims}.items() if claim is not None}
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(told)}."


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Expression:
    """``values`` that it had, without what was not asked for or could not be told; those of a condition are bools."""

    line: int
    text: str
    values: frozenset[bool | str]


@dataclass(frozen=True, slots=True)
class Database:
    """A project's database on the emulator, as one asker sees it: by her token, as nobody (""), or as the server."""

    host: str
    project: str
    token: str = "owner"

    def asked_by(self, token: str) -> Database:
        return Database(self.host, self.project, token)

    # The emulator's own

    def load(self, name: str) -> Sequence[Mapping[str, Any]]:
        """What the compiler has to say of a file of rules; nothing where it is well."""
        file = {"name": name, "content": (RULES / name).read_text()}
        answer = requests.put(self._own("securityRules"), json={"rules": {"files": [file]}}, timeout=TIMEOUT_S)
        told = answer.json()
        return told.get("issues", [told["error"]] if "error" in told else [])

    def coverage(self) -> Sequence[Expression]:
        """Every expression of the rules, with the values that it had so far."""
        told = requests.get(self._own("ruleCoverage"), timeout=TIMEOUT_S).json()
        (file,) = told["rules"]["files"]
        return [_expression(each, file["content"]) for each in _flat(told["report"])]

    def _own(self, verb: str) -> str:
        return f"http://{self.host}/emulator/v1/projects/{self.project}:{verb}"

    # As a phone

    def get(self, path: str) -> Verdict:
        answer = requests.get(self._address(path), headers=self._headers, timeout=TIMEOUT_S)
        # What does not exist may be asked for.
        return Verdict.ALLOWED if answer.status_code == 404 else ANSWERS[answer.status_code]

    def find(self, collection: str, query: Mapping[str, Any], *, everywhere: bool = False) -> Verdict:
        """``everywhere``: in every collection of that last name, whatever it lies under."""
        return ANSWERS[self.found(collection, query, everywhere=everywhere).status_code]

    def found(self, collection: str, query: Mapping[str, Any], *, everywhere: bool = False) -> requests.Response:
        parent, _, name = collection.rpartition("/")
        asked = {"from": [{"collectionId": name, "allDescendants": everywhere}], **query}
        address = self._address("" if everywhere else parent).rstrip("/") + ":runQuery"
        return requests.post(address, json={"structuredQuery": asked}, headers=self._headers, timeout=TIMEOUT_S)

    def create(self, path: str, fields: Mapping[str, Any]) -> Verdict:
        return self._commit({**self._written(path, fields), "currentDocument": {"exists": False}})

    def update(self, path: str, fields: Mapping[str, Any]) -> Verdict:
        return self._commit({**self._written(path, fields), "currentDocument": {"exists": True}})

    def put(self, path: str, fields: Mapping[str, Any]) -> Verdict:
        return self._commit(self._written(path, fields))

    def delete(self, path: str) -> Verdict:
        return self._commit({"delete": self._name(path)})

    def _commit(self, write: Mapping[str, Any]) -> Verdict:
        address = self._address("").rstrip("/") + ":commit"
        answer = requests.post(address, json={"writes": [write]}, headers=self._headers, timeout=TIMEOUT_S)
        return ANSWERS[answer.status_code]

    def _written(self, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: _value(value) for name, value in fields.items() if value is not NOW}
        stamps = [{"fieldPath": name, "setToServerValue": "REQUEST_TIME"} for name in fields.keys() - values.keys()]
        return {"update": {"name": self._name(path), "fields": values}, "updateTransforms": stamps}

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _address(self, path: str) -> str:
        return f"http://{self.host}/v1/{self._name(path)}"

    def _name(self, path: str) -> str:
        return f"projects/{self.project}/databases/(default)/documents/{path}"


def _value(value: Any) -> dict[str, Any]:
    """As the REST interface writes it."""
    match value:
        case None:
            return {"nullValue": None}
        case bool():
            return {"booleanValue": value}
        case int():
            return {"integerValue": str(value)}
        case str():
            return {"stringValue": value}
        case dict():
            return {"mapValue": {"fields": {name: _value(each) for name, each in value.items()}}}
        case _:
            raise TypeError(f"no field of a test: {value!r}")


def _expression(told: Mapping[str, Any], rules: str) -> Expression:
    place = told["sourcePosition"]
    values = (each.get("value", {}) for each in told.get("values", ()))
    known = (value for value in values if value and "undefined" not in value)
    text = rules[place["currentOffset"] : place["endOffset"]]
    return Expression(place["line"], text, frozenset(each.get("boolValue", json.dumps(each)) for each in known))


def _flat(expressions: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for expression in expressions:
        yield expression
        yield from _flat(expression.get("children", ()))
