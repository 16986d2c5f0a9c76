"""A synthesised bachata whose beats, bars and sections are known.

The patterns are those of the style: bongo in martillo with the low drum on 4, güira in eight strokes a
bar (derecho) or four (majao, mambo), bass long on 1, silent on 2, short on "2 and", 3 and 4, and a
plucked guitar whose chord changes on 1. This module knows nothing of dancers or files.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.timeline import BEATS_PER_BAR, BeatGrid, FloatArray, Segment, nearest_sample, sample_count

FIRST_BEAT_S = 0.5  # a breath before the music, as recordings have
NOISE_FLOOR_RMS = 0.002  # about 48 dB below the music: a quiet room
PEAK = 0.8  # leaves room for the overshoot of a lossy codec
ATTACK_S = 0.002  # short enough that an onset is at its beat, long enough not to click

# Sections by name and length in counts. Those after the first repeat until the song is over.
SECTIONS = (("intro", 8), ("verse", 32), ("chorus", 32), ("mambo", 32))

# Am F C G, a bar each, as semitones from A: the bass note, then the arpeggio of the requinto.
CHORDS = ((0, (12, 15, 19, 24)), (-4, (8, 12, 15, 20)), (3, (15, 19, 22, 27)), (-2, (10, 14, 17, 22)))
BASS_A_HZ = 55.0
GUITAR_A_HZ = 110.0

# Strokes of one bar as (beats after the downbeat, loudness).
Strokes = tuple[tuple[float, float], ...]
EIGHTHS: Strokes = tuple((i / 2, 1.0 if i % 2 == 0 else 0.6) for i in range(8))
QUARTERS: Strokes = tuple((float(i), 1.0) for i in range(4))
MARTILLO: Strokes = tuple((i / 2, gain) for i, gain in enumerate((1.0, 0.4, 0.7, 0.4, 0.8, 0.4)))
LOW_BONGO: Strokes = ((3.0, 1.0), (3.5, 0.3))
LONG_BASS: Strokes = ((0.0, 1.0),)
SHORT_BASS: Strokes = ((1.5, 0.7), (2.0, 0.85), (3.0, 0.85))


@dataclass(frozen=True, slots=True)
class Part:
    """What one section plays: strokes of the güira, whether the bass plays, loudness of the guitar."""

    guira: Strokes
    bass: bool
    guitar: float


PARTS: Mapping[str, Part] = {
    "intro": Part(guira=EIGHTHS, bass=False, guitar=1.0),
    "verse": Part(guira=EIGHTHS, bass=True, guitar=0.8),
    "chorus": Part(guira=QUARTERS, bass=True, guitar=1.0),
    "mambo": Part(guira=QUARTERS, bass=True, guitar=1.3),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the song, named as in :data:`PARTS`."""

    name: str
    segment: Segment


@dataclass(frozen=True, slots=True, eq=False)
class Song:
    """A song and its truth.

    ``samples``   ``(N,)`` float32, mono, -1 … 1, at ``sample_rate_hz``
    ``beats``     every beat that sounds, and its place in the bar
    ``tempo_bpm`` the tempo in the middle of the song
    """

    sample_rate_hz: int
    samples: FloatArray
    beats: BeatGrid
    tempo_bpm: float
    sections: tuple[Section, ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz


def bachata(
    duration_s: float,
    tempo_bpm: float = 126.0,
    *,
    sample_rate_hz: int = 44100,
    seed: int = 0,
    first_beat_s: float = FIRST_BEAT_S,
    drift: float = 0.0,
    sections: Sequence[tuple[str, int]] = SECTIONS,
) -> Song:
    """A bachata of ``duration_s`` seconds; the same arguments give the same samples.

    ``drift``    by how much the tempo grows from the first second to the last, relative to ``tempo_bpm``
    ``sections`` names and lengths in counts; those after the first repeat until the song is over

    Raises ValueError for a tempo that is not positive, a drift beyond ±1 and an unknown section.
    """
    beats = _beats(duration_s, tempo_bpm, first_beat_s, drift)
    marked = _sections(beats, duration_s, sections)
    samples = _play(beats, marked, sample_count(duration_s, sample_rate_hz), sample_rate_hz, seed)
    return Song(sample_rate_hz, samples, beats, tempo_bpm, marked)


def _beats(duration_s: float, tempo_bpm: float, first_beat_s: float, drift: float) -> BeatGrid:
    """Beats of a tempo that changes evenly from 1 - drift/2 to 1 + drift/2 of ``tempo_bpm``."""
    if tempo_bpm <= 0 or abs(drift) > 1:
        raise ValueError(f"no song has {tempo_bpm} beats a minute and a drift of {drift}")
    playing_s = max(duration_s - first_beat_s, 0.0)
    count = int(np.ceil(playing_s * tempo_bpm / 60 - 1e-9))
    beat_s = np.arange(count) * 60 / tempo_bpm  # seconds after the first beat if nothing drifted
    start = 1 - drift / 2
    # beat_s = start·t + drift·t²/(2·playing_s), solved for t without dividing by a drift of zero
    root = np.sqrt(start**2 + 2 * drift * beat_s / max(playing_s, 1e-9))
    return BeatGrid(first_beat_s + 2 * beat_s / (start + root), np.arange(count) % BEATS_PER_BAR + 1)


def _sections(beats: BeatGrid, duration_s: float, lengths: Sequence[tuple[str, int]]) -> tuple[Section, ...]:
    if unknown := {name for name, _ in lengths} - PARTS.keys():
        raise ValueError(f"unknown sections {sorted(unknown)}: choose from {sorted(PARTS)}")
    if not all(counts > 0 for _, counts in lengths):
        raise ValueError("a section lasts one count or more")
    found: list[Section] = []
    beat = 0
    for name, counts in itertools.chain(lengths, itertools.cycle(lengths[1:] or lengths)):
        if beat >= len(beats):
            break
        end_s = float(beats.beats_s[beat + counts]) if beat + counts < len(beats) else duration_s
        found.append(Section(name, Segment(float(beats.beats_s[beat]), end_s)))
        beat += counts
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Note:
    """A sound ``beat`` beats after the downbeat of its bar, ``gain`` times as loud as its ``tone``."""

    beat: float
    tone: FloatArray
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The tones that the instruments can play. Each ``(n,)`` samples, -1 … 1; chords as in :data:`CHORDS`."""

    high_bongo: FloatArray
    low_bongo: FloatArray
    guira: FloatArray
    long_bass: tuple[FloatArray, ...]
    short_bass: tuple[FloatArray, ...]
    guitar: tuple[tuple[FloatArray, ...], ...]

    @classmethod
    def tuned(cls, rate_hz: int, beat_s: float, rng: np.random.Generator) -> Band:
        """A band at ``rate_hz`` whose bass notes last as the tempo asks."""
        roots = [BASS_A_HZ * 2 ** (root / 12) for root, _ in CHORDS]
        return cls(
            high_bongo=plucked(rate_hz, 420, 0.12, decay_per_s=45),
            low_bongo=plucked(rate_hz, 210, 0.25, decay_per_s=18),
            guira=scraped(rate_hz, rng),
            long_bass=tuple(plucked(rate_hz, hz, 0.95 * beat_s, decay_per_s=2) for hz in roots),
            short_bass=tuple(plucked(rate_hz, hz, 0.4 * beat_s, decay_per_s=4) for hz in roots),
            guitar=tuple(
                tuple(plucked(rate_hz, GUITAR_A_HZ * 2 ** (tone / 12), 0.6, decay_per_s=6) for tone in arpeggio)
                for _, arpeggio in CHORDS
            ),
        )

    def bar(self, number: int, part: Part) -> Iterator[Note]:
        """The notes of the bar ``number`` of the song."""
        chord = number % len(CHORDS)
        yield from _strokes(MARTILLO, self.high_bongo, 0.5)
        yield from _strokes(LOW_BONGO, self.low_bongo, 0.8)
        yield from _strokes(part.guira, self.guira, 0.35)
        if part.bass:
            yield from _strokes(LONG_BASS, self.long_bass[chord], 0.9)
            yield from _strokes(SHORT_BASS, self.short_bass[chord], 0.9)
        for (beat, gain), tone in zip(EIGHTHS, itertools.cycle(self.guitar[chord]), strict=False):
            yield Note(beat, tone, 0.4 * gain * part.guitar)


def _strokes(strokes: Strokes, tone: FloatArray, gain: float) -> Iterator[Note]:
    return (Note(beat, tone, gain * loudness) for beat, loudness in strokes)


def plucked(rate_hz: int, pitch_hz: float, length_s: float, decay_per_s: float) -> FloatArray:
    """Decaying harmonics, the higher the sooner gone, as of a plucked string or a struck skin."""
    time_s = np.arange(sample_count(length_s, rate_hz)) / rate_hz
    tone = np.zeros_like(time_s)
    for harmonic in range(1, min(8, int(rate_hz / 2 / pitch_hz)) + 1):
        tone += np.sin(2 * np.pi * pitch_hz * harmonic * time_s) * np.exp(-decay_per_s * harmonic * time_s) / harmonic
    return _shaped(tone, rate_hz)


def scraped(rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """A stroke over the güira: noise whose lows are taken out, gone after a twentieth of a second."""
    noise = np.diff(rng.standard_normal(sample_count(0.08, rate_hz) + 2), 2)
    return _shaped(noise * np.exp(-60 * np.arange(len(noise)) / rate_hz) / np.abs(noise).max(), rate_hz)


def _shaped(tone: FloatArray, rate_hz: int) -> FloatArray:
    """The tone with a short attack and release, so that neither end clicks."""
    samples = np.arange(len(tone)) / (ATTACK_S * rate_hz)
    return (tone * np.clip(samples, 0, 1) * np.clip(samples[::-1] / 5, 0, 1)).astype(np.float32)


def _play(beats: BeatGrid, sections: Sequence[Section], count: int, rate_hz: int, seed: int) -> FloatArray:
    """All notes over a noise floor. ``(count,)`` float32, at most :data:`PEAK`."""
    rng = np.random.default_rng(seed)
    mix = (NOISE_FLOOR_RMS / PEAK) * rng.standard_normal(count, dtype=np.float32)
    if len(beats) > 1:
        band = Band.tuned(rate_hz, beats.period_s, rng)
        for number, downbeat in enumerate(np.flatnonzero(beats.positions == 1)):
            for note in band.bar(number, _part_at(sections, float(beats.beats_s[downbeat]))):
                start = nearest_sample(float(beats.time_of(downbeat + note.beat)), rate_hz)
                _add(mix, note.tone * (note.gain * rng.uniform(0.9, 1.0)), start)
    return PEAK * mix / max(1.0, float(np.abs(mix).max(initial=0)))


def _part_at(sections: Sequence[Section], time_s: float) -> Part:
    return next(PARTS[section.name] for section in sections if time_s in section.segment)


def _add(mix: FloatArray, tone: FloatArray, start: int) -> None:
    """Lay the tone over the mix, as much of it as fits."""
    tone = tone[: max(0, len(mix) - start)]
    mix[start : start + len(tone)] += tone
