"""Dances of an imagined body, of moves that are known: what joins of one couple's clips cannot teach.

A dancer alone, at any tempo. Moves of 2, 4 or 8 counts are made up: joints swing to and fro, or go from pose to pose
on the counts. Within a choreography, a move that repeats a shorter unit is one move. In a drill, where one unit is
repeated for many bars, each repetition is a move: so people mark it (Endo et al. 2024: most moves of a basic dance
last two counts). Forward kinematics of a body of sticks: no feet that stand, only what features of landmarks see.
Every dance is a function of its seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_job.segmentation.learning.joins import DANCE_BEATS, Joined, risen
from shared.features import (
    ANKLES,
    BLAZEPOSE_LANDMARKS,
    COCO_TO_BLAZEPOSE,
    HIPS,
    KNEES,
    NOSE,
    SHOULDERS,
    AudioFeatures,
    PoseFeatures,
)
from shared.timeline import BEATS_PER_BAR, BeatGrid, FloatArray, sample_count

TEMPI_BPM = (78.0, 150.0)
_UNITS, _UNIT_ODDS = (2, 4, 8), (0.35, 0.4, 0.25)
_REPEATS = {2: (1, 1, 2, 4), 4: (1, 1, 2), 8: (1,)}  # so many times a unit is danced within one move
_DRILL_COUNTS = (24, 112)
_DRILL_UNITS, _DRILL_ODDS = (2, 4, 8), (0.55, 0.35, 0.1)
_ODD_SHARE = 0.1  # of the moves that last a count more or less
_OFF_THE_BAR_SHARE = 0.25  # of the dances whose moves begin on other counts than 1 and 3
_AGAIN_SHARE = 0.25
_BLEND_BEATS = (0.2, 0.9)
_ON_POSES_SHARE = 0.5  # of the moves that go from pose to pose; the others swing
_LIMB_USE = 0.55
_RATES_HZ = (15.0, 15.0, 24.0, 30.0)
_EAR, _EYE, _EYES_APART, _ELBOWS, _WRISTS = 7, 2, 3, (13, 14), (15, 16)  # landmarks, the left ones first
_OUTWARD = (1.0, -1.0)  # x of left and right, as the viewer sees a dancer
_ARMS_OUT_RAD = 0.2
_ASPECT = 16 / 9

# Joints that turn: how far each usually rests from hanging down (or upright) and how far it goes, in radians, forward
# and sideways. Left and right are alike.
_LIMBS = ("thigh_left", "thigh_right", "arm_left", "arm_right")
_ANGLES = 2 * len(_LIMBS) + len(_LIMBS) + 6
"""Forward and sideways of four limbs, the bend of knees and elbows; lean (2), twist, yaw, place of the hips (2)."""
_REST_SD = np.array([*[0.15, 0.12] * 2, *[0.6, 0.5] * 2, 0.2, 0.2, 0.7, 0.7, 0.12, 0.1, 0.15, 0.4, 0.0, 0.0])
_SWING_SD = np.array([*[0.35, 0.25] * 2, *[0.6, 0.55] * 2, 0.4, 0.4, 0.6, 0.6, 0.15, 0.15, 0.25, 0.35, 0.12, 0.05])
_GROOVE_SD = np.array([*[0.05, 0.03] * 2, *[0.08, 0.05] * 2, 0.12, 0.12, 0.1, 0.1, 0.05, 0.03, 0.05, 0.03, 0.02, 0.03])


@dataclass(frozen=True, slots=True, eq=False)
class _Swing:
    """``waves`` ``(A, cycles)`` radians of 1, 2, … cycles in ``unit`` counts; ``phases`` likewise."""

    unit: float
    waves: FloatArray
    phases: FloatArray

    def at(self, since: FloatArray) -> FloatArray:
        cycles = np.arange(1, self.waves.shape[1] + 1)
        turn = 2 * np.pi * since[:, None, None] * cycles / self.unit + self.phases
        return (self.waves * np.sin(turn)).sum(axis=2)


@dataclass(frozen=True, slots=True, eq=False)
class _Poses:
    """``keys`` ``(K, A)`` radians, one every ``step`` beats; at rest on each, round and round."""

    keys: FloatArray
    step: float

    def at(self, since: FloatArray) -> FloatArray:
        place = since / self.step
        before = np.floor(place).astype(int)
        x = np.clip((place - before - 0.25) / 0.75, 0, 1)[:, None]
        one, other = (self.keys[key % len(self.keys)] for key in (before, before + 1))
        return one + (other - one) * x * x * (3 - 2 * x)


@dataclass(frozen=True, slots=True, eq=False)
class _Move:
    """``start`` beat; ``unit`` counts, danced again and again; ``rest`` ``(A,)`` radians, about which it goes."""

    start: float
    unit: float
    rest: FloatArray
    way: _Swing | _Poses

    def angles(self, beat: FloatArray) -> FloatArray:
        """``(N, A)``."""
        return self.rest + self.way.at(beat - self.start)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """``cuts`` the beats at which one move ends and the next begins; ``beats`` that the dance lasts."""

    moves: Sequence[_Move]
    cuts: Sequence[float]
    beats: float


@dataclass(frozen=True, slots=True)
class _Recording:
    """``lead_s`` before the dance's beat 0, which is ``offset`` counts after a one of the music."""

    tempo_bpm: float
    rate_hz: float
    lead_s: float
    offset: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Recording:
        tempo_bpm = float(np.exp(rng.uniform(*np.log(TEMPI_BPM))))
        rate_hz, lead_s = float(rng.choice(_RATES_HZ)), float(rng.uniform(0, 1))
        offset = float(rng.integers(1, 8)) / 2 if rng.random() < _OFF_THE_BAR_SHARE else 0.0
        return cls(tempo_bpm, rate_hz, lead_s, offset)

    @property
    def period_s(self) -> float:
        return 60 / self.tempo_bpm

    def duration_s(self, beats: float) -> float:
        return self.lead_s + self.period_s * beats

    def beat_of_samples(self, beats: float) -> FloatArray:
        """``(T,)`` beats of the dance, at each sample of a dance so long."""
        times_s = np.arange(sample_count(self.duration_s(beats), self.rate_hz)) / self.rate_hz
        return (times_s - self.lead_s) / self.period_s

    def grid(self, beats: float) -> BeatGrid:
        """The beats of the music during a dance so long."""
        beats_s = self.lead_s + self.period_s * (np.arange(int(beats) + 2) - self.offset % 1)
        skipped = int(np.sum(beats_s < 0))
        beats_s = beats_s[skipped:]
        return BeatGrid(beats_s, (np.arange(len(beats_s)) + skipped + int(self.offset)) % BEATS_PER_BAR + 1)


def solo(seed: int, beats: int = DANCE_BEATS) -> Joined:
    """A choreography."""
    return _dance(seed, beats, drilled=False)


def drill(seed: int, beats: int = DANCE_BEATS) -> Joined:
    """One unit over and over, then perhaps another."""
    return _dance(seed, beats, drilled=True)


def _dance(seed: int, beats: int, *, drilled: bool) -> Joined:
    rng = np.random.default_rng([seed, int(drilled)])
    recording = _Recording.drawn(rng)
    plan = _moves(rng, beats, drilled=drilled)
    beat = recording.beat_of_samples(plan.beats)
    angles = _blended(rng, plan.moves, beat) + _groove(rng, beat)
    image = _filmed(rng, _joints(rng, angles))
    pose = PoseFeatures.from_landmarks(image, np.isfinite(image[..., 0]), recording.rate_hz)
    audio = _beats_alone(recording, plan.beats)
    cuts = audio.beats.beat_of(recording.lead_s + recording.period_s * np.array(plan.cuts))
    return Joined(pose, audio, (), joins=np.round(2 * cuts) / 2, nulls=np.zeros(0))


def _beats_alone(recording: _Recording, beats: float) -> AudioFeatures:
    """Music of which nothing but the beats is heard."""
    silent = AudioFeatures.silent(recording.duration_s(beats), recording.rate_hz)
    return replace(silent, beats=recording.grid(beats), tempo_bpm=recording.tempo_bpm, tempo_confidence=1.0)


def _moves(rng: np.random.Generator, beats: int, *, drilled: bool) -> _Plan:
    home = rng.normal(0, 1, _ANGLES) * _REST_SD
    moves: list[_Move] = []
    cuts: list[float] = []
    start = 0.0
    while start < beats:
        move = _another(rng, start, home, moves, drilled=drilled)
        repeats = _repeats(rng, move.unit, drilled=drilled)
        moves.append(move)
        cuts += [start + move.unit * i for i in range(repeats if drilled else 1)]
        start += move.unit * repeats
    return _Plan(moves, cuts[1:], start)


def _repeats(rng: np.random.Generator, unit: float, *, drilled: bool) -> int:
    if drilled:
        return max(2, int(rng.integers(*_DRILL_COUNTS) / unit))
    return int(rng.choice(_REPEATS.get(int(unit), (1,))))


def _another(
    rng: np.random.Generator, start: float, home: FloatArray, moves: Sequence[_Move], *, drilled: bool
) -> _Move:
    """A new move, or one that was danced before, but not the last one."""
    before = moves[:-1]
    if before and rng.random() < _AGAIN_SHARE:
        return replace(before[int(rng.integers(len(before)))], start=start)
    unit = float(rng.choice(_DRILL_UNITS, p=_DRILL_ODDS) if drilled else rng.choice(_UNITS, p=_UNIT_ODDS))
    if not drilled and unit > 2 and rng.random() < _ODD_SHARE:
        unit += float(rng.choice([-1.0, 1.0]))
    return _move(rng, start, unit, home)


def _move(rng: np.random.Generator, start: float, unit: float, home: FloatArray) -> _Move:
    used = _limbs_used(rng)
    size = float(np.exp(rng.normal(0, 0.35)))
    rest = home + rng.normal(0, 0.7, _ANGLES) * _REST_SD * used
    way = _poses if rng.random() < _ON_POSES_SHARE else _swing
    return _Move(start, unit, rest, way(rng, unit, used, size))


def _poses(rng: np.random.Generator, unit: float, used: FloatArray, size: float) -> _Poses:
    step = float(rng.choice([0.5, 1.0, 1.0, 2.0]))
    return _Poses(rng.normal(0, 1, (max(2, round(unit / step)), _ANGLES)) * _SWING_SD * used * size, step)


def _swing(rng: np.random.Generator, unit: float, used: FloatArray, size: float) -> _Swing:
    cycles = max(1, round(unit * rng.choice([0.5, 1.0])))
    sizes = rng.normal(0, 1, (_ANGLES, cycles)) * (_SWING_SD * used * size)[:, None]
    waves = sizes * rng.dirichlet(np.ones(cycles)) ** 0.5
    return _Swing(unit, waves, rng.uniform(0, 2 * np.pi, (_ANGLES, cycles)))


def _limbs_used(rng: np.random.Generator) -> FloatArray:
    """``(A,)`` 0 … 1, the two angles and the bend of a limb together."""
    limbs = (rng.random(4) < _LIMB_USE).astype(float)
    if not limbs.any():
        limbs[rng.integers(4)] = 1.0
    trunk = (rng.random(6) < 0.5).astype(float)
    return 0.1 + 0.9 * np.concatenate([limbs.repeat(2), limbs, trunk])


def _blended(rng: np.random.Generator, moves: Sequence[_Move], beat: FloatArray) -> FloatArray:
    """``(N, A)`` one move after the other, each fading into the next."""
    angles = np.zeros((len(beat), _ANGLES))
    widths = rng.uniform(*_BLEND_BEATS, len(moves) - 1)
    begun = [risen((beat - move.start) / width) for move, width in zip(moves[1:], widths, strict=True)]
    shares = itertools.pairwise([np.ones(len(beat)), *begun, np.zeros(len(beat))])
    for move, (one, following) in zip(moves, shares, strict=True):
        share = one - following
        rows = np.flatnonzero(share > 0)
        angles[rows] += share[rows, None] * move.angles(beat[rows])
    return angles


def _groove(rng: np.random.Generator, beat: FloatArray) -> FloatArray:
    """What goes on throughout the dance: bouncing on every beat, swaying on every second."""
    sizes = np.abs(rng.normal(0, 1, (2, _ANGLES))) * _GROOVE_SD * rng.uniform(0, 1.5)
    phases = rng.uniform(0, 2 * np.pi, (2, _ANGLES))
    drift = rng.normal(0, 0.4) * np.sin(2 * np.pi * beat / rng.uniform(16, 64) + rng.uniform(0, 6))
    on = (np.sin(2 * np.pi * beat[:, None, None] / np.array([1.0, 2.0])[:, None] + phases) * sizes).sum(axis=1)
    on[:, -3] += drift
    return on


def _joints(rng: np.random.Generator, angles: FloatArray) -> FloatArray:
    """``(N, 33, 3)`` metres, x right, y up, z away; NaN for landmarks this body has not."""
    thigh, shin, upper, fore = rng.normal([0.41, 0.40, 0.28, 0.25], 0.02)
    trunk, hip, shoulder = rng.normal([0.5, 0.105, 0.175], 0.01)
    lean_f, lean_s, twist, yaw, x, y = angles[:, -6:].T
    points = np.full((len(angles), BLAZEPOSE_LANDMARKS, 3), np.nan)
    zero = np.zeros(len(angles))
    spine = _direction(lean_f, lean_s, up=1.0) * trunk
    for side, sign in ((0, 1.0), (1, -1.0)):
        across = np.stack([zero + sign, zero, zero], axis=1)
        turned = np.stack([np.cos(twist), zero, np.sin(twist)], axis=1)
        _add_leg(points, side, across * hip, angles, (thigh, shin))
        _add_arm(points, side, spine + shoulder * sign * turned, angles, (upper, fore))
        points[:, _EAR + side] = spine + across * 0.07 + [0, 0.2, 0]
        points[:, _EYE + _EYES_APART * side] = spine + across * 0.03 + [0, 0.22, -0.09]
    points[:, NOSE] = spine + np.array([0, 0.19, -0.11])
    return _about_the_vertical(points, yaw) + np.stack([x, y, zero], axis=1)[:, None]


def _add_leg(
    points: FloatArray, side: int, hip: FloatArray, angles: FloatArray, lengths_m: tuple[float, float]
) -> None:
    """``side`` 0 left, 1 right."""
    forward, sideways, bend = angles[:, 2 * side], _OUTWARD[side] * angles[:, 2 * side + 1], np.abs(angles[:, 8 + side])
    knee = hip + lengths_m[0] * _direction(forward + bend / 2, sideways)
    ankle = knee + lengths_m[1] * _direction(forward - bend / 2, sideways)
    for landmark, place in ((HIPS[side], hip), (KNEES[side], knee), (ANKLES[side], ankle)):
        points[:, landmark] = place


def _add_arm(
    points: FloatArray, side: int, shoulder: FloatArray, angles: FloatArray, lengths_m: tuple[float, float]
) -> None:
    forward, bend = angles[:, 4 + 2 * side], np.abs(angles[:, 10 + side])
    sideways = _OUTWARD[side] * (_ARMS_OUT_RAD + angles[:, 5 + 2 * side])
    elbow = shoulder + lengths_m[0] * _direction(forward, sideways)
    wrist = elbow + lengths_m[1] * _direction(forward + bend, sideways)
    for landmark, place in ((SHOULDERS[side], shoulder), (_ELBOWS[side], elbow), (_WRISTS[side], wrist)):
        points[:, landmark] = place


def _about_the_vertical(points: FloatArray, yaw: FloatArray) -> FloatArray:
    c, s = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    x, y, z = np.moveaxis(points, 2, 0)
    return np.stack([c * x - s * z, y, s * x + c * z], axis=2)


def _direction(forward: FloatArray, side: FloatArray, up: float = -1.0) -> FloatArray:
    """A unit vector that hangs down (or stands up), turned ``forward`` to the viewer and to the ``side``."""
    return np.stack([np.sin(side) * np.cos(forward), up * np.cos(side) * np.cos(forward), -np.sin(forward)], axis=1)


def _filmed(rng: np.random.Generator, points: FloatArray) -> FloatArray:
    """``(N, 33, 2)`` image heights; the camera stands anywhere before the dancer."""
    yaw, size = rng.normal(0, 0.5), 0.45 * np.exp(rng.normal(0, 0.2))
    x = points[..., 0] * np.cos(yaw) + points[..., 2] * np.sin(yaw)
    image = np.stack([x, -points[..., 1]], axis=2) * size + [_ASPECT / 2, 0.5]
    known = np.zeros(BLAZEPOSE_LANDMARKS, bool)
    known[list(COCO_TO_BLAZEPOSE)] = True
    wobble = rng.normal(0, 0.004 * rng.random(), image.shape)
    return np.where(known[:, None], image + wobble, np.nan)
