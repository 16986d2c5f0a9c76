"""What anybody may read: the OpenAPI document, and the same as a page. No script, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from http import HTTPStatus
from typing import Any

from functions.api.openapi import EVERYWHERE, document
from functions.api.service import Call
from functions.api.web import Response, Route

HTML = "text/html; charset=utf-8"
STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.1rem } h3 { margin: 1.5rem 0 .5rem; font-size: 1rem }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #8886; padding: .3rem .5rem; text-align: left; vertical-align: top }
"""


def openapi(_call: Call) -> Response:
    return Response.json(document())


def docs(_call: Call) -> Response:
    headers = {"Content-Type": HTML, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Response(HTTPStatus.OK, page().encode(), headers)


OPEN_ROUTES: tuple[Route, ...] = (
    Route("GET", "/openapi.json", openapi, "This description.", {HTTPStatus.OK: "application/json"}, needs_user=False),
    Route("GET", "/docs", docs, "The same, to read.", {HTTPStatus.OK: "text/html"}, needs_user=False),
)


@cache
def page() -> str:
    told = document()
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in told["paths"].items()
        for method, operation in methods.items()
    )
    models = "".join(_model(name, schema) for name, schema in told["components"]["schemas"].items())
    everywhere = [(str(int(status)), f"{what} Problem") for status, what in EVERYWHERE.items()]
    title, what = escape(told["info"]["title"]), _prose(told["info"]["description"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>{what}</p>{operations}"
        f"<h2>Everywhere</h2>{_table(everywhere)}<h2>What is sent and told</h2>{models}</body></html>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    asked = [(each["name"], each["description"]) for each in operation["parameters"]]
    if body := operation.get("requestBody"):
        asked.append(("body", _reference(body["content"]["application/json"]["schema"])))
    own = {status: answer for status, answer in operation["responses"].items() if int(status) not in EVERYWHERE}
    answers = ((status, _answer(answer)) for status, answer in own.items())
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{_prose(operation['summary'])}</p>"
        f"{_table(asked)}{_table(answers)}"
    )


def _answer(answer: Mapping[str, Any]) -> str:
    content = answer.get("content", {}).get("application/json")
    name = _reference(content["schema"]) if content else ""
    return f"{answer['description']} {name}".strip()


def _model(name: str, schema: Mapping[str, Any]) -> str:
    fields = ((field, _field(told)) for field, told in schema.get("properties", {}).items())
    values = ", ".join(map(str, schema.get("enum", ())))
    what = _prose(schema.get("description") or values)
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{what}</p>{_table(fields)}'


def _field(told: Mapping[str, Any]) -> str:
    return f"{_reference(told)} {told.get('description', '')}".strip()


def _reference(schema: Mapping[str, Any]) -> str:
    """A model's name, or the types."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_reference(each) for each in schema["anyOf"])
    if "items" in schema:
        return f"array of {_reference(schema['items'])}"
    return str(schema.get("type", ""))


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{_prose(what)}</td></tr>" for name, what in rows)
    return f"<table>{lines}</table>" if lines else ""


def _prose(text: str) -> str:
    """Marks between backticks are code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
