"""Where people say that moves begin and end, and the soft labels that a network learns from it. Knows no tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from shared.errors import BadLabels
from shared.timeline import FloatArray

SIGMA_BEATS = 1 / 3
"""How far apart two people may put one boundary: Endo et al., *Automatic Dance Video Segmentation for Understanding
Choreography*, MOCO '24."""


class Unit(StrEnum):
    SECONDS = "seconds"
    COUNTS = "counts"

    @classmethod
    def of(cls, word: str) -> Unit:
        """Also abbreviated: ``s``, ``secs``, ``count``. Raises ValueError."""
        short = word.lower().rstrip("s") or word.lower()
        for unit in cls:
            if short and unit.startswith(short):
                return unit
        raise ValueError(word)


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """What people say of one video.

    ``video``      the stem of its file's name
    ``annotators`` who they are, in the table's order
    ``points``     of each ``(n,)``, increasing, in ``unit``, as she wrote them; none where she saw one move
    """

    video: str
    annotators: tuple[str, ...]
    points: tuple[FloatArray, ...]
    unit: Unit


def matched(labels: Iterable[Labelled], files: Iterable[Path]) -> dict[Path, Labelled]:
    """Those of the files that have labels. Raises BadLabels where two have one video's name."""
    by_stem = {one.video: one for one in labels}
    found: dict[str, Path] = {}
    for path in files:
        if path.stem in by_stem and (other := found.setdefault(path.stem, path)) != path:
            raise BadLabels(f"{other} and {path} are both called {path.stem}, and the labels tell of one video.")
    return {path: by_stem[stem] for stem, path in found.items()}


def soft_labels(beats: Sequence[FloatArray], half_beats: FloatArray) -> FloatArray:
    """``(H,)`` 0 … 1: how much the annotators agree that a boundary is there; 1 where all say so.

    ``beats``      of each annotator ``(n,)``, where she puts boundaries
    ``half_beats`` ``(H,)`` where it is asked, in beats on the same grid

    The mean over annotators of Gaussians about their points. Of an annotator's points the nearest counts: to her no
    moment is more than a boundary, however close two of them lie. Raises ValueError where there is no annotator.
    """
    if not beats:
        raise ValueError("nobody has labelled this")
    return np.mean([_about(points, half_beats) for points in beats], axis=0)


def _about(points: FloatArray, places: FloatArray) -> FloatArray:
    apart = np.abs(places[:, None] - points[None, :]).min(axis=1, initial=np.inf)
    return np.exp(-0.5 * (apart / SIGMA_BEATS) ** 2)
