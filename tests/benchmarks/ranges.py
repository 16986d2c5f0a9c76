"""Requests and bytes that reading a video by ranges takes, by the size of the blocks.

    python -m tests.benchmarks.ranges [VIDEO …]

Without arguments: a sample video with its index at the front, and as phones write it, at the end.
The baseline is the file's own size, fetched once. ``s at 50 ms`` is what the requests alone would
last in a row, at the time that a request to a bucket of the same region takes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import av

from infra.local.sample.video import write_sample
from shared.media import cut, frames, probe, sound
from shared.ranges import RangeReader
from shared.timeline import Segment
from tests.benchmarks.machine import print_table

REQUEST_S = 0.05
BLOCKS_KIB = (256, 1024, 2048, 4096)


class CountedFile:
    """Fetches ranges of a local file and counts them."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        self.requests = 0
        self.fetched = 0

    def fetch(self, start: int, stop: int) -> bytes:
        self.requests += 1
        self.fetched += stop - start
        return self.content[start:stop]


def watch(file: BinaryIO) -> None:
    for _ in frames(file, rate_hz=5.0):
        pass


def cut_in_the_middle(file: BinaryIO) -> None:
    with TemporaryDirectory() as folder:
        cut(file, Segment(10.0, 13.8), Path(folder, "clip.mp4"))


TASKS: dict[str, Callable[[BinaryIO], object]] = {
    "probe": probe,
    "all pictures": watch,
    "all sound": lambda file: sound(file, 22_050, duration_s=900.0),
    "one clip": cut_in_the_middle,
}


def measure(path: Path) -> Iterable[tuple[object, ...]]:
    for name, task in TASKS.items():
        for block_kib in BLOCKS_KIB:
            source = CountedFile(path)
            task(RangeReader(source.fetch, len(source.content), block_kib * 1024))
            ratio = source.fetched / len(source.content)
            yield name, block_kib, source.requests, f"{ratio:.2f}", f"{source.requests * REQUEST_S:.2f}"


def index_at_the_end(video: Path, target: Path) -> Path:
    with av.open(str(video)) as source, av.open(str(target), "w") as copy:
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    return target


def report(path: Path) -> None:
    title = f"{path.name}, {path.stat().st_size / 1e6:.1f} MB"
    print_table(title, ("task", "block KiB", "requests", "bytes / size", "s at 50 ms"), list(measure(path)))


def main() -> None:
    if sys.argv[1:]:
        for name in sys.argv[1:]:
            report(Path(name))
        return
    with TemporaryDirectory() as folder:
        front = Path(folder, "index-at-the-front.mp4")
        write_sample(front, duration_s=60.0)
        report(front)
        report(index_at_the_end(front, Path(folder, "index-at-the-end.mp4")))


if __name__ == "__main__":
    main()
