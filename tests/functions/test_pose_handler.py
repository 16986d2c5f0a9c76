"""The step pose-NN: a shard of the picture becomes an object of features, once. What is seen is tested elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from functions.pose import handler
from functions.pose.handler import handle
from shared.couple import COLOURS, Couple
from shared.errors import BadMessage, DamagedFile, MissingTool, Unavailable
from shared.events import FeaturesReady, StepRequested, Tick
from shared.features import BLAZEPOSE_LANDMARKS, PoseFeatures
from shared.job import Job, State, Step, StepState, features_name
from shared.memory import MemoryPorts
from shared.timeline import SampleSpan
from tests.functions.support import SETTINGS, Clock, extracting, failure, new_ports, published

PLAN = {"audio": {}, "pose-00": {"start": 0, "stop": 100}, "pose-01": {"start": 100, "stop": 150}}


@dataclass
class Eyes:
    """Stands in for the extraction: sees a dancer in the first 30 samples of a span, in a file that it opens."""

    before: Callable[[], None] = lambda: None
    calls: int = 0
    progress: float = 0.0

    def __call__(self, open_source, model, rate_hz, span, *, count, report) -> PoseFeatures:
        self.calls += 1
        self.before()
        assert (model, rate_hz, count) == (Path("/cache/lite"), 15.0, 150)
        with open_source() as file:
            assert file.read() == b"a video"
        report(0.5)
        rows = (len(span), BLAZEPOSE_LANDMARKS)
        image, visibility = np.full((*rows, 2), np.nan, np.float32), np.zeros(rows, np.float32)
        image[:30], visibility[:30] = 0.5, 0.9
        return PoseFeatures(rate_hz, image, np.full((*rows, 3), np.nan, np.float32), visibility, span.start)


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock(), replace(SETTINGS, pose_model="lite", cache="/cache"))


@pytest.fixture
def job(ports) -> Job:
    job = extracting(ports, plan=PLAN)
    source = ports.blobs.put(job.source.bucket, job.source.name, b"a video")
    assert source.generation == job.source.generation
    return job


@pytest.fixture
def eyes(monkeypatch) -> Eyes:
    eyes = Eyes()
    monkeypatch.setattr(handler, "extract", eyes)
    monkeypatch.setattr(handler, "model", lambda variant, cache: cache / variant)
    return eyes


def watched(ports: MemoryPorts, job: Job, step: str = "pose-01") -> Step:
    handle(StepRequested(job.id, step), ports)
    return ports.jobs.steps(job.id)[step]


def test_a_shard_becomes_an_object_of_features_and_dispatch_is_told(ports, job, eyes):
    step = watched(ports, job)
    name = features_name(job, "pose-01")
    assert step.state is StepState.DONE
    assert {**step.output, "seconds": 0} == {"object": name, "samples": 50, "detected": 30, "seconds": 0}
    pose = PoseFeatures.from_bytes(ports.blobs.read("features", name))
    assert (SampleSpan(pose.first_sample, pose.first_sample + len(pose)), pose.rate_hz) == (SampleSpan(100, 150), 15.0)
    assert published(ports) == [FeaturesReady(job.id)]


def test_a_job_of_two_dancers_gets_the_features_of_a_couple(ports, job, eyes, monkeypatch):
    def both(*given, **options) -> Couple:
        pose = eyes(*given, **options)
        nobody = replace(pose, image=np.full_like(pose.image, np.nan), visibility=np.zeros_like(pose.visibility))
        return Couple(pose, nobody, np.full((len(pose), 2, COLOURS), np.nan, np.float32))

    monkeypatch.setattr(handler.couple, "extract", both)
    ports.jobs.update(job.id, lambda job: replace(job, options={"dancers": 2}))
    step = watched(ports, job)
    assert (step.output["samples"], step.output["detected"]) == (50, 30)
    couple = Couple.from_bytes(ports.blobs.read("features", step.output["object"]))
    assert (couple.first_sample, len(couple)) == (100, 50)
    assert not couple.both_detected.any()


def test_the_client_sees_how_far_it_is(ports, job, eyes):
    watched(ports, job)
    assert ports.jobs.get(job.id).progress == pytest.approx(0.05 + 0.75 * 0.5 / 3, abs=1e-3)


def test_a_duplicate_watches_nothing_and_tells_again(ports, job, eyes):
    assert watched(ports, job) == watched(ports, job)
    assert eyes.calls == 1
    assert published(ports) == [FeaturesReady(job.id)] * 2


def test_an_object_that_a_dead_worker_left_is_adopted(ports, job, eyes):
    ports.blobs.create("features", features_name(job, "pose-01"), b"as it was", "application/octet-stream")
    assert watched(ports, job).state is StepState.DONE
    assert ports.blobs.read("features", features_name(job, "pose-01")) == b"as it was"


def test_a_damaged_video_fails_the_job(ports, job, eyes):
    eyes.before = _raising(DamagedFile())
    assert watched(ports, job).state is StepState.FAILED
    assert failure(ports, job.id) == "DAMAGED_FILE"
    assert published(ports) == []


def test_an_upload_that_was_replaced_fails_the_job(ports, job, eyes):
    ports.blobs.put(job.source.bucket, job.source.name, b"another video")
    watched(ports, job)
    assert failure(ports, job.id) == "SOURCE_GONE"


@pytest.mark.parametrize("error", [Unavailable(), MissingTool("no MediaPipe here")])
def test_what_is_no_fault_of_the_upload_is_tried_again(ports, job, eyes, error):
    eyes.before = _raising(error)
    with pytest.raises(Unavailable):
        watched(ports, job)
    assert ports.jobs.get(job.id).state is State.EXTRACTING
    eyes.before = lambda: None
    assert watched(ports, job).state is StepState.DONE


def test_another_kind_of_message_is_bad(ports):
    with pytest.raises(BadMessage):
        handle(Tick(), ports)


def _raising(error: Exception) -> Callable[[], None]:
    def before() -> None:
        raise error

    return before
