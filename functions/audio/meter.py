"""Which beat is the first of its bar: the sound around each beat, held against a bar of four.

The pattern says what the band plays when people dance bachata: the bass long on 1, silent on 2, short
on "2 and", the low bongo on 4, a new chord on 1. This module knows neither tempo nor sections, and
takes every bar for four beats long; a bar cut short shows as a change of position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functions.audio import around
from functions.audio.spectrum import Spectrum
from functions.audio.tempo import best_path, moving_mean
from shared.timeline import BEATS_PER_BAR, FloatArray, IntArray

NOTE_FROM, NOTE_TO = 0.15, 0.85  # of a beat: where a note that was struck on it still sounds
BASS_BANDS = 3  # mel bands up to about 160 Hz
FAINTEST = 0.1  # of a stroke's strength: beats that differ by less are alike
OUTLIER = 2.5  # standard deviations: a crash cymbal is no bar

# What each beat of a bar has more or less of, in standard deviations of the recording's own beats.
# Learnt without labels from 115 bachata clips, each turned to fit the mean of the others (it started
# from what the style is said to play), and half as much of any 4/4: a new chord, bass and bass drum on
# 1 and 3, snare on 2 and 4.
PATTERN = np.array([
    # on the beat           half a beat later     bass   chord
    # bass  bongo  snare    bass  bongo  snare    holds  is new
    [+.21,  +.13,  +.06,    -.17, -.12,  -.08,    +.31,  +.45],
    [-.35,  -.22,  -.02,    +.36, +.20,  +.06,    -.28,  -.20],
    [+.08,  -.08,  +.03,    -.12, -.07,  -.03,    -.02,  -.16],
    [+.05,  +.17,  -.08,    -.10, -.02,  +.04,    -.01,  -.11],
])  # fmt: skip

# What moving the downbeat costs, in the sum of fits: about eight bars of bachata must ask for it.
MOVE_COST = 15.0

# In a whole song the bar's own sound is learnt from the song, and a break of two beats is what bands do.
# Then what is new beside the last two beats counts too: an arpeggio sounds its chord in two (70 clips, as above).
SONG_PATTERN = np.column_stack([PATTERN, [+.45, -.22, -.25, -.03]])  # fmt: skip
HALF_BAR_COST, ODD_BAR_COST = 6.0, 20.0
FIRST_IS_ONE = 4.0  # two bars of bachata say as much: an intro of a guitar alone may say less, a pick-up is found
SECTION_BEATS = 16.0
OWN_BARS = 8.0  # a song's own pattern counts half after so many bars
# Standard errors by which the bars fit better than moved ones: at the first no better than chance.
EVEN_SURENESS, SURENESS = 0.0, 6.0
LEARNINGS = 3  # the pattern no longer changes after the second


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """Where the beats of a song are in their bars.

    ``positions``  ``(B,)`` 1 … 4, each one more than that before or 1
    ``confidence`` 0 … 1 that the ones are downbeats
    """

    positions: IntArray
    confidence: float


def positions(beats_s: FloatArray, spectrum: Spectrum, onset: FloatArray, rate_hz: float) -> IntArray:
    """The count of each beat in its bar. ``(B,)`` seconds → ``(B,)`` 1 … 4"""
    if len(beats_s) < 2:
        return np.ones(len(beats_s), dtype=np.int64)
    fit = evidence(beats_s, spectrum, onset, rate_hz) @ PATTERN.T  # (B, 4)
    # State s at beat b means that its position is (b + s) mod 4: a song without a broken bar stays in one.
    place = (np.arange(len(beats_s))[:, None] + np.arange(BEATS_PER_BAR)) % BEATS_PER_BAR
    change = -MOVE_COST * (1 - np.eye(BEATS_PER_BAR))
    shift = best_path(np.take_along_axis(fit, place, axis=1), change)
    return (np.arange(len(beats_s)) + shift) % BEATS_PER_BAR + 1


def broken_bars(
    beats_s: FloatArray, spectrum: Spectrum, onset: FloatArray, rate_hz: float, *, from_silence: bool
) -> Meter:
    """The bars of a whole song, some of which may be shorter than four beats. Needs two beats.

    ``from_silence`` whether the recording begins before the music does: then the first beat is likely a 1
    """
    change = _half_bar_change(spectrum.chroma, beats_s * rate_hz)[:, None]
    heard = np.hstack([evidence(beats_s, spectrum, onset, rate_hz), _standardised(change, np.array([0.2]))])
    # A section without bass differs from one with it, and says nothing of the bars by that.
    heard -= np.stack([moving_mean(column, SECTION_BEATS) for column in heard.T], axis=1)
    return barred(heard, FIRST_IS_ONE if from_silence else 0.0)


def barred(heard: FloatArray, first_is_one: float = 0.0) -> Meter:
    """The bars that fit best what is heard around each beat. ``(B, 9)``, each column of mean 0 and deviation 1

    What the style plays finds the bars at first; then what this song plays in them finds them more exactly.
    ``first_is_one`` what speaks for it beside what is heard
    """
    style = heard @ SONG_PATTERN.T
    known = np.zeros_like(style)
    known[0, 0] = first_is_one
    place = best_path(style + known, _ENDINGS)
    for _ in range(LEARNINGS):
        place = best_path(style + known + _own_fit(heard, place), _ENDINGS)
    return Meter(place + 1, _confidence(style, place))


def _endings() -> FloatArray:
    """What it costs to go from one position in a bar to another, ``(to, from)``: a bar may end early."""
    change = np.full((BEATS_PER_BAR, BEATS_PER_BAR), -np.inf)
    change[0] = -ODD_BAR_COST
    change[0, BEATS_PER_BAR // 2 - 1] = -HALF_BAR_COST
    following = np.arange(BEATS_PER_BAR)
    change[(following + 1) % BEATS_PER_BAR, following] = 0
    return change


_ENDINGS = _endings()


def _own_fit(heard: FloatArray, place: IntArray) -> FloatArray:
    """How well each beat fits each position as the song itself plays it. ``(B, 9)``, ``(B,)`` 0 … 3 → ``(B, 4)``"""
    member = place == np.arange(BEATS_PER_BAR)[:, None]  # (4, B)
    own = member @ heard / (member.sum(axis=1, keepdims=True) + OWN_BARS)
    return heard @ own.T - (own**2).sum(axis=1) / 2


def _confidence(fit: FloatArray, place: IntArray) -> float:
    """How surely the bars fit better than any that are moved by a beat or more, from the spread of the gain."""
    beats = np.arange(len(fit))
    gains = np.stack([fit[beats, place] - fit[beats, (place + by) % BEATS_PER_BAR] for by in (1, 2, 3)])
    surest = gains.mean(axis=1) / np.maximum(gains.std(axis=1), 1e-6) * np.sqrt(len(fit))
    return float(np.clip((surest.min() - EVEN_SURENESS) / SURENESS, 0, 1))


def evidence(beats_s: FloatArray, spectrum: Spectrum, onset: FloatArray, rate_hz: float) -> FloatArray:
    """What is heard around each beat, each column of mean 0 and deviation 1. ``(B, 8)``

    Onsets in the three lower bands on the beat and half a beat later, the level of the bass between, and
    how much the chord differs from that of the beat before.
    """
    period_s = around.periods(beats_s)
    strokes = around.strokes(onset[:, :3], rate_hz)
    on_beat, between = (around.at(strokes, (beats_s + share * period_s) * rate_hz) for share in (0.0, 0.5))
    held_s = beats_s + NOTE_FROM * period_s, beats_s + NOTE_TO * period_s
    columns = np.column_stack([
        on_beat,
        between,
        _bass_level(spectrum.mel, held_s[0] * rate_hz, held_s[1] * rate_hz),
        _chord_change(spectrum.chroma, beats_s * rate_hz),
    ])  # fmt: skip
    least = FAINTEST * np.concatenate([*2 * [np.maximum(on_beat, between).mean(axis=0)], [1.0, 0.2]])
    return _standardised(columns, least)


def _standardised(columns: FloatArray, least: FloatArray) -> FloatArray:
    """Each column less its mean, in its standard deviations or in ``least`` where that is more."""
    away = columns - columns.mean(axis=0)
    return np.clip(away / np.maximum(columns.std(axis=0), np.maximum(least, 1e-6)), -OUTLIER, OUTLIER)


def _bass_level(mel: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Mean loudness of the bass from each start to each end, in frames. ``(B, 1)``"""
    bass = mel[:, :BASS_BANDS]
    return around.means(
        np.log1p(5 * bass / np.maximum(bass.mean(axis=0), 1e-12)).mean(axis=1, keepdims=True), start, end
    )


def _chord_change(chroma: FloatArray, beats: FloatArray) -> FloatArray:
    """How unlike the chord from each beat to the next is to that before. ``(B,)`` 0 … 1"""
    chords = _chords(chroma, beats)
    return _unlike(chords[:-1], chords[1:])


def _half_bar_change(chroma: FloatArray, beats: FloatArray) -> FloatArray:
    """The same of two beats and the two before, which an arpeggio needs to sound a chord. ``(B,)`` 0 … 1"""
    chords = _chords(chroma, beats)
    half_bars = chords + np.concatenate([chords[1:], chords[-1:]])
    return _unlike(np.concatenate([chords[:1], half_bars[:-2]]), half_bars[1:])


def _chords(chroma: FloatArray, beats: FloatArray) -> FloatArray:
    """What sounds from each beat to the next. ``(B, 12)``"""
    bounds = np.append(beats, 2 * beats[-1] - beats[-2])
    return around.means(np.sqrt(chroma), bounds[:-1], bounds[1:])


def _unlike(before: FloatArray, after: FloatArray) -> FloatArray:
    """One minus the cosine of each pair of rows, behind the mean of them all. ``(n, k)`` → ``(n + 1,)``"""
    before, after = (rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9) for rows in (before, after))
    change = 1 - (before * after).sum(axis=1)
    return np.append(change.mean(), change)  # nothing is known of what came before the first
