"""What an attempt leaves tells of one segmentation, whatever an attempt before it found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from functions.intake.handler import handle
from gpu_job.segmentation import Performance, Segmentation
from gpu_job.segmentation.inference import Answer, Loaded, SegmentInference
from shared.events import UploadFinalized
from shared.memory import MemoryPorts
from tests.functions.support import Clock, new_ports
from tests.gpu_job.segmentation.truth import NOVELTY, Truth, cut, danced
from tests.shared.media_files import Recipe, write

Record = Callable[[Segmentation], Mapping[str, Any]]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("inference") / "clip.mp4", Recipe(count=360)).read_bytes()


@pytest.fixture(scope="module")
def truth() -> Truth:
    return danced(4, duration_s=12.0)


@pytest.fixture(scope="module")
def found(truth: Truth) -> Segmentation:
    segmentation = cut(truth.pose, truth.audio)
    assert len(segmentation.moves) > 1
    return segmentation


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock())


@pytest.fixture
def record(ports: MemoryPorts, video: bytes, truth: Truth) -> Record:
    """An attempt at one and the same job."""
    message = UploadFinalized(ports.blobs.put("uploads", "videos/clip.mp4", video, "video/mp4", {}), {})
    handle(message, ports)
    job = ports.jobs.get(message.job_id)
    loaded = Loaded(Performance(truth.pose, truth.audio), NOVELTY, "", {})
    return lambda segmentation: SegmentInference().record(job, loaded, Answer(segmentation, 1.0), ports)


def otherwise(found: Segmentation, what: str) -> Segmentation:
    """As another network may have found it, by the same number of moves."""
    if what == "names":
        return replace(found, moves=tuple(replace(move, label="spin", confidence=0.9) for move in found.moves))
    first, second, *rest = found.moves
    middle_s = first.end_s - 0.5
    moved = replace(first, end_s=middle_s), replace(second, start_s=middle_s)
    curves = replace(found.curves, boundary_probability=found.curves.boundary_probability / 2)
    return replace(found, moves=(*moved, *rest), curves=curves)


def objects(ports: MemoryPorts, told: Mapping[str, Any]) -> dict[str, bytes]:
    """The content of all that a result tells of, but for the result itself."""
    places = {name: place for name, place in told["objects"].items() if name not in ("folder", "result")}
    places |= {f"clip {i}": told["objects"]["folder"] + move["clip"] for i, move in enumerate(told["moves"])}
    return {name: ports.blobs.read("results", place) for name, place in places.items()}


@pytest.mark.parametrize("what", ["names", "boundaries"])
def test_files_of_an_attempt_that_found_something_else_are_not_taken_for_ours(
    record: Record, found: Segmentation, ports: MemoryPorts, video: bytes, what: str
) -> None:
    before = record(otherwise(found, what))
    kept = objects(ports, before)
    ours = record(found)
    assert objects(ports, before) == kept
    full = json.loads(ports.blobs.read("results", ours["objects"]["result"]))
    assert full["moves"] == ours["moves"] != before["moves"]
    assert not {move["clip"] for move in ours["moves"]} & {move["clip"] for move in before["moves"]}
    alone, fresh = objects(ports, ours), objects(ports, record(found))
    assert alone == fresh
    assert alone["timeline"] != kept["timeline"]
    assert (alone["curves"] == kept["curves"]) == (what == "names")


def test_files_of_an_attempt_that_found_the_same_are_ours(record: Record, found: Segmentation) -> None:
    first, again = record(found), record(found)
    assert first == again
    assert [move["clip"].startswith("moves/0") for move in first["moves"]] == [True] * len(found.moves)
