"""From samples to mel bands, chroma and onset strength: one short-time Fourier transform serves all.

The filterbanks are Slaney's mel (Auditory Toolbox, 1998) and Ellis's chroma (2007), in the form in
which librosa computes them, so that values can be compared. Time is exact at any rate: frame ``n``
is centred on the sample nearest to ``n / rate``, never on a sum of rounded hops. Memory is bounded:
the transform runs over blocks of frames and keeps only the bands.

This module knows neither beats nor the songs it may meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from shared.features import MEL_BANDS
from shared.timeline import FloatArray, IntArray

WINDOW_SAMPLES = 2_048  # 93 ms: keeps two semitones apart from 250 Hz up, and two semiquavers at 160 BPM
LEAST_ONSET_RATE_HZ = 86.0  # a frame every 11.6 ms or closer, as onset detectors use
CHROMA_CLASSES = 12
BLOCK_FRAMES = 128  # 1 MiB of windowed samples at a time: it stays in the cache
TOP_DB = 80.0  # what lies further below the loudest is taken for silence
TINY = 1e-20  # power: against division by zero
SILENCE = 1e-4  # peak below which nothing is heard: three steps of 16-bit sound

# Edges of the onset bands, each with what moves in it when people dance bachata.
ONSET_EDGES_HZ = (
    0.0,  # bass, bass drum
    160.0,  # low bongo, tumba
    500.0,  # high bongo, guitar, voice
    2_000.0,  # requinto, snare
    5_000.0,  # güira, cymbals
    11_025.0,
)
ONSET_BANDS = len(ONSET_EDGES_HZ) - 1


@dataclass(frozen=True, slots=True)
class Clock:
    """The frames on which a recording is analysed, and the samples of its features.

    ``rate_hz``    of the features
    ``count``      how many samples they have
    ``per_sample`` onset frames from one sample to the next: frame ``i * per_sample`` is sample ``i``
    """

    rate_hz: float
    count: int

    @property
    def per_sample(self) -> int:
        return math.ceil(LEAST_ONSET_RATE_HZ / self.rate_hz)

    @property
    def onset_rate_hz(self) -> float:
        return self.rate_hz * self.per_sample

    @property
    def frames(self) -> int:
        return self.count * self.per_sample

    def centres(self, sample_rate_hz: int) -> IntArray:
        """``(frames,)`` the audio sample on which each frame is centred."""
        return np.floor(np.arange(self.frames) * (sample_rate_hz / self.onset_rate_hz) + 0.5).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Energy by frame.

    ``mel``    ``(N, 81)`` power in Slaney's mel bands
    ``chroma`` ``(N, 12)`` power by pitch class, C first
    """

    mel: FloatArray
    chroma: FloatArray


def is_silence(samples: FloatArray) -> bool:
    """Whether nothing can be heard: no sample strays from their mean, which may be off zero."""
    return len(samples) == 0 or float(np.ptp(samples)) < 2 * SILENCE


def spectrum(samples: FloatArray, sample_rate_hz: int, clock: Clock) -> Spectrum:
    """Short-time spectra in bands. Frames that reach beyond the samples see zeros there.

    ``samples`` ``(S,)`` mono; their mean is taken off first.
    """
    triangles, chroma_filters = _triangles(sample_rate_hz), chroma_filterbank(sample_rate_hz)
    mel = np.empty((clock.frames, MEL_BANDS), np.float32)
    chroma = np.empty((clock.frames, CHROMA_CLASSES), np.float32)
    done = 0
    for power in _power_blocks(samples, clock.centres(sample_rate_hz)):
        block = slice(done, done + len(power))
        mel[block] = triangles.applied_to(power)
        # Not matmul: its threads wait for one another on a busy machine, and it took four times as long.
        np.einsum("nb,cb->nc", power, chroma_filters, out=chroma[block])
        done = block.stop
    return Spectrum(mel, chroma)


def _power_blocks(samples: FloatArray, centres: IntArray) -> Iterator[FloatArray]:
    """Power spectra ``(≤ BLOCK_FRAMES, 1025)`` of the frames around the centres."""
    window = hann(WINDOW_SAMPLES)
    mean = np.float32(samples.mean(dtype=np.float64))
    for start in range(0, len(centres), BLOCK_FRAMES):
        frames = _frames(samples, mean, centres[start : start + BLOCK_FRAMES])
        transform = np.fft.rfft(frames * window)
        yield transform.real**2 + transform.imag**2


def _frames(samples: FloatArray, mean: np.float32, centres: IntArray) -> FloatArray:
    """``(n, WINDOW_SAMPLES)`` the samples around each centre, less their mean, zeros outside."""
    first, behind = int(centres[0]) - WINDOW_SAMPLES // 2, int(centres[-1]) + WINDOW_SAMPLES // 2
    inside = samples[max(first, 0) : max(behind, 0)] - mean
    left = max(0, -first)
    stretch = np.pad(inside, (left, behind - first - left - len(inside)))
    windows = np.lib.stride_tricks.sliding_window_view(stretch, WINDOW_SAMPLES)
    return windows[centres - centres[0]]


@cache
def hann(length: int) -> FloatArray:
    """The periodic Hann window. ``(length,)``"""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def _bins_hz(sample_rate_hz: int) -> FloatArray:
    return np.fft.rfftfreq(WINDOW_SAMPLES, 1 / sample_rate_hz)


# Slaney's scale: even steps up to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200 / 3
_KNEE_HZ = 1_000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27


def mel_of_hz(hz: FloatArray) -> FloatArray:
    return np.where(hz < _KNEE_HZ, hz / _HZ_PER_MEL, _KNEE_MEL + np.log(np.maximum(hz, 1e-9) / _KNEE_HZ) / _LOG_STEP)


def hz_of_mel(mel: FloatArray) -> FloatArray:
    return np.where(mel < _KNEE_MEL, mel * _HZ_PER_MEL, _KNEE_HZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL)))


def mel_edges_hz(sample_rate_hz: int) -> FloatArray:
    """``(83,)`` band ``b`` rises from edge ``b`` to ``b + 1`` and falls to ``b + 2``."""
    return hz_of_mel(np.linspace(0, mel_of_hz(np.array(sample_rate_hz / 2)), MEL_BANDS + 2))


@cache
def mel_filterbank(sample_rate_hz: int) -> FloatArray:
    """Triangles of equal area on Slaney's mel scale. ``(81, 1025)``"""
    edges = mel_edges_hz(sample_rate_hz)[:, None]
    bins = _bins_hz(sample_rate_hz)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * 2 / (edges[2:] - edges[:-2])).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Triangles:
    """A mel filterbank whose every bin is in two triangles at most: the one that rises there, and the one that falls.

    ``starts``  ``(82,)`` the first bin at or above each edge but the last
    ``rising``  ``(1025,)`` a bin's weight in the triangle that rises there, and
    ``falling`` in the one before it
    """

    starts: IntArray
    rising: FloatArray
    falling: FloatArray

    def applied_to(self, power: FloatArray) -> FloatArray:
        """``(n, 1025)`` → ``(n, 81)``: 40 times fewer products than with the whole filterbank."""
        rising = np.add.reduceat(power * self.rising, self.starts, axis=1)
        falling = np.add.reduceat(power * self.falling, self.starts, axis=1)
        return rising[:, :-1] + falling[:, 1:]


@cache
def _triangles(sample_rate_hz: int) -> _Triangles:
    edges, bins = mel_edges_hz(sample_rate_hz), np.arange(WINDOW_SAMPLES // 2 + 1)
    filters = np.pad(mel_filterbank(sample_rate_hz), ((1, 1), (0, 0)))
    starts = np.searchsorted(_bins_hz(sample_rate_hz), edges[:-1])
    stretch = np.searchsorted(starts, bins, side="right") - 1
    return _Triangles(starts, filters[stretch + 1, bins], filters[stretch, bins])


_CHROMA_CENTRE_OCTAVE, _CHROMA_OCTAVE_WIDTH = 5.0, 2.0  # a bell over the octaves around A4 … A5
_A0_HZ = 27.5


@cache
def chroma_filterbank(sample_rate_hz: int) -> FloatArray:
    """How much each frequency says about each pitch class, C first, for A = 440 Hz. ``(12, 1025)``

    A bell a semitone wide around each pitch class, the more blurred the wider the bins are there,
    each bin's weights of unit length, and a bell over the octaves on top.
    """
    octaves = np.log2(_bins_hz(sample_rate_hz)[1:] / _A0_HZ)
    pitch = CHROMA_CLASSES * np.concatenate([[octaves[0] - 1.5], octaves])  # 0 Hz has no pitch: put it far below
    width = np.append(np.maximum(np.diff(pitch), 1), 1)
    classes = np.arange(CHROMA_CLASSES)[:, None]
    half = CHROMA_CLASSES / 2
    away = (pitch - classes + half) % CHROMA_CLASSES - half
    bells = np.exp(-0.5 * (2 * away / width) ** 2)
    bells /= np.linalg.norm(bells, axis=0)
    bells *= np.exp(-0.5 * ((pitch / CHROMA_CLASSES - _CHROMA_CENTRE_OCTAVE) / _CHROMA_OCTAVE_WIDTH) ** 2)
    return np.roll(bells, -3, axis=0).astype(np.float32)  # from A first to C first


def log_mel(mel: FloatArray, clock: Clock) -> FloatArray:
    """Decibels below the loudest, -80 … 0, on the clock of the features. ``(T, 81)``"""
    power = pooled(mel, clock)
    loudest = max(float(power.max(initial=0)), TINY)
    return np.maximum(10 * np.log10(np.maximum(power / np.float32(loudest), 1e-9)), -TOP_DB)


def chroma(power: FloatArray, clock: Clock) -> FloatArray:
    """Pitch classes relative to the strongest, 0 … 1, on the clock of the features. ``(T, 12)``"""
    means = pooled(power, clock)
    strongest = means.max(axis=1, keepdims=True, initial=0)
    return np.divide(means, strongest, out=np.zeros_like(means), where=strongest > TINY)


def pooled(frames: FloatArray, clock: Clock) -> FloatArray:
    """Mean of the frames within half a step of each sample. ``(N, k)`` → ``(T, k)``

    Where the step is even, the two outermost frames lie between two samples and count half for each.
    """
    step = clock.per_sample
    reach = step // 2
    weights = np.ones(2 * reach + 1)
    if step % 2 == 0:
        weights[[0, -1]] = 0.5
    total, weight = np.zeros((clock.count, frames.shape[1]), np.float32), np.zeros((clock.count, 1), np.float32)
    for offset, share in zip(range(-reach, reach + 1), weights, strict=True):
        first = 1 if offset < 0 else 0  # the frame before the first does not exist
        source = frames[first * step + offset :: step][: clock.count - first]
        total[first : first + len(source)] += np.float32(share) * source
        weight[first : first + len(source)] += np.float32(share)
    return total / np.maximum(weight, np.float32(0.5))
