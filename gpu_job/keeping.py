"""The objects of a job's result in the results bucket, each written once."""

from __future__ import annotations

from pathlib import Path

from shared.job import Job, results_name
from shared.ports import Ports


class Keeper:
    """Writes a job's results, and notes what those are called that lie in no folder of their own."""

    def __init__(self, job: Job, ports: Ports) -> None:
        self._job = job
        self._ports = ports
        self.objects: dict[str, str] = {"folder": results_name(job, "")}

    def __call__(self, name: str, content: bytes | Path, content_type: str) -> None:
        full_name = results_name(self._job, name)
        self._ports.blobs.create(self._ports.settings.results_bucket, full_name, content, content_type)
        if "/" not in name:
            self.objects[name.partition(".")[0]] = full_name
