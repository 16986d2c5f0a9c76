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


class TestWhatOtherObjectsTellOf:
    """A plan, a film."""

    def test_it_keeps_its_plain_name_as_long_as_every_attempt_finds_the_same(self, ports, tmp_path):
        job, path = ready(ports), tmp_path / "film.mp4"
        path.write_bytes(bytes(3_000_000))
        first, again = (Keeper(job, ports).with_own("film.mp4", path, "video/mp4") for _ in range(2))
        assert first.objects == again.objects == {"folder": f"{job.id}/v1/", "film": f"{job.id}/v1/film.mp4"}

    @pytest.mark.parametrize("other", [b"another", b"a pla", b"a plan and more", b""])
    def test_what_another_attempt_found_otherwise_stays_and_ours_lies_beside(self, ports, other):
        job = ready(ports)
        first = Keeper(job, ports).with_own("plan.json", other, "text/plain")
        ours, again = (Keeper(job, ports).with_own("plan.json", b"a plan", "text/plain") for _ in range(2))
        assert first.objects["plan"] == f"{job.id}/v1/plan.json"
        assert ours.objects == again.objects != first.objects
        assert ports.blobs.read(*first.place("plan.json")) == other
        assert ports.blobs.read(*ours.place("plan.json")) == b"a plan"

    def test_each_has_its_own_result_and_they_share_what_lies_before(self, ports):
        job = ready(ports)

        def begun(film: bytes) -> Keeper:
            return Keeper(job, ports).with_own("plan.json", b"a plan", "").with_own("film.mp4", film, "")

        one, two, three = begun(b"one"), begun(b"two"), begun(b"three")
        assert [keep.result({"of": n}) for n, keep in enumerate((one, two, three))] == [{"of": n} for n in range(3)]
        assert begun(b"two").result({"of": 9}) == {"of": 1}
        assert one.objects["plan"] == two.objects["plan"] == three.objects["plan"]
        for name in ("film", "result"):
            assert len({keep.objects[name] for keep in (one, two, three)}) == 3
