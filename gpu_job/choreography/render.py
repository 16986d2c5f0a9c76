"""The video of a plan: packets joined as they are, or pictures drawn anew with crossfades and counts.

Knows no bucket and no job. A clip that is missing or damaged, or goes while the film is made, does not end the
dance: the clip before it goes on and then stands still, and the result names what is missing.
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
from shared.errors import ClipsGone, DamagedFile, NoSound, PermanentError, UnfitTake
from shared.library import Move, MoveLibrary
from shared.media import Coding, Picture, Soundtrack, Source, check, film, joined, probe, shown_at
from shared.music import Music
from shared.timeline import FloatArray, IntArray, Segment, sample_count, sample_times_s
from shared.wishes import Quality

CODINGS = {Quality.BALANCED: Coding("veryfast", 21), Quality.HIGH: Coding("slower", 18)}
RATE_HZ = 30.0
CROSSFADE_S = 0.2
"""Ends at the cut, so that the new clip stands alone from the one on."""
REPORT_EVERY = 0.05
"""Of the film: more often, nobody would see a bar grow."""

Report = Callable[[float], None]
"""Told the share 0 … 1 of the film that is made."""

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
    target: Path, clock: Callable[[], float] = perf_counter, report: Report = lambda _: None,
) -> Rendered:  # fmt: skip
    """Write the MP4 file ``target``. ``opened`` gives the mezzanine of a move; what it, or reading from it, raises as
    a PermanentError or FileNotFoundError says that there is none. What ``report`` is told only grows.

    Raises NoSound, and what reading the song raises; ClipsGone where no clip can be shown; OSError where ``target``
    cannot be written, what ``report`` raises, and else what a source's own ``read`` raises.
    """
    started_s = clock()
    if probe(song).audio is None:
        raise NoSound
    runs, shelf, growing = runs_of(plan, library), _Shelf(opened), _growing(report)
    while True:  # once more for each move at the most
        footage = _usable(runs, music, shelf)
        try:
            _write(footage, song, quality, target, growing)
        except _Lost as lost:
            shelf.lose(lost.move, lost)
        else:
            break
    missing = tuple(run.move.id for run in runs if not shelf.holds(run.move))
    return Rendered(footage.duration_s, len(footage.runs) - 1, missing, clock() - started_s)


class _Lost(Exception):
    """A clip went while it was shown."""

    def __init__(self, move: Move, cause: Exception) -> None:
        super().__init__(str(cause))
        self.move = move


class _Shelf:
    """The mezzanines, each opened once, and which of them are no more."""

    def __init__(self, opened: Callable[[Move], Source]) -> None:
        self._opened = opened
        self._sources: dict[str, Source] = {}
        self._lost: set[str] = set()

    def __call__(self, move: Move) -> Source:
        if move.id not in self._sources:
            self._sources[move.id] = self._opened(move)
        return self._sources[move.id]

    def holds(self, move: Move) -> bool:
        if move.id not in self._lost:
            try:
                self(move)
            except (PermanentError, FileNotFoundError) as error:
                self.lose(move, error)
        return move.id not in self._lost

    def lose(self, move: Move, why: Exception) -> None:
        logger.warning("a clip is left out: %s: %s", move.id, why)
        self._lost.add(move.id)


def _growing(report: Report) -> Report:
    """``report``, spared what is little more than it was told last, or less: a film that is begun again."""
    told = 0.0

    def tell(share: float) -> None:
        nonlocal told
        if share >= told + REPORT_EVERY:
            told = share
            report(share)

    return tell


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


def _usable(runs: tuple[Run, ...], music: Music, shelf: _Shelf) -> _Footage:
    """The runs whose clips can be shown; the shelf holds no others. Raises ClipsGone where none can."""
    while left := tuple(run for run in runs if shelf.holds(run.move)):
        try:
            check(takes_of(left, music, shelf))
        except UnfitTake as error:
            shelf.lose(left[error.number].move, error)
        else:
            return _Footage(left, music, shelf)
    raise ClipsGone


def _write(footage: _Footage, song: Source, quality: Quality, target: Path, report: Report) -> None:
    """Raises _Lost where a clip cannot be read any more."""
    soundtrack = Soundtrack(song, Segment(0.0, footage.duration_s))
    if quality is not Quality.FAST:
        film(
            _pictures(footage, report), RATE_HZ, target, soundtrack, coding=CODINGS[quality], copies_sound=True,
            needs_sound=True,
        )  # fmt: skip
        return
    takes = takes_of(footage.runs, footage.music, footage.shelf)
    try:
        joined(takes, target, footage.duration_s, soundtrack, lambda done: report(done / len(takes)))
    except UnfitTake as error:
        raise _Lost(footage.runs[error.number].move, error) from error


def _pictures(footage: _Footage, report: Report) -> Iterator[Picture]:
    """At an even rate, one clip faded into the next, with the counts laid over."""
    times_s = sample_times_s(sample_count(footage.duration_s, RATE_HZ), RATE_HZ)
    edges = [sample_count(span.start_s, RATE_HZ) for span in footage.spans] + [len(times_s)]
    badges = Badges.of(footage.runs, footage.music, times_s)
    for number, picture in enumerate(_faded(footage, times_s, np.array(edges))):
        yield badges.laid_over(picture, number)
        report((number + 1) / len(times_s))


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
    """What the run's clip shows at these times of the song; its first and last picture stand beyond its ends.

    Raises _Lost.
    """
    rate_hz, frames = run.move.frame_rate_hz, run.move.frames
    earliest_s = run.first_frame / rate_hz if is_first else 0.0
    clip_s = np.clip(run.clip_s(times_s, footage.music), earliest_s, (frames - 0.5) / rate_hz)
    before: Picture | None = None
    try:
        for picture in shown_at(footage.shelf(run.move), clip_s.tolist()):
            before = picture if picture is not None else before
            if before is None:
                raise DamagedFile("It shows nothing.")
            yield before
    except (PermanentError, FileNotFoundError) as error:
        raise _Lost(run.move, error) from error


def _mixed(one: Picture, other: Picture, share: float) -> Picture:
    return (one * np.float32(1 - share) + other * np.float32(share) + np.float32(0.5)).astype(np.uint8)
