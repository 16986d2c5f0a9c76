"""Where sounds begin: how much louder each frequency band has become from one frame to the next.

After Böck and Widmer, *Maximum filter vibrato suppression for onset detection* (DAFx 2013): a band is
compared with the loudest of its neighbours a little earlier, so that a gliding voice starts nothing.
"""

from __future__ import annotations

import numpy as np

from functions.audio.spectrum import ONSET_BANDS, ONSET_EDGES_HZ, WINDOW_SAMPLES, Clock, mel_edges_hz
from shared.timeline import FloatArray

LAG_S = 0.022  # a quarter of the window: nearer frames are mostly the same sound
COMPRESSION = 20.0  # how far above its mean a band must be before loudness stops to count linearly
FLOOR = 1e-3  # of the loudest band's mean: weaker bands are the noise of a codec
# The window meets a sound before its middle does. Measured on clicks, drums and strings among others
# that ring on: 7 ms in a dense song, up to 20 ms for a click alone.
LEAD_S = 0.007


def onset_strength(mel: FloatArray, clock: Clock, sample_rate_hz: int) -> FloatArray:
    """Onset strength ≥ 0 by band, low first. ``(N, 81)`` power → ``(N, ONSET_BANDS)``"""
    loudness = _loudness(mel)
    lag = max(1, round(LAG_S * clock.onset_rate_hz))
    rise = np.zeros_like(loudness)
    np.maximum(0, loudness[lag:] - _loudest_neighbour(loudness[:-lag]), out=rise[lag:])
    edge = round(WINDOW_SAMPLES / 2 / sample_rate_hz * clock.onset_rate_hz) + lag
    rise[:edge] = 0  # the window slides into the recording: its start is no onset
    bands = np.searchsorted(ONSET_EDGES_HZ, mel_edges_hz(sample_rate_hz)[1:-1], side="right") - 1
    strength = np.stack([rise[:, bands == band].mean(axis=1) for band in range(ONSET_BANDS)], axis=1)
    return _delayed(strength, LEAD_S * clock.onset_rate_hz)


def _loudness(mel: FloatArray) -> FloatArray:
    """Compressed power, each band relative to its own mean. ``(N, 81)``"""
    mean = mel.mean(axis=0)
    reference = np.maximum(mean, max(FLOOR * float(mean.max()), 1e-12))
    return np.log1p(mel * (COMPRESSION / reference))


def _loudest_neighbour(loudness: FloatArray) -> FloatArray:
    """The loudest of each band and the two beside it."""
    loudest = loudness.copy()
    np.maximum(loudest[:, 1:], loudness[:, :-1], out=loudest[:, 1:])
    np.maximum(loudest[:, :-1], loudness[:, 1:], out=loudest[:, :-1])
    return loudest


def _delayed(strength: FloatArray, frames: float) -> FloatArray:
    """The same, later by a real number of frames; zeros come in at the start."""
    whole = int(frames)
    share = np.float32(frames - whole)
    padded = np.pad(strength, ((whole + 1, 0), (0, 0)))[: len(strength) + 1]
    return (1 - share) * padded[1:] + share * padded[:-1]
