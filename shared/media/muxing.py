"""An MP4 file as it is written, and what goes wrong meanwhile."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet

# On this clock the edit list says where the sound begins: to a sample, and not to a millisecond.
EDIT_CLOCK_HZ = 48_000


class Unfit(Exception):
    """These packets do not go into an MP4."""


@contextmanager
def muxer(target: Path, **options: str) -> Generator[OutputContainer, None, None]:
    """An MP4 file that can be played while it is loaded, with more of FFmpeg's options. Leaves none where it fails."""
    try:
        with (
            faults_named(target),
            av.open(str(target), "w", format="mp4", container_options={"movflags": "+faststart"} | options) as output,
        ):
            yield output
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@contextmanager
def faults_named(target: Path) -> Generator[None, None, None]:
    """What writing ``target`` raises: OSError for the disk, Unfit for what MP4 cannot hold."""
    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise Unfit(str(error)) from error


def decoding_time(packet: Packet[Any]) -> float:
    assert packet.dts is not None
    return float(packet.dts * packet.time_base)
