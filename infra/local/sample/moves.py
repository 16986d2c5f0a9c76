"""The dancer's vocabulary: each move is a periodic function of the beat.

``beat`` counts from the first count of the move, so the dancer steps on whole numbers; a bachata
dancer taps, and pops the hip, on 4 and 8. Neighbouring moves differ in where the arms are and which
way the body faces, so that a viewer, and a feature of bone directions, sees where one ends. This
module knows no seconds and no bodies but :class:`~infra.local.sample.skeleton.Controls`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from infra.local.sample.skeleton import Controls, reaching
from shared.timeline import FloatArray

STANCE_M = 0.09  # from the middle to an ankle
STEP_BEATS = 0.5  # a foot travels for half a beat and arrives on the count
LIFT_M = 0.05
SWAY_RAD = 0.10  # of the hips on every step
POP_RAD = 0.26  # on the tap

# Where the elbows point: outwards, up, front.
DOWN = (0.6, -0.8, -0.35)
OUT = (1.0, 0.0, 0.1)

Hand = tuple[FloatArray | float, FloatArray | float, FloatArray | float]


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the vocabulary: its name, the counts it may last, and how it goes."""

    name: str
    counts: tuple[int, ...]
    dance: Callable[[FloatArray], Controls]


def waiting(beat: FloatArray) -> Controls:
    """Standing with the arms hanging, before the music and after it."""
    arm = (0.07, -0.5, 0.05 + 0.01 * np.sin(beat))
    return _arms(_standing(beat), arm, arm)


def basic(beat: FloatArray) -> Controls:
    """Three steps to the left and a tap, then back; the hands held before the belly."""
    left = _on_counts(beat, [0.31, 0.31, 0.53, 0.53, 0.53, 0.31, 0.31, 0.09])
    right = _on_counts(beat, [-0.09, 0.13, 0.13, 0.35, 0.13, 0.13, -0.09, -0.09])
    pulse = 0.02 * np.cos(2 * np.pi * beat)
    arm = (-0.02, -0.24 + pulse, 0.27)
    return _arms(_step(beat, left, right), arm, arm)


def forward_and_back(beat: FloatArray) -> Controls:
    """Rocking towards the viewer and away, the fists pumping in turn."""
    depth = _on_counts(beat, [0.18, 0.34, 0.34, 0.20, 0.0, -0.16, -0.16, 0.0])
    controls = replace(_step(beat), place=np.stack([np.zeros_like(beat), -depth], axis=1))
    pump = np.cos(np.pi * beat)
    left, right = ((0.10, 0.06 + 0.16 * sign * pump, 0.24) for sign in (1, -1))
    return _arms(replace(controls, lift=2 * controls.lift), left, right)


def turn(beat: FloatArray) -> Controls:
    """Once around on 1, 2 and 3, a hand above the head as if led; a tap on 4."""
    yaw = 2 * np.pi * _smooth((beat - 0.5) / 2.3)
    # After the turn the dancer faces the viewer as if never turned, so that what follows need not unwind.
    return replace(
        _arms(_step(beat), (0.0, 0.45, 0.08), (-0.10, -0.30, 0.20), OUT), yaw=np.where(yaw < 2 * np.pi - 1e-9, yaw, 0.0)
    )


def body_wave(beat: FloatArray) -> Controls:
    """A wave through chest, belly and hips, turned aside, the hands at the ears."""
    phase = np.pi / 2 * beat
    lower, upper = 0.28 * np.sin(phase), -0.30 * np.sin(phase + 1.0)
    side = np.zeros_like(beat)
    controls = replace(
        _step(beat),
        yaw=np.full_like(beat, -0.75),
        bend=np.stack([np.stack([side, lower], axis=1), np.stack([side, upper], axis=1)], axis=1),
        shift=np.stack([side, -0.09 * np.sin(phase)], axis=1),
        drop=0.06 + 0.04 * np.cos(phase),
    )
    return _arms(controls, (0.10, 0.19, -0.02), (0.10, 0.19, -0.02), OUT)


def hip_roll(beat: FloatArray) -> Controls:
    """The hips circle over a wide stance, the hands on them."""
    phase = np.pi * beat
    stance = np.full_like(beat, 0.25)
    controls = replace(
        _step(beat, stance, -stance),
        lift=np.zeros((len(beat), 2)),
        shift=np.stack([0.09 * np.sin(phase), 0.06 * np.cos(phase)], axis=1),
        sway=0.20 * np.sin(phase),
        drop=np.full_like(beat, 0.12),
    )
    return _arms(controls, (0.06, -0.32, 0.02), (0.06, -0.32, 0.02))


def arm_styling(beat: FloatArray) -> Controls:
    """Both arms high, swinging from side to side over the head."""
    swing = np.sin(np.pi * beat)
    controls = replace(_step(beat), bend=_leaning(0.14 * swing))
    return _arms(controls, (0.05 + 0.20 * swing, 0.44, 0.06), (0.05 - 0.20 * swing, 0.44, 0.06), OUT)


def cross_body(beat: FloatArray) -> Controls:
    """Travelling across the floor and back in profile, one arm ahead and one behind."""
    across = _on_counts(beat, [0.20, 0.40, 0.60, 0.60, 0.40, 0.20, 0.0, 0.0])
    stride = _on_counts(beat, [0.16, -0.16, 0.12, 0.0, -0.16, 0.16, -0.12, 0.0])
    controls = replace(_step(beat), yaw=np.full_like(beat, 1.1), place=np.stack([across, np.zeros_like(beat)], axis=1))
    controls.feet[:, :, 1] = np.stack([stride, -stride], axis=1)
    return _arms(controls, (0.12, 0.02, 0.47), (0.42, -0.10, -0.22))


def shimmy(beat: FloatArray) -> Controls:
    """The arms wide, the shoulders shaking twice a beat."""
    shake = np.sin(2 * np.pi * beat)
    wave = 0.05 * np.cos(np.pi * beat)
    controls = replace(_step(beat), shoulders=np.stack([0.10 * shake, 0.12 * shake], axis=1))
    return _arms(controls, (0.50, wave, 0.08), (0.50, -wave, 0.08))


def lunge(beat: FloatArray) -> Controls:
    """Deep to the left on 1 and 2, up again on 3 and 4, the arms one long line from low to high."""
    deep = _on_counts(beat, [1.0, 1.0, 0.2, 0.0])
    controls = _step(beat, STANCE_M + 0.34 * deep, np.full_like(beat, -STANCE_M))
    controls = replace(controls, bend=_leaning(0.05 + 0.17 * deep), drop=0.05 + 0.10 * deep)
    controls.shift[:, 0] += 0.10 * deep
    return _arms(controls, (0.36, -0.34, 0.10), (0.34, 0.36, 0.08))


VOCABULARY = (
    Move("basic", (8, 16), basic),
    Move("forward and back", (8,), forward_and_back),
    Move("turn", (4,), turn),
    Move("body wave", (4, 8), body_wave),
    Move("hip roll", (4, 8), hip_roll),
    Move("arm styling", (4, 8), arm_styling),
    Move("cross body", (8,), cross_body),
    Move("shimmy", (4, 8), shimmy),
    Move("lunge", (4, 8), lunge),
)


def _standing(beat: FloatArray) -> Controls:
    controls = Controls.zeros(len(beat))
    controls.feet[:, :, 0] = STANCE_M, -STANCE_M
    return controls


def _step(beat: FloatArray, left: FloatArray | None = None, right: FloatArray | None = None) -> Controls:
    """The feet of a bachata, left first: three steps and a tap of the other foot with a hip pop.

    ``left`` and ``right`` say how far the feet are to the dancer's left; without them, in place.
    """
    controls = _standing(beat)
    if left is not None and right is not None:
        controls.feet[:, :, 0] = np.stack([left, right], axis=1)
    travelling = np.sin(np.pi * np.clip((beat % 1 - 1 + STEP_BEATS) / STEP_BEATS, 0, 1))
    count = np.floor(beat + STEP_BEATS).astype(int) % 8  # 0 is count 1
    is_left = np.isin(count, (0, 2, 5, 7))  # the foot that steps, or taps, on each count
    lift = LIFT_M * np.stack([travelling * is_left, travelling * ~is_left], axis=1)
    tap = np.stack([_on_counts(beat, [0, 0, 0, 0, 0, 0, 0, 1.0]), _on_counts(beat, [0, 0, 0, 1.0, 0, 0, 0, 0])], axis=1)
    sway = SWAY_RAD * np.array([1, -1, 1, 0, -1, 1, -1, 0]) + POP_RAD * np.array([0, 0, 0, -1, 0, 0, 0, 1])
    weight = _on_counts(beat, [1, -1, 1, 1, -1, 1, -1, -1])
    return replace(
        controls, lift=lift, heel=tap, sway=_on_counts(beat, sway), drop=0.02 + 0.012 * np.cos(2 * np.pi * beat),
        shift=np.stack([0.035 * weight, np.zeros_like(beat)], axis=1),
    )  # fmt: skip


def _arms(controls: Controls, left: Hand, right: Hand, elbows: tuple[float, float, float] = DOWN) -> Controls:
    """The controls with the hands there: metres outwards, up and front of their shoulders."""
    for side, hand in enumerate((left, right)):
        place = np.stack([np.broadcast_to(part, len(controls)) for part in hand], axis=1)
        controls.arms[:, side] = reaching(place, np.array(elbows))
    return controls


def _leaning(side: FloatArray) -> FloatArray:
    both = np.stack([side, np.zeros_like(side)], axis=1)
    return np.stack([both, both], axis=1)


def _on_counts(beat: FloatArray, values: Sequence[float] | FloatArray) -> FloatArray:
    """A value for each count, round and round; it changes in the half beat before the count."""
    values = np.asarray(values, dtype=float)
    count = np.floor(beat).astype(int)
    now, following = values[count % len(values)], values[(count + 1) % len(values)]
    return now + (following - now) * _smooth((beat - count - 1 + STEP_BEATS) / STEP_BEATS)


def _smooth(x: FloatArray) -> FloatArray:
    """0 below 0, 1 above 1, and an S between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
