"""The step audio: the sound becomes an object of features, once. What is heard is tested elsewhere."""

import hashlib

import pytest

from functions.audio.handler import HASH_BLOCK_BYTES, handle
from shared.errors import BadMessage, Unavailable
from shared.events import FeaturesReady, StepRequested, Tick
from shared.features import AudioFeatures
from shared.job import Job, State, Step, StepState, features_name
from shared.memory import MemoryPorts
from tests.functions.support import PLAN, Clock, failure, new_ports, published, received
from tests.shared.media_files import Recipe, write

MEDIA = {"rate_hz": 15.0, "duration_s": 2.0, "samples": 30}


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> bytes:
    return write(tmp_path_factory.mktemp("audio") / "clip.mp4").read_bytes()


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock())


def uploaded(ports: MemoryPorts, content: bytes) -> Job:
    job = received(ports)
    source = ports.blobs.put(job.source.bucket, job.source.name, content)
    assert source.generation == job.source.generation
    return ports.jobs.update(job.id, lambda job: job.planned(PLAN, MEDIA))


def heard(ports: MemoryPorts, job: Job) -> Step:
    handle(StepRequested(job.id, "audio"), ports)
    return ports.jobs.steps(job.id)["audio"]


def features(ports: MemoryPorts, job: Job) -> AudioFeatures:
    return AudioFeatures.from_bytes(ports.blobs.read("features", features_name(job, "audio")))


def test_the_sound_becomes_an_object_of_features_and_dispatch_is_told(ports, video):
    job = uploaded(ports, video)
    step = heard(ports, job)
    assert step.state is StepState.DONE
    assert step.output["object"] == features_name(job, "audio")
    found = features(ports, job)
    assert (found.log_mel.shape, found.rate_hz, found.duration_s) == ((30, 81), 15.0, 2.0)
    assert published(ports) == [FeaturesReady(job.id)]


def test_the_upload_is_fingerprinted_whole(ports, video):
    content = video + bytes(HASH_BLOCK_BYTES)  # players pass over what follows the last box
    assert heard(ports, uploaded(ports, content)).output["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_video_without_sound_has_silent_features(ports, tmp_path):
    job = uploaded(ports, write(tmp_path / "silent.mp4", Recipe(sound=None)).read_bytes())
    assert heard(ports, job).state is StepState.DONE
    assert features(ports, job).is_silent


def test_a_duplicate_listens_to_nothing_and_tells_again(ports, video, monkeypatch):
    job = uploaded(ports, video)
    step = heard(ports, job)
    monkeypatch.setattr(ports.blobs, "open", _unavailable)
    assert heard(ports, job) == step
    assert published(ports) == [FeaturesReady(job.id)] * 2


def test_a_file_that_is_no_video_fails_the_job(ports):
    job = uploaded(ports, b"This is no video.\n" * 100)
    assert heard(ports, job).state is StepState.FAILED
    assert failure(ports, job.id) == "NOT_A_VIDEO"


def test_an_upload_that_was_deleted_fails_the_job(ports):
    job = received(ports)
    ports.jobs.update(job.id, lambda job: job.planned(PLAN, MEDIA))
    heard(ports, job)
    assert failure(ports, job.id) == "SOURCE_GONE"


def test_storage_that_does_not_answer_is_tried_again(ports, video, monkeypatch):
    job = uploaded(ports, video)
    with monkeypatch.context() as patched:
        patched.setattr(ports.blobs, "create", _unavailable)
        with pytest.raises(Unavailable):
            heard(ports, job)
    assert ports.jobs.get(job.id).state is State.EXTRACTING
    assert heard(ports, job).attempt == 2


def test_another_kind_of_message_is_bad(ports):
    with pytest.raises(BadMessage):
        handle(Tick(), ports)


def _unavailable(*_):
    raise Unavailable
