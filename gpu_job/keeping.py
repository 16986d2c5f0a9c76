"""The objects of a job's result in the results bucket, each written once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from shared.job import Job, results_name
from shared.ports import Ports

PIECE_BYTES = 1 << 20


class Keeper:
    """Writes a job's results, and notes what those are called that lie in no folder of their own.

    ``prefix`` of all their names: where another attempt found something else, and its objects must stay its own.
    """

    def __init__(self, job: Job, ports: Ports, prefix: str = "") -> None:
        self._job = job
        self._ports = ports
        self._prefix = prefix
        self.objects: dict[str, str] = {"folder": results_name(job, "")}

    def with_own(self, name: str, content: bytes | Path, content_type: str) -> Keeper:
        """A keeper that has kept this object, for those that tell of it. Where another attempt has kept other content
        under this name, it and all later names get a prefix that only this content has: so whatever lies beside an
        object, the result too, tells of just that one, however many attempts there were."""
        if self(name, content, content_type):
            return self
        blobs, digest = self._ports.blobs, _digest(_opened(content))
        if _digest(blobs.open(blobs.stat(*self.place(name)).source)) == digest:
            return self
        keep = Keeper(self._job, self._ports, f"{self._prefix}{digest[:16]}-")
        keep.objects |= self.objects
        keep(name, content, content_type)
        return keep

    def called(self, name: str) -> str:
        """What an object of this name is called in the job's folder."""
        return self._prefix + name

    def place(self, name: str) -> tuple[str, str]:
        """Bucket and full name."""
        return self._ports.settings.results_bucket, results_name(self._job, self.called(name))

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


def _opened(content: bytes | Path) -> BinaryIO:
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _digest(file: BinaryIO) -> str:
    """Of all that is in it; it is closed."""
    found = sha256()
    with file:
        for piece in iter(partial(file.read, PIECE_BYTES), b""):
            found.update(piece)
    return found.hexdigest()
