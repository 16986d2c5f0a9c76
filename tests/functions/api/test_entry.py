"""The function as it is served: what the framework adds, and what it would tell."""

import json
import logging
import sys

import pytest

from functions.api.handler import MAX_BODY_BYTES
from shared.errors import MissingSettings
from tests.functions.api.support import VIDEO, App


@pytest.fixture
def app():
    return App()


@pytest.fixture
def client(app, serve):
    return serve(app.service).test_client()


def told(response, status):
    assert response.status_code == status, response.data
    assert response.content_type.startswith("application/json")
    return response.json["error"]["code"]


def test_a_request_passes_through_the_framework(client, app):
    response = client.post("/v1/uploads", json=VIDEO, headers=app.headers("maria"))
    assert response.status_code == 201
    name = response.json["name"]
    request = response.json["request"]
    source = app.signer.put(request["url"], request["headers"], b"dance")
    for path in (name, name.replace("/", "%2F")):
        found = client.get(f"/v1/uploads/{path}", headers=app.headers("maria"))
        assert found.json == {"name": name, "job": source.job_id}


def test_a_query_passes_too(client, app):
    for _ in range(2):
        app.clock.passes(1)
        app.job()
    assert len(client.get("/v1/jobs?limit=1", headers=app.headers("maria")).json["jobs"]) == 1


@pytest.mark.parametrize("path", ["/", "/robots.txt", "/favicon.ico", "/a%0Ab", "/%00", "/%ff", "/v1//jobs"])
def test_what_the_framework_refuses_is_told_in_our_form(client, app, path):
    assert told(client.get(path, headers=app.headers("maria")), 404) == "NOT_FOUND"


def test_a_request_that_is_too_large_is_not_kept(client, app):
    body = b"x" * (20 * MAX_BODY_BYTES)
    headers = app.headers("maria") | {"content-type": "application/json"}
    assert told(client.post("/v1/uploads", data=body, headers=headers), 413) == "TOO_LARGE"


def test_a_browser_may_ask(client):
    response = client.options("/v1/jobs", headers={"origin": "https://app.example.com"})
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


def test_a_head_is_a_method_like_another(client, app):
    assert client.head("/v1/jobs", headers=app.headers("maria")).status_code == 405


def test_settings_that_are_missing_are_logged_and_not_told(serve, monkeypatch, caplog):
    client = serve(None).test_client()

    def service():
        raise MissingSettings("DANCEBITS_PROJECT is not set")

    monkeypatch.setattr(sys.modules["main"], "service", service)
    response = client.get("/v1/jobs")
    assert told(response, 500) == "INTERNAL"
    assert b"DANCEBITS" not in response.data
    assert "DANCEBITS_PROJECT" in caplog.text


def test_what_breaks_in_the_framework_is_logged_and_not_told(serve, caplog):
    caplog.set_level(logging.ERROR)
    client = serve(None).test_client()  # of which nothing can be asked
    response = client.get("/v1/jobs")
    assert told(response, 500) == "INTERNAL"
    assert b"NoneType" not in response.data
    assert "NoneType" in caplog.text


def test_the_description_is_served(client):
    assert json.loads(client.get("/openapi.json").data)["openapi"] == "3.1.0"
    assert b"<h1>DanceBits</h1>" in client.get("/docs").data
