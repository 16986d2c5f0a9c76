"""The objects of a job's result in the results bucket, each written once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.job import Job, results_name
from shared.ports import Ports


class Keeper:
    """Writes a job's results, and notes what those are called that lie in no folder of their own."""

    def __init__(self, job: Job, ports: Ports) -> None:
        self._job = job
        self._ports = ports
        self.objects: dict[str, str] = {"folder": results_name(job, "")}

    def __call__(self, name: str, content: bytes | Path, content_type: str) -> bool:
        """Whether it was written, and not there already."""
        full_name = results_name(self._job, name)
        if "/" not in name:
            self.objects[name.partition(".")[0]] = full_name
        return self._ports.blobs.create(self._ports.settings.results_bucket, full_name, content, content_type)

    def result(self, full: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep ``result.json``, the last of a job's objects. Where an earlier attempt has written it and died, what
        that one found counts; so the document and the object never tell different things."""
        content = json.dumps(full, indent=1, allow_nan=False).encode()
        if self("result.json", content, "application/json"):
            return full
        return json.loads(self._ports.blobs.read(self._ports.settings.results_bucket, self.objects["result"]))
