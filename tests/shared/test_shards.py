"""Chunks and shards tile a recording, and chunks never move."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.timeline import SampleSpan, chunks, nearest_sample, sample_count, shards

CHUNK_S = 9.375
COUNTS = st.integers(0, 3_000)  # hours of video would only be slow: the arithmetic is the same
RATES_HZ = st.one_of(st.sampled_from([5.0, 10.0, 15.0, 24.0, 25.0, 30.0, 30_000 / 1001, 60.0]), st.floats(1, 240))
CHUNKS_S = st.floats(1.0, 60.0)
UNHURRIED = settings(deadline=None)  # a busy machine is no failure
LEAST = st.integers(1, 64)


def assert_tile(spans: tuple[SampleSpan, ...], count: int) -> None:
    edges = [0, *itertools.chain.from_iterable((span.start, span.stop) for span in spans), count]
    assert edges[0::2] == edges[1::2], "each starts where the one before it stops"
    assert all(len(span) > 0 for span in spans)


@UNHURRIED
@given(COUNTS, RATES_HZ, CHUNKS_S)
def test_chunks_tile_every_recording(count: int, rate_hz: float, chunk_s: float) -> None:
    assert_tile(chunks(count, rate_hz, chunk_s), count)


@UNHURRIED
@given(COUNTS, RATES_HZ, CHUNKS_S)
def test_chunks_start_on_the_grid_and_none_is_tiny_or_long(count: int, rate_hz: float, chunk_s: float) -> None:
    spans = chunks(count, rate_hz, chunk_s)
    for i, span in enumerate(spans):
        assert span.start == nearest_sample(i * chunk_s, rate_hz)
        assert len(span) <= 1.5 * chunk_s * rate_hz + 1
        assert len(spans) == 1 or len(span) >= 0.5 * chunk_s * rate_hz - 1


@UNHURRIED
@given(COUNTS, COUNTS, RATES_HZ)
def test_a_longer_recording_keeps_the_chunks_of_a_shorter_one_but_its_last(
    count: int, more: int, rate_hz: float
) -> None:
    shorter, longer = chunks(count, rate_hz, CHUNK_S), chunks(count + more, rate_hz, CHUNK_S)
    kept = shorter[:-1]
    assert longer[: len(kept)] == kept


@UNHURRIED
@given(COUNTS, RATES_HZ, CHUNKS_S, LEAST, LEAST)
def test_shards_tile_and_are_whole_chunks(
    count: int, rate_hz: float, chunk_s: float, max_shards: int, chunks_per_shard: int
) -> None:
    spans = shards(count, rate_hz, chunk_s=chunk_s, max_shards=max_shards, chunks_per_shard=chunks_per_shard)
    pieces = chunks(count, rate_hz, chunk_s)
    assert_tile(spans, count)
    assert len(spans) <= max_shards
    assert {span.start for span in spans} <= {piece.start for piece in pieces}
    sizes = [sum(span.start <= piece.start < span.stop for piece in pieces) for span in spans]
    assert not sizes or max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("duration_s", "expected"), [(0, 0), (0.1, 1), (20, 1), (60, 3), (600, 32), (3600, 32)])
@pytest.mark.parametrize("rate_hz", [15.0, 30.0])
def test_a_short_video_is_one_shard_and_ten_minutes_are_thirty_two(
    duration_s: float, expected: int, rate_hz: float
) -> None:
    count = sample_count(duration_s, rate_hz)
    assert len(shards(count, rate_hz, chunk_s=CHUNK_S, max_shards=32)) == expected


def test_ten_minutes_are_sixty_four_chunks() -> None:
    assert len(chunks(9000, 15, CHUNK_S)) == 64


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 2)])
def test_a_span_cannot_begin_before_the_recording_nor_stop_before_it_starts(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="no samples run"):
        SampleSpan(start, stop)


def test_a_chunk_shorter_than_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample"):
        chunks(10, 1, 0.5)


@pytest.mark.parametrize(("max_shards", "chunks_per_shard"), [(0, 2), (4, 0)])
def test_less_than_one_shard_or_one_chunk_is_refused(max_shards: int, chunks_per_shard: int) -> None:
    with pytest.raises(ValueError, match="the least"):
        shards(10, 1, chunk_s=2, max_shards=max_shards, chunks_per_shard=chunks_per_shard)
