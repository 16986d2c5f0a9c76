"""What each cut of a library costs, kept with its version: nothing of it depends on the song."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gpu_job.choreography.transitions import METHOD, transitions
from gpu_job.choreography.versioned import check, square
from shared.features import pack, unpacked
from shared.library import MoveLibrary
from shared.timeline import FloatArray

_KIND = "cuts"


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """``costs`` ``(N, N)`` 0 … 1 of going from row to column, of :func:`~.transitions.transitions`"""

    version: str
    costs: FloatArray

    folder: ClassVar[str] = f"{_KIND}/{METHOD}"

    @classmethod
    def of(cls, library: MoveLibrary) -> Cuts:
        return cls(library.version, transitions(library))

    def to_bytes(self) -> bytes:
        return pack(_KIND, version=self.version, method=METHOD, costs=self.costs)

    @classmethod
    def from_bytes(cls, data: bytes, library: MoveLibrary) -> Cuts:
        """Raises BadMessage where the bytes are not those of this version of the library by this method."""
        with unpacked(_KIND, data) as a:
            check(a, library, METHOD)
            return cls(library.version, square(a["costs"], library))
