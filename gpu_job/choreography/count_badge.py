"""The count and the move's name in a corner of a picture, as a teacher would call them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.footage import Run
from gpu_job.drawing import MOVE_COLOURS, Sheet, mixed, text_width
from gpu_job.titles import name_of
from shared.media import Picture
from shared.music import COUNTS_PER_EIGHT, Music
from shared.timeline import FloatArray, IntArray

_HEIGHT = 96  # of the badge, in units: a 720th of the picture's height each
_MARGIN, _PADDING = 28, 22
_COUNT_WIDTH = 66
_COUNT_SIZE, _NAME_SIZE = 76, 34  # heights of letters
_WHITE, _BLACK, _NIGHT = (255, 255, 255), (0, 0, 0), (24, 22, 30)
_OPACITY = 0.62
_ALPHA = mixed(_BLACK, _WHITE, _OPACITY)
_DOT, _DOT_SPACING = 5.0, 22.0
FULL_HEIGHT = 720


@dataclass(frozen=True, slots=True, eq=False)
class Badges:
    """What is called at each of ``F`` frames.

    ``counts`` ``(F,)`` 1 … 8, 0 where nothing is danced
    ``names``  of the moves
    ``moves``  ``(F,)`` which of them
    """

    counts: IntArray
    names: tuple[str, ...]
    moves: IntArray

    @classmethod
    def of(cls, runs: Sequence[Run], music: Music, times_s: FloatArray) -> Badges:
        """Counts as the song has them, from the first slot to the last."""
        placed = [(each.slot, name_of(run.move.annotation.label)) for run in runs for each in run.placed]
        beats = np.floor(music.beats.beat_of(times_s) + 1e-6).astype(np.int64)
        moves = np.searchsorted([slot.first_beat for slot, _ in placed], beats, side="right") - 1
        last, _ = placed[-1]
        is_danced = (moves >= 0) & (beats < last.first_beat + last.counts)
        counts = music.counts[np.clip(beats, 0, len(music.counts) - 1)]
        return cls(np.where(is_danced, counts, 0), tuple(name for _, name in placed), moves)

    def laid_over(self, picture: Picture, frame: int) -> Picture:
        """The picture with its badge in the upper left corner: the feet are below."""
        count = int(self.counts[frame])
        if not count:
            return picture
        patch, alpha = _badge(self.names[self.moves[frame]], count, picture.shape[0] / FULL_HEIGHT)
        margin = round(_MARGIN * picture.shape[0] / FULL_HEIGHT)
        height, width = (min(a, b - margin) for a, b in zip(patch.shape[:2], picture.shape[:2], strict=True))
        laid = picture.copy()
        corner = laid[margin : margin + height, margin : margin + width]
        corner[:] = corner * (1 - alpha[:height, :width]) + patch[:height, :width]
        return laid


@functools.lru_cache(maxsize=64)
def _badge(name: str, count: int, scale: float) -> tuple[FloatArray, FloatArray]:
    """``(H, W, 3)`` 0 … 255 premultiplied, and ``(H, W, 1)`` 0 … 1, how much of the picture it hides."""
    ink, cover = (_drawn(name, count, scale, is_cover=is_cover) for is_cover in (False, True))
    alpha = cover[:, :, :1].astype(np.float32) / 255
    return ink * alpha, alpha


def _drawn(name: str, count: int, scale: float, *, is_cover: bool) -> Picture:
    """The badge, or in shades of grey how much each point of it hides."""
    width = _width(name)
    sheet = Sheet(round(width * scale), round(_HEIGHT * scale), _BLACK if is_cover else _NIGHT)
    sheet.box((0, 0), (width * scale, _HEIGHT * scale), _ALPHA if is_cover else _NIGHT, 18 * scale)
    ink = _WHITE
    x = _PADDING + _COUNT_WIDTH / 2
    sheet.text((x * scale, _HEIGHT / 2 * scale), str(count), ink, _COUNT_SIZE * scale, anchor="mm", weight=scale)
    x = _PADDING + _COUNT_WIDTH + _PADDING
    sheet.text((x * scale, 38 * scale), name, ink, _NAME_SIZE * scale, anchor="lm")
    for number in range(1, COUNTS_PER_EIGHT + 1):
        at = ((x + _DOT + (number - 1) * _DOT_SPACING) * scale, 72 * scale)
        if number <= count:
            sheet.ellipse(at, (_DOT * scale, _DOT * scale), ink if is_cover else MOVE_COLOURS[3])
        else:
            sheet.ellipse(at, (_DOT * scale / 2, _DOT * scale / 2), ink)
    return np.asarray(sheet.finished())


def _width(name: str) -> float:
    dots = 2 * _DOT + (COUNTS_PER_EIGHT - 1) * _DOT_SPACING
    return 3 * _PADDING + _COUNT_WIDTH + max(text_width(name, _NAME_SIZE), dots)
