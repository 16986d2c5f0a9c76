"""What is computed of a library: once, adopted by all others, and computed anew where what is kept is damaged."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gpu_job.choreography.cuts import Cuts
from gpu_job.choreography.similarity import Similarities
from gpu_job.choreography.transitions import METHOD, transitions
from gpu_job.choreography.versioned import Cache, Last, Versioned, object_name
from shared.errors import BadMessage, Unavailable
from shared.features import pack
from shared.library import MoveLibrary
from shared.memory import MemoryBlobStore
from tests.gpu_job.choreography.making import a_library

BUCKET = "library"
KINDS = pytest.mark.parametrize("kind", [Cuts, Similarities])


class Counting(MemoryBlobStore):
    """Counts how often it is read and written."""

    def __init__(self) -> None:
        super().__init__()
        self.read_count = self.written = 0

    def read(self, bucket: str, name: str) -> bytes:
        self.read_count += 1
        return super().read(bucket, name)

    def create(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> bool:
        self.written += 1
        return super().create(bucket, name, content, content_type)


def test_cuts_survive_being_written_and_read() -> None:
    library = a_library(6)
    read = Cuts.from_bytes(Cuts.of(library).to_bytes(), library)
    assert read.version == library.version
    assert np.array_equal(read.costs, transitions(library))


@pytest.mark.parametrize(("of", "method", "size"), [(7, METHOD, 1), (6, "another", 1), (6, METHOD, 2)])
def test_cuts_of_another_version_method_or_size_are_refused(of: int, method: str, size: int) -> None:
    library, many = a_library(6), len(a_library(6)) // size
    data = pack("cuts", version=a_library(of).version, method=method, costs=np.zeros((many, many)))
    with pytest.raises(BadMessage):
        Cuts.from_bytes(data, library)


@KINDS
def test_the_second_time_they_come_from_memory(kind: type[Versioned]) -> None:
    blobs = Counting()
    cache = Cache(kind, blobs, BUCKET)
    assert cache.of(a_library(6)) is cache.of(a_library(6))
    assert (blobs.read_count, blobs.written) == (1, 1)


@KINDS
def test_another_process_adopts_what_lies_in_the_bucket(kind: type[Versioned], monkeypatch: pytest.MonkeyPatch) -> None:
    library, blobs = a_library(6), Counting()
    first = Cache(kind, blobs, BUCKET).of(library)

    def forbidden(library: MoveLibrary) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(kind, "of", forbidden)
    assert Cache(kind, blobs, BUCKET).of(library).to_bytes() == first.to_bytes()
    assert blobs.written == 1


def test_each_kind_and_each_version_has_an_object_of_its_own() -> None:
    blobs = MemoryBlobStore()
    for library in (a_library(6), a_library(7)):
        Cache(Cuts, blobs, BUCKET).of(library)
        Cache(Similarities, blobs, BUCKET).of(library)
    assert len(blobs.names(BUCKET)) == 4
    assert object_name(Cuts, a_library(7).version) in blobs.names(BUCKET, f"cuts/{METHOD}/")


@pytest.mark.parametrize("found", [b"", b"no archive", Cuts.of(a_library(5)).to_bytes(), "cut off"])
def test_what_cannot_be_used_is_computed_anew_and_said(found: bytes | str, caplog: pytest.LogCaptureFixture) -> None:
    library, blobs = a_library(6), MemoryBlobStore()
    name, whole = object_name(Cuts, library.version), Cuts.of(library).to_bytes()
    lies_there = found if isinstance(found, bytes) else whole[: len(whole) // 2]
    blobs.put(BUCKET, name, lies_there)
    with caplog.at_level(logging.WARNING):
        computed = Cache(Cuts, blobs, BUCKET).of(library)
    assert np.array_equal(computed.costs, transitions(library))
    assert name in caplog.text
    assert blobs.read(BUCKET, name) == lies_there, "objects are written once"


def test_a_bucket_that_does_not_answer_is_not_taken_for_an_empty_one() -> None:
    class Silent(MemoryBlobStore):
        def read(self, bucket: str, name: str) -> bytes:
            raise Unavailable(f"{bucket}/{name}")

    with pytest.raises(Unavailable):
        Cache(Cuts, Silent(), BUCKET).of(a_library(6))


def test_only_the_last_that_were_asked_for_are_held() -> None:
    held: Last[str, object] = Last(keep=2)
    one, two = (held.of(name, object) for name in ("one", "two"))
    assert held.of("one", object) is one
    held.of("three", object)
    assert held.of("one", object) is one, "asked for later than the second"
    assert held.of("two", object) is not two


def test_what_cannot_be_made_is_not_held() -> None:
    def failing() -> object:
        raise Unavailable

    held: Last[str, object] = Last()
    with pytest.raises(Unavailable):
        held.of("one", failing)
    assert held.of("one", object)


def test_who_ask_at_once_get_the_same_made_once() -> None:
    held: Last[str, object] = Last()
    together, made = threading.Barrier(4), list[object]()

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        together.wait(10)
        return held.of("one", make)

    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(ask, range(4))} == {*made}
    assert len(made) == 1


def test_a_folder_that_may_only_be_read_serves_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> bool:
        raise PermissionError

    library, blobs = a_library(2), MemoryBlobStore()
    monkeypatch.setattr(blobs, "create", refused)
    assert Cache(Cuts, blobs, BUCKET).of(library).version == library.version
