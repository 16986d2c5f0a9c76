"""Who may ask what: everybody against everything."""

import json
from dataclasses import replace

import pytest

from functions.api.pages import OPEN_ROUTES
from functions.api.routes import ROUTES
from shared.job import Kind, State, results_name
from tests.functions.api.support import API, KEY_ID, VIDEO, App, app_claims, encoded, refused, said, signed, user_claims

OWNER, OTHER = "maria", "eve"
PROBES = {
    ("POST", "/v1/uploads"): 201,
    ("GET", "/v1/uploads/{name}"): 200,
    ("GET", "/v1/jobs"): 200,
    ("GET", "/v1/jobs/{id}"): 200,
    ("DELETE", "/v1/jobs/{id}"): 204,
    ("POST", "/v1/jobs/{id}/cancel"): 200,
    ("POST", "/v1/jobs/{id}/retry"): 202,
    ("GET", "/v1/jobs/{id}/files"): 200,
    ("GET", "/v1/jobs/{id}/files/{name}"): 200,
    ("POST", "/predict/"): 200,
    ("POST", "/compare/"): 200,
}
"""What the owner gets."""
OF_NOBODY = {("POST", "/v1/uploads"): 201, ("GET", "/v1/jobs"): 200}
"""What another gets, who has no job: of her own. Everything else is not there for her."""


@pytest.fixture
def app():
    return App()


def stage(app, method, template):
    """The owner's job as the endpoint needs it, the path and the body."""
    kind = Kind.COMPARE if template == "/compare/" else Kind.SEGMENT
    job = app.job(OWNER, State.FAILED if template.endswith("retry") else State.DONE, kind=kind)
    result = {"segmented_probs": [], "segmented_percentages": [], "similarity_score": None}
    app.blobs.create("results", results_name(job, "result.json"), json.dumps(result).encode(), "application/json")
    name = job.source.name if "uploads" in template else "result.json"
    body = VIDEO if template == "/v1/uploads" else {"job": job.id} if template in {"/predict/", "/compare/"} else None
    return job, template.replace("{id}", job.id).replace("{name}", name), body


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def intruders(now):
    """Headers that let nobody in, by what is wrong with them."""
    app = {"x-firebase-appcheck": signed(app_claims(now))}
    claims = user_claims(OWNER, now)
    unsigned = f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}."
    return {
        "anonymous": app,
        "no token at all": {},
        "expired": app | bearer(signed({**claims, "exp": now - 1})),
        "of another project": app | bearer(signed(user_claims(OWNER, now, "another"))),
        "alg none": app | bearer(unsigned),
        "no audience": app | bearer(signed({**claims, "aud": None})),
        "wrong signature": app | bearer(signed(claims, key="forger")),
        "unknown key": app | bearer(signed(claims, kid="forger")),
        "no subject": app | bearer(signed({**claims, "sub": ""})),
        "of the future": app | bearer(signed({**claims, "iat": now + 3600})),
        "an app's token instead of a user's": app | bearer(signed(app_claims(now))),
        "no App Check": bearer(signed(claims)),
        "a user's token instead of an app's": bearer(signed(claims)) | {"x-firebase-appcheck": signed(claims)},
        "App Check expired": bearer(signed(claims)) | {"x-firebase-appcheck": signed({**app_claims(now), "exp": now})},
        "App Check of another project": bearer(signed(claims)) | {"x-firebase-appcheck": signed(app_claims(now, "1"))},
    }


def test_the_matrix_has_every_endpoint():
    assert set(PROBES) == {(route.method, route.template) for route in ROUTES}
    assert all(route.needs_user for route in ROUTES)
    assert {route.template for route in OPEN_ROUTES} == {"/openapi.json", "/docs"}


@pytest.mark.parametrize(("method", "template"), PROBES)
def test_the_owner_is_let_in(app, method, template):
    _, path, body = stage(app, method, template)
    said(app.ask(method, path, OWNER, body), PROBES[method, template])


@pytest.mark.parametrize(("method", "template"), PROBES)
def test_for_another_there_is_nothing(app, method, template):
    job, path, body = stage(app, method, template)
    before = (app.jobs.get(job.id), app.blobs.names("results"), app.blobs.names("features"))
    response = app.ask(method, path, OTHER, body)
    if (method, template) in OF_NOBODY:
        assert said(response, OF_NOBODY[method, template]).get("jobs", []) == []
    else:
        assert refused(response, 404) == "NOT_FOUND"
        assert job.source.name not in response.body.decode()
    assert (app.jobs.get(job.id), app.blobs.names("results"), app.blobs.names("features")) == before


@pytest.mark.parametrize(("method", "template"), PROBES)
def test_another_cannot_tell_a_job_that_is_there_from_one_that_is_not(app, method, template):
    if (method, template) in OF_NOBODY:
        return
    job, path, body = stage(app, method, template)
    there = app.ask(method, path, OTHER, body)
    app.jobs.delete(job.id)
    app.blobs.delete(job.source)
    gone = app.ask(method, path, OTHER, body)
    assert (there.status, json.loads(there.body)) == (gone.status, json.loads(gone.body))


@pytest.mark.parametrize("who", intruders(0.0))
@pytest.mark.parametrize(("method", "template"), PROBES)
def test_an_intruder_is_let_in_nowhere(app, method, template, who):
    job, path, body = stage(app, method, template)
    before = (app.jobs.get(job.id), app.blobs.names("uploads"))
    response = app.ask(method, path, body=body, headers=intruders(app.seconds)[who])
    assert refused(response, 401) == "UNAUTHENTICATED"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert (app.jobs.get(job.id), app.blobs.names("uploads")) == before


@pytest.mark.parametrize("route", OPEN_ROUTES, ids=lambda route: route.template)
def test_the_description_is_for_everybody(app, route):
    assert app.ask("GET", route.template, headers={}).status == 200


def test_a_job_of_nobody_is_nobodys(app):
    source = app.blobs.put("uploads", "videos/nobodys.mp4", b"dance")
    job = app.jobs.create(replace(app.job(), id=source.job_id, source=source, owner=""))
    assert refused(app.ask("GET", f"/v1/jobs/{job.id}"), 404) == "NOT_FOUND"


def test_without_app_check_a_users_token_is_enough():
    app = App(api=replace(API, app_check="off"), changes={"apps": None})
    assert said(app.ask("GET", "/v1/jobs", headers=bearer(signed(user_claims(OWNER, app.seconds), KEY_ID))), 200)
