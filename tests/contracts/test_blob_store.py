"""What every BlobStore keeps to."""

import contextlib
import gzip
import io
import random
from pathlib import Path

import pytest
from google.cloud.storage import Client

from shared.errors import NotFound, SourceGone
from shared.gcp.storage import CloudBlobStore
from shared.job import Source
from shared.memory import MemoryBlobStore
from shared.ports import BlobKeeper
from shared.ranges import BLOCK_BYTES
from tests.contracts.makers import at_once
from tests.contracts.shelves import Shelf

NAME = "videos/salsa bachata ü #1?.mp4"
LARGE = random.Random(7).randbytes(2 * BLOCK_BYTES + 12_345)

pytestmark = pytest.mark.timeout(60)


def test_what_was_uploaded_is_known(shelf: Shelf) -> None:
    shelf.upload(NAME, b"moving pictures", "video/mp4", {"owner": "maria", "counts": "8"})
    blob = shelf.store.stat(shelf.bucket, NAME)
    assert (blob.source.bucket, blob.source.name) == (shelf.bucket, NAME)
    assert (blob.source.size, blob.source.content_type) == (15, "video/mp4")
    assert blob.metadata == {"owner": "maria", "counts": "8"}


def test_a_generation_is_a_whole_number_that_every_reader_of_json_keeps(shelf: Shelf) -> None:
    shelf.put(NAME, b"one")
    assert 0 < shelf.store.stat(shelf.bucket, NAME).source.generation < 2**53


def test_a_generation_stays_until_the_object_is_overwritten(shelf: Shelf) -> None:
    shelf.put(NAME, b"one")
    first = shelf.store.stat(shelf.bucket, NAME).source
    assert shelf.store.stat(shelf.bucket, NAME).source == first
    shelf.put(NAME, b"two")
    assert shelf.store.stat(shelf.bucket, NAME).source.generation != first.generation


def test_what_is_not_there_is_not_found(shelf: Shelf) -> None:
    with pytest.raises(NotFound, match=r"nothing\.mp4"):
        shelf.store.stat(shelf.bucket, "nothing.mp4")
    with pytest.raises(NotFound, match=r"nothing\.mp4"):
        shelf.store.read(shelf.bucket, "nothing.mp4")


def test_what_was_created_is_read_back(shelf: Shelf) -> None:
    assert shelf.store.create(shelf.bucket, "job/result.json", b"{}", "application/json")
    assert shelf.store.read(shelf.bucket, "job/result.json") == b"{}"
    assert shelf.store.stat(shelf.bucket, "job/result.json").source.content_type == "application/json"


def test_an_object_is_created_once_and_never_overwritten(shelf: Shelf) -> None:
    assert shelf.store.create(shelf.bucket, NAME, b"first", "text/plain") is True
    assert shelf.store.create(shelf.bucket, NAME, b"second", "text/plain") is False
    assert shelf.store.read(shelf.bucket, NAME) == b"first"


def test_of_many_that_create_an_object_at_once_one_does(shelf: Shelf) -> None:
    def create(i: int) -> bool:
        return shelf.store.create(shelf.bucket, NAME, f"by {i}".encode(), "text/plain")

    created = at_once(*(lambda i=i: create(i) for i in range(8)))
    assert sorted(created) == [False] * 7 + [True]
    assert shelf.store.read(shelf.bucket, NAME) == f"by {created.index(True)}".encode()


def test_objects_are_named_by_how_their_names_begin(shelf: Shelf) -> None:
    for name in ("moves/b.npz", "moves/a ü.npz", "mezzanine/a.mp4", "moves2"):
        shelf.put(name, b"x")
    assert shelf.store.names(shelf.bucket, "moves/") == ["moves/a ü.npz", "moves/b.npz"]
    assert len(shelf.store.names(shelf.bucket)) == 4
    assert shelf.store.names(shelf.bucket, "nothing") == []


# For their owner


@pytest.fixture(params=["memory", "cloud"])
def kept(request: pytest.FixtureRequest) -> Shelf:
    return request.getfixturevalue(f"{request.param}_shelf")


def keeper(shelf: Shelf) -> BlobKeeper:
    assert isinstance(shelf.store, MemoryBlobStore | CloudBlobStore)
    return shelf.store


def test_a_copy_is_a_generation_of_its_own_with_what_was_known_of_the_first(kept: Shelf) -> None:
    kept.upload(NAME, LARGE, "video/mp4", {"owner": "maria", "counts": "8"})
    source = kept.store.stat(kept.bucket, NAME).source
    copy = keeper(kept).copy(source, "videos/again ü.mp4")
    blob = kept.store.stat(kept.bucket, "videos/again ü.mp4")
    assert blob.source == copy
    assert (copy.size, copy.content_type) == (len(LARGE), "video/mp4")
    assert copy.generation != source.generation
    assert blob.metadata == {"owner": "maria", "counts": "8"}
    assert kept.store.read(kept.bucket, copy.name) == kept.store.read(kept.bucket, NAME) == LARGE


def test_a_copy_that_is_there_counts(kept: Shelf) -> None:
    kept.put(NAME, b"one")
    source = kept.store.stat(kept.bucket, NAME).source
    first = keeper(kept).copy(source, "copy.mp4")
    assert keeper(kept).copy(source, "copy.mp4") == first


def test_of_many_that_copy_at_once_all_get_the_same(kept: Shelf) -> None:
    kept.put(NAME, b"one")
    source = kept.store.stat(kept.bucket, NAME).source
    assert len(set(at_once(*[lambda: keeper(kept).copy(source, "copy.mp4")] * 8))) == 1


def test_what_was_overwritten_is_not_copied(kept: Shelf) -> None:
    kept.put(NAME, b"old")
    old = kept.store.stat(kept.bucket, NAME).source
    kept.put(NAME, b"new")
    with pytest.raises(SourceGone):
        keeper(kept).copy(old, "copy.mp4")


def test_a_generation_is_deleted_and_no_other(kept: Shelf) -> None:
    kept.put(NAME, b"old")
    old = kept.store.stat(kept.bucket, NAME).source
    kept.put(NAME, b"new")
    keeper(kept).delete(old)
    assert kept.store.read(kept.bucket, NAME) == b"new"
    new = kept.store.stat(kept.bucket, NAME).source
    for _ in range(2):
        keeper(kept).delete(new)
    assert kept.store.names(kept.bucket) == []


def test_a_folder_is_deleted_and_what_lies_beside_it_stays(kept: Shelf) -> None:
    for name in ("job/v1/a.mp4", "job/v1/moves/b ü.mp4", "job2/v1/a.mp4", "job"):
        kept.put(name, b"x")
    for _ in range(2):
        keeper(kept).delete_all(kept.bucket, "job/")
        assert kept.store.names(kept.bucket) == ["job", "job2/v1/a.mp4"]


def test_a_folder_must_look_like_one(kept: Shelf) -> None:
    with pytest.raises(ValueError, match="slash"):
        keeper(kept).delete_all(kept.bucket, "")


@pytest.mark.parametrize("size", [0, 1, 9_000_000])
def test_a_file_becomes_an_object_once(shelf: Shelf, tmp_path: Path, size: int) -> None:
    content = random.Random(size).randbytes(size)
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert shelf.store.create(shelf.bucket, "clip.mp4", path, "video/mp4") is True
    path.write_bytes(b"something else")
    assert shelf.store.create(shelf.bucket, "clip.mp4", path, "video/mp4") is False
    assert shelf.store.read(shelf.bucket, "clip.mp4") == content
    assert shelf.store.stat(shelf.bucket, "clip.mp4").source.content_type == "video/mp4"


@pytest.mark.parametrize("content", [b"", b"x", LARGE], ids=["empty", "one byte", "large"])
def test_an_opened_object_is_read_whole(shelf: Shelf, content: bytes) -> None:
    shelf.put(NAME, content)
    with shelf.store.open(shelf.store.stat(shelf.bucket, NAME).source) as file:
        assert file.read() == content
        assert file.read() == b""


def test_any_range_of_an_opened_object_can_be_read(shelf: Shelf) -> None:
    shelf.put(NAME, LARGE)
    chance = random.Random(11)
    with shelf.store.open(shelf.store.stat(shelf.bucket, NAME).source) as file:
        assert file.seekable()
        assert file.seek(0, io.SEEK_END) == len(LARGE)
        for start in [0, BLOCK_BYTES - 3, len(LARGE) - 5, *(chance.randrange(len(LARGE)) for _ in range(20))]:
            count = chance.choice([1, 10, 70_000, BLOCK_BYTES])
            assert file.seek(start) == start
            assert file.read(count) == LARGE[start : start + count]
            assert file.tell() == min(start + count, len(LARGE))


def test_seeking_from_here_and_from_the_end(shelf: Shelf) -> None:
    shelf.put(NAME, b"0123456789")
    with shelf.store.open(shelf.store.stat(shelf.bucket, NAME).source) as file:
        file.seek(-3, io.SEEK_END)
        assert file.read() == b"789"
        file.seek(-5, io.SEEK_CUR)
        assert file.read(2) == b"56"
        file.seek(20)
        assert file.read(2) == b""


def test_a_generation_that_was_overwritten_is_gone(shelf: Shelf) -> None:
    shelf.put(NAME, b"old")
    old = shelf.store.stat(shelf.bucket, NAME).source
    shelf.put(NAME, b"new")
    with pytest.raises(SourceGone):
        shelf.store.open(old).read()
    with shelf.store.open(shelf.store.stat(shelf.bucket, NAME).source) as file:
        assert file.read() == b"new"


def test_an_object_that_never_was_is_gone(shelf: Shelf) -> None:
    with pytest.raises(SourceGone):
        shelf.store.open(Source(shelf.bucket, "nothing.mp4", 1)).read()


def test_a_reader_never_sees_the_bytes_of_another_generation(shelf: Shelf) -> None:
    shelf.put(NAME, b"old" * BLOCK_BYTES)
    with shelf.store.open(shelf.store.stat(shelf.bucket, NAME).source) as file:
        assert file.read(3) == b"old"
        shelf.put(NAME, b"new" * BLOCK_BYTES)
        file.seek(-3, io.SEEK_END)
        with contextlib.suppress(SourceGone):
            assert file.read() == b"old"


def test_what_is_said_to_be_compressed_is_read_as_it_is_kept(cloud_shelf: Shelf, storage_project: str) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    blob = Client(storage_project).bucket(cloud_shelf.bucket).blob(NAME)
    blob.content_encoding = "gzip"
    blob.upload_from_string(bomb, "video/mp4")
    assert len(blob.download_as_bytes()) == 50_000_000  # so the library, left to itself
    assert cloud_shelf.store.read(cloud_shelf.bucket, NAME) == bomb
    with cloud_shelf.store.open(cloud_shelf.store.stat(cloud_shelf.bucket, NAME).source) as file:
        assert file.read() == bomb


def test_what_lies_in_a_folder_is_in_its_bucket_and_half_of_an_object_never_is(tmp_path: Path) -> None:
    (tmp_path / "moves").mkdir()
    (tmp_path / "moves" / "basic.npz").write_bytes(b"a move")
    (tmp_path / "moves" / ".turn.npz.draft").write_bytes(b"half of one")
    store = MemoryBlobStore({"library": tmp_path})
    assert store.names("library") == ["moves/basic.npz"]
    assert store.read("library", "moves/basic.npz") == b"a move"
    assert store.create("library", "moves/turn.npz", b"another", "") is True
    assert store.create("library", "moves/basic.npz", b"another", "") is False
    assert MemoryBlobStore({"library": tmp_path}).names("library") == ["moves/basic.npz", "moves/turn.npz"]
