"""What people marked in videos becomes examples, each on the half-beats of its video."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpu_job.segmentation.learning import labelled
from gpu_job.segmentation.learning.clips import Clip
from gpu_job.segmentation.learning.examples import Example
from gpu_job.segmentation.learning.labelled import marked
from shared.errors import BadLabels
from tests.gpu_job.segmentation.learning.footage import coupled
from tests.gpu_job.segmentation.truth import danced

HALF_BEAT_S = 0.25


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[Example]]:
    truth = danced(1, duration_s=20.0, tempo_bpm=120.0)
    alone = Clip("gBR/solo.v2", "1" * 64, None, truth.pose, None, truth.audio)
    couple = replace(alone, name="both", couple=coupled(truth.pose, truth.pose))
    monkeypatch.setattr(labelled, "extracted", lambda *_: [alone, couple])

    def examples(table: str) -> list[Example]:
        (tmp_path / "labels.csv").write_text(table, "utf-8-sig")
        return list(marked(tmp_path / "labels.csv", tmp_path / "videos", tmp_path).examples)

    return examples


def peaks(told: Example) -> list[int]:
    inner = told.target[1:-1]
    return (np.flatnonzero((inner > 0.4) & (inner >= told.target[:-2]) & (inner >= told.target[2:])) + 1).tolist()


def test_seconds_are_on_the_beats_that_are_heard(examples: Callable[..., list[Example]]) -> None:
    (told,) = examples("url,annotator,points_s\nhttps://videos/solo.v2.mp4,A,5 10\n")
    first, second = peaks(told)
    assert (second - first) * HALF_BEAT_S == 5.0
    assert told.target[[first, second]] == pytest.approx(1.0)


def test_counts_are_counted_from_the_first_beat(examples: Callable[..., list[Example]]) -> None:
    by_count, by_second = (
        examples(f"url,annotator,{unit}\nsolo.v2.mp4,A,{points}\n")[0]
        for unit, points in (("counts", "9 19"), ("points_s", "5 10"))
    )
    np.testing.assert_allclose(by_count.target, by_second.target, atol=1e-6)


def test_where_people_differ_the_label_is_soft(examples: Callable[..., list[Example]]) -> None:
    (told,) = examples("url,annotator,points_s\nsolo.v2.mp4,A,5\nsolo.v2.mp4,B,10\n")
    assert told.target.max() == pytest.approx(0.5, abs=1e-3)


def test_every_dancer_of_a_video_is_an_example(examples: Callable[..., list[Example]]) -> None:
    assert len(examples("url,annotator,points_s\nboth.mp4,A,5\n")) == 3


@pytest.mark.parametrize(
    ("table", "told"),
    [("url,annotator,points_s\nother.mp4,A,5\n", "No video in .* is one that .* tells of"), ("", "no boundary labels")],
)
def test_a_table_of_nothing_is_refused(examples: Callable[..., list[Example]], table: str, told: str) -> None:
    with pytest.raises(BadLabels, match=told):
        examples(table)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match=r"labels\.csv cannot be read"):
        marked(tmp_path / "labels.csv", tmp_path, tmp_path)


def test_it_is_told_what_was_marked_and_by_which_table(examples: Callable[..., list[Example]], tmp_path: Path) -> None:
    table = "url,annotator,points_s\nboth.mp4,A,5\nother.mp4,A,7\n"
    examples(table)
    found = marked(tmp_path / "labels.csv", tmp_path / "videos", tmp_path)
    assert [clip.name for clip in found.clips] == ["both"]
    assert found.table == hashlib.sha256(table.encode("utf-8-sig")).hexdigest()
