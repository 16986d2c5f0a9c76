"""What is shown of which clip, and when: a plan as stretches of film. Knows beats and frames, no packets.

A clip's beats are laid upon the song's, on straight lines from beat to beat: so the dancers' steps are on the music,
though neither keeps its tempo. All times come from the song's beats, none from the time before: nothing adds up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.plan import Placed, Plan
from shared.library import Move, MoveLibrary
from shared.media import Source, Take
from shared.music import COUNTS_PER_EIGHT, Music
from shared.timeline import FloatArray, Segment, sample_times_s

SHORTEST_S = 0.01
"""No screen shows a picture for less: such a one before a cut is left out."""


@dataclass(frozen=True, slots=True)
class Run:
    """Blocks of one clip that go on from one another, in slots that do: danced without a cut.

    ``clip_beat`` place in the clip's beats of the first
    """

    placed: tuple[Placed, ...]
    move: Move
    clip_beat: int

    @property
    def song_beat(self) -> int:
        """Place in the song's beats of the first."""
        return self.placed[0].slot.first_beat

    @property
    def start_s(self) -> float:
        """In the song."""
        return self.placed[0].slot.segment.start_s

    @property
    def first_frame(self) -> int:
        """The key frame nearest to the clip's first beat."""
        return self.move.frame_of(float(self.move.beats.time_of(self.clip_beat)))

    def song_s(self, clip_s: FloatArray, music: Music) -> FloatArray:
        """Seconds of the clip → of the song."""
        return music.beats.time_of(self.song_beat + self.move.beats.beat_of(clip_s) - self.clip_beat)

    def clip_s(self, song_s: FloatArray, music: Music) -> FloatArray:
        """The inverse of :meth:`song_s`."""
        return self.move.beats.time_of(self.clip_beat + music.beats.beat_of(song_s) - self.song_beat)


def runs_of(plan: Plan, library: MoveLibrary) -> tuple[Run, ...]:
    """The plan's blocks in their order, those together that flow into each other."""
    joints = [i for i in range(1, len(plan.placed)) if not _flows(plan.placed[i - 1], plan.placed[i], library)]
    edges = [0, *joints, len(plan.placed)] if plan.placed else []
    return tuple(_run(plan.placed[first:end], library) for first, end in itertools.pairwise(edges))


def _flows(one: Placed, other: Placed, library: MoveLibrary) -> bool:
    is_whole = one.slot.counts == COUNTS_PER_EIGHT
    is_next = one.slot.first_beat + one.slot.counts == other.slot.first_beat
    return is_whole and is_next and library.is_followed_by(one.block, other.block)


def _run(placed: tuple[Placed, ...], library: MoveLibrary) -> Run:
    move, number = library.move_of(placed[0].block), int(library.number[placed[0].block])
    return Run(placed, move, int(move.blocks[number]))


def spans_of(runs: Sequence[Run], music: Music) -> tuple[Segment, ...]:
    """When each run is shown: until the next begins, the first from the start of the song, the last to its end."""
    starts = [0.0, *(run.start_s for run in runs[1:])]
    ends = [*starts[1:], max(music.duration_s, runs[-1].start_s + SHORTEST_S)]
    return tuple(Segment(start_s, end_s) for start_s, end_s in zip(starts, ends, strict=True))


def takes_of(runs: Sequence[Run], music: Music, opened: Callable[[Move], Source]) -> tuple[Take, ...]:
    """A take for each run, whose first frame is shown from exactly its first beat on.

    Where a run's clip ends early, or the next run is left out, the clip goes on as long as it has frames; then
    its last one stands.
    """
    spans = spans_of(runs, music)
    return tuple(_take(run, span, music, opened(run.move)) for run, span in zip(runs, spans, strict=True))


def _take(run: Run, span: Segment, music: Music, source: Source) -> Take:
    rate_hz, first = run.move.frame_rate_hz, run.first_frame
    after_first_s = run.song_s(sample_times_s(run.move.frames, rate_hz)[first + 1 :], music)
    seen_s = after_first_s[after_first_s < span.end_s - SHORTEST_S]
    return Take(source, first, np.concatenate([[run.start_s], seen_s]))
