"""Tokens are planted wherever a stranger can put them, and searched for wherever the system speaks.

They come as metadata that nobody asked for, as options, in an object's name and in headers; they must
not be in logs, in errors, or in results.
"""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator

import pytest
from google.cloud import firestore, storage

from infra.local.sample.video import write_sample
from infra.local.system import Plan, up
from shared.job import SETTLED, Source, State
from shared.logs import TRACEPARENT

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(300)]

WITHIN_S = 200
TRACE = uuid.uuid4().hex
IN_METADATA, IN_OPTION, IN_NAME, IN_HEADER = (f"planted-{uuid.uuid4().hex}" for _ in range(4))
METADATA = {
    "owner": "maria",
    "authorization": f"Bearer {IN_METADATA}",
    "firebaseStorageDownloadTokens": IN_METADATA,
    "cookie": f"session={IN_METADATA}",
    TRACEPARENT: f"00-{TRACE}-00f067aa0ba902b7-01",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory) -> Iterator:
    with (
        up(tmp_path_factory.mktemp("leaks"), plan=Plan(min_backoff_s=0.2)) as running,
        pytest.MonkeyPatch.context() as p,
    ):
        for name, value in running.environment.items():
            p.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def cloud(system):
    client = storage.Client(system.settings.project)
    yield client
    client.close()


@pytest.fixture(scope="module")
def settled(system, cloud):
    """Upload, and wait for what becomes of it: the job's document."""
    database = firestore.Client(system.settings.project)

    def settle(content: bytes, **metadata: str):
        blob = cloud.bucket(system.settings.uploads_bucket).blob(f"videos/{uuid.uuid4().hex}/{IN_NAME}.mp4")
        blob.metadata = {**METADATA, **metadata}
        blob.upload_from_string(content, content_type="video/mp4")
        path = f"jobs/{Source(system.settings.uploads_bucket, blob.name, blob.generation).job_id}"
        until = time.monotonic() + WITHIN_S
        while not ((fields := database.document(path).get().to_dict()) and State(fields["state"]) in SETTLED):
            assert time.monotonic() < until, fields
            time.sleep(0.5)
        return fields

    yield settle
    database.close()


@pytest.fixture(scope="module")
def done(settled, tmp_path_factory):
    sample = write_sample(tmp_path_factory.mktemp("dance") / "dance.mp4", duration_s=10.0, width=640, height=360)
    return settled(sample.path.read_bytes())


@pytest.fixture(scope="module")
def failed(settled):
    return settled(b"no video at all")


@pytest.fixture(scope="module")
def misled(settled):
    return settled(b"no video at all", min_counts=f"Bearer {IN_OPTION}")


@pytest.fixture(scope="module")
def knocked(system):
    """Every function is sent junk, with a header that nobody but its sender may read: the framework tells him what he
    sent, and Google's front end takes the signature off a token before it comes so far."""
    for function in system.functions.children.values():
        (port,) = (word.partition("=")[2] for word in function.program.command if word.startswith("--port="))
        request = urllib.request.Request(f"http://127.0.0.1:{port}/?token={IN_HEADER}", b"{}")
        request.add_header("Authorization", f"Bearer {IN_HEADER}")
        request.add_header("Content-Type", "application/json")
        with pytest.raises(urllib.error.HTTPError, match=r"40[04]"):  # the API has no such address
            urllib.request.urlopen(request, timeout=30)


@pytest.fixture(scope="module")
def logs(system, done, failed, misled, knocked) -> dict[str, str]:
    """Of every function and every execution of the GPU job, by their names."""
    names = [*system.functions.children, *(each.name.rpartition("/")[2] for each in system.run.executions)]
    return {name: system.log(name) for name in names}


def test_no_log_tells_what_was_planted(logs):
    assert len(logs) > 5
    for planted in (IN_METADATA, IN_OPTION, IN_NAME, IN_HEADER):
        assert [name for name, text in logs.items() if planted in text] == []


def test_no_result_does(system, cloud, done):
    assert done["state"] == "DONE"
    assert IN_METADATA not in json.dumps(done, default=str)
    blobs = list(cloud.list_blobs(system.settings.results_bucket))
    assert len(blobs) > 3
    for blob in blobs:
        assert IN_METADATA.encode() not in blob.name.encode() + blob.download_as_bytes()


def test_no_error_does(failed, misled):
    assert failed["state"] == misled["state"] == "FAILED"
    for planted in (IN_METADATA, IN_NAME):
        assert planted not in json.dumps([failed["error"], misled["error"]], default=str)
    assert misled["error"]["code"] == "BAD_OPTION"


def test_everything_done_for_the_job_is_logged_to_the_trace_of_its_upload(logs, done):
    """By the functions and by the GPU job, up to its end, which is counted there."""
    assert done["trace"] == TRACE
    lines = [json.loads(line) for text in logs.values() for line in text.splitlines() if line.startswith("{")]
    (end,) = (line for line in lines if line.get("event") == "job_settled" and line["state"] == "DONE")
    assert end["logging.googleapis.com/trace"].endswith(f"/traces/{TRACE}")
    assert 0 < end["gpu_seconds"] < end["seconds_to_result"]
    assert end["cpu_seconds"] > 0
    failures = [line["code"] for line in lines if line.get("event") == "job_settled" and line["state"] == "FAILED"]
    assert sorted(failures) == ["BAD_OPTION", "NOT_A_VIDEO"]
    (execution,) = (line for line in lines if line.get("event") == "execution_ended")
    assert (execution["jobs"], execution["device"]) == (1, "cpu")
    assert {"waiting", "oldest_seconds"} <= next(line for line in lines if line.get("event") == "backlog").keys()
