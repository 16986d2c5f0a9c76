"""What an upload's metadata may ask for. Knows no upload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from shared.errors import BadOption
from shared.job import Kind


def _within(low: int, high: int, read: Callable[[str], float], what: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := read(text)) <= high:
                return value
        raise ValueError(f"it must be {what} from {low} to {high}")

    return parse


OPTIONS: Mapping[Kind, Mapping[str, Callable[[str], float | str]]] = {
    Kind.SEGMENT: {
        "min_probability": _within(0, 1, float, "a number"),
        "min_counts": _within(1, 32, int, "a whole number"),
    },
    Kind.COMPARE: {"teacher": str, "dancers": _within(1, 2, int, "a whole number")},
}
"""What the metadata of a kind's upload may ask for, beside its owner. What else stands there (the phone's notes) is
left alone. The job keeps what was asked, so that nothing is lost where its upload is told of again."""


def read_options(kind: Kind, asked: Mapping[str, float | str]) -> dict[str, float | str]:
    """Raises BadOption."""
    return {name: _option(name, OPTIONS[kind][name], str(text)) for name, text in asked.items()}


def _option(name: str, read: Callable[[str], float | str], text: str) -> float | str:
    try:
        return read(text)
    except ValueError as error:
        raise BadOption(f"The option {name} cannot be {text!r}: {error}.") from error
