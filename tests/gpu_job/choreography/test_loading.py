"""What a job is loaded with: the library and its cuts, read once for all jobs of a worker."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from functions.intake.handler import handle
from gpu_job.choreography import inference as module
from gpu_job.choreography.inference import ChoreographInference, Loaded
from gpu_job.choreography.shelf import Shelf
from gpu_job.choreography.transitions import transitions
from shared.errors import EmptyLibrary, NoBeat
from shared.events import UploadFinalized
from shared.job import AUDIO, Job, Step
from shared.library import Move
from shared.memory import MemoryBlobStore, MemoryPorts
from shared.music import Music
from tests.functions.support import Clock, new_ports
from tests.gpu_job.choreography.making import a_library, a_song


class Reading(MemoryBlobStore):
    """Tells what was read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def read(self, bucket: str, name: str) -> bytes:
        self.seen.append(name)
        return super().read(bucket, name)

    def moves_read(self) -> int:
        return sum(name.startswith("moves/") for name in self.seen)


@pytest.fixture
def blobs() -> Reading:
    return Reading()


@pytest.fixture
def ports(blobs: Reading) -> MemoryPorts:
    return replace(new_ports(Clock()), blobs=blobs)


def stock(ports: MemoryPorts, *moves: Move) -> None:
    for move in moves:
        ports.blobs.put("library", f"moves/{move.id}-1.npz", move.to_bytes())
        ports.blobs.put("library", move.mezzanine, b"a film")


def heard(ports: MemoryPorts, music: Music) -> Mapping[str, Step]:
    """The steps of a job whose song is that."""
    ports.blobs.put("features", "music.npz", music.to_bytes())
    output = {"object": "music.npz", "sha256": "0" * 64, "seconds": 1.0}
    return {AUDIO: replace(Step(AUDIO), output=output)}


def loaded(inference: ChoreographInference, ports: MemoryPorts) -> Loaded:
    return inference.load(a_job(ports), heard(ports, a_song()), ports)


def a_job(ports: MemoryPorts) -> Job:
    message = UploadFinalized(ports.blobs.put("uploads", "songs/song.m4a", b"song", "audio/mp4"), {})
    handle(message, ports)
    return ports.jobs.get(message.job_id)


def test_the_library_and_its_cuts_are_read_once_for_all_jobs(ports: MemoryPorts, blobs: Reading) -> None:
    library, inference = a_library(4), ChoreographInference()
    stock(ports, *library.moves)
    first, second = loaded(inference, ports), loaded(inference, ports)
    assert second.library is first.library
    assert second.transition is first.transition
    assert first.transition is not None
    assert np.array_equal(first.transition, transitions(library))
    assert blobs.moves_read() == 4
    assert sum(name.startswith("cuts/") for name in blobs.seen) == 1


def test_jobs_that_are_loaded_side_by_side_share_them(ports: MemoryPorts, blobs: Reading) -> None:
    stock(ports, *a_library(4).moves)
    inference, job, steps = ChoreographInference(), a_job(ports), heard(ports, a_song())
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(inference.load, job, steps, ports) for _ in range(6)]
    found = [future.result() for future in futures]
    assert len({id(one.library) for one in found}) == len({id(one.transition) for one in found}) == 1
    assert blobs.moves_read() == 4


def test_a_library_that_has_grown_is_read_again(ports: MemoryPorts) -> None:
    moves, inference = a_library(5).moves, ChoreographInference()
    stock(ports, *moves[:4])
    before = loaded(inference, ports)
    stock(ports, moves[4])
    after = loaded(inference, ports)
    assert (len(before.library.moves), len(after.library.moves)) == (4, 5)
    assert after.transition is not None
    assert after.transition.shape == (len(after.library), len(after.library))


def test_other_ports_have_another_library(ports: MemoryPorts) -> None:
    inference, others = ChoreographInference(), replace(new_ports(Clock()), blobs=Reading())
    stock(ports, *a_library(4, 0).moves)
    stock(others, *a_library(4, 1).moves)
    assert loaded(inference, ports).library.version != loaded(inference, others).library.version


def test_of_a_large_library_no_cuts_are_computed_or_kept(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    library = a_library(4)
    stock(ports, *library.moves)
    monkeypatch.setattr(module, "MOST", len(library) - 1)
    assert loaded(ChoreographInference(), ports).transition is None
    assert ports.blobs.names("library", "cuts/") == []


def test_a_song_without_a_beat_is_refused(ports: MemoryPorts) -> None:
    stock(ports, *a_library(2).moves)
    with pytest.raises(NoBeat):
        ChoreographInference().load(a_job(ports), heard(ports, Music.none(30.0)), ports)


def test_an_empty_shelf_is_looked_at_again_when_it_is_stocked(ports: MemoryPorts) -> None:
    shelf = Shelf(ports.blobs, "library")
    with pytest.raises(EmptyLibrary):
        shelf.stocked()
    stock(ports, *a_library(2).moves)
    assert len(shelf.stocked().library.moves) == 2


def test_of_two_moves_of_one_id_the_one_added_last_counts(ports: MemoryPorts) -> None:
    move = a_library(1).moves[0]
    ports.blobs.put("library", "moves/a-2.npz", replace(move, added_at="2026-02-01T00:00:00Z").to_bytes())
    ports.blobs.put("library", "moves/a-3.npz", move.to_bytes())
    ports.blobs.put("library", move.mezzanine, b"a film")
    assert Shelf(ports.blobs, "library").stocked().library.moves[0].added_at == "2026-02-01T00:00:00Z"


def test_what_is_no_move_is_left_out_and_said(ports: MemoryPorts, caplog: pytest.LogCaptureFixture) -> None:
    stock(ports, *a_library(2).moves)
    ports.blobs.put("library", "moves/broken.npz", b"no move")
    ports.blobs.delete(ports.blobs.stat("library", a_library(2).moves[0].mezzanine).source)
    stocked = Shelf(ports.blobs, "library").stocked()
    assert len(stocked.library.moves) == 1
    assert stocked.left_out == (a_library(2).moves[0].id, "moves/broken.npz")
    assert "moves/broken.npz" in caplog.text
