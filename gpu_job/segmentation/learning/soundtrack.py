"""The sound of a joined dance: stretches of the clips' music on its beats, cut where the moves are not.

Were the music cut with the moves, a network would hear each join. So it is cut elsewhere, on bars: what its changes
tell of moves cannot be learnt here, only that they tell nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.features import AudioFeatures
from shared.timeline import BEATS_PER_BAR, BeatGrid, FloatArray, IntArray, sample_count

_BARS = (2, 9)  # of a stretch, the last excluded


def soundtrack(
    clips: Sequence[AudioFeatures], beats: BeatGrid, duration_s: float, rng: np.random.Generator
) -> AudioFeatures:
    """As long as the dance, with its beats. Raises ValueError where no clip has sound with beats."""
    heard = [clip for clip in clips if not clip.is_silent and len(clip.beats) > BEATS_PER_BAR]
    if not heard:
        raise ValueError("no clip has sound with beats")
    first = heard[0]
    onset_rate_hz = first.onset_rate_hz
    coarse = np.arange(sample_count(duration_s, first.rate_hz)) / first.rate_hz
    fine = np.arange(sample_count(duration_s, onset_rate_hz)) / onset_rate_hz
    stretches = _stretches(len(beats), len(heard), rng)
    return AudioFeatures(
        rate_hz=first.rate_hz, duration_s=duration_s,
        log_mel=_laid([clip.log_mel for clip in heard], heard, beats, coarse, first.rate_hz, stretches),
        chroma=_laid([clip.chroma for clip in heard], heard, beats, coarse, first.rate_hz, stretches),
        onset_rate_hz=onset_rate_hz,
        onset=_laid([clip.onset for clip in heard], heard, beats, fine, onset_rate_hz, stretches),
        tempo_bpm=60 / beats.period_s, tempo_confidence=1.0, beats=beats,
    )  # fmt: skip


def _stretches(beats: int, clips: int, rng: np.random.Generator) -> IntArray:
    """``(beats,)`` the clip that is heard on each beat."""
    lengths = BEATS_PER_BAR * rng.integers(*_BARS, beats // BEATS_PER_BAR + 1)
    return np.repeat(rng.integers(clips, size=len(lengths)), lengths)[:beats]


def _laid(
    values: Sequence[FloatArray], clips: Sequence[AudioFeatures], beats: BeatGrid, times_s: FloatArray, rate_hz: float,
    stretches: IntArray,
) -> FloatArray:  # fmt: skip
    """Rows of the clips at these times, each clip's beats on the dance's; a clip that is too short begins again."""
    beat = beats.beat_of(times_s)
    chosen = stretches[np.clip(np.floor(beat).astype(int), 0, len(stretches) - 1)]
    laid = np.zeros((len(times_s), values[0].shape[1]), np.float32)
    for number in np.unique(chosen):
        clip, rows = clips[number], np.flatnonzero(chosen == number)
        whole = BEATS_PER_BAR * ((len(clip.beats) - 1) // BEATS_PER_BAR)
        there_s = clip.beats.time_of(beat[rows] % whole)
        laid[rows] = values[number][np.clip(np.round(there_s * rate_hz).astype(int), 0, len(values[number]) - 1)]
    return laid
