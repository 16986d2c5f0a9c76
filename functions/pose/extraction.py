"""Landmarks of a span of a video.

A recording is worked in chunks that lie on an absolute grid (:func:`shared.timeline.chunks`). Each
is seen by a landmarker of its own that starts a moment before it, so a chunk's landmarks do not
depend on which worker works it nor on what else that worker does: one shard or many, the numbers
are the same. This module knows no bucket, no job and no message.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from functions.pose.landmarker import Landmarker
from functions.pose.threads import side_by_side
from shared.features import BLAZEPOSE_LANDMARKS, PoseFeatures
from shared.heap import share_one_arena
from shared.media import Frame, Source, frames
from shared.timeline import CHUNK_S, FloatArray, SampleSpan, Segment, chunks

# After a third of a second a fresh landmarker sees what one sees that has been following for long. With a
# couple it may have chosen the other dancer: at 17 % of the seams then, at 11 % after a second (149 seams).
WARM_UP_S = 1.0
WARM_UP_RATE_HZ = 15.0  # at more samples a second, some are left out
MAX_HEIGHT = 432  # pixels; as many dancers are found as at 720, and eight pictures are 8 MB
WORKERS = 2  # the landmarker uses one core; the functions and the smallest machines have two
AHEAD = 4  # pictures decoded before they are needed: enough to hide a slow one
REPORT_EVERY = 15  # samples


share_one_arena()  # here, since whoever imports this has no threads yet, and whoever calls it has


class Follower(Protocol):
    """Sees pictures that come in order, from its making until its ``with`` statement is left."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def landmarks(self, picture: npt.NDArray[np.uint8], sample: int) -> FloatArray | None:
        """What is seen at ``sample``, an array of one shape throughout, or None for nobody."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """``landmarks`` as of :meth:`Follower.landmarks`."""

    sample: int
    landmarks: FloatArray | None


def extract(
    open_source: Callable[[], Source],
    model: Path,
    rate_hz: float,
    span: SampleSpan,
    *,
    count: int,
    report: Callable[[float], None] = lambda _: None,
    workers: int = WORKERS,
) -> PoseFeatures:
    """The dancer at the samples of ``span`` of a recording of ``count`` samples.

    ``open_source`` is called once by each of ``workers`` threads. ``span`` is a run of whole chunks.
    ``report`` is told the share that is done, from the thread that calls.

    Raises what :func:`shared.media.frames` and ``open_source`` raise; MissingTool where MediaPipe or
    the model cannot be loaded; ValueError where ``span`` cuts a chunk.
    """
    follower = partial(Landmarker, model, rate_hz)
    shape = (BLAZEPOSE_LANDMARKS, 6)
    table = watched(open_source, follower, shape, rate_hz, span, count=count, report=report, workers=workers)
    return pose_features(table, rate_hz, span.start)


def watched(
    open_source: Callable[[], Source],
    follower: Callable[[], Follower],
    shape: tuple[int, ...],
    rate_hz: float,
    span: SampleSpan,
    *,
    count: int,
    report: Callable[[float], None],
    workers: int,
) -> FloatArray:
    """``(T, *shape)`` float32: what a follower for each chunk sees, NaN where nobody. Otherwise as :func:`extract`."""
    pieces = [piece for piece in chunks(count, rate_hz, CHUNK_S) if span.start <= piece.start < span.stop]
    if SampleSpan(pieces[0].start, pieces[-1].stop) != span if pieces else len(span):
        raise ValueError(f"{span} is no run of whole chunks")
    runs = [partial(_followed, open_source, follower, rate_hz, run) for run in _even_runs(pieces, workers)]
    table = np.full((len(span), *shape), np.nan, np.float32)
    with closing(side_by_side(runs, AHEAD)) as followed:
        for done, seen in enumerate(followed, 1):
            if seen.landmarks is not None:
                table[seen.sample - span.start] = seen.landmarks
            if done % REPORT_EVERY == 0:
                report(done / len(span))
    return table


def pose_features(table: FloatArray, rate_hz: float, first_sample: int) -> PoseFeatures:
    """``table`` ``(T, 33, 6)``, rows as of :meth:`Landmarker.landmarks`."""
    image, world, visibility = table[..., :2], table[..., 2:5], np.nan_to_num(table[..., 5])
    return PoseFeatures(rate_hz, image, world, visibility, first_sample)


def _even_runs(pieces: Sequence[SampleSpan], count: int) -> list[Sequence[SampleSpan]]:
    """The pieces in ``count`` runs, or in as many as there are pieces."""
    count = min(count, len(pieces))
    return [pieces[i * len(pieces) // count : (i + 1) * len(pieces) // count] for i in range(count)]


def _followed(
    open_source: Callable[[], Source], follower: Callable[[], Follower], rate_hz: float, pieces: Sequence[SampleSpan]
) -> Generator[_Seen]:
    """The samples of neighbouring chunks, one chunk after the other, while a thread decodes ahead."""
    before = _Before(rate_hz)
    span = SampleSpan(before.first_sample(pieces[0]), pieces[-1].stop)
    with closing(side_by_side([partial(_pictures, open_source, rate_hz, span)], AHEAD)) as pictures:
        for piece, shown in groupby(pictures, key=partial(_piece_of, pieces)):
            if piece is None:
                before.extend(shown)
                continue
            with follower() as landmarker:
                for frame in before.frames(piece):
                    landmarker.landmarks(frame.picture, frame.sample)
                for frame in shown:
                    before.extend([frame])
                    yield _Seen(frame.sample, landmarker.landmarks(frame.picture, frame.sample))


class _Before:
    """The pictures that a chunk's landmarker sees before the chunk, whoever works the chunk before it."""

    def __init__(self, rate_hz: float) -> None:
        self._count = round(WARM_UP_S * rate_hz)
        self._stride = max(1, round(rate_hz / WARM_UP_RATE_HZ))
        self._frames: deque[Frame] = deque(maxlen=math.ceil(self._count / self._stride))

    def first_sample(self, piece: SampleSpan) -> int:
        return max(0, piece.start - self._count)

    def extend(self, frames: Iterable[Frame]) -> None:
        self._frames.extend(frame for frame in frames if frame.sample % self._stride == 0)

    def frames(self, piece: SampleSpan) -> list[Frame]:
        return [frame for frame in self._frames if frame.sample >= self.first_sample(piece)]


def _piece_of(pieces: Sequence[SampleSpan], frame: Frame) -> SampleSpan | None:
    """The piece that a picture belongs to, or None where it comes before the first."""
    place = bisect_right(pieces, frame.sample, key=lambda piece: piece.start)
    return pieces[place - 1] if place else None


def _pictures(open_source: Callable[[], Source], rate_hz: float, span: SampleSpan) -> Generator[Frame]:
    source = open_source()
    with nullcontext() if isinstance(source, str | Path) else closing(source):
        yield from frames(source, rate_hz, Segment(span.start / rate_hz, span.stop / rate_hz), max_height=MAX_HEIGHT)
