"""A library job from the features of its steps to the objects in the library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_job.choreography.library_inference import WHO_LEADS, LibraryInference, key_frames_s
from gpu_job.worker import Inference
from shared.couple import Couple
from shared.errors import BadMessage, NoBlock
from shared.job import Job, Kind, Source, Step, StepState
from shared.library import QUALITIES, Move, MoveLibrary
from shared.memory import MemoryPorts
from tests.functions.support import Clock, new_ports
from tests.gpu_job.choreography.couples import BASIC, LUNGE, Clip, clip, unseen

OPTIONS: Mapping[str, float | str] = {
    "clip_id": "basic_1", "label": "basic", "difficulty": "beginner", "energy": "medium", "tempo_bpm": 129.0,
    "styles": "traditional,sensual",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    frames: int
    frame_rate_hz: float = 30.0


@dataclass(slots=True)
class Transcoder:
    """Writes what it was told instead of a video."""

    frames: int = 260
    asked: list[tuple[bytes, list[float]]] = field(default_factory=list)

    def __call__(self, source, target: Path, key_frames_s) -> Written:
        self.asked.append((source.read(), key_frames_s.tolist()))
        target.write_bytes(b"mezzanine")
        return Written(self.frames)


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock())


def seen(couple: Clip) -> Couple:
    """Its poses as an extractor leaves them, in trousers and shirts of two colours."""
    clothes = np.array([[0.9, 0.2, 0.2, 0.1, 0.1, 0.5], [0.2, 0.2, 0.8, 0.4, 0.3, 0.2]], np.float32)
    return Couple(couple.lead, couple.follow, np.tile(clothes, (len(couple.lead), 1, 1)))


def extracted(ports: MemoryPorts, couple: Clip, number: int = 1, options: Mapping[str, float | str] = OPTIONS) -> Job:
    """A job whose steps have left their features: its poses in two shards."""
    source = ports.blobs.put("uploads", f"library/{number}.mp4", b"a clip", {})
    source = Source("uploads", source.name, source.generation, size=6)
    now = ports.now()
    media = {"rate_hz": 15.0, "samples": len(couple.lead), "duration_s": couple.music.duration_s}
    job = Job(source.job_id, Kind.LIBRARY, "maria", source, now, now + timedelta(days=30))
    plan: dict[str, dict[str, int]] = {"audio": {}, "pose-00": {}, "pose-01": {}}
    job = ports.jobs.create(job.planned(plan, media, options))
    for name, features in zip(job.plan, (couple.music, *halves(seen(couple))), strict=True):
        ports.blobs.create("features", f"{job.id}/{name}", features.to_bytes(), "")
        output = {"object": f"{job.id}/{name}", "sha256": "f" * 64, "seconds": 0.5}
        done = Step(name, StepState.DONE, 1, output=output)
        ports.jobs.update_step(job.id, name, lambda _, done=done: done)
    return job


def halves(couple: Couple) -> Sequence[Couple]:
    middle = len(couple) // 2

    def part(rows: slice, first: int) -> Couple:
        tracks = [
            replace(
                pose, image=pose.image[rows], world=pose.world[rows], visibility=pose.visibility[rows],
                first_sample=first,
            )
            for pose in (couple.one, couple.other)
        ]  # fmt: skip
        return Couple(*tracks, couple.colours[rows])

    return part(slice(middle), 0), part(slice(middle, None), middle)


def run(inference: Inference, jobs: Sequence[Job], ports: MemoryPorts) -> list[Mapping[str, Any]]:
    loaded = [inference.load(job, ports.jobs.steps(job.id), ports) for job in jobs]
    answers = inference.infer(loaded)
    return [inference.record(*each, ports) for each in zip(jobs, loaded, answers, strict=True)]


def kept(ports: MemoryPorts, summary: Mapping[str, Any]) -> Move:
    return Move.from_bytes(ports.blobs.read("library", summary["objects"]["move"]))


def test_a_clip_lies_in_the_library_with_its_mezzanine(ports):
    job = extracted(ports, clip())
    (summary,) = run(LibraryInference(Transcoder(), 30.0), [job], ports)
    assert summary["objects"] == {
        "mezzanine": f"mezzanine/basic_1-{job.id[:8]}.mp4", "move": f"moves/basic_1-{job.id[:8]}.npz",
    }  # fmt: skip
    move = kept(ports, summary)
    assert ports.blobs.read("library", move.mezzanine) == b"mezzanine"
    assert (move.id, move.name, move.sha256, move.frames) == ("basic_1", "1.mp4", "f" * 64, 260)
    assert move.annotation.styles == ("traditional", "sensual")
    assert len(MoveLibrary.of([move])) == 2


def test_the_client_sees_the_blocks_and_their_qualities(ports):
    (summary,) = run(LibraryInference(Transcoder(), 30.0), [extracted(ports, clip())], ports)
    assert (summary["clip_id"], summary["label"], summary["difficulty"]) == ("basic_1", "basic", "beginner")
    assert (summary["energy"], summary["tempo_bpm"]) == ("medium", 125.0)
    first, second = summary["blocks"]
    assert (first["start_s"], first["end_s"], second["start_s"]) == (0.5, 4.34, 4.34)
    assert list(first["qualities"]) == list(QUALITIES)
    assert set(summary["timings_s"]) == {"audio", "pose", "infer", "record"}


def test_what_a_teacher_should_know_is_told(ports):
    couple = clip()
    options = {**OPTIONS, "tempo_bpm": 150.0}
    alone = replace(couple, follow=unseen(couple.follow))
    (summary,) = run(LibraryInference(Transcoder(), 30.0), [extracted(ports, alone, options=options)], ports)
    assert [warning["code"] for warning in summary["warnings"]] == ["TEMPO_DIFFERS", "ONE_DANCER", WHO_LEADS.code]
    assert all(warning["message"] for warning in summary["warnings"])


def test_an_annotation_need_not_say_tempo_nor_styles(ports):
    options = {name: OPTIONS[name] for name in ("clip_id", "label", "difficulty", "energy")}
    (summary,) = run(LibraryInference(Transcoder(), 30.0), [extracted(ports, clip(), options=options)], ports)
    assert kept(ports, summary).annotation.tempo_bpm is None


def test_a_take_may_begin_on_every_downbeat_and_where_a_block_ends(ports):
    transcode = Transcoder()
    (summary,) = run(LibraryInference(transcode, 30.0), [extracted(ports, clip())], ports)
    ((source, asked),) = transcode.asked
    assert source == b"a clip"
    move = kept(ports, summary)
    np.testing.assert_allclose(asked, key_frames_s(move))
    np.testing.assert_allclose(asked, 0.5 + 4 * 0.48 * np.arange(5))


def test_a_second_attempt_finds_what_the_first_has_kept(ports):
    job = extracted(ports, clip())
    (first,) = run(LibraryInference(Transcoder(), 30.0), [job], ports)
    (second,) = run(LibraryInference(Transcoder(frames=200), 30.0), [job], ports)
    assert kept(ports, second).frames == 260
    assert second["blocks"] == first["blocks"]


def test_a_worker_that_dies_before_the_move_is_written_leaves_none(ports):
    class Died(Exception):
        pass

    class Dying(Transcoder):
        def __call__(self, *_, **__):
            raise Died

    with pytest.raises(Died):
        run(LibraryInference(Dying(), 30.0), [extracted(ports, clip())], ports)
    assert list(ports.blobs.names("library", "")) == []


def test_a_clip_whose_pictures_end_before_its_first_block_does_is_no_move(ports):
    with pytest.raises(NoBlock):
        run(LibraryInference(Transcoder(frames=90), 30.0), [extracted(ports, clip())], ports)


def test_clips_of_one_batch_are_what_they_are_alone(ports):
    couples = [clip(), clip([LUNGE], [BASIC])]
    jobs = [extracted(ports, couple, number) for number, couple in enumerate(couples)]
    together = run(LibraryInference(Transcoder(), 30.0), jobs, ports)
    for couple, summary in zip(couples, together, strict=True):
        alone = new_ports(Clock())
        (told,) = run(LibraryInference(Transcoder(), 30.0), [extracted(alone, couple)], alone)
        np.testing.assert_array_equal(kept(ports, summary).pose_embedding, kept(alone, told).pose_embedding)


def test_sound_that_is_no_music_is_no_upload_of_ours(ports):
    job = extracted(ports, clip())
    steps = dict(ports.jobs.steps(job.id))
    steps["audio"] = replace(steps["audio"], output={**steps["audio"].output, "object": f"{job.id}/pose-00"})
    with pytest.raises(BadMessage):
        LibraryInference(Transcoder(), 30.0).load(job, steps, ports)
