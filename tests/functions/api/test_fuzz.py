"""Requests that schemathesis makes of the OpenAPI document, through the real framework."""

from dataclasses import replace

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks

from functions.api.models import JobName, NewUpload
from functions.api.openapi import document
from functions.api.routes import ROUTES
from shared.job import Kind, State, results_name
from tests.functions.api.support import VIDEO, App

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
]
TRIES = 25


@pytest.fixture
def app():
    """A user who asks as often as she likes."""
    app = App()
    app.service = replace(
        app.service, api=replace(app.api, requests_a_minute=10**9, uploads_a_day=10**9, jobs_in_flight=10**9)
    )
    return app


def real(app, route):
    """The parameters of the path that name one of her jobs, as the endpoint wants it."""
    kind = Kind.COMPARE if route.template == "/compare/" else Kind.SEGMENT
    job = app.job(state=State.FAILED if route.template.endswith("retry") else State.DONE, kind=kind)
    result = b'{"segmented_probs": [0.5], "segmented_percentages": [0.5], "similarity_score": 50.0}'
    app.blobs.create("results", results_name(job, "result.json"), result, "application/json")
    return job, {"id": job.id, "name": job.source.name if "uploads" in route.template else "result.json"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_whatever_is_asked_is_answered_as_described(serve, app, route):
    schema = schemathesis.openapi.from_dict(_without_security())
    schema.app = serve(app.service)
    operation, seen = schema[route.template][route.method], set()
    negative = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(max_examples=TRIES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(), is_real=st.booleans())
    def ask(case, is_real):
        if is_real:
            job, names = real(app, route)
            case.path_parameters = {name: names[name] for name in case.path_parameters or {}}
            case.body = {NewUpload: VIDEO, JobName: {"job": job.id}}.get(route.body, case.body)
        seen.add(case.call_and_validate(headers=app.headers("maria"), checks=CHECKS).status_code)

    @settings(max_examples=TRIES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=negative)
    def ask_what_cannot_be(case):
        case.call_and_validate(headers=app.headers("maria"), checks=[*CHECKS, checks.negative_data_rejection])

    ask()
    ask_what_cannot_be()
    assert seen & set(route.answers), "it was never let in"


def _without_security():
    """Otherwise it would take away the token that each request is given."""
    return {name: told for name, told in document().items() if name != "security"}
