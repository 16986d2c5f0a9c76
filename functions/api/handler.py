"""One request, from the first look to the answer: who asks, whether she may, and what is logged of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from werkzeug.exceptions import HTTPException

from functions.api.pages import OPEN_ROUTES
from functions.api.quotas import check_rate
from functions.api.routes import ROUTES
from functions.api.service import Call, Service
from functions.api.tokens import bearer
from functions.api.web import (
    Internal,
    Request,
    Response,
    Route,
    error_response,
    find,
    read_body,
    read_query,
    status_of,
)
from shared.errors import BadRequest, DanceBitsError, NotFound, TooLarge, Unauthenticated
from shared.logs import bound, trace_in

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
APP_CHECK = "x-firebase-appcheck"
ALL_ROUTES = (*ROUTES, *OPEN_ROUTES)
ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
ANSWERED_FOR_S = "3600"
"""How long a browser need not ask again whether a page may call."""


def answer(request: Request, service: Service) -> Response:
    """Whatever happens, an answer: errors in one form, and nothing of what went wrong with us."""
    cors = _cors(request, service)
    if request.method == "OPTIONS":
        return Response(HTTPStatus.NO_CONTENT, headers=cors)
    with bound(**_trace(request)):
        response = _logged(request, service)
    return replace(response, headers={**response.headers, **ALWAYS, **cors})


def _logged(request: Request, service: Service) -> Response:
    """Logged is the route and never the address: that may hold anything."""
    began, template = time.monotonic(), "none"
    try:
        route, values = find(ALL_ROUTES, request)
        template = route.template
        response = _done(route, values, request, service)
    except Exception as error:  # noqa: BLE001 - logged there, and answered
        response = refusal(error)
    ms = round(1000 * (time.monotonic() - began))
    log.info("%s %s %d in %d ms", request.method, template, response.status, ms)
    return response


def _trace(request: Request) -> dict[str, str]:
    """That of the request, which an upload takes along to the GPU."""
    trace = trace_in(request.headers)
    return {"trace": trace} if trace else {}


def refusal(error: Exception) -> Response:
    """What a client is told, in the one form; and the log, where the fault is ours."""
    match error:
        case DanceBitsError():
            if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                log.error("%s: %s", error.code, error.message)
            return error_response(error)
        case HTTPException(code=int(status)) if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return replace(
                error_response(NotFound() if status == HTTPStatus.NOT_FOUND else BadRequest()), status=status
            )
        case _:
            log.error("an unexpected error", exc_info=error)
            return error_response(Internal())


def _done(route: Route, values: Mapping[str, str], request: Request, service: Service) -> Response:
    if len(request.body) > MAX_BODY_BYTES:
        raise TooLarge(f"A request may have {MAX_BODY_BYTES} bytes.")
    user = _user(request, service) if route.needs_user else ""
    query = read_query(route, request)
    body = read_body(route.body, request) if route.body else None
    names = {"job": values["id"]} if "id" in values else {}
    with bound(**names):
        return route.handler(Call(service, user, values, query, body))


def _user(request: Request, service: Service) -> str:
    """Who asks. Raises Unauthenticated, and QuotaExceeded where she asks too often."""
    now = service.now()
    if service.apps is not None:
        if not (token := request.headers.get(APP_CHECK)):
            raise Unauthenticated("Only the app may ask: an App Check token is needed.")
        service.apps.verified(token, now)
    user = service.users.verified(bearer(request.headers.get("authorization")), now)
    check_rate(user, service)
    return user


def _cors(request: Request, service: Service) -> dict[str, str]:
    """A page of an origin that is not named can read no answer."""
    origin = request.headers.get("origin", "")
    if origin not in service.api.allowed_origins:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Firebase-AppCheck",
        "Access-Control-Max-Age": ANSWERED_FOR_S,
    }
