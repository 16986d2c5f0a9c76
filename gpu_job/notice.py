"""What a result tells beside itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the dancer should know about a result that is there nonetheless."""

    code: str
    message: str
