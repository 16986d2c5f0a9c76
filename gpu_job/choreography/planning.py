"""The dance upon a song: which block of the library in which of its eights.

What is maximised is the sum of fits less what transitions, retiming and repetition cost, each 0 … 1 or little more
in a slot. The search is described in :mod:`~gpu_job.choreography.search`, what is a hard rule there in
:mod:`~gpu_job.choreography.puzzle`. This module judges no block itself: how well each fits is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_job.choreography.fit import Context, contexts
from gpu_job.choreography.plan import Placed, Plan, Slot
from gpu_job.choreography.puzzle import WINDOW, Puzzle, again_cost, puzzle
from gpu_job.choreography.repeats import Form, form
from gpu_job.choreography.retime import Retiming, retiming
from gpu_job.choreography.search import Effort, solve
from gpu_job.choreography.sentence import why
from gpu_job.choreography.shortlist import Shortlist, shortlist
from gpu_job.choreography.slots import slots
from gpu_job.choreography.transitions import transitions
from gpu_job.choreography.wording import Place
from gpu_job.notice import Notice
from shared.errors import NoBeat, NoMoves
from shared.library import MoveLibrary
from shared.music import Music
from shared.timeline import BoolArray, FloatArray, IntArray
from shared.wishes import Wishes

JITTER = 0.1
"""By how much, at most, a seed lifts the fit of a block, in every slot alike: a taste of its own. Seed 0 has none."""
SHARED_COST = 0.25
"""What it costs an alternative to dance, in a slot, the block of an earlier plan; and another seed that of seed 0."""


@dataclass(frozen=True, slots=True)
class Planned:
    """``plans``       the best first, then as many others as were wished
    ``bound``       no dance that keeps the rules is worth more than this
    ``differences`` of each plan, in what share of the slots it dances another block than the plan before it that
                    is most like it; 1 for the first
    """

    plans: tuple[Plan, ...]
    warnings: tuple[Notice, ...]
    slots: tuple[Slot, ...]
    bound: float
    differences: tuple[float, ...]


def planned(
    music: Music, library: MoveLibrary, wishes: Wishes, fit: FloatArray, allowed: BoolArray | None = None, *,
    scores: Mapping[str, FloatArray] | None = None, transition: FloatArray | None = None, effort: Effort | None = None,
) -> Planned:  # fmt: skip
    """The dance, and others beside it.

    ``fit``        ``(S, N)`` 0 … 1 of each block in each of :func:`~.slots.slots`
    ``allowed``    ``(N,)`` or ``(S, N)`` whether a block may be danced; none that is too difficult ever is
    ``scores``     what ``fit`` is made of, by name, each ``(S, N)``
    ``transition`` ``(N, N)`` of :func:`~.transitions.transitions`, where it is at hand

    Raises NoBeat for a song without a beat, NoMoves where a slot has no block that may be danced.
    """
    places = slots(music)
    if not places:
        raise NoBeat
    timing = retiming(places, library, _may_be_danced(library, wishes, len(places), allowed))
    alike = _feasible(form(places, music.sections), timing.fits)
    worth = np.where(timing.fits, fit - timing.cost, -np.inf)
    asked, short = _asked(library, alike, alike.summed(worth), transition)
    taste = _taste(wishes.seed, len(library))[short.blocks] if wishes.seed else None
    bound, choices = _alternatives(asked, alike, max(1, wishes.alternatives), taste, effort)
    told = _Told(contexts(music, places), wishes, scores or {"fit": fit})
    writer = _Writer(library, places, alike, fit, told, timing, asked, short.blocks)
    plans = tuple(writer.plan(choice[alike.figure]) for choice in choices)
    warnings = (*_tempo_unmet(music, library, timing, plans[0]), *_too_often(asked, alike, choices[0]))
    return Planned(plans, warnings, places, max(bound, short.rest, plans[0].value), _differences(plans))


def _asked(
    library: MoveLibrary, alike: Form, worth: FloatArray, transition: FloatArray | None
) -> tuple[Puzzle, Shortlist]:
    """The puzzle of the blocks on the shortlist. ``worth`` ``(V, N)``."""
    short = shortlist(worth, library.goes_on[:-1])
    blocks = short.blocks
    between = transitions(library, blocks) if transition is None else transition[np.ix_(blocks, blocks)]
    material = np.unique(materials(library)[blocks], return_inverse=True)[1]
    return puzzle(alike, worth[:, blocks], between, material), short


def materials(library: MoveLibrary) -> IntArray:
    """``(N,)`` numbers that blocks share which are the same picture: the same beats of the same file."""
    names = [(move.sha256, int(first)) for move in library.moves for first in move.blocks]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _may_be_danced(library: MoveLibrary, wishes: Wishes, many: int, allowed: BoolArray | None) -> BoolArray:
    """``(S, N)``. Raises NoMoves where none may be in a slot."""
    if not len(library):
        raise NoMoves("There is no move in the library yet. Please add some.")
    easy = library.difficulty <= wishes.hardest.rank
    may = np.broadcast_to(easy if allowed is None else easy & allowed, (many, len(library)))
    if not may.any(axis=1).all():
        raise NoMoves
    return may


def _feasible(alike: Form, fits: BoolArray) -> Form:
    """The same form; but slots that no one block fits are not danced alike."""
    for figure in range(len(alike)):
        if not fits[alike.figure == figure].all(axis=0).any():
            return _feasible(alike.apart(figure), fits)
    return alike


def _taste(seed: int, blocks: int) -> FloatArray:
    return JITTER * np.random.default_rng(seed).random(blocks)


def _alternatives(
    asked: Puzzle, alike: Form, many: int, taste: FloatArray | None, effort: Effort | None
) -> tuple[float, list[IntArray]]:
    """What no dance is worth more than, and so many choices, each unlike those before.

    With a ``taste`` ``(N,)`` they are unlike the best without it, too, which is then none of them.
    """
    first, lasts = solve(asked, effort), np.bincount(alike.figure)
    known, choices = [first.choice], [] if taste is not None else [first.choice]
    liked = asked.worth if taste is None else asked.worth + lasts[:, None] * taste
    while len(choices) < many:
        worth = liked.copy()
        for choice in known:
            worth[np.arange(len(alike)), choice] -= SHARED_COST * lasts
        choices.append(solve(replace(asked, worth=worth), effort).choice)
        known.append(choices[-1])
    return first.bound, choices


def _differences(plans: Sequence[Plan]) -> tuple[float, ...]:
    blocks = np.array([[placed.block for placed in plan.placed] for plan in plans])
    return tuple(
        min((float(np.mean(blocks[number] != earlier)) for earlier in blocks[:number]), default=1.0)
        for number in range(len(plans))
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What is told of blocks in slots. ``scores`` by name, each ``(S, N)``."""

    context: Context
    wishes: Wishes
    scores: Mapping[str, FloatArray]

    def place(self, s: int) -> Place:
        return Place.of(self.context, self.wishes, s)

    def of(self, s: int, block: int) -> Mapping[str, float]:
        return {name: float(matrix[s, block]) for name, matrix in self.scores.items()}

    def telling(self, s: int, block: int) -> Mapping[str, float]:
        """Those in which blocks differ."""
        return {name: score for name, score in self.of(s, block).items() if np.ptp(self.scores[name][s]) > 0}


@dataclass(frozen=True, slots=True, eq=False)
class _Writer:
    """Puts blocks into slots, and down what speaks for and against each."""

    library: MoveLibrary
    places: tuple[Slot, ...]
    alike: Form
    fit: FloatArray
    told: _Told
    timing: Retiming
    asked: Puzzle
    blocks: IntArray

    def plan(self, chosen: IntArray) -> Plan:
        """``chosen`` ``(S,)`` of the puzzle's blocks, which are ``blocks`` of the library."""
        placed = tuple(self._placed(chosen, s) for s in range(len(chosen)))
        gained = float(self.fit[np.arange(len(chosen)), self.blocks[chosen]].sum())
        return Plan(placed, gained - sum(sum(one.costs.values()) for one in placed))

    def _placed(self, chosen: IntArray, s: int) -> Placed:
        block, before = int(self.blocks[chosen[s]]), int(self.blocks[chosen[s - 1]]) if s else None
        costs = {
            "transition": float(self.asked.transition[chosen[s - 1], chosen[s]]) if s else 0.0,
            "retime": float(self.timing.cost[s, block]),
            "repetition": self._repetition(chosen, s),
        }
        place, telling = self.told.place(s), self.told.telling(s, block)
        sentence = why(self.library, before, block, place, telling, costs, repeats=bool(self.alike.is_repeated[s]))
        ratio = float(self.timing.ratio[s, block])
        return Placed(self.places[s], block, ratio, self.told.of(s, block), costs, sentence)

    def _repetition(self, chosen: IntArray, s: int) -> float:
        """For every earlier slot of the same material that this one does not repeat."""
        earlier = np.arange(s)
        same = self.asked.material[chosen[:s]] == self.asked.material[chosen[s]]
        return float(again_cost(s - earlier)[same & (self.alike.figure[:s] != self.alike.figure[s])].sum())


def _tempo_unmet(music: Music, library: MoveLibrary, timing: Retiming, plan: Plan) -> list[Notice]:
    beyond = [placed for placed, met in zip(plan.placed, timing.met, strict=True) if not met]
    if not beyond:
        return []
    song = music.tempo_bpm or 60 / music.beats.period_s
    clips = library.tempo_bpm[[placed.block for placed in beyond]]
    how = "faster" if np.median([placed.ratio for placed in beyond]) < 1 else "slower"
    return [Notice(
        "TEMPO_UNMET",
        f"The song has {song:.0f} beats a minute, the moves that come nearest {clips.min():.0f} to {clips.max():.0f}: "
        f"in {len(beyond)} of {len(plan.placed)} eights they are shown much {how} than they were danced.",
    )]  # fmt: skip


def _too_often(asked: Puzzle, alike: Form, choice: IntArray) -> list[Notice]:
    """Where blocks come again sooner than they should."""
    material = asked.material[choice]
    sooner = (asked.apart > 0) & (material[:, None] == material)
    many = int(np.isin(alike.figure, np.flatnonzero(sooner.any(axis=0))).sum())
    if not many:
        return []
    return [Notice(
        "REPETITION",
        f"There are too few moves for this song: in {many} of {len(alike.figure)} eights a move comes again within "
        f"{WINDOW} eights.",
    )]  # fmt: skip
