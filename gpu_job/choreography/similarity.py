"""How alike the blocks of a library are, computed once for each of its versions.

Three matrices (sound, pose, both) and, where they are given, the costs of going from block to block. They are kept
in memory, and in a bucket beside the library: whoever comes first computes, all others adopt. A cosine is kept in
half precision, to within 0.0005. Above :data:`MOST_BLOCKS` no matrix is made: rows are computed when they are asked
for, 2 ms for one of 100,000 blocks.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch

from gpu_job.choreography.fusion import METHOD, Fusion, meant
from gpu_job.devices import device
from shared.errors import BadMessage, NotFound
from shared.features import pack, unpacked
from shared.library import MoveLibrary
from shared.music import EMBEDDING
from shared.ports import BlobStore
from shared.timeline import FloatArray, IntArray

log = logging.getLogger(__name__)

MOST_BLOCKS = 4096
"""A matrix of so many is 34 MB."""

_KIND = "similarity"
_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Transitions:
    """How the costs of going from block to block are found.

    ``method`` names the formula: another formula is another name
    ``of``     computes them, ``(N, N)`` from row to column
    """

    method: str
    of: Callable[[MoveLibrary], FloatArray]


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

    ``method``      by which they were found, :func:`method_of`
    ``matrices``    ``(N, N)`` -1 … 1 of each kind, half precision; 0 where nothing is known of both; empty where
                    there are more than :data:`MOST_BLOCKS`
    ``transitions`` ``(N, N)`` cost of going from row to column, or None
    """

    version: str
    method: str
    fusion: Fusion
    matrices: Mapping[Kind, FloatArray]
    transitions: FloatArray | None = None

    @classmethod
    def of(cls, library: MoveLibrary, transitions: Transitions | None = None) -> Similarities:
        fusion = Fusion.of(library)
        kept = list(Kind) if len(library) <= MOST_BLOCKS else []
        matrices = {kind: _matrix(fusion, kind) for kind in kept}
        costs = transitions.of(library).astype(np.float32) if transitions else None
        return cls(library.version, method_of(transitions), fusion, matrices, costs)

    def rows(self, kind: Kind, blocks: IntArray) -> FloatArray:
        """``(Q, N)`` how alike each of some blocks and every block are."""
        kept = self.matrices.get(kind)
        return (_rows(self.fusion, kind, blocks) if kept is None else kept[blocks]).astype(np.float32)

    def to_bytes(self) -> bytes:
        """The matrices; the vectors are in the library."""
        costs = np.zeros((0, 0), np.float32) if self.transitions is None else self.transitions
        matrices = {kind.value: matrix for kind, matrix in self.matrices.items()}
        return pack(_KIND, version=self.version, method=self.method, transitions=costs, **matrices)

    @classmethod
    def from_bytes(cls, data: bytes, library: MoveLibrary, transitions: Transitions | None = None) -> Similarities:
        """Raises BadMessage where the bytes are not those of this version of the library by these methods."""
        found, wanted = "", (library.version, method_of(transitions))
        with unpacked(_KIND, data) as a:
            found = (str(a["version"]), str(a["method"]))
            matrices = {kind: _square(a[kind.value], len(library)) for kind in Kind}
            costs = _square(a["transitions"], len(library)) if transitions else None
        if found != wanted:
            raise BadMessage(f"these similarities are of {found}, not of {wanted}")
        return cls(*wanted, Fusion.of(library), matrices, costs)


def method_of(transitions: Transitions | None) -> str:
    return f"{METHOD}+{transitions.method}" if transitions else METHOD


def object_name(version: str, method: str = METHOD) -> str:
    """In the library's bucket. Written once, so the method is part of it."""
    return f"similarity/{method}/{version}.npz"


class Cache:
    """Similarities by version of the library: from memory, else from a bucket, else computed and left there.

    ``keep`` how many versions are held in memory: those last asked for
    """

    def __init__(self, blobs: BlobStore, bucket: str, *, transitions: Transitions | None = None, keep: int = 2) -> None:
        self._blobs, self._bucket, self._transitions, self._keep = blobs, bucket, transitions, keep
        self._held: OrderedDict[str, Similarities] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, library: MoveLibrary) -> Similarities:
        with self._lock:
            found = self._held.pop(library.version, None) or self._found(library)
            self._held[library.version] = found
            while len(self._held) > self._keep:
                self._held.popitem(last=False)
            return found

    def _found(self, library: MoveLibrary) -> Similarities:
        if len(library) > MOST_BLOCKS:
            return Similarities.of(library, self._transitions)
        return self._kept(library) or self._computed(library)

    def _kept(self, library: MoveLibrary) -> Similarities | None:
        """What the bucket has; None where it has nothing that can be used."""
        name = object_name(library.version, method_of(self._transitions))
        try:
            return Similarities.from_bytes(self._blobs.read(self._bucket, name), library, self._transitions)
        except NotFound:
            return None
        except BadMessage as error:
            log.warning("%s/%s is of no use, its similarities are computed anew: %s", self._bucket, name, error)
            return None

    def _computed(self, library: MoveLibrary) -> Similarities:
        """Left in the bucket, unless another was quicker, or what cannot be read lies there."""
        computed = Similarities.of(library, self._transitions)
        self._blobs.create(self._bucket, object_name(library.version, computed.method), computed.to_bytes(), _TYPE)
        return computed


def _matrix(fusion: Fusion, kind: Kind) -> FloatArray:
    matrix = _rows(fusion, kind, slice(None))
    return (matrix + matrix.T) / np.float16(2)  # a product's last bit may depend on the order of its factors


def _rows(fusion: Fusion, kind: Kind, blocks: IntArray | slice) -> FloatArray:
    """``(Q, N)``, half precision."""
    columns, of = _PARTS[kind]
    vectors = torch.from_numpy(np.ascontiguousarray(fusion.vectors[:, columns])).to(device())
    roots = torch.from_numpy(np.ascontiguousarray(fusion.roots[:, of])).to(device())
    chosen = blocks if isinstance(blocks, slice) else torch.from_numpy(blocks)
    alike, weights = vectors[chosen] @ vectors.T, roots[chosen] @ roots.T
    return meant(alike.cpu().numpy(), weights.cpu().numpy()).astype(np.float16)


def _square(matrix: FloatArray, blocks: int) -> FloatArray:
    """Raises ValueError where it is not of so many blocks."""
    if matrix.shape != (blocks, blocks):
        raise ValueError(f"{matrix.shape} is no matrix of {blocks} blocks")
    return matrix
