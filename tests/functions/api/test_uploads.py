"""Asking where to upload, and finding the job."""

import re
from dataclasses import replace

import pytest

from functions.api.models import NewUpload
from functions.api.service import Call
from functions.api.uploads import create_upload, safe_name
from shared.errors import NotAllowed
from shared.job import State
from tests.functions.api.support import VIDEO, App, refused, said

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def app():
    return App()


def ask(app, user="maria", **changes):
    return app.ask("POST", "/v1/uploads", user, {**VIDEO, **changes})


def test_the_server_chooses_the_name_and_signs_what_may_be_uploaded(app):
    told = said(ask(app, options={"min_counts": 4}), 201)
    assert re.fullmatch("videos/maria/[0-9a-f]{32}/Mi_baile.mp4", told["name"])
    headers = told["request"]["headers"]
    assert (told["request"]["method"], headers["content-type"]) == ("POST", "video/mp4")
    assert headers["x-goog-meta-owner"] == "maria"
    assert headers["x-goog-meta-min_counts"] == "4"


@pytest.mark.parametrize(
    ("kind", "folder", "options"),
    [("segment", "videos", {}), ("choreograph", "songs", {"difficulty": "beginner"})],
)
def test_each_kind_has_its_folder(app, kind, folder, options):
    told = said(ask(app, kind=kind, options=options), 201)
    assert told["name"].startswith(f"{folder}/maria/")


def test_the_job_is_told_when_the_upload_is_complete(app):
    told = said(ask(app), 201)
    assert refused(app.ask("GET", f"/v1/uploads/{told['name']}"), 404) == "NOT_FOUND"
    source = app.signer.put(told["request"]["url"], told["request"]["headers"], b"dance")
    assert said(app.ask("GET", f"/v1/uploads/{told['name']}"), 200) == {"name": told["name"], "job": source.job_id}
    assert refused(app.ask("GET", f"/v1/uploads/{told['name']}", "eve"), 404) == "NOT_FOUND"
    assert app.blobs.stat("uploads", told["name"]).metadata == {"owner": "maria"}


@pytest.mark.parametrize("header", [f"00-{TRACE}-00f067aa0ba902b7-01", "no trace"])
def test_the_trace_of_the_request_goes_with_the_upload(app, header):
    headers = {**app.headers("maria"), "traceparent": header}
    told = said(app.ask("POST", "/v1/uploads", "maria", VIDEO, headers=headers), 201)
    signed = told["request"]["headers"].get("x-goog-meta-traceparent", "")
    assert signed[3:35] == (TRACE if TRACE in header else "")


def test_the_owner_cannot_be_claimed(app):
    told = said(ask(app), 201)
    with pytest.raises(NotAllowed):
        app.signer.put(told["request"]["url"], {**told["request"]["headers"], "x-goog-meta-owner": "eve"}, b"dance")
    assert refused(ask(app, options={"owner": "eve"}), 422) == "BAD_OPTION"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"kind": "juggle"}, 400, "BAD_REQUEST"),
        ({"file_name": ""}, 400, "BAD_REQUEST"),
        ({"content_type": "text/html"}, 400, "BAD_REQUEST"),
        ({"content_type": "video/mp4\r\nx: y"}, 400, "BAD_REQUEST"),
        ({"content_type": "audio/mpeg"}, 400, "BAD_REQUEST"),
        ({"size": 0}, 400, "BAD_REQUEST"),
        ({"size": "5"}, 400, "BAD_REQUEST"),
        ({"size": 3_000_000_000}, 413, "TOO_LARGE"),
        ({"size": 10**400}, 400, "BAD_REQUEST"),
        ({"options": {"min_counts": "x\ny"}}, 400, "BAD_REQUEST"),
        ({"options": {"min_counts": 33}}, 422, "BAD_OPTION"),
        ({"options": {"difficulty": "beginner"}}, 422, "BAD_OPTION"),
        ({"kind": "compare"}, 422, "BAD_OPTION"),
        ({"kind": "library"}, 403, "NOT_ALLOWED"),
        ({"name": "videos/eve/x.mp4"}, 400, "BAD_REQUEST"),
    ],
)
def test_what_cannot_be_is_refused(app, changes, status, code):
    assert refused(ask(app, **changes), status) == code


def test_what_is_refused_costs_nothing(app):
    for _ in range(app.api.jobs_in_flight + 1):
        refused(ask(app, size=0), 400)
    assert said(ask(app), 201)


def test_songs_may_be_sound_alone(app):
    assert said(ask(app, kind="choreograph", content_type="audio/mpeg"), 201)


def test_a_teacher_adds_to_the_library(app):
    options = {"clip_id": "basic-1", "label": "basic", "difficulty": "beginner", "energy": "low"}
    assert said(ask(app, "carmen", kind="library", options=options), 201)["name"].startswith("library/carmen/")


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize(("owner", "status"), [("maria", 201), ("carmen", 201), ("eve", 422)])
def test_one_compares_with_oneself_and_with_teachers(app, owner, status, by_name):
    job = app.job(owner)
    response = ask(app, kind="compare", options={"teacher": job.source.name if by_name else job.id})
    assert response.status == status
    if status != 201:
        assert refused(response, status) == "NO_TEACHER"


@pytest.mark.parametrize("teacher", ["0" * 32, "videos/nothing.mp4", "videos/", "library/carmen"])
def test_a_teacher_that_is_not_there_is_told(app, teacher):
    assert refused(ask(app, kind="compare", options={"teacher": teacher}), 422) == "NO_TEACHER"


def test_a_video_of_nobody_is_nobodys_teacher(app):
    app.blobs.put("uploads", "videos/nobodys.mp4", b"dance")
    assert refused(ask(app, kind="compare", options={"teacher": "videos/nobodys.mp4"}), 422) == "NO_TEACHER"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Mi baile.mp4", "Mi_baile.mp4"), ("../../etc/passwd", "passwd"), (r"C:\clips\a.MOV", "a.MOV"),
        ("???", "upload"), ("/", "upload"), ("ü.mp4", "mp4"),
        ("a" * 300 + ".mp4", "a" * 80 + ".mp4"), ("..", "upload"), ("x\0y", "x_y"),
    ],
)  # fmt: skip
def test_file_names_become_safe(name, safe):
    assert safe_name(name) == safe


# What a user may


def test_uploads_are_counted_by_the_day(app):
    for _ in range(app.api.uploads_a_day):
        app.clock.passes(20)
        job = app.job(state=State.DONE)
        app.jobs.delete(job.id)
        app.jobs.create(job)
    assert refused(ask(app), 429) == "QUOTA_EXCEEDED"
    assert said(ask(app, "carmen"), 201)
    app.clock.passes(86_400)
    assert said(ask(app), 201)


def test_so_many_jobs_at_once_and_no_more(app):
    jobs = [app.job(state=State.RUNNING) for _ in range(app.api.jobs_in_flight)]
    assert refused(ask(app), 429) == "QUOTA_EXCEEDED"
    app.jobs.update(jobs[0].id, lambda job: job.done({}))
    assert said(ask(app), 201)
    assert refused(ask(app), 429) == "QUOTA_EXCEEDED"


def test_an_upload_that_never_comes_keeps_its_place_for_an_hour(app):
    for _ in range(app.api.jobs_in_flight):
        said(ask(app), 201)
    app.clock.passes(3_500)
    assert refused(ask(app), 429) == "QUOTA_EXCEEDED"
    app.clock.passes(200)
    assert said(ask(app), 201)


def test_a_place_is_given_back_where_nothing_comes_of_it(app):
    for _ in range(3 * app.api.jobs_in_flight):
        app.clock.passes(1)
        with pytest.raises(ZeroDivisionError):
            upload_without_signer(app)
    assert said(ask(app), 201)


def upload_without_signer(app):
    service = replace(app.service, signer=NoSigner())
    create_upload(Call(service, "maria", body=NewUpload.model_validate(VIDEO)))


class NoSigner:
    def upload(self, *_):
        raise ZeroDivisionError


def test_requests_are_counted_by_the_minute(app):
    for _ in range(app.api.requests_a_minute):
        said(app.ask("GET", "/v1/jobs"), 200)
    response = app.ask("GET", "/v1/jobs")
    assert refused(response, 429) == "QUOTA_EXCEEDED"
    assert response.headers["Retry-After"] == "60"
    assert said(app.ask("GET", "/v1/jobs", "carmen"), 200)
    app.clock.passes(60)
    assert said(app.ask("GET", "/v1/jobs"), 200)
