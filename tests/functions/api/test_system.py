"""The function as it runs on one machine: unsigned tokens, the storage fake, the emulators; from upload to job."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus

import pytest
import requests

from functions.api.routes import ROUTES
from infra.local.system import Plan, deployed_functions, up
from infra.local.tokens import unsigned_token
from shared.gcp import connect
from shared.gcp.quota import FirestoreQuota
from shared.job import State
from shared.ports import utc_now
from tests.infra.test_system import SLEEPER, until

pytestmark = pytest.mark.emulator
CONTENT = b"no video, but bytes"
VIDEO = {"kind": "segment", "file_name": "a.mp4", "content_type": "video/mp4", "size": len(CONTENT)}
ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """Without what computes: uploads, the API, and intake, which looks at an upload."""
    environment = {**os.environ, "DANCEBITS_ORIGINS": ORIGIN, "DANCEBITS_UPLOADS_A_DAY": "20"}
    functions = [function for function in deployed_functions() if function.name in {"api", "intake"}]
    plan = Plan(functions=functions, task=SLEEPER, environment=environment, min_backoff_s=0.2)
    with up(tmp_path_factory.mktemp("api"), plan=plan) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


class Phone:
    """Somebody's."""

    def __init__(self, system, user):
        self.host = f"http://{system.address.api}"
        self.token = unsigned_token(user, system.settings.project, utc_now())

    def ask(self, method, path, **options):
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return requests.request(method, self.host + path, headers=headers, timeout=30, **options)

    def granted(self, **changes):
        answer = self.ask("POST", "/v1/uploads", json={**VIDEO, **changes})
        assert answer.status_code == HTTPStatus.CREATED, answer.text
        return answer.json()

    def send(self, granted, content=CONTENT, **headers):
        """The status of the first refusal, or of success."""
        told = {**granted["request"]["headers"], **headers}
        begun = requests.post(granted["request"]["url"], headers=told, timeout=30)
        if begun.status_code != HTTPStatus.CREATED:
            return begun.status_code
        return requests.put(begun.headers["Location"], content, timeout=30).status_code

    def job(self):
        """Of a finished upload; once it is there."""
        granted = self.granted()
        assert self.send(granted) == HTTPStatus.OK
        job = self.ask("GET", f"/v1/uploads/{granted['name']}").json()["job"]
        until(lambda: self.ask("GET", f"/v1/jobs/{job}").status_code == HTTPStatus.OK)
        return job


@pytest.fixture(scope="module")
def phone(system):
    return Phone(system, "maria")


def test_the_address_of_the_api_is_told(system):
    written = json.loads((system.address.logs.parent / "system.json").read_text())
    assert written["api"] == system.address.api
    assert requests.get(f"http://{written['api']}/docs", timeout=30).status_code == HTTPStatus.OK


def test_an_upload_becomes_a_job_of_its_user(system, phone):
    job_id = phone.job()
    until(lambda: phone.ask("GET", f"/v1/jobs/{job_id}").json()["state"] == "FAILED")
    told = phone.ask("GET", f"/v1/jobs/{job_id}").json()
    assert told["error"]["code"] == "NOT_A_VIDEO"
    job = connect(system.settings).jobs.get(job_id)
    assert (job.owner, job.options) == ("maria", {})
    assert [each["id"] for each in phone.ask("GET", "/v1/jobs").json()["jobs"]] == [job_id]
    assert Phone(system, "eve").ask("GET", f"/v1/jobs/{job_id}").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (CONTENT[:-1], {}),
        (CONTENT + b"!", {}),
        (CONTENT, {"content-type": "text/html"}),
        (CONTENT, {"x-goog-meta-owner": "eve"}),
        (CONTENT, {"x-goog-meta-min_counts": "4"}),
        (CONTENT, {"x-goog-content-length-range": "0,99999999"}),
    ],
)
def test_another_upload_than_was_granted_is_refused_and_starts_nothing(system, content, headers):
    phone = Phone(system, "ana")
    granted = phone.granted()
    assert phone.send(granted, content, **headers) in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}
    assert phone.ask("GET", f"/v1/uploads/{granted['name']}").status_code == HTTPStatus.NOT_FOUND
    assert connect(system.settings).jobs.of_owner("ana", 100) == []
    FirestoreQuota(system.settings.project, timedelta(days=1)).release("ana~jobs", granted["name"])


def test_the_options_come_with_the_upload(system, phone):
    granted = phone.granted(options={"min_counts": 4})
    assert phone.send(granted) == HTTPStatus.OK
    job_id = phone.ask("GET", f"/v1/uploads/{granted['name']}").json()["job"]
    until(lambda: phone.ask("GET", f"/v1/jobs/{job_id}").status_code == HTTPStatus.OK)
    assert connect(system.settings).jobs.get(job_id).options == {"min_counts": "4"}


def test_an_address_makes_one_job(phone):
    granted = phone.granted()
    assert phone.send(granted) == HTTPStatus.OK
    assert phone.send(granted) == HTTPStatus.PRECONDITION_FAILED


def test_a_failed_job_is_tried_again_and_deleted(system, phone):
    first = phone.job()
    until(lambda: phone.ask("GET", f"/v1/jobs/{first}").json()["state"] == "FAILED")
    answer = phone.ask("POST", f"/v1/jobs/{first}/retry")
    assert answer.status_code == HTTPStatus.ACCEPTED
    again = answer.json()["job"]
    until(lambda: phone.ask("GET", f"/v1/jobs/{again}").status_code == HTTPStatus.OK)
    for job in (first, again):
        assert phone.ask("DELETE", f"/v1/jobs/{job}").status_code == HTTPStatus.NO_CONTENT
        assert phone.ask("GET", f"/v1/jobs/{job}").status_code == HTTPStatus.NOT_FOUND
    assert phone.ask("GET", f"/v1/uploads/{answer.json()['name']}").status_code == HTTPStatus.NOT_FOUND


def test_a_file_of_a_result_is_fetched(system, phone):
    job_id, ports = phone.job(), connect(system.settings)
    ports.blobs.create(system.settings.results_bucket, f"{job_id}/v1/moves/01_move-A.mp4", b"clip", "video/mp4")
    assert phone.ask("GET", f"/v1/jobs/{job_id}/files").json() == {"files": ["moves/01_move-A.mp4"]}
    url = phone.ask("GET", f"/v1/jobs/{job_id}/files/moves/01_move-A.mp4").json()["url"]
    assert requests.get(url, timeout=30).content == b"clip"
    assert requests.get(url.replace("move-A", "move-B"), timeout=30).status_code == HTTPStatus.FORBIDDEN


def test_a_cancelled_job_stays_so(system, phone):
    job_id = phone.job()
    told = phone.ask("POST", f"/v1/jobs/{job_id}/cancel").json()
    assert State(told["state"]) in {State.CANCELLED, State.FAILED}


def test_of_many_at_once_exactly_so_many_uploads_are_granted(system):
    phone = Phone(system, "carlos")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: phone.ask("POST", "/v1/uploads", json=VIDEO).status_code, range(50)))
    assert sorted(set(answers)) == [HTTPStatus.CREATED, HTTPStatus.TOO_MANY_REQUESTS]
    assert answers.count(HTTPStatus.CREATED) == 5


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_nobody_is_let_in_without_a_token(system, route):
    path = route.template.replace("{id}", "0" * 32).replace("{name}", "videos/maria/" + "0" * 32 + "/a.mp4")
    assert requests.request(route.method, f"http://{system.address.api}{path}", timeout=30).status_code == 401
    signed = Phone(system, "maria")
    signed.token = signed.token + "c2lnbmF0dXJl"
    assert signed.ask(route.method, path).status_code == 401


def test_a_page_of_the_named_origin_may_ask(phone):
    answer = phone.ask("OPTIONS", "/v1/jobs", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)


def test_what_is_logged_has_no_token_in_it(system, phone):
    log = system.log("api")
    assert "POST /v1/uploads 201" in log
    assert "Bearer" not in log
    assert phone.token not in log
    assert "X-Goog-Signature" not in log
    said = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [entry for entry in said if entry["severity"] not in {"INFO", "WARNING"}] == []
