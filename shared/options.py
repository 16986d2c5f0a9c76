"""What an upload's metadata may ask for. Knows no upload."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum

from shared.errors import BadOption
from shared.job import Kind
from shared.library import Difficulty, Energy, Style
from shared.wishes import MethodName, Quality

AUTO = "auto"
CLIP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
LABEL = re.compile(r"[a-z][a-z0-9_]{0,49}")

Reader = Callable[[str], float | str]


def _within(low: int, high: int, read: Callable[[str], float], what: str) -> Reader:
    def parse(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := read(text)) <= high:
                return value
        raise ValueError(f"it must be {what} from {low} to {high}")

    return parse


def _one_of(choices: type[StrEnum], *others: str) -> Reader:
    def parse(text: str) -> str:
        if text in (known := [*choices, *others]):
            return str(text)
        raise ValueError(f"it must be one of {', '.join(known)}")

    return parse


def _named(pattern: re.Pattern[str], what: str) -> Reader:
    def parse(text: str) -> str:
        if pattern.fullmatch(text):
            return text
        raise ValueError(f"it must be {what}")

    return parse


def _difficulty(text: str) -> str:
    """Also in the words of annotations: low, medium, high."""
    with suppress(ValueError):
        return str(Difficulty.of(text))
    raise ValueError(f"it must be one of {', '.join(Difficulty)}, or low, medium, high")


def _styles(text: str) -> str:
    one = _one_of(Style)
    return ",".join(str(one(style.strip())) for style in text.split(",") if style.strip())


OPTIONS: Mapping[Kind, Mapping[str, Reader]] = {
    Kind.SEGMENT: {
        "min_probability": _within(0, 1, float, "a number"),
        "min_counts": _within(1, 32, int, "a whole number"),
        "method": _one_of(MethodName),
    },
    Kind.COMPARE: {"teacher": str, "dancers": _within(1, 2, int, "a whole number")},
    Kind.CHOREOGRAPH: {
        "difficulty": _difficulty,
        "energy": _one_of(Energy, AUTO),
        "style": _one_of(Style),
        "seed": _within(0, 2**31 - 1, int, "a whole number"),
        "alternatives": _within(1, 5, int, "a whole number"),
        "quality": _one_of(Quality),
    },
    Kind.LIBRARY: {
        "clip_id": _named(CLIP_ID, "1 to 100 letters, digits, dots, dashes and underscores"),
        "label": _named(LABEL, "a category in small letters, digits and underscores"),
        "difficulty": _difficulty,
        "energy": _one_of(Energy),
        "tempo_bpm": _within(40, 240, float, "a number"),
        "styles": _styles,
    },
}
"""What the metadata of a kind's upload may ask for, beside its owner. What else stands there (the phone's notes) is
left alone. The job keeps what was asked, so that nothing is lost where its upload is told of again."""

NEEDED: Mapping[Kind, Mapping[str, str]] = {
    Kind.COMPARE: {
        "teacher": "A comparison needs the option teacher: the id of an earlier job, or the name of a video."
    },
    Kind.LIBRARY: {
        name: f"A clip of the library needs the option {name}." for name in ("clip_id", "label", "difficulty", "energy")
    },
}
"""What must be said, and the sentence where it is not."""


def check_needed(kind: Kind, asked: Mapping[str, float | str]) -> None:
    """Raises BadOption where something is missing."""
    for name, sentence in NEEDED.get(kind, {}).items():
        if not asked.get(name):
            raise BadOption(sentence)


def read_options(kind: Kind, asked: Mapping[str, float | str]) -> dict[str, float | str]:
    """Raises BadOption for one that cannot be read."""
    return {name: _option(name, OPTIONS[kind][name], str(text)) for name, text in asked.items()}


def _option(name: str, read: Reader, text: str) -> float | str:
    try:
        return read(text)
    except ValueError as error:
        raise BadOption(f"The option {name} cannot be {text!r}: {error}.") from error
