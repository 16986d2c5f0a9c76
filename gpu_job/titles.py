"""What people are told instead of a label. Knows no move."""

from __future__ import annotations

UNKNOWN = "unknown"
"""The label of a move whose name nobody can tell."""
UNSEEN = "unseen"
"""The label of a stretch in which the dancer is out of sight."""


def name_of(label: str) -> str:
    """``cross_body_lead`` → ``cross body lead``"""
    return label.replace("_", " ")


def title(label: str, letter: str) -> str:
    """The name of a move where it is known, otherwise its letter: ``cross body lead``, ``move A``."""
    return f"move {letter}" if label == UNKNOWN else name_of(label)
