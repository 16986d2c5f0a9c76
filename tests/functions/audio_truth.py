"""Recordings whose truth is known, and how far an answer is from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ, extract
from infra.local.sample.song import bachata
from shared.features import AudioFeatures
from shared.timeline import BEATS_PER_BAR, BeatGrid, FloatArray

RATE_HZ = 30.0
HIT_S = 0.07  # the tolerance of the beat tracking literature


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A recording and what is true of it."""

    name: str
    samples: FloatArray
    beats: BeatGrid
    tempo_bpm: float

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


def clicks(tempo_bpm: float, duration_s: float, first_beat_s: float = 0.0, accent: float = 1.0) -> Take:
    """A metronome: short decaying tones, the first of four ``accent`` times as loud and an octave lower."""
    beats = BeatGrid.regular(60 / tempo_bpm, duration_s - 0.05, first_beat_s)
    samples = np.zeros(round(duration_s * SAMPLE_RATE_HZ), np.float32)
    time_s = np.arange(int(0.04 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    for beat_s, position in zip(beats.beats_s, beats.positions, strict=True):
        down = position == 1 and accent != 1
        click = np.exp(-120 * time_s) * np.sin(2 * np.pi * (800 if down else 1600) * time_s)
        start = round(beat_s * SAMPLE_RATE_HZ)
        samples[start : start + len(click)] += (0.3 * (accent if down else 1) * click)[: len(samples) - start]
    return Take(f"clicks at {tempo_bpm}", samples, beats, tempo_bpm)


def songs(count: int, duration_s: float) -> list[Take]:
    """Synthesised bachata of 80 to 165 BPM, in part drifting, in part with noise over it."""
    return [_song(seed, duration_s) for seed in range(count)]


def _song(seed: int, duration_s: float) -> Take:
    rng = np.random.default_rng(1000 + seed)
    tempo_bpm, drift, noise = rng.uniform(80, 165), rng.choice([0.0, 0.0, 0.03, -0.04]), rng.choice([0, 0, 0.015, 0.05])
    song = bachata(
        duration_s, tempo_bpm, sample_rate_hz=SAMPLE_RATE_HZ, seed=seed, first_beat_s=rng.uniform(0.05, 2), drift=drift
    )
    samples = song.samples + noise * rng.standard_normal(len(song.samples))
    return Take(f"{tempo_bpm:.1f} BPM, drift {drift}, noise {noise}", samples.astype(np.float32), song.beats, tempo_bpm)


# Bass drum, snare and hi-hat on the sixteenths of a bar, for the ways to dance that are not bachata.
GROOVES: dict[str, tuple[list[int], list[int], list[int]]] = {
    "house": ([0, 4, 8, 12], [4, 12], [2, 6, 10, 14]),
    "rock": ([0, 8, 10], [4, 12], list(range(0, 16, 2))),
    "hip hop": ([0, 3, 8, 10], [4, 12], list(range(0, 16, 2))),
    "boom bap": ([0, 7, 10], [4, 12], list(range(0, 16, 2))),
    "break": ([0, 2, 10, 11], [4, 7, 9, 12, 15], list(range(0, 16, 2))),
    "funk": ([0, 3, 6, 10], [4, 12], list(range(16))),
    "reggaeton": ([0, 4, 8, 12], [3, 6, 11, 14], list(range(0, 16, 2))),
    "ballad": ([0, 8], [4, 12], list(range(0, 16, 4))),
    "sparse": ([0, 10], [4, 12], []),
}


def grooves(each: int, duration_s: float) -> list[Take]:
    """Drums, a syncopated bass and a chord a bar, 80 to 132 BPM, ``each`` takes of every pattern."""
    return [_groove(name, seed, duration_s) for name in GROOVES for seed in range(each)]


def _groove(name: str, seed: int, duration_s: float) -> Take:
    rng = np.random.default_rng([seed, *name.encode()])
    tempo_bpm = float(rng.uniform(80, 132))
    beats = BeatGrid.regular(60 / tempo_bpm, duration_s, float(rng.uniform(0.02, 1.5)))
    kick, snare, hat = _drum(rng, 55, 0.0), _drum(rng, 190, 0.5), np.diff(_drum(rng, 0, 1.0), prepend=0)
    roots, steps = rng.integers(0, 12, 4), [0, *rng.choice(np.arange(2, 16), 3, replace=False)]
    samples = 0.002 * rng.standard_normal(round(duration_s * SAMPLE_RATE_HZ))
    for bar, downbeat in enumerate(np.flatnonzero(beats.positions == 1)):
        chord = 2 ** ((roots[bar % 4] + np.array([0, 3, 7])) / 12)
        bass, pad = _tone(55 * chord[:1], 0.4), _tone(220 * chord, 1.6)
        for tone, gain, places in zip((kick, snare, hat), (0.4, 0.3, 0.15), GROOVES[name], strict=True):
            _strike(samples, beats, downbeat, tone, gain, places)
        _strike(samples, beats, downbeat, bass, 0.15, steps)
        _strike(samples, beats, downbeat, pad, 0.05, [0])
    return Take(f"{name} at {tempo_bpm:.1f} BPM", samples.astype(np.float32), beats, tempo_bpm)


def _strike(
    samples: FloatArray, beats: BeatGrid, downbeat: int, tone: FloatArray, gain: float, places: Sequence[int]
) -> None:
    for place in places:
        start = round(float(beats.time_of(downbeat + place / 4)) * SAMPLE_RATE_HZ)
        samples[start : start + len(tone)] += gain * tone[: max(0, len(samples) - start)]


def _drum(rng: np.random.Generator, pitch_hz: float, noise: float) -> FloatArray:
    time_s = np.arange(int(0.2 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    skin = np.sin(2 * np.pi * pitch_hz * (time_s + 0.02 * (1 - np.exp(-40 * time_s))))
    return ((1 - noise) * skin + noise * rng.standard_normal(len(time_s))) * np.exp(-rng.uniform(12, 30) * time_s)


def _tone(pitches_hz: FloatArray, length_s: float) -> FloatArray:
    time_s = np.arange(int(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    waves = sum(np.sin(2 * np.pi * hz * k * time_s) / k for hz in pitches_hz for k in (1, 2, 3))
    return waves * np.minimum(1, time_s / 0.005) * np.minimum(1, (length_s - time_s) / 0.02)


def heard(take: Take, rate_hz: float = RATE_HZ) -> AudioFeatures:
    return extract(take.samples, SAMPLE_RATE_HZ, rate_hz, take.duration_s)


def errors_s(found_s: FloatArray, true_s: FloatArray) -> FloatArray:
    """From each found beat to the nearest true one, in seconds, late positive."""
    away = found_s[:, None] - true_s
    return away[np.arange(len(found_s)), np.abs(away).argmin(axis=1)]


def f_measure(found_s: FloatArray, true_s: FloatArray) -> float:
    """Of beats within :data:`HIT_S`. Beats lie further apart, so that no two share a partner."""
    if not len(found_s) or not len(true_s):
        return 0.0
    found = np.abs(errors_s(found_s, true_s)) <= HIT_S
    hit = np.abs(errors_s(true_s, found_s)) <= HIT_S
    precision, recall = found.mean(), hit.mean()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def bar_agreement(found: BeatGrid, true: BeatGrid) -> float:
    """Share of the found beats near a true one that have its position."""
    nearest = np.abs(found.beats_s[:, None] - true.beats_s).argmin(axis=1)
    near = np.abs(found.beats_s - true.beats_s[nearest]) <= HIT_S
    return float((found.positions == true.positions[nearest])[near].mean()) if near.any() else 0.0


class Heard(Protocol):
    """What tells beats."""

    @property
    def beats(self) -> BeatGrid: ...


def _features(samples: FloatArray) -> AudioFeatures:
    return extract(samples, SAMPLE_RATE_HZ, RATE_HZ, len(samples) / SAMPLE_RATE_HZ)


def halves_agree(samples: FloatArray, hear: Callable[[FloatArray], Heard] = _features) -> bool | None:
    """Whether the bars of the first half, carried on, are those of the second; None without beats in both.

    Each half is heard alone. The beats of the whole only say how many lie between the halves.
    """
    whole = hear(samples).beats
    middle_s = float(np.median(whole.beats_s)) if len(whole) else 0.0
    cut = int(middle_s * SAMPLE_RATE_HZ)
    first, second = hear(samples[:cut]).beats, hear(samples[cut:]).beats
    if min(len(first), len(second)) < BEATS_PER_BAR:
        return None
    return _phase(first, whole, 0.0) == _phase(second, whole, middle_s)


def _phase(part: BeatGrid, whole: BeatGrid, start_s: float) -> int:
    """By how much most positions in the part differ from the number of the beat in the whole, modulo a bar."""
    numbers = np.round(whole.beat_of(part.beats_s + start_s)).astype(int)
    return int(np.bincount((part.positions - numbers) % BEATS_PER_BAR).argmax())
