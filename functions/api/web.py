"""Requests, answers and routes, as far as the API needs them; and how an error is told. Knows no framework."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.errors import (
    BadOption,
    BadRequest,
    DanceBitsError,
    NotAllowed,
    NoTeacher,
    NotFound,
    PermanentError,
    QuotaExceeded,
    SourceGone,
    TooLarge,
    TransientError,
    Unauthenticated,
    WrongState,
)

JSON = "application/json; charset=utf-8"


class Internal(PermanentError):
    """Something went wrong on our side. We have been told, and will look into it."""

    code = "INTERNAL"


class NoSuchMethod(PermanentError):
    """This can be asked for in other ways only."""

    code = "NO_SUCH_METHOD"

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"Here one can ask by {self.allowed}.")


STATUS: Mapping[type[DanceBitsError], HTTPStatus] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    BadOption: HTTPStatus.UNPROCESSABLE_ENTITY,
    NoTeacher: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    NoSuchMethod: HTTPStatus.METHOD_NOT_ALLOWED,
    WrongState: HTTPStatus.CONFLICT,
    SourceGone: HTTPStatus.GONE,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
}
"""What a client is told. Every other error is ours: a transient one is 503, and the rest 500."""


WITH_STATUS: Mapping[int, Mapping[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "60"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}
"""Headers that belong to it."""


@dataclass(frozen=True, slots=True)
class Request:
    """``headers`` by their names in small letters; ``path`` decoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
        body = json.dumps(value, ensure_ascii=False, default=_plain).encode()
        return cls(status, body, {"Content-Type": JSON, **(headers or {})})

    @classmethod
    def of(cls, model: BaseModel, status: int = HTTPStatus.OK) -> Response:
        return cls(status, model.model_dump_json().encode(), {"Content-Type": JSON})


def _plain(value: Any) -> str:
    """What stands in a document beside JSON's own types. Raises TypeError."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not told to clients")


@dataclass(frozen=True, slots=True)
class Parameter:
    """In the query, or in the path: then it stands in the route's template."""

    name: str
    what: str
    pattern: str
    is_in_path: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked for. ``handler`` is given the call; ``answers`` are models by status."""

    method: str
    template: str
    handler: Callable[..., Response]
    what: str
    answers: Mapping[int, type[BaseModel] | str]
    """A string is the media type of an answer that is no JSON."""
    body: type[BaseModel] | None = None
    parameters: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = ()
    """What may be answered beside what every route may."""
    needs_user: bool = True

    def match(self, path: str) -> Mapping[str, str] | None:
        """The values of the path's parameters; None where it is not this route's."""
        found = re.fullmatch(self._pattern, path)
        return found.groupdict() if found else None

    @property
    def _pattern(self) -> str:
        """Their patterns are heeded, so that no other value reaches a bucket or a database."""
        pattern = re.escape(self.template)
        for each in self.parameters:
            if each.is_in_path:
                pattern = pattern.replace(re.escape(f"{{{each.name}}}"), f"(?P<{each.name}>{each.pattern})")
        return pattern


def find(routes: Iterable[Route], request: Request) -> tuple[Route, Mapping[str, str]]:
    """Raises NotFound, and NoSuchMethod where the path is known."""
    methods: list[str] = []
    for route in routes:
        if (values := route.match(request.path)) is None:
            continue
        if route.method == request.method:
            return route, values
        methods.append(route.method)
    if methods:
        raise NoSuchMethod([*methods, "OPTIONS"])
    raise NotFound("There is nothing at this address.")


def read_query(route: Route, request: Request) -> Mapping[str, str]:
    """What the route knows of the query; the rest is passed over. Raises BadRequest."""
    known = {each.name: each for each in route.parameters if not each.is_in_path}
    given = {name: request.query[name] for name in known if name in request.query}
    for name, value in given.items():
        if not re.fullmatch(known[name].pattern, value):
            raise BadRequest(f"The parameter {name} cannot be read: it is {known[name].what}.")
    return given


def read_body(model: type[BaseModel], request: Request) -> BaseModel:
    """Raises BadRequest, in words that repeat nothing of what was sent."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadRequest("The body must be JSON, and its content type say so.")
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        told = (_complaint(model, each) for each in error.errors(include_url=False, include_input=False))
        raise BadRequest(" ".join(dict.fromkeys(told))) from None


def _complaint(model: type[BaseModel], error: ErrorDetails) -> str:
    """Only names that are ours: a client's may hold anything."""
    if error["type"] == "json_invalid":
        return "The body is not JSON."
    name = next((str(part) for part in error["loc"][:1]), "")
    if error["type"] == "extra_forbidden" or name not in model.model_fields:
        return f"The body is an object of {', '.join(model.model_fields)}."
    return f"{name}: {error['msg']}."


def error_response(error: DanceBitsError) -> Response:
    status = status_of(error)
    told = _ours(error) if status >= HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, NotFound) else error
    headers = {"Allow": error.allowed} if isinstance(error, NoSuchMethod) else WITH_STATUS.get(status, {})
    return Response.json({"error": {"code": told.code, "message": told.message}}, status, headers)


def status_of(error: DanceBitsError) -> HTTPStatus:
    if isinstance(error, TransientError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)


def _ours(error: DanceBitsError) -> DanceBitsError:
    """Its sentence is for the log; that of what is not there might tell why."""
    if isinstance(error, NotFound):
        return NotFound()
    return TransientError() if isinstance(error, TransientError) else Internal()
