"""What glibc does with memory. Without glibc nothing is done."""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8  # malloc.h


def share_one_arena() -> None:
    """Let all threads allocate from one pool (glibc). To be called before any thread starts: a pool that is there
    goes on to be used.

    With a pool for each thread a ten-minute video held 350 MB by its twelfth shard, and ever more;
    with one pool 75 MB, and no more.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_ARENA_MAX, 1)


def give_memory_back() -> None:
    """Free pages go back to the system, which glibc does by itself only at the end of its heap."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
