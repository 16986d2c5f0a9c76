"""How a coded picture is shown: turned by its display matrix, stretched to square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

WIDEST_PIXEL = 4.0  # width / height of one pixel; anamorphic film has 2, damaged headers anything


@dataclass(frozen=True, slots=True)
class Orientation:
    """``rotation``: degrees clockwise, 0, 90, 180 or 270. ``pixel_aspect``: width / height of a coded pixel."""

    rotation: int
    pixel_aspect: float

    @classmethod
    def of(cls, stream: VideoStream, frame: VideoFrame) -> Self:
        # FFmpeg counts counter-clockwise; a matrix that leans is taken for the nearest quarter turn.
        rotation = round(-frame.rotation / 90) * 90 % 360
        aspect = float(stream.sample_aspect_ratio or 1)
        return cls(rotation, aspect if 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL else 1.0)

    @property
    def is_sideways(self) -> bool:
        return self.rotation in (90, 270)

    def shown(self, width: int, height: int) -> tuple[int, int]:
        """Size of the coded picture → size as shown, both (width, height), pixels."""
        width = max(1, round(width * self.pixel_aspect))
        return (height, width) if self.is_sideways else (width, height)

    def scaled(self, width: int, height: int, max_height: int | None) -> tuple[int, int]:
        """Size before turning, (width, height), at which the picture is shown ``max_height`` high at most."""
        shown_width, shown_height = self.shown(width, height)
        scale = min(1.0, (max_height or shown_height) / shown_height)
        width, height = max(1, round(shown_width * scale)), max(1, round(shown_height * scale))
        return (height, width) if self.is_sideways else (width, height)
