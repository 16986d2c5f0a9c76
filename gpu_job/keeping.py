"""The objects of a job's result in the results bucket, each written once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.job import Job, results_name
from shared.ports import Ports


class Keeper:
    """Writes a job's results, and notes what those are called that lie in no folder of their own.

    ``prefix`` of all their names: where another attempt began from other input, and its objects must stay its own.
    """

    def __init__(self, job: Job, ports: Ports, prefix: str = "") -> None:
        self._job = job
        self._ports = ports
        self._prefix = prefix
        self.objects: dict[str, str] = {"folder": results_name(job, "")}

    @classmethod
    def from_first(cls, name: str, content: bytes, content_type: str, job: Job, ports: Ports, other: str) -> Keeper:
        """With its first object kept: under plain names, unless an earlier attempt has kept another of that name;
        then all get the prefix ``other``."""
        keep = cls(job, ports)
        if keep(name, content, content_type) or ports.blobs.read(*keep.place(name)) == content:
            return keep
        keep = cls(job, ports, other)
        keep(name, content, content_type)
        return keep

    def place(self, name: str) -> tuple[str, str]:
        """Bucket and full name."""
        return self._ports.settings.results_bucket, results_name(self._job, self._prefix + name)

    def __call__(self, name: str, content: bytes | Path, content_type: str) -> bool:
        """Whether it was written, and not there already."""
        bucket, full_name = self.place(name)
        if "/" not in name:
            self.objects[name.partition(".")[0]] = full_name
        return self._ports.blobs.create(bucket, full_name, content, content_type)

    def result(self, full: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep ``result.json``, the last of a job's objects. Where an earlier attempt has written it and died, what
        that one found counts; so the document and the object never tell different things."""
        content = json.dumps(full, indent=1, allow_nan=False).encode()
        if self("result.json", content, "application/json"):
            return full
        return json.loads(self._ports.blobs.read(*self.place("result.json")))
