"""The sound of a file as one array on the clock of its container."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from shared.media.container import SLOWEST_HZ, Container, Reading, Source, opened
from shared.timeline import Segment

Samples = npt.NDArray[np.float32]

# Time stamps that differ by less from the samples counted so far are rounding and jitter; more is a gap.
JITTER_S = 0.02
# A longer jump in the time stamps is damage, not silence.
LONGEST_SILENCE_S = 600.0
SILENCE_BLOCK = 1 << 20  # samples: a gap may be as long as the video

# Codecs overlap their packets: a decoder that starts in the middle needs so much to settle.
PREROLL_S = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """``samples`` ``(C, n)`` from sample ``start`` on."""

    start: int
    samples: Samples

    @property
    def end(self) -> int:
        return self.start + self.samples.shape[1]


def sound(source: Source, sample_rate_hz: int, duration_s: float) -> Samples | None:
    """The sound up to ``duration_s``, ``(N,)`` in -1 … 1, mono; sample ``n`` is at ``n / sample_rate_hz`` seconds.

    Silence fills what the audio stream leaves open before its start and in its gaps; ``N`` is where
    it ends, at ``duration_s`` at most: time stamps may claim anything, and memory must not follow
    them. None where there is no audio stream or nothing of it decodes.

    Raises EmptyFile, NotAVideo, DamagedFile, TooLarge.
    """
    joined = bytearray()  # grows in place, where joining arrays would hold everything twice
    with opened(Reading(source)) as container:
        if container.audio is None:
            return None
        for block in blocks(container, Segment(0.0, duration_s), sample_rate_hz, "mono"):
            joined += block.tobytes()
    return np.frombuffer(joined, np.float32) if joined else None


def blocks(container: Container, span: Segment, sample_rate_hz: int, layout: str) -> Iterator[Samples]:
    """The sound within ``span``, ``(C, n)`` each, one right after the other; none where none decodes."""
    position, stop = 0, (span.end_s - span.start_s) * sample_rate_hz
    for piece in _pieces(container, span.start_s, sample_rate_hz, layout):
        if piece.start >= stop:
            return
        if piece.start > position:
            yield from _silence(len(piece.samples), piece.start - position)
        if piece.end > position:
            late = max(0, position - piece.start)
            yield piece.samples[:, late : math.ceil(min(piece.end, stop)) - piece.start]
            position = piece.end


def _silence(channels: int, count: int) -> Iterator[Samples]:
    for start in range(0, count, SILENCE_BLOCK):
        yield np.zeros((channels, min(SILENCE_BLOCK, count - start)), np.float32)


def _pieces(container: Container, origin_s: float, sample_rate_hz: int, layout: str) -> Iterator[_Piece]:
    """The sound from ``origin_s`` on, or from somewhat earlier; there is sample 0."""
    run: _Run | None = None
    for time_s, frame in _timed(container, origin_s):
        if run is None or not run.goes_on_with(frame, time_s):
            if run:
                yield from run.rest()
            run = _Run(frame, time_s, origin_s, sample_rate_hz, layout)
        yield from run.resampled(frame)
    if run:
        yield from run.rest()


def _timed(container: Container, from_s: float) -> Iterator[tuple[float, AudioFrame]]:
    """What decodes, with its time: by its stamp, or next to what came before where that says nothing."""
    assert container.audio is not None
    next_s = container.go_back_to(container.audio, from_s - PREROLL_S)
    for frame in container.sounds(container.packets(container.audio)):
        if frame.samples and frame.sample_rate >= SLOWEST_HZ:
            stamped_s = next_s if frame.pts is None else container.time_s(container.audio, frame.pts)
            time_s = stamped_s if abs(stamped_s - next_s) <= LONGEST_SILENCE_S else next_s
            next_s = time_s + frame.samples / frame.sample_rate
            yield time_s, frame


class _Run:
    """Sound without a gap or a change of format, as it is resampled."""

    def __init__(self, first: AudioFrame, start_s: float, origin_s: float, sample_rate_hz: int, layout: str) -> None:
        self._form = _form(first)
        self._next_s = start_s
        self._position = round((start_s - origin_s) * sample_rate_hz)
        # Normalised: without it two equal channels would add up to more than 1.
        self._resampler = AudioResampler("fltp", layout, sample_rate_hz, options={"rematrix_maxval": "1.0"})

    def goes_on_with(self, frame: AudioFrame, time_s: float) -> bool:
        return _form(frame) == self._form and abs(time_s - self._next_s) <= JITTER_S

    def resampled(self, frame: AudioFrame) -> Iterator[_Piece]:
        self._next_s += frame.samples / frame.sample_rate
        return self._placed(self._resampler.resample(frame))

    def rest(self) -> Iterator[_Piece]:
        """What the resampler holds back."""
        return self._placed(self._resampler.resample(None))

    def _placed(self, frames: Iterable[AudioFrame]) -> Iterator[_Piece]:
        for frame in frames:
            piece = _Piece(self._position, np.asarray(frame.to_ndarray(), np.float32))
            self._position = piece.end
            yield piece


def _form(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
