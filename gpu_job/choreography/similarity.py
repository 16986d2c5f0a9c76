"""How alike the blocks of a library are, kept with its version.

Three matrices: sound, pose, both. A cosine is kept in half precision, to within 0.0005. For libraries of up to
:data:`MOST_BLOCKS`: of a larger one a row is computed when it is asked for, by :class:`~.fusion.Fusion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
import torch

from gpu_job.choreography.fusion import METHOD, Fusion, meant
from gpu_job.choreography.versioned import check, square
from gpu_job.devices import device
from shared.features import pack, unpacked
from shared.library import MoveLibrary
from shared.music import EMBEDDING
from shared.timeline import FloatArray, IntArray

MOST_BLOCKS = 1024
"""The three of so many take 0.1 s, and 4 MB in a bucket. They are for who asks often: one row alone is computed in
0.1 ms."""

_KIND = "similarity"


class Kind(StrEnum):
    AUDIO = "audio"
    POSE = "pose"
    FUSED = "fused"


# Of the vectors of a fusion, and of its roots.
_PARTS = {
    Kind.AUDIO: (slice(0, EMBEDDING), slice(0, 1)),
    Kind.POSE: (slice(EMBEDDING, None), slice(1, 2)),
    Kind.FUSED: (slice(None), slice(None)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Similarities:
    """Of the ``N`` blocks of one version of a library.

    ``matrices`` ``(N, N)`` -1 … 1 of each kind, half precision; 0 where nothing is known of both
    """

    version: str
    matrices: Mapping[Kind, FloatArray]

    folder: ClassVar[str] = f"{_KIND}/{METHOD}"

    @classmethod
    def of(cls, library: MoveLibrary) -> Similarities:
        fusion = Fusion.of(library)
        return cls(library.version, {kind: _matrix(fusion, kind) for kind in Kind})

    def similarity(self, block: int, others: IntArray, kind: Kind = Kind.FUSED) -> FloatArray:
        """``(M,)`` -1 … 1, how alike a block and others are."""
        return self.matrices[kind][block, others].astype(np.float32)

    def to_bytes(self) -> bytes:
        """The matrices; the vectors are in the library."""
        matrices = {kind.value: matrix for kind, matrix in self.matrices.items()}
        return pack(_KIND, version=self.version, method=METHOD, **matrices)

    @classmethod
    def from_bytes(cls, data: bytes, library: MoveLibrary) -> Similarities:
        """Raises BadMessage where the bytes are not those of this version of the library by this method."""
        with unpacked(_KIND, data) as a:
            check(a, library, METHOD)
            matrices = {kind: square(a[kind.value], library) for kind in Kind}
        return cls(library.version, matrices)


def _matrix(fusion: Fusion, kind: Kind) -> FloatArray:
    columns, of = _PARTS[kind]
    alike, weights = (_products(part) for part in (fusion.vectors[:, columns], fusion.roots[:, of]))
    matrix = meant(alike, weights).astype(np.float16)
    return (matrix + matrix.T) / np.float16(2)  # a product's last bit may depend on the order of its factors


def _products(rows: FloatArray) -> FloatArray:
    """``(N, N)`` of each with each."""
    tensor = torch.from_numpy(np.ascontiguousarray(rows)).to(device())
    return (tensor @ tensor.T).cpu().numpy()
