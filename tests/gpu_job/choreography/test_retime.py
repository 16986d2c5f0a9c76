"""Blocks are played a little faster or slower, within a limit, and say what that costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_job.choreography.plan import Slot
from gpu_job.choreography.retime import COST_AT_LIMIT, FASTEST, SLOWEST, retiming
from gpu_job.choreography.slots import slots
from shared.library import MoveLibrary
from shared.timeline import BeatGrid, Segment
from tests.gpu_job.choreography.making import a_library, a_song


def _everything(places: tuple[Slot, ...], library: MoveLibrary) -> np.ndarray:
    return np.ones((len(places), len(library)), dtype=bool)


def test_the_ratio_is_that_of_the_tempi() -> None:
    library, places = a_library(20), slots(a_song(tempo_bpm=130, pickup=3))
    found = retiming(places, library, _everything(places, library))
    assert found.ratio == pytest.approx(np.broadcast_to(library.tempo_bpm / 130, found.ratio.shape), rel=1e-6)


def test_a_short_slot_is_held_against_the_first_beats_of_a_block() -> None:
    library = a_library(3)
    beats = library.moves[0].beats.time_of(library.moves[0].blocks[0] + np.array([0, 3]))
    slot = Slot(0, 3, Segment(1.0, 1.0 + 1.05 * float(beats[1] - beats[0])), 0, 0.5)
    assert retiming([slot], library, _everything((slot,), library)).ratio[0, 0] == pytest.approx(1.05)


def test_the_own_tempo_costs_nothing_and_twice_the_way_four_times() -> None:
    library = a_library(1, tempo_bpm=(128, 128))
    for tempo_bpm, cost in ((128, 0.0), (128 / SLOWEST, COST_AT_LIMIT), (128 / SLOWEST**0.5, COST_AT_LIMIT / 4)):
        places = slots(a_song(tempo_bpm=tempo_bpm))
        assert retiming(places, library, _everything(places, library)).cost[0, 0] == pytest.approx(cost, abs=1e-6)


def test_the_limits_are_hard_where_a_block_keeps_them() -> None:
    library, places = a_library(60, tempo_bpm=(100, 160)), slots(a_song(tempo_bpm=128))
    found = retiming(places, library, _everything(places, library))
    assert found.met.all()
    assert np.array_equal(found.fits, (found.ratio >= FASTEST) & (found.ratio <= SLOWEST))
    assert 0 < found.fits.mean() < 1


def test_else_the_nearest_are_taken_and_it_is_said() -> None:
    library, places = a_library(60, tempo_bpm=(100, 140)), slots(a_song(tempo_bpm=165))
    found = retiming(places, library, _everything(places, library))
    assert not found.met.any()
    assert found.fits.any(axis=1).all()
    assert library.tempo_bpm[found.fits[0]].min() >= library.tempo_bpm.max() / 1.03 - 1e-6


def test_a_block_that_may_not_be_danced_meets_no_limit() -> None:
    library, places = a_library(60, tempo_bpm=(100, 160)), slots(a_song(tempo_bpm=128))
    slow = np.broadcast_to(library.tempo_bpm < 110, (len(places), len(library)))
    found = retiming(places, library, slow)
    assert not found.met.any()
    assert not found.fits[~slow].any()
    assert found.fits.any(axis=1).all()


def test_a_block_that_ends_with_the_last_beat_of_its_clip_lasts_as_long_as_others() -> None:
    move = a_library(1, tempo_bpm=(120, 120)).moves[0]
    beats = move.beats.beats_s[: move.blocks[-1] + 8]
    cut = replace(move, beats=BeatGrid(beats, move.beats.positions[: len(beats)]))
    library, places = MoveLibrary.of([cut]), slots(a_song(tempo_bpm=120))
    assert retiming(places, library, _everything(places, library)).ratio == pytest.approx(1.0)
