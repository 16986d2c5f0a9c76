"""From an upload to its result through the whole system: every function, the GPU job, the emulators."""

import contextlib
import json
import os
import time
import wave
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import av
import numpy as np
import pytest
from google.cloud import firestore, storage
from google.oauth2 import service_account

from gpu_job.titles import title
from infra.local.sample.video import write_sample
from infra.local.system import Plan, up
from shared.job import PIPELINE, SETTLED, Source, State
from tests.pipeline.recording import recorded

pytestmark = pytest.mark.emulator

STEPS = ("audio", "pose-00", "infer")
WITHIN_S = 120
"""Far longer than it takes: a busy machine is no failure."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("system")


@pytest.fixture(scope="module")
def system(folder):
    with up(folder, plan=Plan(min_backoff_s=0.2)) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def database(system):
    client = firestore.Client(system.settings.project)
    yield client
    client.close()


@pytest.fixture(scope="module")
def cloud(system):
    client = storage.Client(system.settings.project)
    yield client
    client.close()


@pytest.fixture(scope="module")
def recording(database):
    with recorded(database) as recording:
        yield recording


@pytest.fixture(scope="module")
def upload(cloud, system, recording):
    """Upload as any client does; the id of the job that it starts, which is watched from now on."""
    bucket = cloud.bucket(system.settings.uploads_bucket)

    def send(name, content, content_type="video/mp4", folder="videos", **metadata):
        blob = bucket.blob(f"{folder}/{name}")
        blob.metadata = metadata
        blob.upload_from_string(content, content_type=content_type)
        job_id = Source(bucket.name, blob.name, blob.generation).job_id
        recording.follow(f"jobs/{job_id}", *(f"jobs/{job_id}/steps/{step}" for step in STEPS))
        return job_id

    return send


@pytest.fixture(scope="module")
def settled(recording):
    """Wait until a job is settled; its last version."""

    def wait(job_id):
        recording.follow(path := f"jobs/{job_id}")
        until(lambda: any(State(each.fields["state"]) in SETTLED for each in recording.of(path)))
        return recording.of(path)[-1].fields

    return wait


@pytest.fixture(scope="module")
def sample(folder):
    return write_sample(folder / "sample.mp4", duration_s=10.0, width=640, height=360)


@pytest.fixture(scope="module")
def job(sample, upload, settled):
    """A job that was watched from its upload until it was done, and its id."""
    job_id = upload("ada/first dance.mp4", sample.path.read_bytes(), owner="ada", min_counts="4", camera="a phone's")
    return job_id, settled(job_id)


def until(holds):
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def compared(job, sample, upload, settled):
    """The same dance, uploaded by a student who names the teacher's job."""
    return settled(upload("me.mp4", sample.path.read_bytes(), folder="compare", owner="bo", teacher=job[0]))


class TestComparison:
    def test_the_same_video_is_the_teacher_again(self, compared):
        assert compared["state"] == "DONE", compared["error"]
        assert compared["result"]["score"] >= 99

    def test_the_teachers_features_serve_again(self, compared, job):
        assert compared["teacher"]["job"] == job[0]
        assert set(compared["plan"]) == {"audio", "pose-00"}

    def test_it_is_graded_by_the_moves_of_the_teachers_job(self, compared, job):
        moves, graded = job[1]["result"]["moves"], compared["result"]["dancers"][0]["moves"]
        assert [move["teacher_start_s"] for move in graded] == [move["start_s"] for move in moves]
        assert [move["label"] for move in graded] == [title(move["label"], move["letter"]) for move in moves]
        assert [move["letter"] for move in graded] == [move["letter"] for move in moves]

    def test_its_files_are_in_the_bucket(self, compared, cloud, system):
        bucket, objects = cloud.bucket(system.settings.results_bucket), compared["result"]["objects"]
        assert set(objects) == {"folder", "result", "curves", "report", "overlay"}
        assert bucket.blob(objects["report"]).download_as_bytes().startswith(b"<!doctype html>")
        assert json.loads(bucket.blob(objects["result"]).download_as_bytes())["score"] == compared["result"]["score"]

    def test_a_teacher_that_is_not_there(self, sample, upload, settled):
        job = settled(upload("me too.mp4", sample.path.read_bytes(), folder="compare", teacher="0" * 32))
        assert (job["state"], job["error"]["code"]) == ("FAILED", "NO_TEACHER")


class TestUpload:
    def test_it_is_done(self, job):
        assert job[1]["state"] == "DONE", job[1]["error"]

    def test_a_listener_sees_every_state_in_order(self, job, recording):
        states = [version.fields["state"] for version in recording.of(f"jobs/{job[0]}")]
        assert list(dict.fromkeys(states)) == ["RECEIVED", "EXTRACTING", "READY", "RUNNING", "DONE"]

    def test_progress_never_goes_back(self, job, recording):
        progress = [version.fields["progress"] for version in recording.of(f"jobs/{job[0]}")]
        assert progress == sorted(progress)
        assert (progress[0], progress[-1]) == (0, 1)
        assert len(progress) > 5

    def test_no_document_is_written_twice_within_a_second(self, job, recording):
        gaps = {path: gaps for path, gaps in recording.gaps_s().items() if job[0] in path}
        assert len(gaps) == 1 + len(STEPS)
        assert min(min(of_one, default=9) for of_one in gaps.values()) >= 1

    def test_the_owner_and_the_wishes_are_kept_and_nothing_else(self, job):
        assert job[1]["owner"] == "ada"
        assert job[1]["options"] == {"min_counts": 4}

    def test_the_moves_are_those_that_were_danced(self, job, sample):
        found = [move["start_s"] for move in job[1]["result"]["moves"]]
        true = [move.start_s for move in sample.dance.moves]
        assert found == pytest.approx(true, abs=0.25)
        assert all(move["counts"] >= 4 for move in job[1]["result"]["moves"])

    def test_the_results_are_in_the_bucket(self, job, cloud, system):
        job_id, document = job
        blobs = {blob.name: blob for blob in cloud.list_blobs(system.settings.results_bucket, prefix=f"{job_id}/")}
        result = document["result"]
        clips = [f"{job_id}/v{PIPELINE}/{move['clip']}" for move in result["moves"]]
        objects = dict(result["objects"])
        assert objects.pop("folder") == f"{job_id}/v{PIPELINE}/"
        assert set(objects) == {"result", "curves", "timeline"}
        assert set(blobs) == {*objects.values(), *clips}
        assert {blobs[name].content_type for name in clips} == {"video/mp4"}
        full = json.loads(blobs[result["objects"]["result"]].download_as_bytes())
        assert full["tempo_bpm"] == result["tempo_bpm"]
        assert full["moves"] == result["moves"]

    def test_each_step_was_done_once(self, job, database):
        steps = {each.id: each.to_dict() for each in database.collection(f"jobs/{job[0]}/steps").stream()}
        assert {name: (step["state"], step["attempt"]) for name, step in steps.items()} == {
            "audio": ("DONE", 1), "pose-00": ("DONE", 1), "infer": ("DONE", 1),
        }  # fmt: skip

    def test_the_logs_of_every_part_name_the_job(self, job, system):
        line = next(json.loads(line) for line in system.log("dispatch").splitlines() if job[0] in line)
        assert line["logging.googleapis.com/trace"] == f"projects/{system.settings.project}/traces/{job[0]}"

    def test_an_overwrite_is_a_job_of_its_own(self, job, upload, settled):
        job_id = upload("ada/first dance.mp4", b"no dance at all")
        assert job_id != job[0]
        assert settled(job_id)["state"] == "FAILED"


def silence(path):
    """A file of sound alone."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    return path.read_bytes()


def empty_stage(path):
    """A video of two seconds in which there is nobody."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((90, 160, 3), 40, np.uint8), format="rgb24")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path.read_bytes()


@pytest.fixture(scope="module")
def bad_jobs(folder, upload, settled):
    """By the code that each should end with: its id and its last version."""
    contents = {
        "EMPTY_FILE": b"",
        "NOT_A_VIDEO": b"Dear all, this is no video. " * 100,
        "NO_PICTURE": silence(folder / "silence.wav"),
        "NOBODY_FOUND": empty_stage(folder / "empty.mp4"),
    }
    ids = {code: upload(f"bad/{code}", content) for code, content in contents.items()}
    found = {code: (job_id, settled(job_id)) for code, job_id in ids.items()}
    time.sleep(2)  # a refused message would have come again by now
    return found


class TestBadUploads:
    @pytest.mark.parametrize("code", ["EMPTY_FILE", "NOT_A_VIDEO", "NO_PICTURE", "NOBODY_FOUND"])
    def test_it_fails_and_says_why(self, bad_jobs, code):
        _, job = bad_jobs[code]
        assert (job["state"], job["error"]["code"]) == ("FAILED", code)
        assert job["error"]["message"].endswith(".")

    @pytest.mark.parametrize("code", ["EMPTY_FILE", "NOT_A_VIDEO", "NO_PICTURE"])
    def test_it_is_delivered_once(self, bad_jobs, code, system):
        lines = [line for line in system.log("intake").splitlines() if bad_jobs[code][0] in line]
        assert len(lines) == 1
        assert code in lines[0]

    def test_nothing_becomes_a_dead_letter(self, bad_jobs, system):
        assert not [
            line for line in system.log("sweep").splitlines() if any(id_ in line for id_, _ in bad_jobs.values())
        ]

    def test_a_wish_that_cannot_be_is_told(self, upload, settled):
        job = settled(upload("bad/wish", b"whatever", min_counts="many"))
        assert job["error"] == {
            "code": "BAD_OPTION",
            "message": "The option min_counts cannot be 'many': it must be a whole number from 1 to 32.",
        }


class TestSignedUpload:
    def test_a_phone_without_an_account_uploads_in_pieces_and_a_job_starts(self, system, cloud, settled):
        blob = cloud.bucket(system.settings.uploads_bucket).blob("videos/bob/signed.mp4")
        headers = {"x-goog-meta-owner": "bob", "Content-Type": "video/mp4"}
        url = signed_url(blob, system, {"x-goog-meta-owner": "bob"})
        start = Request(url, b"", {**headers, "x-goog-resumable": "start"}, method="POST")
        with urlopen(start) as answer:
            session = answer.headers["Location"]
        content = os.urandom(300_000)
        for first, last in ((0, 262_143), (262_144, 299_999)):
            put(session, content[first : last + 1], f"bytes {first}-{last}/{len(content)}")
        blob.reload()
        job = settled(Source(blob.bucket.name, blob.name, blob.generation).job_id)
        assert (job["owner"], job["error"]["code"]) == ("bob", "NOT_A_VIDEO")


def signed_url(blob, system, headers):
    return blob.generate_signed_url(
        version="v4", method="RESUMABLE", expiration=timedelta(minutes=5), content_type="video/mp4",
        headers=dict(headers), api_access_endpoint=f"http://{system.address.storage}",
        credentials=service_account.Credentials.from_service_account_file(system.address.key),
    )  # fmt: skip


def put(url, content, content_range):
    """A piece that is not the last is answered with 308, which urllib takes for an error."""
    with contextlib.suppress(HTTPError):
        urlopen(Request(url, content, {"Content-Range": content_range}, method="PUT")).close()
