"""The video of a plan: packets joined as they are, or pictures drawn anew with crossfades and counts.

Knows no bucket and no job. A clip that is missing or damaged does not end the dance: the clip before it goes on
and then stands still, and the result names what is missing.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from gpu_job.choreography.count_badge import Badges
from gpu_job.choreography.footage import Run, runs_of, spans_of, takes_of
from gpu_job.choreography.plan import Plan
from shared.errors import ClipsGone, NoSound, PermanentError, UnfitTake
from shared.library import Move, MoveLibrary
from shared.media import Coding, Picture, Soundtrack, Source, check, film, joined, probe, shown_at
from shared.music import Music
from shared.timeline import FloatArray, IntArray, Segment, sample_count, sample_times_s
from shared.wishes import Quality

CODINGS = {Quality.BALANCED: Coding("veryfast", 21), Quality.HIGH: Coding("slower", 18)}
RATE_HZ = 30.0
CROSSFADE_S = 0.2
"""Ends at the cut, so that the new clip stands alone from the one on."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rendered:
    """``duration_s`` of the film
    ``cuts``       how many
    ``missing``    ids of the moves that could not be shown, in the order of the dance
    ``seconds``    that it took
    """

    duration_s: float
    cuts: int
    missing: tuple[str, ...]
    seconds: float


def rendered(
    plan: Plan, music: Music, library: MoveLibrary, opened: Callable[[Move], Source], song: Source, quality: Quality,
    target: Path, clock: Callable[[], float] = perf_counter,
) -> Rendered:  # fmt: skip
    """Write the MP4 file ``target``. ``opened`` gives the mezzanine of a move; what it raises as a PermanentError or
    FileNotFoundError says that there is none.

    Raises NoSound, and what reading the song raises; ClipsGone where no clip can be shown; OSError where ``target``
    cannot be written, and what a source's own ``read`` raises.
    """
    started_s = clock()
    if probe(song).audio is None:
        raise NoSound
    footage, missing = _usable(runs_of(plan, library), music, _Shelf(opened))
    soundtrack = Soundtrack(song, Segment(0.0, footage.duration_s))
    if quality is Quality.FAST:
        joined(takes_of(footage.runs, music, footage.shelf), target, footage.duration_s, soundtrack)
    else:
        film(_pictures(footage), RATE_HZ, target, soundtrack, coding=CODINGS[quality], copies_sound=True)
    return Rendered(footage.duration_s, len(footage.runs) - 1, missing, clock() - started_s)


class _Shelf:
    """The mezzanines, each opened once."""

    def __init__(self, opened: Callable[[Move], Source]) -> None:
        self._opened = opened
        self._sources: dict[str, Source] = {}

    def __call__(self, move: Move) -> Source:
        if move.id not in self._sources:
            self._sources[move.id] = self._opened(move)
        return self._sources[move.id]


@dataclass(frozen=True, slots=True)
class _Footage:
    """What there is to be shown."""

    runs: tuple[Run, ...]
    music: Music
    shelf: _Shelf

    @property
    def spans(self) -> tuple[Segment, ...]:
        return spans_of(self.runs, self.music)

    @property
    def duration_s(self) -> float:
        return self.spans[-1].end_s


def _usable(runs: tuple[Run, ...], music: Music, shelf: _Shelf) -> tuple[_Footage, tuple[str, ...]]:
    """The runs whose clips can be shown, and the moves of the others. Raises ClipsGone where none can."""
    missing = [run.move.id for run in runs if not _is_there(run.move, shelf)]
    while left := tuple(run for run in runs if run.move.id not in missing):
        try:
            check(takes_of(left, music, shelf))
        except UnfitTake as error:
            logger.warning("a clip is left out: %s", error)
            missing.append(left[error.number].move.id)
        else:
            return _Footage(left, music, shelf), tuple(run.move.id for run in runs if run.move.id in missing)
    raise ClipsGone


def _is_there(move: Move, shelf: _Shelf) -> bool:
    try:
        shelf(move)
    except (PermanentError, FileNotFoundError) as error:
        logger.warning("a clip is left out: %s: %s", move.id, error)
        return False
    return True


def _pictures(footage: _Footage) -> Iterator[Picture]:
    """At an even rate, one clip faded into the next, with the counts laid over."""
    times_s = sample_times_s(sample_count(footage.duration_s, RATE_HZ), RATE_HZ)
    edges = [sample_count(span.start_s, RATE_HZ) for span in footage.spans] + [len(times_s)]
    badges = Badges.of(footage.runs, footage.music, times_s)
    for number, picture in enumerate(_faded(footage, times_s, np.array(edges))):
        yield badges.laid_over(picture, number)


def _faded(footage: _Footage, times_s: FloatArray, edges: IntArray) -> Iterator[Picture]:
    """``edges`` ``(R + 1,)`` the first frame of each run, and their end."""
    fades = [0, *(min(round(CROSSFADE_S * RATE_HZ), many) for many in np.diff(edges)[:-1].tolist()), 0]
    shown = [
        _seen(footage, run, times_s[edges[i] - fades[i] : edges[i + 1]], is_first=i == 0)
        for i, run in enumerate(footage.runs)
    ]
    for i, (first, end) in enumerate(itertools.pairwise(edges.tolist())):
        alone = end - first - fades[i + 1]
        yield from itertools.islice(shown[i], alone)
        for step in range(1, fades[i + 1] + 1):
            yield _mixed(next(shown[i]), next(shown[i + 1]), step / (fades[i + 1] + 1))


def _seen(footage: _Footage, run: Run, times_s: FloatArray, *, is_first: bool) -> Iterator[Picture]:
    """What the run's clip shows at these times of the song; its first and last picture stand beyond its ends."""
    rate_hz, frames = run.move.frame_rate_hz, run.move.frames
    earliest_s = run.first_frame / rate_hz if is_first else 0.0
    clip_s = np.clip(run.clip_s(times_s, footage.music), earliest_s, (frames - 0.5) / rate_hz)
    before: Picture | None = None
    for picture in shown_at(footage.shelf(run.move), clip_s.tolist()):
        before = picture if picture is not None else before
        if before is None:
            raise ClipsGone(f"The clip of {run.move.id} shows nothing.")
        yield before


def _mixed(one: Picture, other: Picture, share: float) -> Picture:
    return (one * np.float32(1 - share) + other * np.float32(share) + np.float32(0.5)).astype(np.uint8)
