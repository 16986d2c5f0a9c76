"""The maps in a job's document have the fields that docs/schema.md describes."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from functions.intake.handler import handle
from gpu_job.comparison.inference import CompareInference
from gpu_job.comparison.inference import Loaded as LoadedTakes
from gpu_job.recordings import described
from gpu_job.segmentation import segment
from gpu_job.segmentation.inference import Loaded, SegmentInference
from gpu_job.segmentation.moves import Options
from gpu_job.segmentation.performance import Performance
from shared.events import UploadFinalized
from shared.gcp.documents import job_document
from shared.job import TEACHER, Job
from shared.memory import MemoryPorts
from shared.options import OPTIONS
from tests.contracts.schema import described_fields
from tests.functions.support import Clock, new_ports
from tests.gpu_job.comparison.danced import late, taken
from tests.gpu_job.segmentation.truth import danced
from tests.shared.media_files import Recipe, write


@pytest.fixture(scope="module")
def ports() -> MemoryPorts:
    return new_ports(Clock())


@pytest.fixture(scope="module")
def job(ports: MemoryPorts, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A video of twelve seconds, looked at."""
    video = write(tmp_path_factory.mktemp("schema") / "clip.mp4", Recipe(count=360)).read_bytes()
    message = UploadFinalized(ports.blobs.put("uploads", "videos/clip.mp4", video, "video/mp4", {}), {})
    handle(message, ports)
    return ports.jobs.get(message.job_id)


@pytest.fixture(scope="module")
def result(ports: MemoryPorts, job: Job) -> Mapping[str, Any]:
    """Of a dance to that video."""
    truth = danced(4, duration_s=12.0)
    loaded = Loaded(Performance(truth.pose, truth.audio), Options(), "", {"audio": 1.0, "pose": 2.0})
    inference = SegmentInference()
    (answer,) = inference.infer([loaded])
    return inference.record(job, loaded, answer, ports)


def test_media(job: Job) -> None:
    described = described_fields()
    assert set(job.media) == described["media"]
    assert set(job.media["video"]) == described["media.video"]
    assert set(job.media["audio"]) == described["media.audio"]


def test_options() -> None:
    assert {name for options in OPTIONS.values() for name in options} == described_fields()["options"]


def test_result(result: Mapping[str, Any]) -> None:
    described = described_fields()
    assert set(result) == described["result"]
    assert [set(move) for move in result["moves"]] == [described["result.moves"]] * len(result["moves"])
    assert set(result["pose"]) == {"frames", "rate_hz", "detected_share", "people"}
    assert set(result["timings_s"]) == {"audio", "pose", "infer", "record"}


def test_objects_and_clips_are_in_the_results_bucket(ports: MemoryPorts, result: Mapping[str, Any]) -> None:
    folder, *objects = (result["objects"][name] for name in ("folder", "result", "curves", "timeline"))
    assert set(result["objects"]) == {"folder", "result", "curves", "timeline"}
    clips = [folder + move["clip"] for move in result["moves"] if move["clip"]]
    assert len(clips) > 1
    assert all(ports.blobs.read("results", name) for name in [*objects, *clips])
    full = json.loads(ports.blobs.read("results", result["objects"]["result"]))
    assert {name: full[name] for name in full.keys() & result} == {
        name: told for name, told in result.items() if name != "objects"
    }


@pytest.fixture(scope="module")
def comparing(ports: MemoryPorts, job: Job) -> Job:
    """The same video, uploaded to be compared with itself."""
    video = ports.blobs.open(job.source).read()
    message = UploadFinalized(ports.blobs.put("uploads", "compare/me.mp4", video), {"teacher": job.source.name})
    handle(message, ports)
    return ports.jobs.get(message.job_id)


@pytest.fixture(scope="module")
def compared(ports: MemoryPorts, comparing: Job) -> Mapping[str, Any]:
    """What a comparison leaves, of a dance to that video."""
    teacher = taken(0, duration_s=12.0)
    facts = {name: described(comparing.recording(step), "") for name, step in (("student", ""), ("teacher", TEACHER))}
    moves = segment(teacher.pose, teacher.audio).moves
    loaded = LoadedTakes([late(teacher, 2)], [teacher], True, moves, facts, {"audio": 1.0, "pose": 2.0})
    inference = CompareInference()
    (answer,) = inference.infer([loaded])
    return inference.record(comparing, loaded, answer, ports)


def test_teacher(comparing: Job) -> None:
    document = job_document(comparing)
    assert set(document["teacher"]) == described_fields()["teacher"]
    assert set(document["teacher"]["media"]) == described_fields()["media"]


def test_comparison(compared: Mapping[str, Any]) -> None:
    assert set(compared) == described_fields()["comparison"]
    assert [set(dancer) for dancer in compared["dancers"]] == [described_fields()["comparison.dancers"]]


def test_the_objects_of_a_comparison_are_in_the_results_bucket(ports: MemoryPorts, compared: Mapping[str, Any]) -> None:
    objects = dict(compared["objects"])
    folder = objects.pop("folder")
    pictures = [folder + moment["picture"] for moment in compared["dancers"][0]["worst"]]
    assert set(objects) == {"result", "report", "overlay", "curves"}
    assert all(ports.blobs.read("results", name) for name in [*objects.values(), *pictures])
