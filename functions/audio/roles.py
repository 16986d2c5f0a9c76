"""What each section of a song is: intro, verse, chorus, mambo, bridge or outro.

In bachata the güira says most: eight strokes a bar in the verse (derecho), four in chorus (majao) and
mambo. Where it says nothing, the more energetic of the parts that return is the chorus. This module knows
neither sound nor beats.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.music import Role

QUIET = 0.75  # of the song's median energy: what is quieter is an intro, a bridge or an outro
SHORT_SHARE = 0.12  # of a song: a first or last part that is shorter and comes only once leads in or out
MAMBO_ABOVE = 0.06  # energy above every other part
DERECHO_APART = 0.12  # güira: verses and choruses that differ by less do not differ by it
DERECHO = 0.35  # güira of a verse where all parts are alike


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a section: its group, its share of the song's beats, its mean güira and energy, 0 … 1 each."""

    group: int
    share: float
    guira: float
    energy: float


def roles(parts: Sequence[Part]) -> list[Role]:
    """One for each section; sections of one group have one role, but for the first and the last of the song."""
    groups = {part.group: _together([p for p in parts if p.group == part.group]) for part in parts}
    often = Counter(part.group for part in parts)
    once = {group for group, count in often.items() if count == 1}
    quiet = QUIET * _median_energy(parts)
    names = _names(groups, often, {group for group in once if groups[group].energy < quiet})
    found = [names[part.group] for part in parts]
    leads = [part.energy < quiet or (part.group in once and part.share < SHORT_SHARE) for part in parts]
    if len(parts) > 1:
        found[0] = Role.INTRO if leads[0] else found[0]
        found[-1] = Role.OUTRO if leads[-1] else found[-1]
    return found


def _together(parts: Sequence[Part]) -> Part:
    share = sum(part.share for part in parts)
    guira, energy = (
        sum(getattr(part, name) * part.share for part in parts) / max(share, 1e-9) for name in ("guira", "energy")
    )
    return Part(parts[0].group, share, guira, energy)


def _median_energy(parts: Sequence[Part]) -> float:
    """The energy that half of the song does not reach."""
    ordered = sorted(parts, key=lambda part: part.energy)
    reached = itertools.accumulate(part.share for part in ordered)
    total = sum(part.share for part in parts)
    return next(part.energy for part, share in zip(ordered, reached, strict=True) if share >= total / 2 - 1e-9)


def _names(groups: dict[int, Part], often: dict[int, int], bridges: set[int]) -> dict[int, Role]:
    """Verse, chorus, mambo or bridge of each group; ``often`` how many sections each has."""
    main = sorted((groups[group] for group in groups.keys() - bridges), key=lambda part: part.energy)
    mambos = [main.pop().group] if _has_mambo(main, often) else []
    verses = set(_verses(main))
    others = [part for part in main if part.group not in verses]
    chorus = max(others, key=lambda part: (often[part.group], part.share), default=None)
    mambos += [part.group for part in others if chorus and part.energy > chorus.energy]
    named = ((Role.BRIDGE, bridges), (Role.MAMBO, mambos), (Role.VERSE, verses))
    return dict.fromkeys(groups, Role.CHORUS) | {group: role for role, members in named for group in members}


def _has_mambo(main: Sequence[Part], often: Mapping[int, int]) -> bool:
    """Whether the last of the parts, by energy, stands out of verse and chorus: it comes no oftener than either."""
    if len(main) < 3:
        return False
    oftenest = max(often[part.group] for part in main[:-1])
    return main[-1].energy > main[-2].energy + MAMBO_ABOVE and often[main[-1].group] <= oftenest


def _verses(main: Sequence[Part]) -> Iterable[int]:
    """Which groups are derecho or, without a güira that changes, less energetic than the others.

    A güira that has more strokes where the band plays more is no güira: other instruments are as high.
    """
    derecho = _apart([part.guira for part in main], main, DERECHO_APART)
    if derecho and _energy(derecho) < _energy([part for part in main if part not in derecho]) + MAMBO_ABOVE / 2:
        return [part.group for part in derecho]
    if calm := _apart([-part.energy for part in main], main, MAMBO_ABOVE):
        return [part.group for part in calm]
    return [part.group for part in main if part.guira >= DERECHO]


def _apart(values: Sequence[float], main: Sequence[Part], apart: float) -> list[Part]:
    """The parts whose value is in the upper of two heaps; none where these are nearer than ``apart``."""
    low, high = _split(values, [part.share for part in main])
    return [part for part, value in zip(main, values, strict=True) if high - low > apart and value > (low + high) / 2]


def _energy(parts: Sequence[Part]) -> float:
    return _mean([(part.energy, part.share) for part in parts])


def _split(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """Means of the two heaps into which the values part best (Otsu, 1979); the same twice where all are one."""
    ordered = sorted(zip(values, weights, strict=True))
    heaps = [(ordered[:cut], ordered[cut:]) for cut in range(1, len(ordered))]
    means = [(_mean(low), _mean(high)) for low, high in heaps] or [(0.0, 0.0)]
    apart = [
        sum(w for _, w in low) * sum(w for _, w in high) * (b - a) ** 2
        for (low, high), (a, b) in zip(heaps, means, strict=False)
    ]
    return means[int(np.argmax(apart))] if apart else means[0]


def _mean(heap: Sequence[tuple[float, float]]) -> float:
    return sum(value * weight for value, weight in heap) / max(sum(weight for _, weight in heap), 1e-9)
