"""Why a block was chosen, in words made of its factors. Knows what they are called, not how they are found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gpu_job.choreography.fit import WEIGHTS, Context, unwished, wanted_energy
from gpu_job.titles import name_of
from shared.library import Style
from shared.music import Role
from shared.wishes import Wishes

LIKENESS = "likeness"

_FOR = 0.7  # a factor from here on speaks for a block
_AGAINST = 0.35  # and up to here against it
_MOST_REASONS = 2
_WEIGHTS = {LIKENESS: 1.0, **WEIGHTS}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a song, and for whom.

    ``energy``   that is wanted there, 0 … 1
    ``unwished`` names of factors that say nothing, as nothing of the kind is wished
    """

    role: Role
    tempo_bpm: float
    energy: float
    style: Style | None
    unwished: frozenset[str]

    @classmethod
    def of(cls, context: Context, wishes: Wishes, place: int = 0) -> Place:
        tempo_bpm, energy = float(context.tempo_bpm[place]), float(wanted_energy(context, wishes)[place])
        return cls(context.roles[place], tempo_bpm, energy, wishes.style, unwished(wishes))


def why(factors: Mapping[str, float], label: str, tempo_bpm: float, place: Place) -> str:
    """What speaks for a block and what against it. Label and tempo are its own."""
    return sentence(label, reasons(factors, tempo_bpm, place))


def sentence(label: str, said: Iterable[str]) -> str:
    """``Cross body lead: this; that.``"""
    return f"{name_of(label).capitalize()}: {'; '.join(said)}."


def reasons(factors: Mapping[str, float], tempo_bpm: float, place: Place) -> list[str]:
    """What speaks for a block, the weightiest first, and what most against it; nothing where nothing is known.

    Factors that are not wished, or have no words here, are not told.
    """
    told = {name: factors[name] for name in _WEIGHTS if name in factors and name not in place.unwished}
    weighty = sorted(told, key=lambda name: -_WEIGHTS[name] * told[name])
    good = _listed([_for(name, tempo_bpm, place) for name in weighty if told[name] >= _FOR][:_MOST_REASONS])
    doubts = sorted((name for name in told if told[name] <= _AGAINST), key=lambda n: -_WEIGHTS[n] * (1 - told[n]))
    but = _against(doubts[0], tempo_bpm, place) if doubts else ""
    said = ", but ".join(part for part in (good, but) if part)
    return [said or "suits in part"] if told else []


def _for(name: str, tempo_bpm: float, place: Place) -> str:
    return {
        LIKENESS: "much like the one asked for",
        "audio": "danced to music that sounds like this",
        "tempo": _as_quick(round(tempo_bpm), round(place.tempo_bpm)),
        "energy": f"as {_lively(place.energy)} as it should be here",
        "difficulty": "as difficult as wished",
        "style": f"{place.style} as wished",
        "role": f"at home in {_section(place.role)}",
        "quality": "easy to watch",
    }[name]


def _against(name: str, tempo_bpm: float, place: Place) -> str:
    return {
        LIKENESS: "not much like the one asked for",
        "audio": "danced to other music",
        "tempo": f"{'slowed down' if tempo_bpm > place.tempo_bpm else 'sped up'} from {tempo_bpm:.0f} BPM",
        "energy": "not of the energy that is wanted here",
        "difficulty": "easier than wished",
        "style": f"hardly {place.style}",
        "role": f"seldom danced in {_section(place.role)}",
        "quality": "jerky or badly seen",
    }[name]


def _as_quick(clip_bpm: int, song_bpm: int) -> str:
    return "danced at this tempo" if clip_bpm == song_bpm else f"danced at {clip_bpm} BPM where the song has {song_bpm}"


def _lively(energy: float) -> str:
    return "calm" if energy < 1 / 3 else "moderate" if energy < 2 / 3 else "lively"


def _section(role: Role) -> str:
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def _listed(reasons: Sequence[str]) -> str:
    return " and ".join([*([", ".join(reasons[:-1])] if reasons[1:] else []), *reasons[-1:]])
