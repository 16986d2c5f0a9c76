"""A seekable file over anything that can be fetched by ranges of bytes.

It keeps a few blocks, because a reader of MP4 goes to and fro between the index, the sound and the
picture. It does not know where the bytes come from.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from typing import BinaryIO

from shared.errors import Unavailable

BLOCK_BYTES = 2 * 1024 * 1024
"""At 50 ms a request, 2 MiB blocks bring 40 MB/s, ten times what a decoder of 720p takes; probing a
file takes one or two of them (tests/benchmarks/ranges.py)."""

KEPT_BLOCKS = 4
"""The head, the index at the end, and one for each of sound and picture."""

Fetch = Callable[[int, int], bytes]
"""The bytes from ``start`` up to, not including, ``stop``; both lie within the file."""


def open_ranges(fetch: Fetch, size: int, block_bytes: int = BLOCK_BYTES) -> BinaryIO:
    """A buffered reader of ``size`` bytes; what ``fetch`` raises, its ``read`` raises."""
    return io.BufferedReader(RangeReader(fetch, size, block_bytes))


class RangeReader(io.RawIOBase):
    """Reads whole blocks, and keeps those used last."""

    def __init__(self, fetch: Fetch, size: int, block_bytes: int = BLOCK_BYTES, kept_blocks: int = KEPT_BLOCKS) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._block_bytes = block_bytes
        self._kept_blocks = kept_blocks
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Beyond the end is allowed, as in any file; there is nothing to read there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}, before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - all buffers come as views
        """Fills ``buffer`` up to the end of the current block."""
        if self._position >= self._size:
            return 0
        index, offset = divmod(self._position, self._block_bytes)
        piece = self._block(index)[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _block(self, index: int) -> bytes:
        if index not in self._blocks:
            self._blocks[index] = self._fetched(index)
            if len(self._blocks) > self._kept_blocks:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(index)
        return self._blocks[index]

    def _fetched(self, index: int) -> bytes:
        start = index * self._block_bytes
        stop = min(start + self._block_bytes, self._size)
        block = self._fetch(start, stop)
        if len(block) != stop - start:
            raise Unavailable(f"asked for the bytes {start} to {stop}, got {len(block)}")
        return block
