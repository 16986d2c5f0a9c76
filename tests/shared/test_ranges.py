"""A file over ranges reads as the bytes themselves, and fetches no more than it must."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SourceGone, Unavailable
from shared.ranges import RangeReader, open_ranges

CONTENT = bytes(range(256)) * 2
BLOCK = 100


class Fetched:
    """Ranges of CONTENT, and which were asked for."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, start: int, stop: int) -> bytes:
        assert 0 <= start < stop <= len(self.content)
        self.ranges.append((start, stop))
        return self.content[start:stop]


SEEKS = st.tuples(
    st.just("seek"),
    st.one_of(
        st.tuples(st.integers(0, 600), st.just(io.SEEK_SET)),
        st.tuples(st.integers(-600, 600), st.just(io.SEEK_CUR)),
        st.tuples(st.integers(-600, 100), st.just(io.SEEK_END)),
    ),
)
READS = st.tuples(st.just("read"), st.integers(-1, 300))


@given(st.lists(st.one_of(SEEKS, READS), max_size=30), st.integers(1, 600), st.integers(0, len(CONTENT)))
def test_it_reads_as_a_file_in_memory_does(steps: list, block_bytes: int, size: int) -> None:
    ours, theirs = open_ranges(Fetched(CONTENT[:size]), size, block_bytes), io.BytesIO(CONTENT[:size])
    for step, argument in steps:
        if step == "read":
            assert ours.read(argument) == theirs.read(argument)
        elif reachable(theirs, *argument):
            assert ours.seek(*argument) == theirs.seek(*argument)
        assert ours.tell() == theirs.tell()


def reachable(file: io.BytesIO, offset: int, whence: int) -> bool:
    base = {io.SEEK_SET: 0, io.SEEK_CUR: file.tell(), io.SEEK_END: len(file.getbuffer())}[whence]
    return base + offset >= 0


def test_before_the_beginning_there_is_nothing() -> None:
    with pytest.raises(ValueError, match="before the beginning"):
        RangeReader(Fetched(), len(CONTENT)).seek(-1, io.SEEK_SET)


def test_a_block_is_fetched_once_however_little_is_read() -> None:
    fetched = Fetched()
    reader = RangeReader(fetched, len(CONTENT), BLOCK)
    for i in range(150):
        reader.seek(i)
        assert reader.read(1) == CONTENT[i : i + 1]
    assert fetched.ranges == [(0, 100), (100, 200)]


def test_going_to_and_fro_between_kept_blocks_fetches_nothing_anew() -> None:
    fetched = Fetched()
    reader = RangeReader(fetched, len(CONTENT), BLOCK, kept_blocks=2)
    for position in [0, 500, 10, 510, 20]:
        reader.seek(position)
        reader.read(1)
    assert fetched.ranges == [(0, 100), (500, 512)]


def test_the_block_that_was_used_least_recently_is_given_up() -> None:
    fetched = Fetched()
    reader = RangeReader(fetched, len(CONTENT), BLOCK, kept_blocks=2)
    for position in [0, 100, 0, 200, 0, 100]:
        reader.seek(position)
        reader.read(1)
    assert fetched.ranges == [(0, 100), (100, 200), (200, 300), (100, 200)]


def test_an_empty_file_is_never_asked_for() -> None:
    assert open_ranges(Fetched(b""), 0).read() == b""


def test_what_the_fetching_raises_is_raised() -> None:
    def gone(start: int, stop: int) -> bytes:
        raise SourceGone

    with pytest.raises(SourceGone):
        open_ranges(gone, 10).read()


def test_a_range_that_came_short_may_come_whole_the_next_time() -> None:
    def short(start: int, stop: int) -> bytes:
        return CONTENT[start : stop - 1]

    with pytest.raises(Unavailable, match="0 to 100"):
        RangeReader(short, len(CONTENT), BLOCK).read(1)
