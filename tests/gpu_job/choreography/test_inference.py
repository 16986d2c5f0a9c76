"""A song's job worked on more than once: whatever an attempt finds of another, its film and its result are of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from gpu_job.choreography.inference import FILMED, MAKING, PLANNED, Answer, ChoreographInference, Loaded
from gpu_job.worker import Worker
from shared.job import AUDIO, INFER, PROGRESS, Job, Kind, State, Step, StepState
from shared.library import Move
from shared.memory import MemoryBlobStore, MemoryJobStore, MemoryPorts
from shared.music import Role
from shared.ports import Ports
from tests.functions.support import SETTINGS, Clock, new_ports
from tests.gpu_job.choreography.filming import Filmed, filmed, fingerprints, known
from tests.gpu_job.choreography.making import a_song
from tests.shared.media_files import write_song

MUSIC = a_song(((Role.INTRO, 1), (Role.VERSE, 3)), tempo_bpm=124.0)
OBJECTS = ("plan", "choreography", "thumbnail", "timeline", "result")
ALL = "-"
"""Ends no name: the attempt does not die before its last object."""


class Death(BaseException):
    """Of a worker, at any line."""


class DyingBlobStore(MemoryBlobStore):
    """Its caller dies when it is about to create an object whose name ends so."""

    ending = ALL

    def create(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> bool:
        if name.endswith(self.ending):
            raise Death
        return super().create(bucket, name, content, content_type)


class NotingJobStore(MemoryJobStore):
    """Notes what a watcher of the job would see."""

    def __init__(self, now: Callable[[], Any]) -> None:
        super().__init__(now)
        self.seen: list[Job] = []

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        self.seen.append(super().update(job_id, change))
        return self.seen[-1]


@dataclass(frozen=True)
class Stage:
    """A song's job that a worker has begun, and a library."""

    ports: MemoryPorts
    blobs: DyingBlobStore
    jobs: NotingJobStore
    clips: Filmed
    job: Job

    def attempt(self, dying_at: str = ALL) -> Mapping[str, Any]:
        """The result, or Death before the object of that name is there."""
        inference, self.blobs.ending = ChoreographInference(), dying_at
        loaded = inference.load(self.job, self.jobs.steps(self.job.id), self.ports)
        (answer,) = inference.infer([loaded])
        return inference.record(self.job, loaded, answer, self.ports)

    def begins(self, before: str) -> None:
        """An attempt that dies before the object of that name is there, or after :data:`ALL`."""
        with pytest.raises(Death) if before != ALL else nullcontext():
            self.attempt(before)

    def add(self, moves: Sequence[Move]) -> None:
        for move in moves:
            self.ports.blobs.put("library", f"moves/{move.id}.npz", move.to_bytes())
            self.film(move)

    def film(self, move: Move) -> None:
        self.ports.blobs.put("library", move.mezzanine, self.clips.opened(move).read_bytes())

    def lose(self, move: Move) -> None:
        self.ports.blobs.delete(self.ports.blobs.stat("library", move.mezzanine).source)

    def content(self, result: Mapping[str, Any], name: str) -> bytes:
        return self.ports.blobs.read("results", result["objects"][name])

    def folder(self) -> list[str]:
        return [name.rpartition("/")[2] for name in self.ports.blobs.names("results", f"{self.job.id}/")]

    def shown(self, result: Mapping[str, Any], folder: Path) -> set[str]:
        """The moves of which the film shows a frame."""
        path = folder / "film.mp4"
        path.write_bytes(self.content(result, "choreography"))
        frames = known(self.clips, self.clips.library.moves)
        return {frames[print_][0] for _, print_ in fingerprints(path)}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    return filmed(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("song") / "song.m4a"
    return write_song(path, "aac", MUSIC.beats.beats_s.tolist(), MUSIC.duration_s).read_bytes()


@pytest.fixture
def stage(clips: Filmed, song: bytes) -> Stage:
    clock = Clock()
    blobs, jobs = DyingBlobStore(), NotingJobStore(clock)
    ports = replace(new_ports(clock), blobs=blobs, jobs=jobs)
    stage = Stage(ports, blobs, jobs, clips, begun(ports, song))
    stage.add(clips.library.moves[:3])
    return stage


def begun(ports: MemoryPorts, song: bytes) -> Job:
    source, now = ports.blobs.put("uploads", "songs/song.m4a", song), ports.now()
    media = {"container": "mp4", "audio": {"codec": "aac"}, "duration_s": MUSIC.duration_s}
    job = Job(source.job_id, Kind.CHOREOGRAPH, "maria", source, now, now + timedelta(days=30))
    job = ports.jobs.create(job.planned({AUDIO: {}}, media).sealed().started())
    ports.blobs.create("features", "music", MUSIC.to_bytes(), "")
    heard = Step(AUDIO, StepState.DONE, 1, output={"object": "music", "sha256": "f" * 64, "seconds": 0.5})
    ports.jobs.update_step(job.id, AUDIO, lambda _: heard)
    return job


@pytest.fixture
def lost(stage: Stage) -> Move:
    """A move that is danced, and not as the first."""
    inference = ChoreographInference()
    loaded = inference.load(stage.job, stage.jobs.steps(stage.job.id), stage.ports)
    plan = inference.infer([loaded])[0].planned.plans[0]
    first, *others = (loaded.library.move_of(placed.block) for placed in plan.placed)
    return next(move for move in others if move.id != first.id)


def codes(result: Mapping[str, Any]) -> list[str]:
    return [warning["code"] for warning in result["warnings"]]


class TestAgain:
    @pytest.mark.parametrize("before", ["choreography.mp4", "thumbnail.jpg", "timeline.png", "result.json"])
    def test_what_an_attempt_left_that_died_serves_the_next(self, stage, before):
        stage.begins(before)
        result = stage.attempt()
        assert result["objects"] == stage.attempt()["objects"]
        assert sorted(stage.folder()) == [
            "choreography.mp4", "plan.json", "result.json", "thumbnail.jpg", "timeline.png",
        ]  # fmt: skip

    def test_the_result_of_one_that_died_after_all_was_written_counts(self, stage):
        first, second = stage.attempt(), stage.attempt()
        assert first == second
        assert {name: value for name, value in second.items() if name != "objects"} == json.loads(
            stage.content(second, "result")
        )


class TestMeanwhile:
    """Something has changed between two attempts."""

    @pytest.mark.parametrize("before", ["choreography.mp4", "thumbnail.jpg", "result.json", ALL])
    def test_a_library_that_has_grown_makes_another_dance(self, stage, before):
        stage.begins(before)
        stage.add(stage.clips.library.moves[3:])
        result = stage.attempt()
        plan = json.loads(stage.content(result, "plan"))
        assert plan["library"] == result["library"] == json.loads(stage.content(result, "result"))["library"]
        assert result["library"]["moves"] == 4
        names = {result["objects"][name].rpartition("/")[2].partition("-")[0] for name in OBJECTS}
        assert len(names) == 1
        assert "plan.json" in stage.folder()

    @pytest.mark.parametrize("before", ["thumbnail.jpg", "timeline.png", "result.json", ALL])
    def test_a_clip_that_is_back_is_in_the_film_and_not_said_to_be_missing(self, stage, lost, before, tmp_path):
        stage.lose(lost)
        stage.begins(before)
        stage.film(lost)
        result = stage.attempt()
        assert not {"CLIPS_MISSING", "LIBRARY_INCOMPLETE"} & set(codes(result))
        assert lost.id in stage.shown(result, tmp_path)

    @pytest.mark.parametrize("before", ["thumbnail.jpg", "timeline.png", "result.json", ALL])
    def test_a_clip_that_has_gone_is_not_in_the_film_and_said_to_be_missing(self, stage, lost, before, tmp_path):
        stage.begins(before)
        stage.lose(lost)
        result = stage.attempt()
        assert "LIBRARY_INCOMPLETE" in codes(result)
        assert lost.id not in stage.shown(result, tmp_path)

    def test_a_clip_that_comes_and_goes_leaves_two_films_and_two_results(self, stage, lost):
        results = []
        for _ in range(2):
            results.append(stage.attempt())
            stage.lose(lost)
            results.append(stage.attempt())
            stage.film(lost)
        assert results[:2] == results[2:]
        assert sum(name.endswith("choreography.mp4") for name in stage.folder()) == 2
        assert sum(name.endswith("result.json") for name in stage.folder()) == 2


class TestProgress:
    def test_it_grows_while_the_film_is_made(self, stage):
        stage.attempt()
        making = [job.progress for job in stage.jobs.seen if job.stage == MAKING]
        low = PROGRESS[State.RUNNING]
        first, last = (round(low + share * (1 - low), 3) for share in (PLANNED, FILMED))
        assert making[0] == first
        assert making == sorted(set(making))
        assert len(making) >= 3
        assert making[-1] <= last


class Overtaken(ChoreographInference):
    """Stands still so long after it has planned that another worker takes the job over, and tells of its plan."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def record(self, job: Job, loaded: Loaded, answer: Answer, ports: Ports) -> Mapping[str, Any]:
        overtake(self._stage)
        return super().record(job, loaded, answer, ports)


def overtake(stage: Stage) -> None:
    ports = stage.ports
    assert isinstance(ports.now, Clock)
    ports.now.passes(SETTINGS.infer_lease_s + 1)
    ports.jobs.update_step(stage.job.id, INFER, lambda step: step.claimed(ports.now(), SETTINGS.infer_lease, 99))
    ports.jobs.update(stage.job.id, lambda job: job.advanced(MAKING, 0.5, {"plan": "the newer"}))


def test_a_worker_that_was_overtaken_does_not_put_its_plan_in_the_place_of_the_newer(stage):
    assert Worker(stage.ports, {Kind.CHOREOGRAPH: Overtaken(stage)}, Event()).run() == 0
    job = stage.jobs.get(stage.job.id)
    assert (job.state, job.result) == (State.RUNNING, {"plan": "the newer"})
    assert stage.jobs.steps(job.id)[INFER].attempt == 2
    assert not [name for name in stage.folder() if name.endswith(".mp4")]


def test_a_worker_that_is_overtaken_while_it_makes_the_film_stops_there(stage):
    offered: list[str] = []

    def offer(job_id: str, change: Callable[[Job], Job]) -> None:
        offered.append(job_id)
        stage.jobs.update(job_id, change)
        overtake(stage)

    stage.jobs.offer = offer
    assert Worker(stage.ports, {Kind.CHOREOGRAPH: ChoreographInference()}, Event()).run() == 0
    assert stage.jobs.get(stage.job.id).result == {"plan": "the newer"}
    assert (len(offered), stage.folder()) == (1, ["plan.json"])
