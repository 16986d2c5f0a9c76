"""A user's jobs over HTTP, and what the older API told of them."""

import json
from dataclasses import replace

import pytest

from shared.errors import NotFound, SourceGone
from shared.events import UploadFinalized
from shared.job import Failure, Kind, State, Step, features_name, results_name
from tests.functions.api.support import App, refused, said

RESULT = {"segmented_probs": [0.1, 0.9], "segmented_percentages": [0.5], "similarity_score": 71.5, "score": 71.5}


@pytest.fixture
def app():
    return App()


def with_files(app, job):
    files = {"result.json": json.dumps(RESULT).encode(), "moves/01_move-A.mp4": b"clip"}
    for name, content in files.items():
        app.blobs.create("results", results_name(job, name), content, "application/octet-stream")
    app.blobs.create("features", features_name(job, "audio"), b"npz", "application/octet-stream")
    app.jobs.update_step(job.id, "audio", lambda _: Step("audio"))
    return job


def ids(told):
    return [job["id"] for job in told["jobs"]]


# Looking


def test_a_job_is_told_as_in_the_database(app):
    job = app.job(error=None, result={"tempo_bpm": 126.0}, options={"min_counts": 4}, progress=1.0)
    told = said(app.ask("GET", f"/v1/jobs/{job.id}"), 200)
    assert (told["id"], told["kind"], told["state"], told["progress"]) == (job.id, "segment", "DONE", 1.0)
    assert (told["options"], told["result"], told["upload"]) == (
        {"min_counts": 4},
        {"tempo_bpm": 126.0},
        job.source.name,
    )
    assert told["error"] is None


def test_a_failure_is_told_with_its_sentence(app):
    job = app.job(state=State.FAILED, error=Failure("TOO_LONG", "The video is too long."))
    told = said(app.ask("GET", f"/v1/jobs/{job.id}"), 200)
    assert told["error"] == {"code": "TOO_LONG", "message": "The video is too long."}


def test_jobs_are_turned_over_page_by_page(app):
    jobs = []
    for _ in range(5):
        app.clock.passes(20)
        jobs.append(app.job())
    app.job("carmen")
    first = said(app.ask("GET", "/v1/jobs", query={"limit": "2"}), 200)
    second = said(app.ask("GET", "/v1/jobs", query={"limit": "2", "after": first["next"]}), 200)
    third = said(app.ask("GET", "/v1/jobs", query={"limit": "2", "after": second["next"]}), 200)
    assert ids(first) + ids(second) + ids(third) == [job.id for job in reversed(jobs)]
    assert third["next"] is None


def test_a_page_that_is_just_full_is_the_last(app):
    app.job()
    assert said(app.ask("GET", "/v1/jobs", query={"limit": "1"}), 200)["next"] is None


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"after": "x"}, {"after": f"0000-00-00T00:00:00.00Z~{0:032}"}],
)  # fmt: skip
def test_a_page_that_cannot_be_is_refused(app, query):
    assert refused(app.ask("GET", "/v1/jobs", query=query), 400) == "BAD_REQUEST"


# Stopping and trying again


def test_a_job_is_cancelled(app):
    job = app.job(state=State.RUNNING)
    assert said(app.ask("POST", f"/v1/jobs/{job.id}/cancel"), 200)["state"] == "CANCELLED"
    assert app.jobs.get(job.id).state is State.CANCELLED


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.CANCELLED])
def test_a_settled_job_stays_as_it_is(app, state):
    job = app.job(state=state)
    assert said(app.ask("POST", f"/v1/jobs/{job.id}/cancel"), 200)["state"] == state


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_retry_is_a_new_job_of_the_same_upload(app, state):
    job = app.job(state=state)
    told = said(app.ask("POST", f"/v1/jobs/{job.id}/retry"), 202)
    copy = app.blobs.stat("uploads", told["name"])
    assert told["job"] == copy.source.job_id != job.id
    assert copy.source.kind is job.kind
    assert UploadFinalized(copy.source, copy.metadata).metadata == {"owner": "maria"}
    assert app.jobs.get(job.id).state is state
    assert said(app.ask("GET", f"/v1/uploads/{told['name']}"), 200) == told


def test_who_asks_twice_to_try_again_gets_one_new_job_and_pays_once(app):
    job = app.job(state=State.FAILED)
    answers = [said(app.ask("POST", f"/v1/jobs/{job.id}/retry"), 202) for _ in range(app.api.jobs_in_flight + 3)]
    assert all(each == answers[0] for each in answers)


def test_a_retry_can_be_retried(app):
    job = app.job(state=State.FAILED)
    told = said(app.ask("POST", f"/v1/jobs/{job.id}/retry"), 202)
    source = app.blobs.stat("uploads", told["name"]).source
    again = app.jobs.create(replace(job, id=source.job_id, source=source))
    assert said(app.ask("POST", f"/v1/jobs/{again.id}/retry"), 202)["job"] not in {job.id, again.id}


@pytest.mark.parametrize("state", [State.RECEIVED, State.RUNNING, State.DONE])
def test_what_goes_on_or_is_done_is_not_tried_again(app, state):
    job = app.job(state=state)
    assert refused(app.ask("POST", f"/v1/jobs/{job.id}/retry"), 409) == "WRONG_STATE"


def test_what_was_deleted_meanwhile_cannot_be_tried_again(app):
    job = app.job(state=State.FAILED)
    app.blobs.delete(job.source)
    assert refused(app.ask("POST", f"/v1/jobs/{job.id}/retry"), 410) == "SOURCE_GONE"


def test_a_retry_counts_like_an_upload(app):
    job = app.job(state=State.FAILED)
    for _ in range(app.api.jobs_in_flight):
        app.job(state=State.RUNNING)
    assert refused(app.ask("POST", f"/v1/jobs/{job.id}/retry"), 429) == "QUOTA_EXCEEDED"


# Deleting


@pytest.mark.parametrize("state", [State.RUNNING, State.DONE])
def test_nothing_is_left_of_a_deleted_job(app, state):
    job, other = with_files(app, app.job(state=state)), with_files(app, app.job())
    assert said(app.ask("DELETE", f"/v1/jobs/{job.id}"), 204) is None
    with pytest.raises(NotFound):
        app.jobs.get(job.id)
    assert app.jobs.steps(job.id) == {}
    for bucket in ("uploads", "features", "results"):
        assert [name for name in app.blobs.names(bucket) if job.id in name or name == job.source.name] == []
    with pytest.raises(SourceGone):
        app.blobs.open(job.source)
    assert app.jobs.get(other.id) == other
    assert len(app.blobs.names("results")) == 2
    assert refused(app.ask("DELETE", f"/v1/jobs/{job.id}"), 404) == "NOT_FOUND"


def test_a_deleted_job_leaves_its_place(app):
    jobs = [app.job(state=State.RUNNING) for _ in range(app.api.jobs_in_flight)]
    said(app.ask("DELETE", f"/v1/jobs/{jobs[0].id}"), 204)
    assert app.upload()


def test_a_deletion_that_was_interrupted_can_be_asked_for_again(app, monkeypatch):
    job = with_files(app, app.job())
    with monkeypatch.context() as patch:
        patch.setattr(app.blobs, "delete", broken)
        assert refused(app.ask("DELETE", f"/v1/jobs/{job.id}"), 500) == "INTERNAL"
    assert said(app.ask("DELETE", f"/v1/jobs/{job.id}"), 204) is None
    assert app.blobs.names("uploads") == []


def broken(*_):
    raise RuntimeError("the line is cut")


# Files


def test_a_result_is_read_at_an_address_for_a_while(app):
    job = with_files(app, app.job())
    assert said(app.ask("GET", f"/v1/jobs/{job.id}/files"), 200) == {"files": ["moves/01_move-A.mp4", "result.json"]}
    told = said(app.ask("GET", f"/v1/jobs/{job.id}/files/moves/01_move-A.mp4"), 200)
    assert app.signer.get(told["url"]) == b"clip"


def test_a_job_without_files_has_none(app):
    assert said(app.ask("GET", f"/v1/jobs/{app.job().id}/files"), 200) == {"files": []}


@pytest.mark.parametrize(
    "name", ["nothing.mp4", "../result.json", "a/../result.json", "", "result.json/", "a//b", ".x"]
)
def test_what_is_no_file_of_the_result_is_not_found(app, name):
    job = with_files(app, app.job())
    assert refused(app.ask("GET", f"/v1/jobs/{job.id}/files/{name}"), 404) == "NOT_FOUND"


# As the older API told it


def compared(app, **fields):
    return app.job(kind=Kind.COMPARE, **fields)


@pytest.mark.parametrize("by_name", [True, False])
def test_the_older_api_told_boundaries_and_scores(app, by_name):
    job, comparison = with_files(app, app.job()), with_files(app, compared(app))
    told = said(app.ask("POST", "/predict/", body={"job": job.source.name if by_name else job.id}), 200)
    assert told == {"segmented_probs": [0.1, 0.9], "segmented_percentages": [0.5]}
    named = comparison.source.name if by_name else comparison.id
    assert said(app.ask("POST", "/compare/", body={"job": named}), 200) == {"similarity_score": 71.5}


def test_a_result_is_read_where_the_job_says_that_it_is(app):
    job = app.job(result={"objects": {"result": "elsewhere/result.json"}})
    app.blobs.create("results", "elsewhere/result.json", json.dumps(RESULT).encode(), "application/json")
    assert said(app.ask("POST", "/predict/", body={"job": job.id}), 200)["segmented_percentages"] == [0.5]


def test_who_asks_too_early_is_told_to_wait(app):
    job = app.job(state=State.RUNNING, progress=0.9)
    assert said(app.ask("POST", "/predict/", body={"job": job.id}), 202) == {
        "job": job.id, "state": "RUNNING", "progress": 0.9,
    }  # fmt: skip
    source = app.upload()
    assert said(app.ask("POST", "/predict/", body={"job": source.name}), 202) == {
        "job": source.job_id, "state": "RECEIVED", "progress": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields", [{"state": State.FAILED, "error": Failure("TOO_LONG", "Too long.")}, {"state": State.CANCELLED}]
)
def test_where_no_result_will_come_that_is_told(app, fields):
    assert refused(app.ask("POST", "/predict/", body={"job": app.job(**fields).id}), 409) == "WRONG_STATE"


def test_a_job_of_the_other_kind_has_another_answer(app):
    assert refused(app.ask("POST", "/compare/", body={"job": app.job().id}), 409) == "WRONG_STATE"
    assert refused(app.ask("POST", "/predict/", body={"job": compared(app).id}), 409) == "WRONG_STATE"


def test_a_result_that_was_deleted_is_not_found(app):
    assert refused(app.ask("POST", "/predict/", body={"job": app.job().id}), 404) == "NOT_FOUND"


@pytest.mark.parametrize("job", ["", "0" * 32, "videos/maria/nothing.mp4", "x" * 1025])
def test_a_job_that_is_not_there_is_not_found(app, job):
    assert app.ask("POST", "/predict/", body={"job": job}).status in {400, 404}
