"""What a dancer may wish for. Knows neither songs nor moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.library import Difficulty, Energy, Style


class MethodName(StrEnum):
    """How a dance is cut into moves."""

    NETWORK = "network"
    """By a trained network, which also tells what the moves are called."""
    NOVELTY = "novelty"
    """Where the motion changes, without a network; moves have letters and no names."""


class Quality(StrEnum):
    """How the video is made."""

    FAST = "fast"
    """Packets are copied: nothing is encoded."""
    BALANCED = "balanced"
    """Encoded, with crossfades and the counts in a corner."""
    HIGH = "high_quality"
    """The same, at a higher bit rate and from slower settings."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """``difficulty`` is a limit that is never exceeded; ``energy`` None follows the song; None of the others is any.

    ``alternatives`` how many different plans there shall be, the first of which is rendered
    """

    difficulty: Difficulty | None = None
    energy: Energy | None = None
    style: Style | None = None
    seed: int = 0
    alternatives: int = 1
    quality: Quality = Quality.FAST

    @classmethod
    def read(cls, options: Mapping[str, float | str]) -> Wishes:
        """From a job's options, as intake has accepted them."""
        difficulty, style = str(options.get("difficulty", "")), str(options.get("style", ""))
        energy = str(options.get("energy", "auto"))
        return cls(
            Difficulty(difficulty) if difficulty else None,
            None if energy == "auto" else Energy(energy),
            Style(style) if style else None,
            int(options.get("seed", 0)),
            int(options.get("alternatives", 1)),
            Quality(str(options.get("quality", Quality.FAST))),
        )

    @property
    def hardest(self) -> Difficulty:
        """The level that no move may exceed."""
        return self.difficulty or Difficulty.ADVANCED
