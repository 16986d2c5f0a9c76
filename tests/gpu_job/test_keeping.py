"""A job's objects are written once; what an earlier attempt wrote counts."""

import json

import pytest

from gpu_job.keeping import Keeper
from shared.memory import MemoryPorts
from tests.functions.support import Clock, new_ports, ready


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock())


def test_objects_lie_in_the_jobs_folder_and_are_noted_by_name(ports):
    job = ready(ports)
    keep = Keeper(job, ports)
    assert keep("timeline.png", b"a picture", "image/png")
    assert keep("moves/01_move-A.mp4", b"a clip", "video/mp4")
    assert keep.objects == {"folder": f"{job.id}/v1/", "timeline": f"{job.id}/v1/timeline.png"}
    assert ports.blobs.read("results", f"{job.id}/v1/moves/01_move-A.mp4") == b"a clip"


def test_the_result_of_an_attempt_that_died_after_writing_it_counts(ports):
    job = ready(ports)
    assert Keeper(job, ports).result({"moves": ["first"]}) == {"moves": ["first"]}
    again = Keeper(job, ports)
    assert again.result({"moves": ["second"]}) == {"moves": ["first"]}
    assert json.loads(ports.blobs.read("results", again.objects["result"])) == {"moves": ["first"]}


def test_an_attempt_that_begins_from_other_input_leaves_the_objects_of_an_earlier_one_alone(ports):
    job = ready(ports)

    def begun(plan: bytes) -> Keeper:
        return Keeper.from_first("plan.json", plan, "application/json", job, ports, "b-")

    first, same, other = begun(b"one"), begun(b"one"), begun(b"two")
    assert first.objects == same.objects
    assert other.objects["plan"] == f"{job.id}/v1/b-plan.json"
    assert other("film.mp4", b"of two", "video/mp4")
    assert first("film.mp4", b"of one", "video/mp4")
    assert ports.blobs.read(*other.place("film.mp4")) == b"of two"
