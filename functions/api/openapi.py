"""The OpenAPI 3.1 document, made of the routes and the models: so it says what the code does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from functions.api.models import Problem
from functions.api.routes import ROUTES
from functions.api.web import Parameter, Route

TITLE = "DanceBits"
WHAT = """\
Upload a dance video or a song, watch its job, fetch what was found. Sign in with Firebase and send the ID token with
every request; errors are told in one form: `{"error": {"code": …, "message": …}}`."""
PRINTABLE = "^[!-~]+$"
_REF = "#/components/schemas/{model}"
EVERYWHERE: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.UNAUTHORIZED: "No valid ID token, or no App Check token.",
    HTTPStatus.NOT_FOUND: "There is none, or it is another's.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Not by this method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request, or the file, is too large.",
    HTTPStatus.TOO_MANY_REQUESTS: "More than one user may ask for; Retry-After says when to come again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now; Retry-After says when to come again.",
}
"""What every route may answer."""
REFUSALS: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "Only the studio's teachers may.",
    HTTPStatus.CONFLICT: "Not with the job as it is.",
    HTTPStatus.GONE: "The upload is not there any more.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "An option is not possible, or the teacher's video not there.",
}
"""What those may that say so."""


@cache
def document() -> Mapping[str, Any]:
    """Of every route that needs a user: the others are this document and its page."""
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "1", "description": WHAT},
        "paths": _paths(ROUTES),
        "components": {"schemas": _schemas(ROUTES), "securitySchemes": _SECURITY},
        "security": [{"user": [], "app": []}, {"user": []}],
    }


_SECURITY = {
    "user": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A Firebase ID token."},
    "app": {
        "type": "apiKey", "in": "header", "name": "X-Firebase-AppCheck",
        "description": "An App Check token, where the studio requires one.",
    },
}  # fmt: skip


def _paths(routes: Iterable[Route]) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    return paths


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.what,
        "parameters": [_parameter(each) for each in route.parameters],
        "responses": {**_answers(route), **_problems(route)},
    }
    if route.body:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    """Of a name with slashes only so much is told: in a path they are percent-encoded."""
    pattern = PRINTABLE if "/" in parameter.pattern else f"^(?:{parameter.pattern})$"
    return {
        "name": parameter.name,
        "in": "path" if parameter.is_in_path else "query",
        "required": parameter.is_in_path,
        "description": parameter.what,
        "schema": {"type": "string", "pattern": pattern},
    }


def _answers(route: Route) -> dict[str, Any]:
    return {str(int(status)): _answer(status, model) for status, model in route.answers.items()}


def _answer(status: int, model: type[BaseModel] | str) -> dict[str, Any]:
    what = {"description": HTTPStatus(status).phrase}
    return what if isinstance(model, str) else {**what, "content": _content(model)}


def _problems(route: Route) -> dict[str, Any]:
    told = {**EVERYWHERE, **{status: REFUSALS[status] for status in route.refusals}}
    return {
        str(int(status)): {"description": what, "content": _content(Problem)} for status, what in sorted(told.items())
    }


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    sent = {route.body for route in routes if route.body}
    told = {model for route in routes for model in route.answers.values() if not isinstance(model, str)} | {Problem}
    pairs = [*((model, "validation") for model in sent), *((model, "serialization") for model in told)]
    ordered = sorted(pairs, key=lambda pair: pair[0].__name__)
    _, schema = models_json_schema(ordered, ref_template=_REF)  # pyright: ignore[reportArgumentType] - literals
    return schema["$defs"]
