"""From the samples of a song to what a choreographer hears in it.

This module knows neither files nor messages; what was recorded may be music, speech or nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from functions.audio import eights, meter, structure
from functions.audio.beatwise import Bars, beatwise
from functions.audio.embedding import embedding
from functions.audio.energy import beside_others, energy
from functions.audio.hearing import Hearing, heard, playing
from functions.audio.rhythm import guira, pattern_strength, syncopation
from functions.audio.roles import Part, roles
from functions.audio.similarity import Similarity, similarity
from shared.music import PEAKS, Music, Section
from shared.timeline import BeatGrid, FloatArray, IntArray, Segment

RATE_HZ = 90.0  # of the frames: 11 ms, and every one is used
BREATH_S = 0.05  # before the music: what begins at once was cut out of a song
FAINT = 0.12  # of the usual stroke on a beat: noise reaches 0.09, the faintest twentieth of a song's beats has 0.2
PICK_UP_BEATS = 8  # a longer one is an intro
ENTRY = 1.7  # times as much is struck as in the pick-up
ROW_S = 0.5  # where there is no beat, rows of this length take its place in the embedding


def analysed(samples: FloatArray | None, sample_rate_hz: int, duration_s: float) -> Music:
    """The music of a song, or of a clip.

    ``samples``    ``(N,)`` float32, mono, the first at 0 s; None where there is no sound. Silence is
                   taken for what is missing up to ``duration_s``, and what is beyond is left out.
    """
    hearing = heard(samples, sample_rate_hz, RATE_HZ, duration_s)
    if hearing is None:
        return Music.none(duration_s)
    if hearing.tempo_bpm is None:
        return _without_beats(hearing, duration_s)
    return replace(_with_beats(hearing, hearing.tempo_bpm, duration_s), peaks=_peaks(samples))


def _peaks(samples: FloatArray | None) -> FloatArray:
    """``(8000,)`` 0 … 1"""
    if samples is None or len(samples) < PEAKS:
        return np.zeros(PEAKS, np.float32)
    starts = np.arange(PEAKS) * len(samples) // PEAKS
    highest = np.maximum(np.maximum.reduceat(samples, starts), -np.minimum.reduceat(samples, starts))
    return np.clip(np.nan_to_num(highest), 0, 1).astype(np.float32)


def _without_beats(hearing: Hearing, duration_s: float) -> Music:
    """Timbre and harmony are heard all the same."""
    rows = beatwise(hearing, np.linspace(0, duration_s, max(2, round(duration_s / ROW_S)), endpoint=False))
    return replace(Music.none(duration_s, hearing.tempo_confidence), embedding=embedding(rows, None, None))


def _with_beats(hearing: Hearing, tempo_bpm: float, duration_s: float) -> Music:
    heard_s = hearing.beats.beats_s
    # A clip that was cut out of a song may have one faint beat first: two are a breath before the music.
    strength = beatwise(hearing, heard_s).strokes[:, 0].mean(axis=1)
    struck = _struck(strength)
    beats_s = heard_s[struck]
    begins = struck.start > 1 or playing(hearing.spectrum, hearing.rate_hz).start_s > BREATH_S
    opening = _opening(strength[struck]) if begins else None
    found = meter.broken_bars(beats_s, hearing.spectrum, hearing.onset, hearing.rate_hz, opening)
    rows, bars = beatwise(hearing, beats_s), Bars.of(found.positions)
    curve, strokes = energy(rows), guira(rows.strokes)
    alike = similarity(rows, bars, strokes)
    counted = eights.eights(bars, structure.novelty(alike.within))
    return Music(
        duration_s=duration_s, tempo_bpm=tempo_bpm, tempo_confidence=hearing.tempo_confidence,
        bar_confidence=found.confidence, eight_confidence=counted.confidence,
        beats=BeatGrid(beats_s, found.positions), counts=eights.counts(found.positions, bars, counted.second),
        energy=curve, guira=strokes, sections=_sections(alike, bars, counted.ones(bars), beats_s, curve, strokes),
        energy_level=beside_others(hearing, tempo_bpm), pattern_strength=pattern_strength(rows.strokes, bars),
        syncopation=syncopation(rows.strokes), embedding=embedding(rows, bars, tempo_bpm),
    )  # fmt: skip


def _struck(strength: FloatArray) -> slice:
    """From the first beat on which anything is struck to the last: noise before a song and its last tone are none."""
    struck = np.flatnonzero(strength > FAINT * np.median(strength))
    return slice(int(struck[0]), int(struck[-1]) + 1) if len(struck) > 1 else slice(0, len(strength))


def _opening(strength: FloatArray) -> int:
    """The beat on which the band begins: the first, unless a stronger one ends a pick-up."""
    strongest = int(np.argmax(strength[:PICK_UP_BEATS]))
    return strongest if strongest and strength[strongest] > ENTRY * strength[:strongest].mean() else 0


def _sections(
    alike: Similarity, bars: Bars, ones: IntArray, beats_s: FloatArray, curve: FloatArray, strokes: FloatArray
) -> tuple[Section, ...]:
    """Sections from eight to eight, which tile the beats."""
    starts = structure.segmented(alike.within, bars, ones)
    edges = np.append(bars.first_beat[starts], len(beats_s))
    means = [np.add.reduceat(values, edges[:-1]) / np.diff(edges) for values in (strokes, curve)]
    groups = structure.grouped(alike, starts, means[0])
    shares = np.diff(edges) / len(beats_s)
    names = roles(
        [Part(int(g), float(s), float(x), float(e)) for g, s, x, e in zip(groups, shares, *means, strict=True)]
    )
    clear = structure.clearness(alike.within, starts)
    until_s = np.append(beats_s, 2 * beats_s[-1] - beats_s[-2])
    return tuple(
        Section(
            role, int(a), int(b), Segment(float(until_s[a]), float(until_s[b])), int(group), float(level), float(sure)
        )
        for role, a, b, group, level, sure in zip(names, edges[:-1], edges[1:], groups, means[1], clear, strict=True)
    )
