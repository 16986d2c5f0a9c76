"""Dances of an imagined body, of moves that are known: what joins of one couple's clips cannot teach.

A dancer alone, at any tempo. Moves of 2, 4 or 8 counts are made up: joints swing to and fro, or go from pose to pose
on the counts. Within a choreography, a move that repeats a shorter unit is one move. In a drill, where one unit is
repeated for many bars, each repetition is a move: so people mark it (Endo et al. 2024: most moves of a basic dance
last two counts). Forward kinematics of a body of sticks: no feet that stand, only what features of landmarks see.
Every dance is a function of its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_job.segmentation.learning.joins import DANCE_BEATS, Joined
from shared.features import BLAZEPOSE_LANDMARKS, COCO_TO_BLAZEPOSE, AudioFeatures, PoseFeatures
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
class _Move:
    """``start`` beat, ``unit`` counts; angles at each beat after its start by ``angles``."""

    start: float
    unit: float
    rest: FloatArray
    waves: FloatArray
    phases: FloatArray
    keys: FloatArray | None
    sharp: float

    def angles(self, beat: FloatArray) -> FloatArray:
        """``(N, A)``."""
        since = beat - self.start
        if self.keys is not None:
            return self.rest + _eased(self.keys, since, self.sharp)
        cycles = np.arange(1, self.waves.shape[1] + 1)
        turn = 2 * np.pi * since[:, None, None] * cycles / self.unit + self.phases
        return self.rest + (self.waves * np.sin(turn)).sum(axis=2)


def solo(seed: int, beats: int = DANCE_BEATS) -> Joined:
    """A choreography."""
    return _dance(seed, beats, drilled=False)


def drill(seed: int, beats: int = DANCE_BEATS) -> Joined:
    """One unit over and over, then perhaps another."""
    return _dance(seed, beats, drilled=True)


def _dance(seed: int, beats: int, *, drilled: bool) -> Joined:
    rng = np.random.default_rng([seed, int(drilled)])
    tempo_bpm = float(np.exp(rng.uniform(*np.log(TEMPI_BPM))))
    rate_hz = float(rng.choice([15.0, 15.0, 24.0, 30.0]))
    period_s, lead_s = 60 / tempo_bpm, float(rng.uniform(0, 1))
    offset = float(rng.integers(1, 8)) / 2 if rng.random() < _OFF_THE_BAR_SHARE else 0.0
    moves, cuts, total = _moves(rng, beats, drilled=drilled)
    duration_s = lead_s + period_s * total
    beat = (np.arange(sample_count(duration_s, rate_hz)) / rate_hz - lead_s) / period_s
    first = int(np.floor(offset))
    beats_s = lead_s + period_s * (np.arange(int(total) + 2) - offset % 1)
    beats_s, skipped = beats_s[beats_s >= 0], int(np.sum(beats_s < 0))
    positions = (np.arange(len(beats_s)) + skipped + first) % BEATS_PER_BAR + 1
    angles = _blended(rng, moves, beat) + _groove(rng, beat)
    image = _filmed(rng, _joints(rng, angles))
    pose = PoseFeatures.from_landmarks(image, np.isfinite(image[..., 0]), rate_hz)
    grid = BeatGrid(beats_s, positions)
    edges = grid.beat_of(lead_s + period_s * np.array(cuts))
    silent = AudioFeatures.silent(duration_s, rate_hz)
    audio = replace(silent, beats=grid, tempo_bpm=tempo_bpm, tempo_confidence=1.0)
    return Joined(pose, audio, (), joins=np.round(2 * edges) / 2, nulls=np.zeros(0))


def _moves(rng: np.random.Generator, beats: int, *, drilled: bool) -> tuple[list[_Move], list[float], float]:
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
    return moves, cuts[1:], start


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
    if rng.random() < _ON_POSES_SHARE:
        step = float(rng.choice([0.5, 1.0, 1.0, 2.0])) if unit >= 2 else 1.0
        keys = rng.normal(0, 1, (max(2, round(unit / step)), _ANGLES)) * _SWING_SD * used * size
        return _Move(start, unit, rest, np.zeros((1, 1)), np.zeros((1, 1)), keys.repeat(1, axis=0), step)
    cycles = max(1, round(unit * rng.choice([0.5, 1.0])))
    waves = (
        rng.normal(0, 1, (_ANGLES, cycles)) * (_SWING_SD * used * size)[:, None] * rng.dirichlet(np.ones(cycles)) ** 0.5
    )
    return _Move(start, unit, rest, waves, rng.uniform(0, 2 * np.pi, (_ANGLES, cycles)), None, 0.0)


def _limbs_used(rng: np.random.Generator) -> FloatArray:
    """``(A,)`` 0 … 1, the two angles and the bend of a limb together."""
    limbs = (rng.random(4) < _LIMB_USE).astype(float)
    if not limbs.any():
        limbs[rng.integers(4)] = 1.0
    trunk = (rng.random(6) < 0.5).astype(float)
    return 0.1 + 0.9 * np.concatenate([limbs.repeat(2), limbs, trunk])


def _eased(keys: FloatArray, since: FloatArray, step: float) -> FloatArray:
    """From key to key, one every ``step`` beats, at rest on each, round and round."""
    place = since / step
    before = np.floor(place).astype(int)
    x = np.clip((place - before - 0.25) / 0.75, 0, 1)[:, None]
    return keys[before % len(keys)] + (keys[(before + 1) % len(keys)] - keys[before % len(keys)]) * x * x * (3 - 2 * x)


def _blended(rng: np.random.Generator, moves: Sequence[_Move], beat: FloatArray) -> FloatArray:
    angles = np.zeros((len(beat), _ANGLES))
    starts = [move.start for move in moves] + [np.inf]
    widths = [1e-6, *rng.uniform(*_BLEND_BEATS, len(moves) - 1), 1e-6]
    for i, move in enumerate(moves):
        opens, closes = starts[i], starts[i + 1]
        share = _risen((beat - opens) / widths[i]) if i else np.ones(len(beat))
        if np.isfinite(closes):
            share = share - _risen((beat - closes) / widths[i + 1])
        rows = np.flatnonzero(share > 0)
        angles[rows] += share[rows, None] * move.angles(beat[rows])
    return angles


def _risen(x: FloatArray) -> FloatArray:
    x = np.clip(x + 0.5, 0, 1)
    return x * x * (3 - 2 * x)


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
        hips = across * hip
        shoulders = spine + shoulder * sign * np.stack([np.cos(twist), zero, np.sin(twist)], axis=1)
        leg_f, leg_s = angles[:, 2 * side], angles[:, 2 * side + 1]
        arm_f, arm_s = angles[:, 4 + 2 * side], angles[:, 5 + 2 * side]
        knee, elbow = np.abs(angles[:, 8 + side]), np.abs(angles[:, 10 + side])
        knees = hips + thigh * _direction(leg_f + knee / 2, sign * leg_s)
        ankles = knees + shin * _direction(leg_f - knee / 2, sign * leg_s)
        elbows = shoulders + upper * _direction(arm_f, sign * (0.2 + arm_s))
        wrists = elbows + fore * _direction(arm_f + elbow, sign * (0.2 + arm_s))
        for number, place in zip(
            (23, 25, 27, 11, 13, 15), (hips, knees, ankles, shoulders, elbows, wrists), strict=True
        ):
            points[:, number + side] = place
        points[:, 7 + side] = spine + across * 0.07 + [0, 0.2, 0]
        points[:, 2 + 3 * side] = spine + across * 0.03 + [0, 0.22, -0.09]
    points[:, 0] = spine + np.array([0, 0.19, -0.11])
    c, s = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    turned = np.stack(
        [c * points[..., 0] - s * points[..., 2], points[..., 1], s * points[..., 0] + c * points[..., 2]], axis=2
    )
    return turned + np.stack([x, y, zero], axis=1)[:, None]


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
