"""The boundary network: a temporal convolutional network on beats, which compares as well as it looks.

Of each half-beat it sees three things: what the dancer does there; how unlike the half-beats around it are, by the
motion itself and by an embedding that is learnt; and its place in the bar. Residual blocks of dilated convolutions
(Endo et al., MOCO 2024; van den Oord et al. 2016) then see 31 counts to either side. What is learnt of likeness holds
for dancers and moves that were never seen, which what is learnt of postures does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from gpu_job.segmentation.inputs import CHANNELS, LAGS, METER, SOUND, Batch

_JITTER = 0.02  # mean squared: two embeddings nearer than this are the same
_FEW = -2.5  # log-odds before anything is learnt: few half-beats are boundaries


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is made of.

    ``channels``       of every half-beat
    ``embedding``      numbers by which half-beats are compared
    ``dilations``      half-beats between the taps of each block, which looks at five
    ``motion_dropout`` of what is seen at a half-beat itself, so that more is learnt of likeness
    ``pose``, ``sound`` what it is given; one of them at least, or there is only the bar to go by
    """

    channels: int = 64
    embedding: int = 24
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)
    dropout: float = 0.15
    motion_dropout: float = 0.3
    pose: bool = True
    sound: bool = False

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Shape:
        """As :meth:`facts` told it, from JSON. Raises TypeError for what no shape has, KeyError for no dilations."""
        told: dict[str, Any] = {**facts, "dilations": tuple(facts["dilations"])}
        return cls(**told)

    def facts(self) -> dict[str, Any]:
        return asdict(self)


class BoundaryNetwork(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.channels
        if shape.pose:
            self.points = nn.Linear(2 * CHANNELS, width)
            self.around = nn.Conv1d(width, width, 5, padding=2)
            self.tokens = nn.Conv1d(width, width, 3, stride=2, padding=1)
            self.norm = nn.LayerNorm(width)
            self.embedding = nn.Linear(width, shape.embedding)
            self.looking = nn.Linear(width, width)
            self.comparing = nn.Conv1d(2 * LAGS, width, 9, padding=4)
        if shape.sound:
            self.hearing = nn.Conv1d(SOUND, width, 5, padding=2)
        self.counting = nn.Linear(METER, width)
        self.blocks = nn.ModuleList(_Block(width, dilation, shape.dropout) for dilation in shape.dilations)
        self.head_norm, self.head_out = nn.LayerNorm(width), nn.Linear(width, 1)
        self.drop, self.drop_motion = nn.Dropout(shape.dropout), nn.Dropout(shape.motion_dropout)
        nn.init.constant_(self.head_out.bias, _FEW)

    def forward(self, batch: Batch) -> Tensor:
        """``(B, H)`` log-odds that a move ends and another begins there."""
        return self.head_out(self.head_norm(self.trunk(batch)))[..., 0]

    def trunk(self, batch: Batch) -> Tensor:
        """``(B, H, C)``."""
        told = self.counting(batch.meter)
        if self.shape.pose:
            tokens = self._tokens(batch)
            told = told + self.looking(self.drop_motion(tokens)) + self._compared(tokens, batch)
        if self.shape.sound:
            told = told + gelu(self.hearing(batch.sound.mT).mT)
        told = told * batch.mask
        for block in self.blocks:
            told = block(told, batch.mask)
        return told

    def _tokens(self, batch: Batch) -> Tensor:
        points = gelu(self.points(torch.cat([batch.motion, batch.seen], dim=2))) * batch.point_mask
        points = points + gelu(self.around(points.mT).mT) * batch.point_mask
        return self.norm(gelu(self.tokens(self.drop(points).mT).mT)) * batch.mask

    def _compared(self, tokens: Tensor, batch: Batch) -> Tensor:
        learnt = distances(self.embedding(tokens) * batch.mask, batch.mask)
        both = torch.cat([learnt, batch.likeness], dim=2) * batch.mask
        return gelu(self.comparing(both.mT).mT)


class _Block(nn.Module):
    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation)
        self.out = nn.Linear(width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, told: Tensor, mask: Tensor) -> Tensor:
        return (told + self.drop(self.out(gelu(self.conv((self.norm(told) * mask).mT).mT)))) * mask


def distances(tokens: Tensor, mask: Tensor) -> Tensor:
    """``(B, H, 32)`` log mean squared distance of the tokens around each half-beat, as of ``Inputs.likeness``."""
    reach = LAGS // 2
    padded, inside = pad(tokens, (0, 0, reach, reach)), pad(mask[..., 0], (reach, reach))
    length = tokens.shape[1]

    def at(lag: int) -> Tensor:
        first = reach - -(-lag // 2)
        one, other = padded[:, first : first + length], padded[:, first + lag : first + lag + length]
        both = inside[:, first : first + length] * inside[:, first + lag : first + lag + length]
        return torch.log(((one - other) ** 2).mean(dim=2) + _JITTER) * both

    return torch.stack([at(lag) for lag in range(1, LAGS + 1)], dim=2)


def mean_probability(networks: Sequence[BoundaryNetwork], batch: Batch) -> Tensor:
    """``(B, H)`` 0 … 1, the mean over networks that saw different clips."""
    return torch.stack([torch.sigmoid(network(batch)) for network in networks]).mean(dim=0)
