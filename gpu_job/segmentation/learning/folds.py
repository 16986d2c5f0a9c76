"""Clips dealt into folds, so that what is learned from some is tested on the others.

The same clips are dealt the same way on every machine. Each fold has its share of every label, and twins (see
:mod:`~gpu_job.segmentation.learning.twins`) lie in one fold. Who dances is not known here: one may be in all folds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256

from gpu_job.segmentation.learning.clips import Clip
from gpu_job.segmentation.learning.twins import twins

FOLDS = 5


def folds(clips: Sequence[Clip], count: int = FOLDS) -> Mapping[str, int]:
    """The fold, 0 … ``count - 1``, of every clip by its name.

    Raises ValueError where ``count`` is less than one, two clips have one name, or their rates differ.
    """
    if count < 1 or len({clip.name for clip in clips}) < len(clips):
        raise ValueError(f"{len(clips)} clips of different names, and one fold, are the least")
    dealt: dict[str, int] = {}
    labels = [Counter[str | None]() for _ in range(count)]
    for group in sorted(_groups(clips), key=_order):
        fold = min(range(count), key=lambda fold: _load(labels[fold], group))
        dealt |= {clip.name: fold for clip in group}
        labels[fold].update(clip.label for clip in group)
    return dealt


def _groups(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips that hang together as twins, also by way of a third."""
    group_of = list(range(len(clips)))
    for one, other in twins([clip.pose for clip in clips]):
        kept, merged = group_of[one], group_of[other]
        group_of = [kept if group == merged else group for group in group_of]
    return [[clip for clip, of in zip(clips, group_of, strict=True) if of == group] for group in sorted(set(group_of))]


def _order(group: Sequence[Clip]) -> tuple[int, str]:
    """Large groups first, while there is room to balance them; then as if drawn by lot."""
    return -len(group), min(sha256(clip.name.encode()).hexdigest() for clip in group)


def _load(labels: Counter[str | None], group: Sequence[Clip]) -> tuple[int, int]:
    """How many clips like those of the group a fold has, and how many in all."""
    return sum(labels[clip.label] for clip in group), labels.total()
