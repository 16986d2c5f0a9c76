"""How far apart a dancer's moments are: masked distances within a band of lags, for a batch of dances.

On CUDA where there is one. Double precision throughout, so that a dance gives the same numbers alone,
in a batch, and on either device; it costs little, for the band is narrow. Knows points and lags, not
beats or boundaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from gpu_job.devices import device
from gpu_job.segmentation.motion import Motion

_ROWS = 128  # points handled in one matrix product


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Pairs of points, seen from a moment t: for each lag, those whose first point is in [t + start, t + stop).

    Each ``(K,)``; a lag may stand in it more than once.
    """

    lag: Tensor
    start: Tensor
    stop: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Sums over pairs of points (p, p + lag), ready to be read off for any range of p.

    ``distance`` ``(B, P + 1, L)`` running sums over p of seen distance, lag 0 … L - 1
    ``weight``   ``(B, P + 1, L)`` running sums of how much of it was seen, 1 a pair
    """

    distance: Tensor
    weight: Tensor

    def mean(self, moments: Tensor, ranges: Ranges) -> Seen:
        """Mean squared distance over these pairs around each moment. ``moments`` ``(N,)`` points."""
        total, weight = (self._over(sums, moments, ranges) for sums in (self.distance, self.weight))
        return Seen(total / weight.clamp(min=1e-9), weight / (ranges.stop - ranges.start).sum())

    def _over(self, sums: Tensor, moments: Tensor, ranges: Ranges) -> Tensor:
        last = sums.shape[1] - 1
        stop = (moments[:, None] + ranges.stop).clamp(0, last)
        start = (moments[:, None] + ranges.start).clamp(0, last)
        return (sums[:, stop, ranges.lag] - sums[:, start, ranges.lag]).sum(dim=2)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A mean and the share of its pairs that were seen. Each ``(B, N)``."""

    mean: Tensor
    share: Tensor


def band(motions: Sequence[Motion], lags: int) -> Band:
    """The band of lags 0 … ``lags`` - 1 of every motion, padded to the longest with what counts as unseen."""
    length = max(len(motion) for motion in motions)
    rows = -(-length // _ROWS) * _ROWS
    values = _padded([motion.values for motion in motions], rows + lags)
    seen = _padded([motion.seen for motion in motions], rows + lags)
    distance, weight = _banded(values, seen, lags)
    return Band(_running_sums(distance[:, :length]), _running_sums(weight[:, :length]))


def _padded(arrays: Sequence[np.ndarray], rows: int) -> Tensor:
    padded = np.zeros((len(arrays), rows, arrays[0].shape[1]))
    for place, array in zip(padded, arrays, strict=True):
        place[: len(array)] = array
    return torch.from_numpy(padded).to(device())


def _banded(values: Tensor, seen: Tensor, lags: int) -> tuple[Tensor, Tensor]:
    """Squared distance per seen channel, weighted by the share of channels seen in both; and that share."""
    first, later = _blocks(values, lags)
    first_seen, later_seen = _blocks(seen, lags)
    squares = (first**2) @ later_seen.mT + first_seen @ (later**2).mT - 2 * first @ later.mT
    both = first_seen @ later_seen.mT
    channels = values.shape[2]
    return _by_lag(squares.clamp(min=0) / channels, lags), _by_lag(both / channels, lags)


def _blocks(x: Tensor, lags: int) -> tuple[Tensor, Tensor]:
    """``(B, N, R, D)`` blocks of R rows, and ``(B, N, R + lags, D)`` what each is compared with."""
    later = x.unfold(1, _ROWS + lags, _ROWS).mT
    return later[:, :, :_ROWS], later


def _by_lag(products: Tensor, lags: int) -> Tensor:
    """``(B, N, R, R + lags)`` by row and column → ``(B, N·R, lags)`` by row and lag."""
    row = torch.arange(_ROWS, device=products.device)[:, None]
    column = row + torch.arange(lags, device=products.device)
    return products.gather(3, column.expand(*products.shape[:2], -1, -1)).flatten(1, 2)


def _running_sums(x: Tensor) -> Tensor:
    return pad(x.cumsum(dim=1), (0, 0, 1, 0))
