"""Matrices of likeness: right, computed once, adopted by all others, and never believed when damaged."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from gpu_job.choreography import similarity
from gpu_job.choreography.fit import Traits
from gpu_job.choreography.fusion import METHOD, Fusion
from gpu_job.choreography.similarity import Cache, Kind, Similarities, Transitions, method_of, object_name
from shared.errors import BadMessage, NotFound, Unavailable
from shared.library import MoveLibrary
from shared.memory import MemoryBlobStore
from shared.music import EMBEDDING
from tests.gpu_job.choreography.shelf import a_clip, shelf

BUCKET = "library"
SILENCE = np.zeros(EMBEDDING, np.float32)


def counted(library: MoveLibrary) -> np.ndarray:
    blocks = np.arange(len(library), dtype=float)
    return blocks[:, None] + blocks / 100


COSTS = Transitions("counted-1", counted)


def a_shelf(clips: int = 5, last: str = "basic") -> MoveLibrary:
    """Two blocks a clip; the first clip is silent, the second unseen."""
    odd = [a_clip("clip-0", energies=(0, 1), audio=SILENCE), a_clip("clip-1", energies=(0, 1), detection=0.0)]
    return shelf(*odd, *(a_clip(f"clip-{i}", last, energies=(0, 1)) for i in range(2, clips)))


# --- what is computed ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_likeness_is_symmetric_within_its_range_and_whole_with_oneself(kind: Kind) -> None:
    library = a_shelf()
    matrix = Similarities.of(library).matrices[kind]
    assert matrix.shape == (len(library), len(library))
    assert np.array_equal(matrix, matrix.T)
    assert np.all(np.abs(matrix) <= 1)
    unknown = {Kind.AUDIO: [0, 1], Kind.POSE: [2, 3], Kind.FUSED: []}[kind]
    assert np.diag(matrix) == pytest.approx([0 if i in unknown else 1 for i in range(len(library))], abs=5e-4)


def test_sound_and_pose_are_cosines_and_both_are_what_fusion_says() -> None:
    library = a_shelf()
    found = Similarities.of(library).matrices
    audio = Traits.of(library).audio[4:]
    assert found[Kind.AUDIO][4:, 4:] == pytest.approx(audio @ audio.T, abs=1e-3)
    assert found[Kind.POSE][4, 5] == pytest.approx(library.pose_embedding[4] @ library.pose_embedding[5], abs=1e-3)
    for block in range(len(library)):
        expected = Fusion.of(library).similarity(block, np.arange(len(library)))
        assert found[Kind.FUSED][block] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("kind", Kind)
def test_a_library_too_large_for_matrices_gives_the_same_rows(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    library, asked = a_shelf(), np.array([3, 8])
    kept = Similarities.of(library)
    monkeypatch.setattr(similarity, "MOST_BLOCKS", 4)
    large = Similarities.of(library)
    assert not large.matrices
    assert large.rows(kind, asked) == pytest.approx(kept.rows(kind, asked), abs=1e-3)
    assert kept.rows(kind, asked).shape == (2, len(library))


# --- as bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("costs", [None, COSTS])
def test_similarities_survive_being_written_and_read(costs: Transitions | None) -> None:
    library = a_shelf()
    written = Similarities.of(library, costs)
    read = Similarities.from_bytes(written.to_bytes(), library, costs)
    assert (read.version, read.method) == (library.version, method_of(costs))
    assert all(np.array_equal(read.matrices[kind], written.matrices[kind]) for kind in Kind)
    assert np.array_equal(read.fusion.vectors, written.fusion.vectors)
    if costs is None or read.transitions is None:
        assert read.transitions is None is costs
    else:
        assert read.transitions == pytest.approx(counted(library))


def test_those_of_another_version_or_method_are_refused() -> None:
    data = Similarities.of(a_shelf()).to_bytes()
    with pytest.raises(BadMessage):
        Similarities.from_bytes(data, a_shelf(last="spin"))
    with pytest.raises(BadMessage):
        Similarities.from_bytes(data, a_shelf(), COSTS)


# --- the cache ----------------------------------------------------------------------------------


class Counting(MemoryBlobStore):
    """Counts how often it is read and written."""

    def __init__(self) -> None:
        super().__init__()
        self.read_count = self.written = 0

    def read(self, bucket: str, name: str) -> bytes:
        self.read_count += 1
        return super().read(bucket, name)

    def create(self, *args: object) -> bool:
        self.written += 1
        return super().create(*args)  # type: ignore[arg-type]


def test_the_second_time_they_come_from_memory() -> None:
    blobs = Counting()
    cache = Cache(blobs, BUCKET)
    assert cache.of(a_shelf()) is cache.of(a_shelf())
    assert (blobs.read_count, blobs.written) == (1, 1)


def test_another_process_adopts_what_lies_in_the_bucket() -> None:
    library, blobs = a_shelf(), Counting()
    first = Cache(blobs, BUCKET, transitions=COSTS).of(library)

    def forbidden(library: MoveLibrary) -> np.ndarray:
        raise AssertionError("computed again")

    second = Cache(blobs, BUCKET, transitions=Transitions(COSTS.method, forbidden)).of(library)
    assert second.transitions == pytest.approx(first.transitions)
    assert np.array_equal(second.matrices[Kind.FUSED], first.matrices[Kind.FUSED])
    assert blobs.written == 1


def test_each_version_and_each_method_has_an_object_of_its_own() -> None:
    blobs = MemoryBlobStore()
    for library in (a_shelf(), a_shelf(last="spin")):
        for costs in (None, COSTS):
            Cache(blobs, BUCKET, transitions=costs).of(library)
    assert len(blobs.names(BUCKET)) == 4
    assert object_name(a_shelf().version) in blobs.names(BUCKET)


@pytest.mark.parametrize("found", [b"", b"no archive", Similarities.of(a_shelf(4)).to_bytes()])
def test_what_cannot_be_used_is_computed_anew_and_said(found: bytes, caplog: pytest.LogCaptureFixture) -> None:
    library, blobs = a_shelf(), MemoryBlobStore()
    name = object_name(library.version)
    blobs.put(BUCKET, name, found)
    with caplog.at_level(logging.WARNING):
        computed = Cache(blobs, BUCKET).of(library)
    assert np.array_equal(computed.matrices[Kind.POSE], Similarities.of(library).matrices[Kind.POSE])
    assert name in caplog.text
    assert blobs.read(BUCKET, name) == found, "objects are written once"


def test_a_cut_off_archive_is_computed_anew() -> None:
    library, blobs = a_shelf(), MemoryBlobStore()
    whole = Similarities.of(library).to_bytes()
    blobs.put(BUCKET, object_name(library.version), whole[: len(whole) // 2])
    assert Cache(blobs, BUCKET).of(library).version == library.version


def test_only_the_versions_last_asked_for_stay_in_memory() -> None:
    blobs = Counting()
    cache = Cache(blobs, BUCKET, keep=2)
    one, two, three = (a_shelf(last=label) for label in ("basic", "spin", "style"))
    kept = cache.of(one)
    cache.of(two)
    assert cache.of(one) is kept
    cache.of(three)
    assert cache.of(one) is kept, "asked for later than the second"
    cache.of(two)
    assert blobs.read_count == 4


def test_a_large_library_is_held_in_memory_and_not_in_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "MOST_BLOCKS", 4)
    blobs = MemoryBlobStore()
    cache = Cache(blobs, BUCKET)
    assert cache.of(a_shelf()) is cache.of(a_shelf())
    assert blobs.names(BUCKET) == []


def test_a_bucket_that_does_not_answer_is_not_taken_for_an_empty_one() -> None:
    class Silent(MemoryBlobStore):
        def read(self, bucket: str, name: str) -> bytes:
            raise Unavailable(f"{bucket}/{name}")

    blobs = Silent()
    with pytest.raises(Unavailable):
        Cache(blobs, BUCKET).of(a_shelf())
    with pytest.raises(NotFound):
        MemoryBlobStore.read(blobs, BUCKET, object_name(a_shelf().version))


def test_an_empty_library_has_empty_matrices() -> None:
    found = Cache(MemoryBlobStore(), BUCKET).of(shelf())
    assert found.matrices[Kind.FUSED].shape == (0, 0)


def test_the_method_is_in_the_name() -> None:
    assert METHOD in object_name("0" * 16)
    assert COSTS.method in object_name("0" * 16, method_of(COSTS))
