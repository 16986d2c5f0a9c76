"""How a student's dance is laid on a teacher's, and from where each was seen."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.comparison.alignment import aligned
from gpu_job.comparison.comparing import compare
from gpu_job.comparison.findings import AlignedBy
from tests.gpu_job.comparison.danced import (
    cut,
    hidden,
    late,
    mirrored,
    noisy,
    performed,
    silent,
    taken,
    to_other_music,
    turned,
    with_arms,
)


@pytest.mark.parametrize("start_s", [0.3, 1.04, 3.0])
def test_a_recording_that_begins_later_is_laid_where_it_belongs(start_s):
    lay = aligned(performed(0, start_s=start_s), taken(0)).lay

    assert lay.by is AlignedBy.SOUND
    assert lay.student.beats_s - lay.teacher.beats_s == pytest.approx(-start_s, abs=0.02)


@pytest.mark.parametrize("ratio", [0.9, 1.1])
def test_another_tempo_is_followed(ratio):
    found = aligned(performed(0, tempo_bpm=126 * ratio, duration_s=20 / ratio), taken(0))

    assert found.lay.ratio == pytest.approx(1 / ratio, rel=0.005)
    assert found.fit > 0.9


def test_lateness_is_not_laid_away_where_the_sound_is_the_same():
    lay = aligned(performed(0, late_s=0.4), taken(0)).lay

    assert lay.student.beats_s - lay.teacher.beats_s == pytest.approx(0, abs=0.01)


def test_other_recordings_are_laid_count_on_count():
    found = aligned(to_other_music(performed(0, tempo_bpm=132, duration_s=19)), taken(0))

    assert found.lay.by is AlignedBy.BEATS
    assert found.fit > 0.9


def test_without_sound_the_motion_decides():
    found = aligned(silent(late(taken(0), 15)), taken(0))

    assert found.lay.by is AlignedBy.MOTION
    assert np.median(found.lay.student.beats_s - found.lay.teacher.beats_s) == pytest.approx(1.0, abs=0.07)


@pytest.mark.parametrize("samples", range(0, 8, 2))
def test_a_late_dancer_is_not_taken_for_a_mirror_image_nor_the_other_way_round(samples):
    assert not aligned(late(noisy(taken(2), 0.01), samples), taken(2)).mirrored
    assert aligned(late(noisy(mirrored(taken(2)), 0.01), samples), taken(2)).mirrored


@pytest.mark.parametrize("degrees", [-120, -30, 45, 170])
def test_the_facing_is_found(degrees):
    found = aligned(turned(taken(0), degrees), taken(0))

    assert np.rad2deg(found.turned_rad) == pytest.approx(-degrees, abs=1)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_wrong_arms_do_not_move_a_dance_elsewhere(seed):
    found = aligned(with_arms(taken(seed), taken(seed + 100)), taken(seed))

    assert not found.mirrored
    assert found.lay.student.beats_s - found.lay.teacher.beats_s == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("student", "teacher"),
    [((0, 30), (0, 30)), ((20, 40), (20, 40)), ((45, 60), (0, 20)), ((0, 40), (0, 0)), ((30, 60), (0, 14))],
)
def test_a_silent_dance_of_which_parts_are_hidden_is_laid_by_what_is_jointly_seen(student, teacher):
    whole = silent(taken(0, duration_s=60.0))

    found = compare(hidden(whole, student), hidden(whole, teacher))

    assert found.alignment.offset_s == pytest.approx(0, abs=0.1)
    assert (found.overall.score or 0) >= 90


def test_a_short_lesson_is_found_late_in_a_long_silent_video():
    student = taken(0, duration_s=150.0)

    found = compare(silent(student), silent(cut(student, 90, 102)))

    assert found.alignment.by is AlignedBy.MOTION
    assert found.alignment.offset_s == pytest.approx(90, abs=0.1)
    assert (found.overall.score or 0) >= 95


def test_a_short_lesson_is_found_by_counts_late_in_a_long_video_to_other_music():
    student = taken(0, duration_s=150.0)

    found = compare(student, cut(student, 90, 102))

    assert found.alignment.by is AlignedBy.BEATS
    assert found.alignment.offset_s == pytest.approx(90, abs=0.1)
    assert (found.overall.score or 0) >= 95
