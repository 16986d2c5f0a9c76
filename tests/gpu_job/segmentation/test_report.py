"""The files of a result."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from gpu_job.segmentation import Move, Name, Segmentation
from gpu_job.segmentation.report import SOURCE_FIELDS, clip_name, curves_npz, result, told_move
from shared.features import AudioFeatures
from tests.gpu_job.segmentation.truth import Truth, cut, danced

SOURCE = {
    "name": "dance.mp4", "sha256": "ab" * 32, "container": "mp4", "codecs": {"video": "h264", "audio": "aac"},
    "width": 1280, "height": 720, "rotation": 0, "duration_s": 30.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def truth() -> Truth:
    return danced(4, duration_s=30.0)


@pytest.fixture(scope="module")
def found(truth: Truth) -> Segmentation:
    return cut(truth.pose, truth.audio)


def test_the_result_has_exactly_the_fields_that_clients_know(truth: Truth, found: Segmentation) -> None:
    told = result(found, truth.pose, SOURCE, {"audio": 0.12345}, people=2)
    assert set(told) == {
        "schema", "kind", "source", "tempo_bpm", "beats_s", "downbeats_s", "moves", "pose", "segmented_probs",
        "segmented_percentages", "method", "timings_s", "warnings",
    }  # fmt: skip
    assert set(told["moves"][0]) == {
        "start_s", "end_s", "counts", "label", "confidence", "names", "letter", "probability",
    }  # fmt: skip
    assert told["pose"] == {"frames": 450, "rate_hz": 15.0, "detected_share": 1.0, "people": 2}
    assert told["source"] == SOURCE
    assert told["method"] == "novelty-1"
    assert told["timings_s"] == {"audio": 0.123}


def test_it_is_json_and_comes_back_the_same(truth: Truth, found: Segmentation) -> None:
    told = result(found, truth.pose, SOURCE, {})
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_moves_tile_and_counts_are_whole_where_they_are(truth: Truth, found: Segmentation) -> None:
    moves = result(found, truth.pose, SOURCE, {})["moves"]
    assert [move["end_s"] for move in moves[:-1]] == [move["start_s"] for move in moves[1:]]
    assert all(type(move["counts"]) is int for move in moves if move["counts"] % 1 == 0)
    assert all(round(move["start_s"], 3) == move["start_s"] for move in moves)


def test_boundaries_are_told_as_parts_of_the_duration(truth: Truth, found: Segmentation) -> None:
    told = result(found, truth.pose, SOURCE, {})
    assert told["segmented_percentages"] == pytest.approx([s / 30 for s in found.boundaries_s], abs=1e-6)
    assert len(told["segmented_probs"]) == 450


def test_beats_are_told_with_their_downbeats(truth: Truth, found: Segmentation) -> None:
    told = result(found, truth.pose, SOURCE, {})
    assert told["downbeats_s"] == told["beats_s"][::4]
    assert told["tempo_bpm"] == pytest.approx(truth.audio.tempo_bpm, abs=0.01)


def test_without_beats_counts_and_tempo_are_null_and_it_says_so(truth: Truth) -> None:
    told = result(cut(truth.pose, AudioFeatures.silent(30.0, 15.0)), truth.pose, SOURCE, {})
    assert told["tempo_bpm"] is None
    assert told["beats_s"] == told["downbeats_s"] == []
    assert all(move["counts"] is None for move in told["moves"])
    assert [warning["code"] for warning in told["warnings"]] == ["NO_BEAT"]
    assert all(set(warning) == {"code", "message"} for warning in told["warnings"])


def test_what_is_not_known_of_the_source_is_null(truth: Truth, found: Segmentation) -> None:
    told = result(found, truth.pose, {"name": "a.mp4", "width": np.int64(640), "rotation": float("nan")}, {})
    assert list(told["source"]) == list(SOURCE_FIELDS)
    assert told["source"]["width"] == 640
    assert told["source"]["rotation"] is None
    assert told["source"]["duration_s"] is None
    assert all(0 < share < 1 for share in told["segmented_percentages"])


def test_curves_come_back_from_their_file(found: Segmentation) -> None:
    with np.load(io.BytesIO(curves_npz(found)), allow_pickle=False) as file:
        assert set(file) == {"time_s", "boundary_probability", "novelty", "onset"}
        assert file["boundary_probability"] == pytest.approx(found.curves.boundary_probability, abs=1e-6)
        assert file["time_s"] == pytest.approx(found.curves.time_s)


def test_clips_are_numbered_and_named() -> None:
    move = Move(0.0, 4.0, 8.0, "unknown", 0.0, (), "A", 1.0)
    assert clip_name(3, move) == "03_move-A.mp4"
    assert clip_name(3, replace(move, label="spin")) == "03_spin.mp4"
    assert clip_name(3, replace(move, label="cross_body_lead")) == "03_cross-body-lead.mp4"
    assert clip_name(120, replace(move, label="Vuelta ¡así! / 2")) == "120_Vuelta-asi-2.mp4"
    assert clip_name(1, replace(move, label="…")) == "01_move.mp4"


NAMES = (Name("spin", 0.62), Name("basic", 0.2), Name("lady_turn", 0.1))


@pytest.mark.parametrize("move", [
    Move(0.5, 4.25, 8.0, "spin", 0.62, NAMES, "A", 1.0),
    Move(0.5, 4.25, None, "unknown", 0.0, NAMES[1:], "AB", 0.7),
    Move(0.5, 4.25, 7.5, "unknown", 0.0, (), "B", 0.7),
    Move(0.5, 4.25, 8.0, "unseen", 0.9, (), "", 1.0),
])  # fmt: skip
def test_a_move_comes_back_from_a_result(move: Move, truth: Truth, found: Segmentation) -> None:
    told = json.loads(json.dumps(result(replace(found, moves=(move,)), truth.pose, SOURCE, {})))
    assert [told_move(fields) for fields in told["moves"]] == [move]


@pytest.mark.parametrize(("label", "told"), [
    ("move-A", ("unknown", 0.0, (), "A", "move A")), ("move-AB", ("unknown", 0.0, (), "AB", "move AB")),
    ("unseen", ("unseen", 0.9, (), "", "unseen")),
])  # fmt: skip
def test_so_does_one_of_a_result_that_knew_no_names(label: str, told: tuple[object, ...]) -> None:
    old = {"start_s": 0.5, "end_s": 4.5, "counts": 8, "label": label, "confidence": 0.9, "probability": 1.0,
           "clip": "moves/01.mp4", "clip_start_s": 0.5}  # fmt: skip
    move = told_move(old)
    assert (move.label, move.confidence, move.names, move.letter, move.title) == told
    assert (move.start_s, move.end_s, move.counts, move.probability) == (0.5, 4.5, 8, 1.0)
