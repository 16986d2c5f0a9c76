"""Two dances compared: what the whole gives, for whom, and that it always gives numbers or says why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.comparison.comparing import compare
from gpu_job.comparison.findings import AlignedBy, Comparison, Limb, Take
from gpu_job.comparison.grading import LEAST_FORM
from gpu_job.segmentation.moves import Move
from shared.errors import CannotCompare
from shared.features import AudioFeatures, PoseFeatures
from tests.gpu_job.comparison.danced import (
    HALVES,
    disturbed,
    late,
    mirrored,
    noisy,
    performed,
    rolled,
    silent,
    standing,
    taken,
    turned,
    with_arms,
    without,
)

LEGS = list(range(25, 33))
TAUGHT = ((0.5, "cross_body_lead", "A"), (4.5, "unknown", "B"), (8.5, "unknown", "A"))


def score(found: Comparison) -> float:
    assert found.overall.score is not None
    return found.overall.score


def test_the_teacher_again_is_perfect():
    found = compare(taken(0), taken(0))

    assert score(found) > 99
    assert found.warnings == ()
    assert found.worst == ()
    assert found.alignment.by is AlignedBy.SOUND


def test_somebody_who_dances_other_moves_has_next_to_nothing():
    one, other = (performed(1, vocabulary=half) for half in HALVES)

    assert score(compare(one, other)) < 25


def test_nobody_is_late_with_another_dance():
    one, other = (performed(1, vocabulary=half) for half in HALVES)
    moves = [Move(start, start + 4.0, 8.0, label, 0.0, (), letter, 1.0) for start, label, letter in TAUGHT]

    found = compare(one, other, moves)

    assert (found.form or 0) < LEAST_FORM
    assert found.overall.lateness is None
    assert [move.grade.lateness for move in found.moves if (move.grade.score or 0) < 5] == [None] * 2


@pytest.mark.parametrize("metres", [0.0, 0.01])
def test_standing_still_is_no_dancing(metres):
    assert score(compare(noisy(standing(taken(0)), metres), taken(0))) < 15


def test_who_is_later_has_less():
    scores = [score(compare(performed(0, late_s=late_s), taken(0))) for late_s in (0.0, 0.1, 0.2, 0.3, 0.4)]

    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 40


def test_the_more_noise_the_less():
    scores = [score(compare(noisy(taken(0), metres), taken(0))) for metres in (0.0, 0.03, 0.06, 0.1)]

    assert scores == sorted(scores, reverse=True)


def test_a_mirror_image_is_seen_through():
    found = compare(mirrored(taken(0)), taken(0))

    assert found.alignment.mirrored
    assert score(found) > 98
    assert [notice.code for notice in found.warnings] == ["MIRRORED"]


def test_a_phone_held_sideways_is_turned():
    found = compare(rolled(taken(0)), taken(0))

    assert found.alignment.rolled_deg == 90
    assert score(found) > 98


def test_a_teachers_phone_held_sideways_is_turned_and_told_apart_from_the_students():
    found = compare(taken(0), rolled(taken(0)))

    assert (found.alignment.rolled_deg, found.alignment.teacher_rolled_deg) == (0, 90)
    assert score(found) > 98
    assert found.warnings == ()


def test_where_the_camera_stood_does_not_matter():
    assert score(compare(turned(taken(0), 60), taken(0))) > 97


@pytest.mark.parametrize("degrees", [-120, -30, 45, 120])
def test_who_faces_further_to_the_left_in_the_picture_is_turned_by_more_than_0(degrees):
    student = turned(taken(0), degrees)

    assert compare(student, taken(0)).alignment.turned_deg == pytest.approx(degrees, abs=1)
    assert (nose_x(student) < nose_x(taken(0))) is (degrees > 0)


def test_a_turn_is_that_of_the_picture_once_it_is_mirrored():
    found = compare(mirrored(turned(taken(0), 45)), taken(0)).alignment

    assert found.mirrored
    assert found.turned_deg == pytest.approx(45, abs=1)


def nose_x(take: Take) -> float:
    """How far to the right in the picture the nose is of the shoulders' middle."""
    world = take.pose.world
    return float(np.mean(world[:, 0, 0] - world[:, [11, 12], 0].mean(axis=1)))


def test_without_sound_the_motion_tells_the_form_and_no_lateness():
    found = compare(silent(late(taken(0), 3)), taken(0))

    assert found.alignment.by is AlignedBy.MOTION
    assert score(found) > 97
    assert found.overall.lateness is None
    assert np.isnan(found.curves.lateness_ms).all()
    assert "NO_COMMON_MUSIC" in [notice.code for notice in found.warnings]


@pytest.mark.parametrize("limb", list(Limb))
def test_the_limb_that_differs_is_named(limb):
    found = compare(disturbed(taken(1), limb), taken(1))

    scores = {each: grade.score for each, grade in found.limbs.items()}
    assert min(scores, key=lambda each: scores[each] or 0.0) is limb
    assert found.worst
    assert score(found) > 50


def test_wrong_arms_leave_the_rest_of_the_dancer_as_good_as_it_was():
    found = compare(with_arms(taken(1), taken(101)), taken(1))

    assert not found.alignment.mirrored
    assert found.alignment.offset_s == pytest.approx(0, abs=0.02)
    assert min(found.limbs[limb].score or 0 for limb in (Limb.LEFT_LEG, Limb.RIGHT_LEG, Limb.TORSO)) > 95


def test_legs_out_of_the_picture_are_not_judged():
    found = compare(without(taken(0), LEGS), taken(0))

    assert found.limbs[Limb.LEFT_LEG].score is None
    assert (found.limbs[Limb.LEFT_ARM].score or 0) > 95
    assert "The left leg cannot be seen well enough to be judged." in found.unseen


def test_nobody_in_the_picture_has_no_score():
    found = compare(without(taken(0), list(range(33))), taken(0))

    assert found.overall.score is None
    assert len(found.unseen) == 1


def test_moves_have_grades_of_their_own():
    moves = [Move(start, start + 4.0, 8.0, label, 0.0, (), letter, 1.0) for start, label, letter in TAUGHT]
    student = with_late_start(taken(2))

    graded = compare(student, taken(2), moves).moves

    assert [move.label for move in graded] == ["cross body lead", "move B", "move A"]
    assert [move.letter for move in graded] == ["A", "B", "A"]
    assert (graded[0].grade.score or 0) < (graded[2].grade.score or 0)


def with_late_start(take: Take) -> Take:
    """Stands for five seconds, then dances."""
    rows = np.maximum(np.arange(len(take.pose)), round(5 * take.pose.rate_hz))
    pose = take.pose
    still = replace(pose, image=pose.image[rows], world=pose.world[rows], visibility=pose.visibility[rows])
    return Take(still, take.audio)


@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_less_than_a_bar_cannot_be_compared(count):
    with pytest.raises(CannotCompare):
        compare(first(taken(0), count), taken(0))
    with pytest.raises(CannotCompare):
        compare(taken(0), first(taken(0), count))


def first(take: Take, count: int) -> Take:
    pose = take.pose
    return Take(PoseFeatures(pose.rate_hz, pose.image[:count], pose.world[:count], pose.visibility[:count]), take.audio)


@st.composite
def damaged(draw: st.DrawFn) -> Take:
    """A dance of which samples are missing, landmarks hidden, bodies of no size, the sound gone."""
    take = first(taken(draw(st.integers(0, 1))), draw(st.sampled_from([1, 2, 35, 60, 300])))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    pose = take.pose
    image, world, visibility = pose.image.copy(), pose.world.copy(), pose.visibility.copy()
    gone = rng.random(visibility.shape) < draw(st.sampled_from([0.0, 0.1, 0.7]))
    gone |= rng.random((len(pose), 1)) < draw(st.sampled_from([0.0, 0.2, 0.9, 1.0]))
    image[gone], world[gone], visibility[gone] = np.nan, np.nan, 0.0
    still = rng.random(len(pose)) < draw(st.sampled_from([0.0, 0.2, 1.0]))
    image[still], world[still] = 0.0, 0.0
    if draw(st.booleans()):
        world[:] = np.nan
    silence = AudioFeatures.silent(len(pose) / pose.rate_hz, pose.rate_hz)
    audio = silence if draw(st.booleans()) else take.audio
    return Take(replace(pose, image=image, world=world, visibility=visibility), audio)


@settings(max_examples=40, deadline=None)
@given(damaged(), damaged())
def test_there_are_numbers_or_a_reason_never_nan(student, teacher):
    try:
        found = compare(student, teacher)
    except CannotCompare:
        return
    grades = [found.overall, *found.limbs.values()]
    numbers = [number for grade in grades for number in (grade.score, grade.seen, *(grade.interval or ()))]
    numbers += [found.form, found.punctuality, found.alignment.offset_s, found.alignment.tempo_ratio]
    numbers += [found.alignment.turned_deg, found.alignment.confidence]
    assert np.isfinite([number for number in numbers if number is not None]).all()
    assert all(0 <= grade.score <= 100 for grade in grades if grade.score is not None)
    assert (np.diff(found.clock.student_s) > 0).all()
    assert (found.overall.score is None) == (found.form is None)


def test_a_part_of_the_dance_is_said_to_be_a_part():
    teacher = taken(0)
    pose = teacher.pose
    part = Take(
        replace(pose, image=pose.image[:90], world=pose.world[:90], visibility=pose.visibility[:90]), teacher.audio
    )
    found = compare(part, teacher)
    assert "PART_ONLY" in [notice.code for notice in found.warnings]
    assert "PART_ONLY" not in [notice.code for notice in compare(teacher, teacher).warnings]


def test_a_moment_in_which_nobody_is_seen_is_not_among_the_worst():
    teacher = taken(0)
    pose = teacher.pose
    visibility = pose.visibility.copy()
    visibility[60:120] = 0.0
    hidden = Take(replace(pose, visibility=visibility), teacher.audio)
    found = compare(late(hidden, 3), teacher)
    assert found.worst
    for moment in found.worst:
        assert np.isfinite(found.bodies.student[moment.point]).any()
        row = round(moment.student_s * pose.rate_hz) - 3
        assert not 62 < row < 115  # beside the edges she is half seen
