"""The page: whole in itself, true to the comparison, safe whatever the names say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from gpu_job.comparison.comparing import compare
from gpu_job.comparison.figures import SHOWN
from gpu_job.comparison.findings import Comparison, Curves, Grade, Lateness, Limb
from gpu_job.comparison.page import Names, report_html
from tests.gpu_job.comparison.compared import HOSTILE, blind, compared
from tests.gpu_job.comparison.danced import late, taken
from tests.gpu_job.segmentation.truth import cut

VOID = {"meta", "img", "input", "br", "link", "hr"}


class Page(HTMLParser):
    """What a browser makes of the page: tags, their attributes, scripts, text. Fails where a tag is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        elif "style" not in self._open:
            self.text += data + " "

    @property
    def data(self) -> dict[str, Any]:
        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not JSON")

        return json.loads(self.scripts[0], parse_constant=refuse)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def page(*comparisons: Comparison) -> Page:
    return Page(report_html([(f"dancer {i}", each) for i, each in enumerate(comparisons)]))


def numbers(values: list[int | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], float)


def test_the_page_plays_what_was_compared() -> None:
    comparison = compared()
    (section,) = page(comparison).data["sections"]
    np.testing.assert_allclose(section["teacher_s"], comparison.clock.teacher_s, atol=5e-4)
    np.testing.assert_allclose(section["student_s"], comparison.clock.student_s, atol=5e-4)
    np.testing.assert_allclose(numbers(section["score"]) / 10, comparison.curves.score, atol=0.05)
    np.testing.assert_allclose(numbers(section["lateness_ms"]), comparison.curves.lateness_ms, atol=0.5)
    for side in ("teacher", "student"):
        points = np.array([numbers(figure) for figure in section[side]]).reshape(len(comparison.clock), -1, 2)
        np.testing.assert_allclose(points / 100, getattr(comparison.bodies, side)[:, list(SHOWN), :2], atol=5e-3)
    assert section["worst"] == [{"point": 128, "limb": "right_arm"}]
    assert section["moves"] == [{"label": "move A", "start_s": 1.0, "end_s": 17.0}]


def test_a_real_comparison_is_told_in_words_and_numbers() -> None:
    teacher = taken()
    comparison = compare(late(teacher, 3), teacher, cut(teacher.pose, teacher.audio).moves)
    words, lateness = page(comparison).words, comparison.overall.lateness
    assert lateness is not None
    assert lateness.ms > 100
    assert f"{comparison.overall.score:.0f} of 100" in words
    assert f"{lateness.ms:.0f} ms late" in words
    assert all(move.label in words for move in comparison.moves)
    assert all(limb.replace("_", " ") in words for limb in comparison.limbs)


def test_a_move_with_a_name_is_found_again_by_its_letter() -> None:
    html = report_html([("", compared(label="cross body lead", letter="B"))])
    assert "cross body lead<small>B · 0:01.0</small>" in html
    assert re.search(r'<div class="strip"[^>]*><span[^>]*>B</span></div>', html)
    assert "move A<small>0:01.0</small>" in report_html([("", compared())])


def test_the_page_asks_nothing_of_the_network() -> None:
    html = report_html([("", compared())])
    assert not re.search(r"https?:|//[a-z]|@import|url\(|\bfetch\b|XMLHttpRequest", html.replace("// ", ""))
    assert not any(name in attributes for _, attributes in Page(html).tags for name in ("src", "href", "action"))
    assert "default-src 'none'" in html


def test_hostile_names_stay_words() -> None:
    comparison = replace(compared(label=HOSTILE, letter=HOSTILE), unseen=(HOSTILE,))
    names = Names(HOSTILE, HOSTILE, HOSTILE)
    hostile = Page(report_html([(HOSTILE, comparison), (HOSTILE, comparison)], names))
    tame = Page(report_html([("a", replace(compared(), unseen=("b",)))] * 2, names=Names("c", "d", "e")))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]
    assert hostile.data["sections"][0]["moves"][0]["label"] == HOSTILE
    assert not re.search(r"[<>&\u2028\u2029]", hostile.scripts[0])
    assert not any(name.startswith("on") for _, attributes in hostile.tags for name in attributes)


def test_without_a_score_it_says_why_and_what_to_do() -> None:
    blinded = page(blind(compared()))
    assert "Too little could be seen" in blinded.words
    assert "Film the whole body" in blinded.words
    assert "Too little of both dancers can be seen." in blinded.words
    assert "of 100" not in blinded.words
    (section,) = blinded.data["sections"]
    assert set(section["score"]) == {None}
    assert {value for figure in section["teacher"] for value in figure} == {None}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_null(value: float) -> None:
    comparison = compared(4)
    comparison.bodies.student[3, 15] = value
    curves = Curves(np.full(len(comparison.clock), value), np.full(len(comparison.clock), value))
    broken = page(replace(comparison, curves=curves))
    assert broken.data["sections"][0]["student"][3].count(None) == 2
    assert not re.search(r"\b(nan|inf)\b", broken.words, re.IGNORECASE)


@pytest.mark.parametrize("change", [lambda each: each, blind])
def test_one_moment_is_enough_for_a_page(change: Any) -> None:
    (section,) = page(change(compared(0))).data["sections"]
    assert len(section["teacher_s"]) == 1


def test_gaps_in_the_curve_stay_gaps() -> None:
    comparison = compared(4)
    scores = np.full(len(comparison.clock), np.nan)
    scores[[3, 4, 5, 12]] = 80.0
    html = report_html([("", replace(comparison, curves=Curves(scores, np.full_like(scores, np.nan))))])
    assert html.count('class="line"') == 2


def test_a_couple_has_two_sections_with_their_titles() -> None:
    couple = page(compared(), compared())
    assert len(couple.data["sections"]) == 2
    assert "dancer 0" in couple.words
    assert "dancer 0" not in page(compared()).words


@pytest.mark.parametrize(
    ("lateness", "words"),
    [
        (Lateness(90, 0.18), "but late; that costs 12 points."),
        (Lateness(-90, -0.18), "but early; that costs 12 points."),
        (Lateness(5, 0.01), "in time on the whole; being out of time costs 12 points."),
        (None, "whether in time cannot be told."),
    ],
)
def test_the_sentence_says_what_timing_takes_away(lateness: Lateness | None, words: str) -> None:
    comparison = replace(compared(), overall=Grade(74.0, (60.0, 80.0), 1.0, lateness))
    assert words in page(comparison).words


def test_nobody_is_late_with_another_dance() -> None:
    comparison = replace(compared(), form=4.0, overall=Grade(2.0, (0.0, 9.0), 1.0))
    assert "You dance something else than your teacher." in page(comparison).words
    assert "cannot be told" in page(comparison).words


def test_a_score_without_an_interval_is_told_without_certainty():
    words = page(replace(compared(), overall=Grade(74.0, None, 1.0), limbs={Limb.HEAD: Grade(74.0, None, 1.0)})).words
    assert "74 of 100" in words
    assert "certainty" not in words


def test_a_minute_weighs_less_than_half_a_megabyte() -> None:
    assert len(report_html([("", compared(130))]).encode()) < 500_000


def test_everything_to_press_has_a_name() -> None:
    html = report_html([("", compared())])
    for button in re.findall(r"<button[^>]*>.*?</button>", html, re.DOTALL):
        assert "aria-label=" in button or re.sub(r"<[^>]*>", "", button).strip()
    assert 'type="range"' in html
    assert 'aria-label="Moment"' in html
