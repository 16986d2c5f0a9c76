"""``result.json`` and ``curves.npz`` tell what was found, in numbers that every reader knows."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from gpu_job.comparison.comparing import compare
from gpu_job.comparison.findings import Grade, Limb
from gpu_job.comparison.report import Dancer, curves_npz, overall_score, result
from tests.gpu_job.comparison.danced import late, taken
from tests.gpu_job.segmentation.truth import cut

SOURCE = {"name": "a.mp4", "sha256": "0", "duration_s": 20.0}


@pytest.fixture(scope="module")
def dancer() -> Dancer:
    teacher = taken(0)
    moves = cut(teacher.pose, teacher.audio).moves
    return Dancer("dancer", compare(late(teacher, 2), teacher, moves))


@pytest.fixture(scope="module")
def told(dancer: Dancer) -> dict:
    full = result([dancer], SOURCE, SOURCE, {"infer": 0.12345})
    return json.loads(json.dumps(full, allow_nan=False))


def test_the_score_is_told_also_by_its_older_name(told, dancer):
    assert told["score"] == told["similarity_score"] == round(dancer.comparison.overall.score, 1)
    assert (told["schema"], told["kind"], told["method"]) == (2, "compare", dancer.comparison.method)


def test_every_move_and_limb_has_its_grade(told, dancer):
    (one,) = told["dancers"]
    assert set(one["limbs"]) == set(Limb)
    assert [move["label"] for move in one["moves"]] == [move.label for move in dancer.comparison.moves]
    assert [move["letter"] for move in one["moves"]] == [move.letter for move in dancer.comparison.moves]
    assert all(set(move["limbs"]) == set(Limb) for move in one["moves"])


def test_lateness_is_told_in_milliseconds_and_counts(told):
    (one,) = told["dancers"]
    assert one["lateness"]["ms"] == pytest.approx(133, abs=35)
    assert one["lateness"]["counts"] == pytest.approx(one["lateness"]["ms"] * 126 / 60_000, abs=0.01)


def test_each_of_the_worst_moments_has_a_picture_of_its_own(told):
    pictures = [moment["picture"] for moment in told["dancers"][0]["worst"]]
    assert pictures == [f"moments/dancer_{i}.png" for i in range(1, len(pictures) + 1)]


def test_what_could_not_be_judged_is_null(dancer):
    nothing = Grade(None, None, 0.1)
    unseen = replace(dancer.comparison, overall=nothing, form=None, punctuality=None)
    told = result([Dancer("dancer", unseen)], SOURCE, SOURCE, {})
    assert told["score"] is told["similarity_score"] is told["dancers"][0]["interval"] is None


def test_a_couples_score_is_the_mean_of_those_who_could_be_judged(dancer):
    def scored(score):
        grade = Grade(score, None if score is None else (score, score), 1.0)
        return Dancer("lead", replace(dancer.comparison, overall=grade))

    assert overall_score([scored(60.0), scored(80.0)]) == 70.0
    assert overall_score([scored(60.0), scored(None)]) == 60.0
    assert overall_score([scored(None)]) is None


def test_a_warning_that_both_of_a_couple_have_is_told_once(dancer):
    told = result([dancer, dancer], SOURCE, SOURCE, {})
    codes = [warning["code"] for warning in told["warnings"]]
    assert len(codes) == len(set(codes))


def test_curves_are_as_long_as_the_clock(dancer):
    with np.load(io.BytesIO(curves_npz([dancer, dancer]))) as curves:
        names = {"beats", "teacher_s", "student_s", "score", "lateness_ms"}
        assert set(curves) == names | {f"follow_{name}" for name in names}
        assert {len(curves[name]) for name in curves} == {len(dancer.comparison.clock)}
