"""A picture to share: the dance where the song has the most energy, with its name and tempo."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from gpu_job.choreography.footage import Run, runs_of
from gpu_job.choreography.plan import Plan
from gpu_job.drawing import INK, PAPER, Colour, Sheet, clock, fitting, mixed
from shared.errors import PermanentError
from shared.library import Move, MoveLibrary
from shared.media import Picture, Source, shown_at
from shared.music import Music

WIDTH, HEIGHT = 1200, 630  # what messengers and networks show without cutting it
_QUALITY = 88
_SHADE_FROM = 0.45  # of the height; from there down it darkens, so that words can be read on any floor
_DARKEST = 0.85
_MARGIN = 56
_TITLE, _FACTS = 72, 34  # heights of letters
_NIGHT: Colour = mixed(INK, (0, 0, 0), 0.5)
_BRIGHT: Colour = (255, 255, 255)
_SOFT: Colour = (215, 215, 215)
_WITHIN = 0.55
"""Share of a block after which its most characteristic pose tends to come: after the preparation."""


def thumbnail(plan: Plan, music: Music, library: MoveLibrary, opened: Callable[[Move], Source], title: str) -> bytes:
    """A JPEG of :data:`WIDTH` × :data:`HEIGHT` pixels. On plain ground where no clip can be shown."""
    frame = next(_frames(plan, music, library, opened), None)
    sheet = Image.new("RGB", (WIDTH, HEIGHT), _NIGHT) if frame is None else _filling(frame)
    file = io.BytesIO()
    _lettered(_shaded(sheet), title, _facts(plan, music)).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _frames(plan: Plan, music: Music, library: MoveLibrary, opened: Callable[[Move], Source]) -> Iterator[Picture]:
    """Of the blocks that can be shown, those first in whose section the song has the most energy."""

    def energies(run: Run) -> tuple[float, float]:
        slot = run.placed[0].slot
        of_section = music.sections[slot.section].energy if slot.section < len(music.sections) else 0.0
        return of_section, slot.energy

    for run in sorted(runs_of(plan, library), key=energies, reverse=True):
        block = library.segment_of(run.placed[0].block)
        time_s = min(block.start_s + _WITHIN * block.duration_s, (run.move.frames - 0.5) / run.move.frame_rate_hz)
        try:
            yield from (picture for picture in shown_at(opened(run.move), [time_s]) if picture is not None)
        except (PermanentError, FileNotFoundError):
            continue  # the film tells what is missing


def _filling(frame: Picture) -> Image.Image:
    """The middle of the frame, without its black bars, so large that it fills the picture."""
    seen = _without_bars(frame)
    height, width, _ = seen.shape
    scale = max(WIDTH / width, HEIGHT / height)
    large = Image.fromarray(seen).resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
    # Heads are to be seen rather than feet.
    left, top = (large.width - WIDTH) // 2, (large.height - HEIGHT) // 4
    return large.crop((left, top, left + WIDTH, top + HEIGHT))


def _without_bars(frame: Picture) -> Picture:
    """Black edges cut off; all of it where nothing is brighter."""
    bright = frame.max(axis=2) > 24
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if not len(rows):
        return frame
    return np.ascontiguousarray(frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _shaded(picture: Image.Image) -> Picture:
    fall = np.clip((np.linspace(0, 1, HEIGHT) - _SHADE_FROM) / (1 - _SHADE_FROM), 0, 1)[:, None, None] * _DARKEST
    return (np.asarray(picture) * (1 - fall) + np.array(_NIGHT) * fall + 0.5).astype(np.uint8)


def _lettered(picture: Picture, title: str, facts: str) -> Image.Image:
    """Words are drawn on a sheet of their own, whose brightness says where they hide the picture."""
    words, room = Sheet(WIDTH, HEIGHT, (0, 0, 0)), WIDTH - 2 * _MARGIN
    choices = [title, *(f"{title[:length]} …" for length in range(len(title), 0, -1))]
    words.text((_MARGIN, HEIGHT - 112), fitting(choices, room, _TITLE), _BRIGHT, _TITLE, anchor="ls", weight=1.5)
    words.text((_MARGIN, HEIGHT - 52), fitting([facts], room, _FACTS), _SOFT, _FACTS, anchor="ls")
    hidden = np.asarray(words.finished(), np.float32) / 255
    return Image.fromarray((picture * (1 - hidden) + np.array(PAPER) * hidden + 0.5).astype(np.uint8))


def _facts(plan: Plan, music: Music) -> str:
    tempo = [f"{music.tempo_bpm:.0f} BPM"] if music.tempo_bpm else []
    eights = f"{len(plan.placed)} eights" if len(plan.placed) != 1 else "1 eight"
    return "   ·   ".join(["bachata", *tempo, eights, clock(music.duration_s)])
