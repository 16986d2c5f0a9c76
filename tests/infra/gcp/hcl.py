"""Terraform's files as Python values: blocks by type and name, expressions as text in ``${…}``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

ROOT = Path(__file__).parents[3]
GCP = ROOT / "infra" / "gcp"

_OPTIONS = SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)


@dataclass(frozen=True, slots=True)
class Block:
    """A resource, or what else has a name. ``file`` is relative to ``infra/gcp``; ``type`` "" where there is none."""

    file: str
    type: str
    name: str
    body: Mapping[str, Any]

    @property
    def address(self) -> str:
        return ".".join(filter(None, (self.type, self.name)))


@cache
def parsed() -> Mapping[str, Mapping[str, Any]]:
    """Every file of the configuration, modules included, by its name."""
    files = sorted(file for file in GCP.rglob("*.tf") if ".terraform" not in file.parts)
    return {str(file.relative_to(GCP)): hcl2.loads(file.read_text(), serialization_options=_OPTIONS) for file in files}


def resources() -> Iterator[Block]:
    for file, content in parsed().items():
        for entry in content.get("resource", []):
            for kind, named in entry.items():
                yield from (Block(file, kind, name, body) for name, body in named.items())


def named(what: str) -> Iterator[Block]:
    """The variables, outputs or modules."""
    for file, content in parsed().items():
        for entry in content.get(what, []):
            yield from (Block(file, "", name, body) for name, body in entry.items())


def local(name: str) -> Any:
    """A local value of the root. Raises KeyError."""
    for file, content in parsed().items():
        for entry in content.get("locals", []):
            if "/" not in file and name in entry:
                return entry[name]
    raise KeyError(name)
