"""How well each block of a library suits each place of a song.

Seven factors, each 0 … 1, and their weighted mean:

    audio       how alike the song and the music of the clip sound: (1 + cosine) / 2, a half where either is silent;
                what the sound of the whole library has in common is taken from both, or else all sounds alike
    tempo       1 / (1 + (ln(song / clip) / 0.06)²): 1 at the clip's own tempo, 0.28 at a tenth more or less
    energy      exp(-((wanted - block) / 0.2)² / 2), both on a scale of 0 … 1
    difficulty  1 at the wished level, 0.6 one below, 0.2 two below, 0 above it; 1 where none is wished
    style       1 where the annotation names the wished style, else what its category says; 1 where none is wished
    role        what its category says of the section's role
    quality     mean of smoothness and of the share in which both dancers were seen

The energy of a block is that of its movement, as its rank in the library, and what the teacher says of it. What
is wanted is the song's own energy there, half as it is and half as its rank among the song's beats: most of a song is
near its loudest, and a dance that is near its liveliest throughout has nothing to rise to. A wished level keeps the
song's rise and fall, within the part of the scale that the level has. Knows neither the order of blocks nor their
costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpu_job.choreography.fusion import common_sound, without
from gpu_job.choreography.nearness import bell, hill
from gpu_job.choreography.plan import Slot
from gpu_job.choreography.suiting import suits_role, suits_style
from gpu_job.devices import device
from shared.library import QUALITIES, Difficulty, Energy, Move, MoveLibrary, Style
from shared.music import EMBEDDING, Music, Role
from shared.timeline import BoolArray, FloatArray, IntArray
from shared.wishes import Wishes

WEIGHTS: Mapping[str, float] = {
    "audio": 0.08, "tempo": 0.14, "energy": 0.30, "difficulty": 0.08, "style": 0.14, "role": 0.18, "quality": 0.08,
}  # fmt: skip
"""They sum to 1. Energy weighs most: that the dance rises and falls with the song is what a spectator sees first."""
FACTORS: tuple[str, ...] = tuple(WEIGHTS)

ENERGY_SPANS: Mapping[Energy | None, tuple[float, float]] = {
    None: (0.0, 1.0), Energy.LOW: (0.0, 0.4), Energy.MEDIUM: (0.3, 0.7), Energy.HIGH: (0.6, 1.0),
}  # fmt: skip
"""Where on the scale of energy a wished level lies."""

TEMPO_SCALE = 0.06  # of the logarithm: what is heard as another tempo, and seen as slow motion
ENERGY_SCALE = 0.2
_MEASURED = 0.7  # of a block's energy; the rest is the teacher's word, which in practice is "medium" for four in five
_SAID = {Energy.LOW: 1 / 6, Energy.MEDIUM: 1 / 2, Energy.HIGH: 5 / 6}  # the middles of the thirds
_BELOW_WISHED = (1.0, 0.6, 0.2)  # by how many levels
EDGE_SLOTS = 2
"""A dance begins and ends with a phrase, whatever its sections are called."""
_CHUNK = 16384  # blocks at a time: 60 places × 16384 × 8 B = 8 MB
# Devices differ in the last bits of an exponential: they shall decide nothing.
_DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What matters of ``S`` places of a song.

    ``tempo_bpm`` ``(S,)``
    ``energy``    ``(S,)`` 0 … 1, that a dance should have which follows the song
    ``roles``     of the ``S`` sections they are in
    ``audio``     ``(128,)`` the embedding of the song, zeros in silence
    """

    tempo_bpm: FloatArray
    energy: FloatArray
    roles: tuple[Role, ...]
    audio: FloatArray

    def __post_init__(self) -> None:
        many = (len(self.roles),)
        if self.tempo_bpm.shape != many or self.energy.shape != many or self.audio.shape != (EMBEDDING,):
            raise ValueError("a tempo, an energy and a role for each place, and one embedding")

    def __len__(self) -> int:
        """How many places there are."""
        return len(self.roles)


def contexts(music: Music, slots: Sequence[Slot]) -> Context:
    """The places that ``slots`` are. Their tempo is that of their own beats: songs drift."""
    first = np.array([slot.first_beat for slot in slots], dtype=np.int64)
    counts = np.array([slot.counts for slot in slots], dtype=np.int64)
    lasts_s = music.beats.time_of(first + counts) - music.beats.time_of(first) if len(slots) else np.zeros(0)
    return Context(
        60.0 * counts / lasts_s,
        _rising(np.array([slot.energy for slot in slots], dtype=float), music.energy),
        tuple(music.role(slot.section) for slot in slots),
        music.embedding,
    )


def _rising(energy: FloatArray, of_beats: FloatArray) -> FloatArray:
    """Half the energy itself, half its rank among the song's beats."""
    return (energy + ranks_among(energy, of_beats)) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """What matters of ``N`` blocks: enough to judge them without their moves.

    ``audio``      ``(N, 128)`` of unit length, less ``common``; zeros where silent
    ``common``     ``(128,)`` what the sound of all has in common
    ``tempo_bpm``  ``(N,)``
    ``energy``     ``(N,)`` 0 … 1, as :func:`block_energy` has it
    ``difficulty`` ``(N,)`` 0 … 2
    ``quality``    ``(N,)`` 0 … 1
    ``label``      ``(N,)`` place in ``labels``
    ``styles``     ``(3, N)`` 0 … 1 in the order of :class:`~shared.library.Style`
    ``labels``     the categories there are
    """

    audio: FloatArray
    common: FloatArray
    tempo_bpm: FloatArray
    energy: FloatArray
    difficulty: IntArray
    quality: FloatArray
    label: IntArray
    styles: FloatArray
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.energy)

    @classmethod
    def of(cls, library: MoveLibrary) -> Traits:
        smoothness, detection = _measured(library, "smoothness"), _measured(library, "detection")
        labels = tuple(sorted({move.annotation.label for move in library.moves}))
        label = np.array([labels.index(move.annotation.label) for move in library.moves], dtype=np.uint8)
        styles = np.array([[suits(move, style) for move in library.moves] for style in Style], dtype=np.float32)
        common = common_sound(library.audio_embedding)
        return cls(
            without(common, library.audio_embedding), common, library.tempo_bpm, block_energy(library),
            library.difficulty, (smoothness + detection) / 2, label[library.owner], styles[:, library.owner], labels,
        )  # fmt: skip

    def taken(self, blocks: IntArray | slice) -> Traits:
        """Those of some blocks, in their order."""
        return Traits(
            self.audio[blocks], self.common, self.tempo_bpm[blocks], self.energy[blocks], self.difficulty[blocks],
            self.quality[blocks], self.label[blocks], self.styles[:, blocks], self.labels,
        )  # fmt: skip

    def in_role(self, role: Role) -> FloatArray:
        """``(N,)`` 0 … 1, how well they suit a section of this role."""
        return np.array([suits_role(label, role) for label in self.labels], dtype=np.float32)[self.label]

    def in_style(self, style: Style | None) -> FloatArray:
        """``(N,)`` 0 … 1, how well they suit a style; none is suited by all."""
        return np.ones(len(self), np.float32) if style is None else self.styles[list(Style).index(style)]


def block_energy(library: MoveLibrary) -> FloatArray:
    """``(N,)`` 0 … 1: the rank of its measured energy in the library, seven tenths, and the teacher's word for it."""
    said = np.array([_SAID[move.annotation.energy] for move in library.moves])[library.owner]
    return _MEASURED * midranks(_measured(library, "energy")) + (1 - _MEASURED) * said


def midranks(values: FloatArray) -> FloatArray:
    """Each value's place among all: the share that is below it, and half of its equals. Between 0 and 1."""
    return ranks_among(values, values)


def ranks_among(values: FloatArray, others: FloatArray) -> FloatArray:
    """The share of ``others`` that is below each value, and half of its equals. 0 … 1"""
    ordered = np.sort(others)
    below, upto = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + upto) / (2 * max(1, len(others)))


def factors(library: MoveLibrary, context: Context, wishes: Wishes) -> Mapping[str, FloatArray]:
    """``(S, N)`` of each of :data:`FACTORS`, 0 … 1, not to be written to."""
    return factors_of(Traits.of(library), context, wishes)


def factors_of(traits: Traits, context: Context, wishes: Wishes) -> Mapping[str, FloatArray]:
    """The same, of blocks of which no more is known."""
    shape = (len(context), len(traits))
    alone = {
        "audio": audio_likeness(traits.audio, without(traits.common, context.audio[None])[0]),
        "difficulty": near_from_below(traits.difficulty, wishes.difficulty),
        "style": traits.in_style(wishes.style),
        "role": np.array([traits.in_role(role) for role in context.roles]).reshape(shape),
        "quality": traits.quality,
    }
    both = {
        "tempo": _nearness(np.log(context.tempo_bpm), np.log(traits.tempo_bpm), TEMPO_SCALE, hill),
        "energy": _nearness(wanted_energy(context, wishes), traits.energy, ENERGY_SCALE, bell),
    }
    found = alone | both
    return {name: np.broadcast_to(found[name].astype(np.float32), shape) for name in FACTORS}


def misplaced(library: MoveLibrary, context: Context) -> BoolArray:
    """``(S, N)`` what opens a dance in its middle, or closes it there: out of place in its section, unless it stands at
    the song's own beginning or end."""
    traits, place = Traits.of(library), np.arange(len(context))[:, None]
    suits = np.array([traits.in_role(role) for role in context.roles]).reshape(len(context), len(library))
    opens = (place < EDGE_SLOTS) & (traits.in_role(Role.INTRO) == 1)
    closes = (place >= len(context) - EDGE_SLOTS) & (traits.in_role(Role.OUTRO) == 1)
    return (suits == 0) & ~opens & ~closes


def fit(factors: Mapping[str, FloatArray], weights: Mapping[str, float] = WEIGHTS) -> FloatArray:
    """``(S, N)`` 0 … 1: their mean by weight. Raises KeyError where a weight has no factor."""
    total = sum(weights.values())
    mean = np.zeros(next(iter(factors.values())).shape, dtype=np.float32)
    for name, weight in weights.items():
        mean += np.float32(weight / total) * factors[name]
    return mean


def allowed(library: MoveLibrary, wishes: Wishes) -> BoolArray:
    """``(N,)`` whether a block may be danced at all: it is no harder than wished."""
    return library.difficulty <= wishes.hardest.rank


def unwished(wishes: Wishes) -> frozenset[str]:
    """Of :data:`FACTORS`, those that say nothing of any block, as nothing of the kind is wished."""
    wished = {"difficulty": wishes.difficulty, "style": wishes.style}
    return frozenset(name for name, wish in wished.items() if wish is None)


def wanted_energy(context: Context, wishes: Wishes) -> FloatArray:
    """``(S,)`` 0 … 1: the song's, within the part of the scale that is wished."""
    low, high = ENERGY_SPANS[wishes.energy]
    return low + (high - low) * context.energy


def audio_likeness(clips: FloatArray, song: FloatArray) -> FloatArray:
    """``(N,)`` 0 … 1 from ``(N, 128)`` and ``(128,)`` of unit length: opposite … the same; a half where either is
    silent."""
    cosines = torch.mv(torch.from_numpy(clips).float(), torch.from_numpy(song).float())
    return ((1 + cosines) / 2).clamp(0, 1).numpy()


def near_from_below(ranks: IntArray, wished: Difficulty | None) -> FloatArray:
    """``(N,)`` 1 … 0.2 at the wished level and below, 0 above; all are as near where none is wished."""
    if wished is None:
        return np.ones(len(ranks))
    below = wished.rank - ranks
    return np.where(below < 0, 0.0, np.array(_BELOW_WISHED)[np.maximum(below, 0)])


def _nearness(wanted: FloatArray, found: FloatArray, scale: float, shape: Callable[[Tensor], Tensor]) -> FloatArray:
    """``(S, N)`` 1 where they are equal … 0 far apart. Computed where torch computes, some blocks at a time."""
    rows = torch.as_tensor(wanted, dtype=torch.float64, device=device())[:, None]
    out = np.empty((len(wanted), len(found)), dtype=np.float32)
    for start in range(0, len(found), _CHUNK):
        columns = torch.as_tensor(found[start : start + _CHUNK], dtype=torch.float64, device=device())
        near = shape(((rows - columns) / scale).square_()).round_(decimals=_DIGITS)
        out[:, start : start + _CHUNK] = near.cpu().numpy()
    return out


def _measured(library: MoveLibrary, name: str) -> FloatArray:
    return library.qualities[:, QUALITIES.index(name)]


def suits(move: Move, style: Style) -> float:
    """0 … 1: what its annotation names it suits wholly."""
    return 1.0 if style in move.annotation.styles else suits_style(move.annotation.label, style)
