"""What a couple does in a block, as 384 numbers of unit length: alike dances point the same way.

Of each dancer, lead then follow, 176 numbers; then 32 of the two together:

| part | numbers | what |
|---|---|---|
| posture  | 25     | how far up bones point, how joints are bent, on average over the block |
| spread   | 25     | logarithm of how much each of these varies |
| speed    | 25     | logarithm of how fast it changes |
| counts   | 8 × 6  | logarithm of the speed of each limb on each count |
| turning  | 8 + 1  | how far the body turns on each count, either way; and in all, this way less that |
| rhythm   | 6 × 7  | logarithm of each limb's swing once, twice, 3, 4–5, 6–8, 9–12 and 13–16 times in a block |
| travel   | 2      | logarithm of how far the hips go across the picture, and up and down in it |
| together | 8 × 4  | on each count: how far apart, how held, cosine and sine of the follow's facing from the lead's |

Directions across the picture are left out: where a couple faces is no part of a move. Each number is told from what
is usual (:mod:`~gpu_job.choreography.usual`), and 0 where it was not seen. In double precision, on CUDA where there
is one: a block gives the same numbers alone, in a batch, and on either device. Knows no labels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_job.choreography import usual
from gpu_job.choreography.dancing import POINTS_PER_BEAT, WITHIN, Dance, Dancer
from gpu_job.devices import device
from gpu_job.movement import FROM_ANYWHERE, LIMB_OF, POSTURES, movement
from shared.library import POSE_EMBEDDING
from shared.music import COUNTS_PER_EIGHT
from shared.timeline import FloatArray

WEIGHTS: Mapping[str, float] = {
    "posture": 1.0, "spread": 0.7, "speed": 0.7, "counts": 0.5, "turning": 0.5, "rhythm": 0.7, "travel": 0.3,
    "together": 1.0,
}  # fmt: skip
"""Of the parts, whatever their lengths."""
CYCLES = (1, 2, 3, 4, 6, 9, 13, 17)
"""Where bands of rhythm begin, in cycles a block: 8 is every beat."""
FLIP_RAD = 0.8
"""In an eighth of a beat nobody turns so far (a spin in two beats is 0.4): the estimator took a back for a front."""
LEAST_SEEN = 0.25
"""Of the points that a number is made of; below, it is unseen."""
MOST = 3.0
"""A number further from the usual is held there: one odd joint must not outvote the rest."""
# Swings (cosines, radians), speeds (per beat / π) and travel (torso lengths) that are an estimator's jitter.
LEAST_SWING, LEAST_SPEED, LEAST_TRAVEL = 0.03, 0.01, 0.03

_SPAN = COUNTS_PER_EIGHT * POINTS_PER_BEAT
_UPWARDS = torch.from_numpy(np.flatnonzero(FROM_ANYWHERE[:POSTURES]))
_IN_LIMB = np.eye(int(LIMB_OF.max()) + 1)[LIMB_OF[:POSTURES]]


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """What is pooled: ``Q`` points of ``N`` blocks, NaN where unseen, with how far each counts, 0 … 1.

    ``postures`` ``(N, 2, Q, 41)`` of lead and follow
    ``speeds``   ``(N, 2, Q, 41)`` their change per beat / π
    ``facing``   ``(N, 2, Q)`` radians
    ``place``    ``(N, 2, Q, 2)`` of the hips, torso lengths
    ``pair``     ``(N, Q, 2)`` how far apart in torso lengths, how held
    """

    postures: Tensor
    postures_count: Tensor
    speeds: Tensor
    speeds_count: Tensor
    facing: Tensor
    place: Tensor
    pair: Tensor


def embeddings(dances: Sequence[Dance]) -> list[FloatArray]:
    """``(K, 384)`` of each, of unit length; zeros for a block in which nobody was seen."""
    if not any(map(len, dances)):
        return [np.zeros((0, POSE_EMBEDDING), np.float32) for _ in dances]
    rows = embedded(channels(dances)).cpu().numpy().astype(np.float32)
    return np.split(rows, np.cumsum([len(dance) for dance in dances])[:-1])


def channels(dances: Sequence[Dance]) -> Channels:
    """Of all their blocks in one row."""
    each = zip(*(_arrays(dance) for dance in dances), strict=True)
    return Channels(*(torch.from_numpy(np.concatenate(arrays).astype(float)).to(device()) for arrays in each))


def embedded(blocks: Channels) -> Tensor:
    """``(N, 384)``."""
    told = {name: _told(name, part) for name, part in parts(blocks).items()}
    together = told.pop("together")
    joined = torch.cat([torch.cat(list(told.values()), dim=2).flatten(1), together], dim=1)
    return joined / joined.norm(dim=1, keepdim=True).clamp(min=1e-12)


def parts(blocks: Channels) -> dict[str, Tensor]:
    """By name, ``(N, 2, n)`` of each dancer and ``(N, 32)`` of both, as they are: NaN where unseen."""
    postures, counted = blocks.postures, blocks.postures_count
    mean = _mean(postures, counted, 2)
    swings = postures - mean[:, :, None]
    spread = _mean(swings**2, counted, 2).sqrt()
    speed = _mean(blocks.speeds.abs(), blocks.speeds_count, 2)
    upwards = _UPWARDS.to(postures.device)
    return {
        "posture": mean[..., upwards], "spread": (spread + LEAST_SWING).log()[..., upwards],
        "speed": (speed + LEAST_SPEED).log()[..., upwards], "counts": _counts(blocks), "turning": _turning(blocks),
        "rhythm": _rhythm(swings, counted), "travel": _travel(blocks), "together": _together(blocks),
    }  # fmt: skip


def _arrays(dance: Dance) -> tuple[FloatArray, ...]:
    postures, counts, speeds, speeds_count = (
        np.stack(each, axis=1) for each in zip(*(_moved(dancer) for dancer in dance.dancers), strict=True)
    )
    facing = np.stack([dancer.facing for dancer in dance.dancers], axis=1)
    place = np.stack([dancer.place / dancer.torso for dancer in dance.dancers], axis=1)
    pair = np.stack([np.linalg.norm(dance.apart(), axis=2), dance.hold()], axis=2)
    return postures, counts, speeds, speeds_count, facing[..., WITHIN], place[:, :, WITHIN], pair[:, WITHIN]


def _moved(dancer: Dancer) -> list[FloatArray]:
    """Postures, how far they count, speeds, how far these count; ``(K, Q, 41)`` each."""
    moved = movement(dancer.body, POINTS_PER_BEAT)
    values = np.where(moved.seen > 0, moved.values, np.nan)
    each = (values[:, :POSTURES], moved.seen[:, :POSTURES], values[:, POSTURES:], moved.seen[:, POSTURES:])
    return [array.reshape(*dancer.place.shape[:2], POSTURES)[:, WITHIN] for array in each]


def _mean(values: Tensor, counts: Tensor, dim: int) -> Tensor:
    """Over what is seen; NaN where that is too little."""
    total, weight = (values.nan_to_num() * counts).sum(dim), counts.sum(dim)
    return torch.where(weight >= LEAST_SEEN * counts.shape[dim], total / weight, torch.nan)


def _by_count(values: Tensor, dim: int) -> Tensor:
    """The points of the axis ``dim`` as two axes, counts and the points of each."""
    return values.narrow(dim, 0, _SPAN).unflatten(dim, (COUNTS_PER_EIGHT, POINTS_PER_BEAT))


def _counts(blocks: Channels) -> Tensor:
    in_limb = torch.from_numpy(_IN_LIMB).to(blocks.speeds)
    counted = _by_count(blocks.speeds_count, 2)
    total = (_by_count(blocks.speeds.abs(), 2).nan_to_num() * counted).sum(3) @ in_limb
    weight = counted.sum(3) @ in_limb
    least = LEAST_SEEN * POINTS_PER_BEAT * in_limb.sum(0)
    return (torch.where(weight >= least, total / weight, torch.nan) + LEAST_SPEED).log().flatten(2)


def _turning(blocks: Channels) -> Tensor:
    steps = blocks.facing.diff(dim=2)
    steps = torch.atan2(steps.sin(), steps.cos())
    known = (steps.abs() < FLIP_RAD).to(steps)  # False for NaN
    turned = _mean(_by_count(steps, 2), _by_count(known, 2), 3) * POINTS_PER_BEAT
    in_all = _mean(steps, known, 2) * _SPAN
    return torch.cat([turned.abs(), in_all[..., None]], dim=2)


def _rhythm(swings: Tensor, counted: Tensor) -> Tensor:
    in_limb = torch.from_numpy(_IN_LIMB).to(swings)
    share = counted[:, :, :_SPAN].mean(2)
    power = torch.fft.rfft((swings.nan_to_num() * counted)[:, :, :_SPAN], dim=2).abs() ** 2 * (2 / _SPAN) ** 2
    bands = torch.stack([power[:, :, low:high].sum(2) for low, high in itertools.pairwise(CYCLES)], dim=3)
    seen = (share >= LEAST_SEEN).to(share)
    swing = (bands / share.clamp(min=LEAST_SEEN)[..., None] * seen[..., None]).transpose(2, 3) @ in_limb
    told = torch.where((seen @ in_limb)[:, :, None] > 0, swing / (seen @ in_limb)[:, :, None], torch.nan)
    return (told.sqrt() + LEAST_SWING).log().flatten(2)


def _travel(blocks: Channels) -> Tensor:
    counted = blocks.place.isfinite().to(blocks.place)
    off = blocks.place - _mean(blocks.place, counted, 2)[:, :, None]
    return (_mean(off**2, counted, 2).sqrt() + LEAST_TRAVEL).log()


def _together(blocks: Channels) -> Tensor:
    turned = blocks.facing[:, 1] - blocks.facing[:, 0]
    both = torch.cat([blocks.pair, turned.cos()[..., None], turned.sin()[..., None]], dim=2)
    return _mean(_by_count(both, 1), _by_count(both.isfinite().to(both), 1), 2).flatten(1)


def _told(name: str, part: Tensor) -> Tensor:
    """From the usual, weighed so that a part counts the same however many numbers it has; 0 where unseen."""
    centre, scale = (torch.from_numpy(each).to(part) for each in usual.OF[name])
    numbers = part[0].numel()
    return ((part - centre) / scale).clamp(-MOST, MOST).nan_to_num() * (WEIGHTS[name] / math.sqrt(numbers))
