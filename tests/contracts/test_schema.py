"""The maps in a job's document have the fields that docs/schema.md describes."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from functions.intake.handler import handle
from gpu_job.choreography.inference import ChoreographInference
from gpu_job.choreography.inference import Loaded as LoadedSong
from gpu_job.choreography.library_inference import key_frames_s
from gpu_job.choreography.library_inference import summary as move_summary
from gpu_job.comparison.inference import CompareInference
from gpu_job.comparison.inference import Loaded as LoadedTakes
from gpu_job.recordings import described
from gpu_job.segmentation.inference import Loaded, SegmentInference
from gpu_job.segmentation.performance import Performance
from shared.events import UploadFinalized
from shared.gcp.documents import job_document
from shared.job import TEACHER, Job
from shared.media import Form, mezzanine
from shared.memory import MemoryPorts
from shared.music import Role
from shared.options import OPTIONS
from shared.wishes import Wishes
from tests.contracts.schema import described_fields
from tests.functions.support import Clock, new_ports
from tests.gpu_job.choreography.making import a_library, a_song
from tests.gpu_job.comparison.danced import late, taken
from tests.gpu_job.segmentation.truth import NOVELTY, cut, danced
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
    loaded = Loaded(Performance(truth.pose, truth.audio), NOVELTY, "", {"audio": 1.0, "pose": 2.0})
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
    moves = cut(teacher.pose, teacher.audio).moves
    loaded = LoadedTakes([late(teacher, 2)], [teacher], True, moves, facts, {"audio": 1.0, "pose": 2.0})
    inference = CompareInference()
    (answer,) = inference.infer([loaded])
    return inference.record(comparing, loaded, answer, ports)


@pytest.fixture(scope="module")
def choreographed(ports: MemoryPorts, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What a choreography leaves, and what was seen of it before its video was there, as ``seen``."""
    song = write(tmp_path_factory.mktemp("song") / "song.m4a", Recipe(codec=None)).read_bytes()
    message = UploadFinalized(ports.blobs.put("uploads", "songs/song.m4a", song, "audio/mp4", {}), {})
    handle(message, ports)
    ports.jobs.update(message.job_id, lambda job: job.sealed().started())
    job, music, library = ports.jobs.get(message.job_id), a_song(((Role.VERSE, 3),)), a_library(4, 0)
    for move in library.moves:
        film = tmp_path_factory.mktemp("films") / "clip.mp4"
        mezzanine(str(write(film.with_name("source.mp4"), Recipe(count=move.frames))), film, Form(64, 48),
                  key_frames_s(move))  # fmt: skip
        ports.blobs.create("library", move.mezzanine, film, "video/mp4")
    inference = ChoreographInference()
    loaded = LoadedSong(music, library, None, Wishes(), "", {"audio": 1.0})
    (answer,) = inference.infer([loaded])
    result = inference.record(job, loaded, answer, ports)
    return {**result, "seen": ports.jobs.get(job.id).result}


def test_choreography(choreographed: Mapping[str, Any]) -> None:
    told = {name: value for name, value in choreographed.items() if name != "seen"}
    assert set(told) == described_fields()["choreography"]
    assert all(set(block) == described_fields()["choreography.plan"] for block in told["plan"])
    assert set(told["timings_s"]) == {"audio", "infer", "record"}
    assert [told["wishes"][name] for name in ("difficulty", "energy", "style")] == [None] * 3, "nobody wished any"


def test_the_plan_of_a_choreography_is_there_before_its_video(choreographed: Mapping[str, Any]) -> None:
    seen = choreographed["seen"]
    assert set(seen) == {
        "song", "sections", "wishes", "library", "value", "bound", "plan", "warnings", "objects",
    }  # fmt: skip
    assert set(seen["objects"]) == {"folder", "plan"}


def test_the_objects_of_a_choreography_are_in_the_results_bucket(
    ports: MemoryPorts, choreographed: Mapping[str, Any]
) -> None:
    objects = {name: place for name, place in choreographed["objects"].items() if name != "folder"}
    assert set(objects) == {"plan", "choreography", "timeline", "thumbnail", "result"}
    assert all(ports.blobs.read("results", place) for place in objects.values())


def test_move() -> None:
    told = move_summary(a_library(1, 0).moves[0], (), {"audio": 1.0}, "moves/a.npz")
    assert set(told) == described_fields()["move"]


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
