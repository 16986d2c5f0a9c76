"""Reading our Dockerfile, its ignore file and the table of units. Knows no engine.

As much of the language as the file uses: stages, continuation lines, comments, ``${NAME}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "infra" / "images"


@dataclass(frozen=True, slots=True)
class Unit:
    """A line of ``infra/images/units``: what is built, of which stage, and with which arguments."""

    name: str
    folder: str
    stage: str
    target: str
    signature: str

    @property
    def arguments(self) -> Mapping[str, str]:
        return {"UNIT": self.folder, "TARGET": self.target, "SIGNATURE": self.signature}

    @property
    def lock(self) -> Path:
        return ROOT / self.folder / "requirements.lock"


@dataclass(frozen=True, slots=True)
class Instruction:
    word: str
    rest: str

    def filled(self, values: Mapping[str, str]) -> str:
        """With the values of arguments and variables. Raises KeyError for one that nobody gave."""
        return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], self.rest)


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    base: str
    instructions: Sequence[Instruction]

    def of(self, word: str) -> list[str]:
        return [each.rest for each in self.instructions if each.word == word]


def units() -> list[Unit]:
    lines = (IMAGES / "units").read_text().splitlines()
    return [Unit(*line.split()) for line in lines if line and not line.startswith("#")]


def stages() -> Mapping[str, Stage]:
    """By name, in the file's order."""
    found: dict[str, Stage] = {}
    for instruction in instructions():
        if instruction.word == "FROM":
            base, _, name = instruction.rest.split()
            found[name] = Stage(name, base, [])
        elif found:
            found[name] = Stage(name, found[name].base, [*found[name].instructions, instruction])
    return found


def lineage(name: str) -> list[Stage]:
    """A stage and those that it stands on, the lowest first."""
    stage = stages().get(name)
    return [*lineage(stage.base), stage] if stage else []


def instructions() -> Iterator[Instruction]:
    text = (IMAGES / "Dockerfile").read_text()
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        yield Instruction(word, rest.strip())


def context() -> list[str]:
    """What lies at the top of the build context, by ``.dockerignore``: nothing but what is named there."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    return [line[1:] for line in lines if line.startswith("!")]
