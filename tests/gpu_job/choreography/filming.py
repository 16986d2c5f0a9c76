"""Mezzanines of made-up moves, every frame of which can be told from every other, and plans laid by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from gpu_job.choreography.plan import Placed, Plan, Slot
from gpu_job.choreography.slots import slots
from shared.library import Move, MoveLibrary
from shared.media import Form, Picture, film, mezzanine
from shared.music import Music
from shared.timeline import BeatGrid
from tests.gpu_job.choreography.making import a_library
from tests.shared.media_files import BITS, numbered

FORM = Form(64, 48)
JITTER_S = 0.02


@dataclass(frozen=True)
class Filmed:
    """A library whose mezzanines lie in a folder."""

    library: MoveLibrary
    folder: Path

    def opened(self, move: Move) -> Path:
        return self.folder / f"{move.id}.mp4"

    def block(self, move: int, number: int = 0) -> int:
        """Of the library's row: a block of its ``move``-th move."""
        return int(np.flatnonzero(self.library.owner == move)[number])


def filmed(folder: Path, clips: int = 4, seed: int = 0, form: Form = FORM) -> Filmed:
    """Clips danced by somebody who does not keep the tempo quite."""
    rng = np.random.default_rng(seed)
    moves = []
    for clip, move in enumerate(a_library(clips, seed, tempo_bpm=(118.0, 138.0)).moves):
        beats_s = move.beats.beats_s + rng.uniform(-JITTER_S, JITTER_S, len(move.beats))
        moves.append(replace(move, beats=BeatGrid(beats_s, move.beats.positions)))
        drawn = folder / "drawn.mp4"
        film((marked(clip, n, (form.width, form.height)) for n in range(move.frames)), move.frame_rate_hz, drawn)
        mezzanine(drawn, folder / f"{move.id}.mp4", form, moves[-1].beats.downbeats_s)
    return Filmed(MoveLibrary.of(moves), folder)


def marked(clip: int, frame: int, size: tuple[int, int]) -> Picture:
    """The frame's number, in a tint of the clip's own."""
    cycle, number = divmod(frame, 1 << BITS)
    picture = numbered(number, size)
    picture[..., 0] += np.uint8(8 * (clip % 4))
    picture[..., 2] += np.uint8(10 * cycle)
    return picture


def laid(music: Music, blocks: Sequence[int], kept: Callable[[Slot], bool] = lambda _: True) -> Plan:
    """These blocks by turns in the song's slots."""
    placed = [
        Placed(slot, blocks[number % len(blocks)], 1.0, {}, {}, "")
        for number, slot in enumerate(slot for slot in slots(music) if kept(slot))
    ]
    return Plan(tuple(placed), 0.0)


def fingerprints(path: Path) -> Iterator[tuple[float, str]]:
    """When each frame is shown, seconds, and what of: two that decode alike have the same."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.time, hashlib.blake2b(b"".join(bytes(plane) for plane in frame.planes)).hexdigest()


def known(filmed: Filmed, moves: Iterable[Move]) -> dict[str, tuple[str, int]]:
    """Fingerprint → id of the move, number of the frame."""
    return {
        print_: (move.id, number)
        for move in moves
        for number, (_, print_) in enumerate(fingerprints(filmed.opened(move)))
    }
