"""Which blocks suit one place of a song best, and why.

The score is that of :mod:`.fit`; where blocks *like* one are wanted, half of it is how like that one they are.

Of a large library not all is looked at closely. All factors but the sound are a few numbers a block and are computed
for all; sound can add no more than its weight, and the sketches of an exact index tell how like another each block is
at most. So from the scores of some it is known which others may still come before them, and only of these the
embeddings are read: the answer is that of judging all. Beyond a million blocks those like one are looked for among the
:data:`ALIKE` nearest that a graph finds, and judged exactly among these: what is not among the thousand most alike is
then not meant by "like".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.fit import (
    ENERGY_SCALE,
    TEMPO_SCALE,
    WEIGHTS,
    Context,
    Traits,
    factors_of,
    fit,
    near_from_below,
    wanted_energy,
)
from gpu_job.choreography.fusion import Fusion, meant
from gpu_job.choreography.nearest import FEW, ExactIndex, Index, index_for, top
from gpu_job.choreography.suiting import suits_role
from gpu_job.choreography.wording import LIKENESS, Place, why
from shared.library import Difficulty, MoveLibrary
from shared.timeline import FloatArray, IntArray
from shared.wishes import Wishes

ALIKE = 1000
"""Blocks."""
LIKE_WEIGHT = 0.5

_FIRST = 1024  # blocks that are judged to learn what has to be surpassed
_ROUNDING = 1e-5  # of single precision


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One block.

    ``block``   of the library's row of blocks
    ``score``   0 … 1
    ``factors`` by name, each 0 … 1; with ``likeness`` where blocks like one were asked for
    ``why``     a sentence
    """

    block: int
    score: float
    factors: Mapping[str, float]
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One question. ``barred`` blocks that are no answer."""

    context: Context
    wishes: Wishes
    k: int
    like: int | None
    barred: IntArray
    weights: Mapping[str, float]

    def share(self, name: str) -> float:
        """Of a factor in the fit."""
        return self.weights.get(name, 0.0) / sum(self.weights.values())


class Recommender:
    """Made once for a library, asked often.

    ``index`` over the vectors of ``fusion``; made when the library is large and blocks like one are first asked for
    """

    def __init__(self, traits: Traits, fusion: Fusion, index: Index | None = None, *, few: int = FEW) -> None:
        self._traits, self._fusion, self._index, self._few = traits, fusion, index, few
        self._columns = _Columns.of(traits)

    @classmethod
    def of(cls, library: MoveLibrary, fusion: Fusion | None = None) -> Recommender:
        """``fusion`` where it is there already, as in :class:`~.similarity.Similarities`."""
        return cls(Traits.of(library), fusion or Fusion.of(library))

    def recommended(
        self,
        context: Context,
        wishes: Wishes,
        k: int = 10,
        *,
        like: int | None = None,
        exclude: Collection[int] = (),
        weights: Mapping[str, float] = WEIGHTS,
    ) -> tuple[Recommendation, ...]:
        """The best ``k`` blocks for one place, the best first; fewer where no more are allowed.

        None is harder than wished, and none is in ``exclude`` or ``like`` itself. Raises ValueError unless
        ``context`` is of one place.
        """
        if len(context) != 1 or k < 1:
            raise ValueError(f"{k} recommendations for {len(context)} places")
        asked = _Asked(context, wishes, k, like, np.array(sorted({*exclude, *_known(like)}), dtype=np.int64), weights)
        blocks = self._judged(asked)
        found, scores = self._scored(blocks, asked)
        best = top(scores, min(k, len(blocks))).ids if len(blocks) else np.zeros(0, np.int64)
        place = Place.of(context, wishes)
        return tuple(
            self._told(int(blocks[i]), float(scores[i]), {name: float(found[name][0, i]) for name in found}, place)
            for i in best
        )

    def _judged(self, asked: _Asked) -> IntArray:
        """The blocks that have to be judged closely, in order."""
        if len(self._traits) <= self._few:
            return self._allowed(np.arange(len(self._traits)), asked)
        if asked.like is None:
            return self._promising(self._most(asked), asked)
        self._index = index = self._index or index_for(self._fusion.vectors)
        if not isinstance(index, ExactIndex):
            return self._alike(index, asked.like, asked)
        most = (1 - LIKE_WEIGHT) * self._most(asked) + LIKE_WEIGHT * self._most_alike(index, asked.like)
        return self._promising(most, asked)

    def _allowed(self, blocks: IntArray, asked: _Asked) -> IntArray:
        easy = blocks[self._traits.difficulty[blocks] <= asked.wishes.hardest.rank]
        return easy[~np.isin(easy, asked.barred)]

    def _alike(self, index: Index, like: int, asked: _Asked) -> IntArray:
        """The nearest that are allowed; of more than :data:`ALIKE` where else they would be fewer than asked for."""
        query, wanted = self._fusion.vectors[like].astype(np.float32), ALIKE
        while True:
            found = self._allowed(np.sort(index.nearest(query, wanted).ids), asked)
            if len(found) >= asked.k or wanted >= len(index):
                return found
            wanted *= 8

    def _promising(self, most: FloatArray, asked: _Asked) -> IntArray:
        """All whose score may be among the best. ``most`` ``(N,)`` the most that it can be."""
        most[asked.barred] = -np.inf
        first = np.sort(top(most, min(len(most), max(_FIRST, 2 * asked.k))).ids)
        first = first[np.isfinite(most[first])]
        if len(first) < asked.k:
            return first
        _, scores = self._scored(first, asked)
        return np.flatnonzero(most >= top(scores, asked.k).similarities[-1] - _ROUNDING)

    def _most(self, asked: _Asked) -> FloatArray:
        """``(N,)`` what the fit can be, whatever a block sounds like; without hope where it is too hard."""
        silent = self._columns.scores(self._traits, asked)
        silent += np.float32(asked.share("audio"))
        return silent

    def _most_alike(self, index: ExactIndex, like: int) -> FloatArray:
        """``(N,)`` what the likeness can be."""
        most, root = index.highest(self._fusion.vectors[like].astype(np.float32)), self._fusion.roots[like]
        weights = self._fusion.roots[:, 0] * root[0]
        weights += self._fusion.roots[:, 1] * root[1]
        return np.maximum(0, meant(most, weights))

    def _scored(self, blocks: IntArray, asked: _Asked) -> tuple[Mapping[str, FloatArray], FloatArray]:
        """Factors and scores ``(M,)`` of some blocks."""
        found = factors_of(self._traits.taken(blocks), asked.context, asked.wishes)
        scores = fit(found, asked.weights)[0]
        if asked.like is None:
            return found, scores
        alike = np.maximum(0, self._fusion.similarity(asked.like, blocks))
        return {**found, LIKENESS: alike[None]}, (1 - LIKE_WEIGHT) * scores + LIKE_WEIGHT * alike

    def _told(self, block: int, score: float, factors: Mapping[str, float], place: Place) -> Recommendation:
        label = self._traits.labels[int(self._traits.label[block])]
        return Recommendation(block, score, factors, why(factors, label, float(self._traits.tempo_bpm[block]), place))


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What is read of all blocks at every question, in single precision and on one thread. Each ``(N,)``.

    ``sort`` three times the category, and the difficulty
    """

    log_tempo: FloatArray
    energy: FloatArray
    quality: FloatArray
    sort: IntArray

    @classmethod
    def of(cls, traits: Traits) -> _Columns:
        tempo, energy, quality = (
            x.astype(np.float32) for x in (np.log(traits.tempo_bpm), traits.energy, traits.quality)
        )
        return cls(tempo, energy, quality, len(Difficulty) * traits.label.astype(np.int64) + traits.difficulty)

    def scores(self, traits: Traits, asked: _Asked) -> FloatArray:
        """``(N,)`` what all factors but the sound add; minus infinity where a block is too hard."""
        context, wishes = asked.context, asked.wishes
        share = {name: np.float32(asked.share(name)) for name in WEIGHTS}
        total = share["tempo"] * _hill(self.log_tempo, float(np.log(context.tempo_bpm[0])), TEMPO_SCALE)
        total += share["energy"] * _bell(self.energy, float(wanted_energy(context, wishes)[0]), ENERGY_SCALE)
        total += share["quality"] * self.quality
        total += share["style"] * traits.in_style(wishes.style)
        total += _of_sorts(traits, context, wishes, share)[self.sort]
        return total


def _of_sorts(traits: Traits, context: Context, wishes: Wishes, share: Mapping[str, np.float32]) -> FloatArray:
    """What category and difficulty add, for each of :attr:`_Columns.sort`."""
    suits = [suits_role(label, context.roles[0]) for label in traits.labels]
    levels = np.arange(len(Difficulty))
    near = share["difficulty"] * near_from_below(levels, wishes.difficulty)
    near[levels > wishes.hardest.rank] = -np.inf
    return np.add.outer(share["role"] * np.array(suits), near).astype(np.float32).ravel()


def _known(like: int | None) -> tuple[int, ...]:
    return () if like is None else (like,)


def _bell(found: FloatArray, wanted: float, scale: float) -> FloatArray:
    apart = found - np.float32(wanted)
    apart *= apart
    apart *= np.float32(-0.5 / scale**2)
    return np.exp(apart, out=apart)


def _hill(found: FloatArray, wanted: float, scale: float) -> FloatArray:
    apart = found - np.float32(wanted)
    apart *= apart
    apart *= np.float32(1 / scale**2)
    apart += 1
    return np.reciprocal(apart, out=apart)
