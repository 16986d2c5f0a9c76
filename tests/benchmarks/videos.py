"""Long videos from short ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av


def repeated(video: Path, times: int, target: Path) -> Path:
    """The packets of ``video``, ``times`` over, in ``target``. Nothing is encoded."""
    with av.open(str(video)) as source, av.open(str(target), "w", options={"movflags": "+faststart"}) as copy:
        length_s = source.duration / av.time_base
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for round_number in range(times):
            source.seek(0)
            for packet in source.demux():
                if packet.dts is not None:
                    copy.mux(_later(packet, round_number * length_s, streams))
    return target


def _later(packet: Any, by_s: float, streams: dict[int, Any]) -> Any:
    ticks = round(by_s / packet.time_base)
    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
    packet.stream = streams[packet.stream.index]
    return packet
