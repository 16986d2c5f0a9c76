"""How requests are read and answers told: origins, limits, errors, logs, the description."""

import json
import logging
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions.api.handler import MAX_BODY_BYTES
from functions.api.openapi import document
from functions.api.routes import ROUTES
from functions.api.web import STATUS, error_response
from shared import errors
from shared.errors import BadMessage, Conflict, Unavailable
from shared.gcp.documents import job_document
from shared.job import Failure, State
from shared.logs import JsonFormatter
from tests.functions.api.support import VIDEO, App, refused, said

ORIGIN = "https://app.example.com"


@pytest.fixture
def app():
    return App()


# Origins


def test_a_page_of_a_named_origin_may_call(app):
    headers = app.headers("maria") | {"origin": ORIGIN}
    response = app.ask("GET", "/v1/jobs", headers=headers)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Vary"] == "Origin"


def test_errors_too_are_told_to_a_page(app):
    response = app.ask("GET", "/v1/jobs", headers={"origin": ORIGIN})
    assert refused(response, 401)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_a_browser_asks_first_and_needs_no_token(app):
    response = app.ask("OPTIONS", "/v1/jobs", headers={"origin": ORIGIN, "access-control-request-method": "DELETE"})
    assert (response.status, response.body) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "DELETE" in response.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "X-Firebase-AppCheck" in response.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example.com", "null", "http://app.example.com", "https://app.example.com.evil.com", "", "*"],
)
def test_a_page_of_another_origin_may_not(app, origin):
    for method in ("OPTIONS", "GET"):
        response = app.ask(method, "/v1/jobs", headers=app.headers("maria") | {"origin": origin})
        assert "Access-Control-Allow-Origin" not in response.headers


def test_nothing_is_kept_on_the_way(app):
    for response in (app.ask("GET", "/v1/jobs"), app.ask("GET", "/docs", headers={})):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


# Requests that cannot be


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/jobs/", "/v1/jobs/x", "/v1/uploads/etc/passwd", "/predict", "/v2/jobs"]
)
def test_another_address_is_not_found(app, path):
    assert refused(app.ask("GET", path), 404) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/jobs"), ("DELETE", "/v1/uploads"), ("GET", "/predict/"), ("HEAD", "/docs")]
)
def test_another_method_is_told(app, method, path):
    response = app.ask(method, path)
    assert refused(response, 405) == "NO_SUCH_METHOD"
    assert method not in response.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b"[" * 60_000, b'{"kind": NaN}', json.dumps([VIDEO]).encode()],
)
def test_a_body_that_cannot_be_read_is_refused(app, body):
    assert refused(app.ask("POST", "/v1/uploads", body=body), 400) == "BAD_REQUEST"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_a_body_must_be_said_to_be_json(app, content_type):
    headers = app.headers("maria") | {"content-type": content_type}
    assert refused(app.ask("POST", "/v1/uploads", body=VIDEO, headers=headers), 400) == "BAD_REQUEST"


def test_a_body_may_be_so_large_and_no_larger(app):
    body = {**VIDEO, "file_name": "x" * MAX_BODY_BYTES}
    assert refused(app.ask("POST", "/v1/uploads", body=body), 413) == "TOO_LARGE"


# Errors


def test_every_error_has_one_form_and_those_of_ours_tell_nothing():
    for error in (error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, Exception)):
        response = error_response(error("what only we should read"))
        assert response.status >= 400
        if error not in STATUS:
            assert response.status in {500, 503}
            assert b"only we" not in response.body


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("a secret"), 500, "INTERNAL"),
        (BadMessage("a secret"), 500, "INTERNAL"),
        (Unavailable("a secret"), 503, "TRY_AGAIN"),
        (Conflict("a secret"), 503, "TRY_AGAIN"),
    ],
)
def test_what_goes_wrong_with_us_is_logged_and_not_told(app, caplog, error, status, code):
    class Broken:
        def of_owner(self, *_):
            raise error

    app.service = replace(app.service, jobs=Broken())
    response = app.ask("GET", "/v1/jobs")
    assert refused(response, status) == code
    assert b"secret" not in response.body
    assert b"Traceback" not in response.body
    assert "a secret" in caplog.text


# Logs


def test_a_request_is_logged_by_its_route_with_its_job(app, caplog):
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter("demo"))
    job = app.job()
    caplog.clear()
    said(app.ask("GET", f"/v1/jobs/{job.id}"), 200)
    entry = json.loads(caplog.text)
    assert entry["severity"] == "INFO"
    assert re.fullmatch(r"GET /v1/jobs/\{id\} 200 in \d+ ms", entry["message"])


SECRETS = (
    "s3cret-in-a-token",
    "s3cret-in-a-header",
    "s3cret-in-a-query",
    "s3cret-in-a-path",
    "s3cret-in-a-body",
    "s3cret",
)


def planted(app):
    """Every request there is, with a secret wherever one can stand."""
    job = app.job(state=State.FAILED, error=Failure("GAVE_UP", "We gave up."))
    good = app.headers("maria")
    bad = {"authorization": "Bearer s3cret-in-a-token", "x-firebase-appcheck": "s3cret-in-a-token"}
    query = {"s3cret": "s3cret-in-a-query", "after": "s3cret-in-a-query", "limit": "s3cret-in-a-query"}
    extra = {"cookie": "s3cret-in-a-header", "x-api-key": "s3cret-in-a-header", "origin": "https://s3cret-in-a-header"}
    wrong = {
        **VIDEO, "s3cret": "s3cret-in-a-body", "kind": "s3cret-in-a-body",
        "options": {"s3cret": "s3cret-in-a-body", "min_counts": "s3cret-in-a-body"},
    }  # fmt: skip
    for route in ROUTES:
        path = route.template.replace("{id}", job.id).replace("{name}", "s3cret-in-a-path")
        for headers in (good | extra, bad | extra, good | extra | {"authorization": "Basic s3cret-in-a-token"}):
            yield app.ask(route.method, path, body=wrong, headers=headers, query=query)
            yield app.ask(route.method, f"{path}/s3cret-in-a-path", body=wrong, headers=headers, query=query)
    for options in ({"min_counts": "s3cret-in-a-body"}, {"s3cret": "1"}, {"min_probability": "s3cret-in-a-body"}):
        yield app.ask("POST", "/v1/uploads", body={**VIDEO, "options": options}, headers=good | extra)
    yield app.ask("POST", "/v1/uploads", body=b'{"s3cret-in-a-body', headers=good)
    yield app.ask("POST", "/predict/", body={"job": "s3cret-in-a-body"}, headers=good)


def test_no_secret_of_a_request_is_logged_kept_or_told(app, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(JsonFormatter("demo"))
    app.service = replace(app.service, api=replace(app.api, requests_a_minute=1000))
    told = list(planted(app))
    tokens = [*app.headers("maria").values()]
    kept = repr([job_document(job) for job in app.jobs.of_owner("maria", 100)])
    kept += repr([app.blobs.stat("uploads", name) for name in app.blobs.names("uploads")]) + repr(vars(app.quota))
    said_everywhere = [caplog.text, kept, *(f"{each.body!r}{each.headers}" for each in told)]
    for text in said_everywhere:
        assert not [secret for secret in (*SECRETS, *tokens, tokens[0].rpartition(".")[2]) if secret in text]
    assert "POST none 404" in caplog.text
    assert {each.status for each in told} >= {400, 401, 404, 422}


# The description


def test_the_description_is_openapi(app):
    told = said(app.ask("GET", "/openapi.json", headers={}), 200)
    OpenAPIV31SpecValidator(told).validate()
    described = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert described == {(route.method, route.template) for route in ROUTES}


def test_the_page_holds_everything_and_asks_for_nothing(app):
    response = app.ask("GET", "/docs", headers={})
    assert response.headers["Content-Type"].startswith("text/html")
    page = Page()
    page.feed(response.body.decode())
    assert page.fetched == []
    for route in ROUTES:
        assert f"{route.method} {route.template}" in page.words
    for name in document()["components"]["schemas"]:
        assert name in page.words


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.fetched, self.words = [], ""

    def handle_starttag(self, tag, attrs):
        self.fetched += [value for name, value in attrs if name in {"src", "href"}] + (
            [tag] if tag in {"script", "link"} else []
        )

    def handle_data(self, data):
        self.words += data
