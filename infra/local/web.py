"""The little of HTTP that our stand-ins for Google's services share.

Routes are tried in order; whatever none of them takes is answered with 501 and a sentence, so that
nobody mistakes a stand-in for more than it is. Nothing here knows what is served.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from infra.local.processes import LOCALHOST

BLOCK_BYTES = 256 * 1024
_IDLE_CONNECTION_S = 120.0

logger = logging.getLogger(__name__)


class HttpError(Exception):
    """An answer other than success. ``reason`` is for programs, ``message`` for people."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


def not_implemented(what: str) -> HttpError:
    return HttpError(HTTPStatus.NOT_IMPLEMENTED, "notImplemented", f"this stand-in does not do {what}")


class Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


class Body:
    """What a client sends, read as it comes. Raises ConnectionError where it breaks off."""

    def __init__(self, stream: Reader, length: int) -> None:
        self._stream = stream
        self.remaining = length

    def read(self, size: int) -> bytes:
        return self._took(self._stream.read(min(size, self.remaining)), whole=min(size, self.remaining))

    def read_line(self) -> bytes:
        return self._took(self._stream.readline(self.remaining), whole=min(1, self.remaining))

    def read_all(self) -> bytes:
        return self.read(self.remaining)

    def blocks(self) -> Iterator[bytes]:
        while self.remaining:
            yield self.read(BLOCK_BYTES)

    def _took(self, data: bytes, whole: int) -> bytes:
        self.remaining -= len(data)
        if len(data) < whole:
            raise ConnectionError("the client broke off")
        return data


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` as it was sent, percent-encoded; ``query`` decoded."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: Body

    @property
    def origin(self) -> str:
        """How the client calls us: ``http://host:port``."""
        return f"http://{self.headers['Host']}"

    def json(self) -> dict[str, Any]:
        return parse_json(self.body.read_all())

    def allow(self, *names: str) -> None:
        """Raises HttpError where a query parameter is none of these."""
        if unknown := set(self.query) - set(names):
            raise not_implemented(f"the parameter {', '.join(sorted(unknown))}")


def parse_json(data: bytes) -> dict[str, Any]:
    """An object; nothing at all counts as an empty one. Raises HttpError."""
    try:
        value = json.loads(data or b"{}")
    except ValueError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "parseError", f"this is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise HttpError(HTTPStatus.BAD_REQUEST, "parseError", "a JSON object was expected")
    return value  # pyright: ignore[reportUnknownVariableType] - JSON: keys are strings


@dataclass(frozen=True, slots=True)
class FilePart:
    """A stretch of an open file, which the server closes."""

    file: BinaryIO
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Response:
    status: int = HTTPStatus.OK
    body: bytes | FilePart = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
        all_headers = {"Content-Type": "application/json; charset=UTF-8", **(headers or {})}
        return cls(HTTPStatus.OK, json.dumps(value).encode(), all_headers)


Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """Requests of ``method`` whose whole path matches: its groups, decoded, are the handler's further arguments."""

    method: str
    path: re.Pattern[str]
    handler: Handler


def route(method: str, path: str, handler: Handler) -> Route:
    """``{}`` stands for one segment of the path, ``{/}`` for any number of them."""
    return Route(method, re.compile(path.replace("{}", "([^/]+)").replace("{/}", "(.+)")), handler)


def dispatch(routes: Sequence[Route], request: Request) -> Response:
    """Raises HttpError 501 where no route takes it."""
    for each in routes:
        if each.method == request.method and (match := each.path.fullmatch(request.path)):
            return each.handler(request, *map(unquote, match.groups()))
    raise not_implemented(f"{request.method} {request.path}")


@contextmanager
def serving(application: Callable[[Request], Response], port: int = 0) -> Generator[int]:
    """Answer requests, each in a thread of its own, at the yielded port of this machine alone."""
    with _Server((LOCALHOST, port), partial(_Handler, application)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="web", daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            server.hang_up()
            thread.join()


class _Server(ThreadingHTTPServer):
    # A burst of clients waits here while threads are started for those before them.
    request_queue_size = 512
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def hang_up(self) -> None:
        """End the connections that clients keep open, so that nothing is answered any more."""
        for connection in list(self._connections):
            socketserver.TCPServer.shutdown_request(self, connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as socketserver calls it
        error = sys.exception()
        level = logging.DEBUG if isinstance(error, OSError) else logging.ERROR
        logger.log(level, "a connection with %s broke off", client_address, exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_CONNECTION_S
    # Without this every small answer on a kept connection waits 40 ms for the client's acknowledgement.
    disable_nagle_algorithm = True

    def __init__(self, application: Callable[[Request], Response], *args: Any) -> None:
        self._application = application
        super().__init__(*args)

    def _serve(self) -> None:
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(error_response(not_implemented("chunked transfer encoding")))
            return
        request = self._request()
        response = self._answer(request)
        for _ in request.body.blocks():  # an answer before the end of the body would break the connection
            pass
        self._send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - as http.server calls them

    def _request(self) -> Request:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        body = Body(self.rfile, int(self.headers.get("Content-Length") or 0))
        return Request(self.command, url.path, query, self.headers, body)

    def _answer(self, request: Request) -> Response:
        try:
            return self._application(request)
        except HttpError as error:
            return error_response(error)
        except ConnectionError:
            raise
        except Exception:  # what a service answers to its own faults
            logger.exception("%s %s", request.method, request.path)
            return error_response(HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "internalError", "see the log"))

    def _send(self, response: Response) -> None:
        body = response.body
        length = body.length if isinstance(body, FilePart) else len(body)
        self.send_response(response.status, _phrase(response.status))
        for name, value in {"Content-Length": str(length), **response.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if isinstance(body, FilePart):
            self._send_file(body)
        elif self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, part: FilePart) -> None:
        with part.file as file:
            if self.command != "HEAD" and part.length:
                self.wfile.flush()
                self.connection.sendfile(file, part.start, part.length)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as http.server names it
        logger.debug(format, *args)


def _phrase(status: int) -> str:
    """A few of Google's answers have no standard phrase."""
    return {308: "Resume Incomplete", 499: "Client Closed Request"}.get(status) or HTTPStatus(status).phrase


def error_response(error: HttpError) -> Response:
    """As Google's JSON interfaces tell an error."""
    if error.status == HTTPStatus.NOT_MODIFIED:
        return Response(error.status)
    details = {"domain": "global", "reason": error.reason, "message": error.message}
    body = {"error": {"code": error.status, "message": error.message, "errors": [details]}}
    return Response(error.status, json.dumps(body).encode(), {"Content-Type": "application/json; charset=UTF-8"})
