"""Tables of boundary labels are read as people keep them, and what is wrong with one is told by its line."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.segmentation.learning.boundary_labels import Unit
from gpu_job.segmentation.learning.boundary_table import read_labels
from shared.errors import BadLabels

URL = "https://dances.example/v1.0.0/video/10M/gBR_sBM_c01_d04.mp4"

Told = dict[str, tuple[Unit, dict[str, list[float]]]]


def told(text: str, unit: Unit | None = None) -> Told:
    """By video the unit, and by annotator her points."""
    return {
        one.video: (one.unit, {who: points.tolist() for who, points in zip(one.annotators, one.points, strict=True)})
        for one in read_labels(text, unit)
    }


def refusal(text: str, unit: Unit | None = Unit.SECONDS) -> str:
    with pytest.raises(BadLabels) as caught:
        read_labels(text, unit)
    assert caught.value.code == "BAD_LABELS"
    return caught.value.message.removeprefix("The boundary labels cannot be read: ")


def test_a_row_is_what_one_annotator_says_of_one_video() -> None:
    text = f"""url,annotator,points_s
{URL},P3,"3.9, 8.1, 12"
{URL},P4,"[1.85, 3.9]"
https://dances.example/b%20c.mp4?x=1,P3,2.5
"""
    assert told(text) == {
        "gBR_sBM_c01_d04": (Unit.SECONDS, {"P3": [3.9, 8.1, 12.0], "P4": [1.85, 3.9]}),
        "b c": (Unit.SECONDS, {"P3": [2.5]}),
    }


@pytest.mark.parametrize("text", [
    'file,user,counts\na/b.mp4,ada,"8,16,24"',
    "Video;Annotator_ID;Boundaries;Unit\nb;ada;8 16, 24;count",
    "video name\tRATER\tpoints counts\nb.mov\tada\t[8; 16; 24]",
    "\ufeffFILE NAME,annotator,count-1,count-2,count-3\r\nb.avi,ada,8,16,24\r\n",
    "annotator,points_counts,file_name\nada,8 16 24,C:\\films\\b.mp4",
    "url,annotator,points,unit\n\nhttps://x.example/b.mp4,ada,24 8 16 8,COUNTS\n\n",
    "url,annotator,genre,counts\nb,ada,house,8,16,24",
    "url,annotator,counts,,\nb,ada,8,16,24",
    "video,annotator,counts\nb,ada,8,16,24",
    "video,annotator,counts\rb,ada,8,16,24\r",
])  # fmt: skip
def test_many_forms_say_the_same(text: str) -> None:
    assert told(text) == {"b": (Unit.COUNTS, {"ada": [8.0, 16.0, 24.0]})}


@pytest.mark.parametrize(
    "text", [f"{URL},P1,2,4.5\n{URL},P2,3", f'{URL};P1;"2,4.5"\n{URL};P2;3;', f"{URL}\tP1\t[2, 4.5]\n{URL}\tP2\t[3]"]
)
def test_without_headers_it_is_the_video_the_annotator_and_the_points(text: str) -> None:
    assert told(text, Unit.SECONDS) == {"gBR_sBM_c01_d04": (Unit.SECONDS, {"P1": [2.0, 4.5], "P2": [3.0]})}


@pytest.mark.parametrize("cell", ["", "[]", " "])
def test_who_sees_one_move_writes_no_points(cell: str) -> None:
    assert told(f"video,annotator,seconds\na,ada,{cell}\na,eva,2") == {"a": (Unit.SECONDS, {"ada": [], "eva": [2.0]})}


def test_annotators_without_names_are_numbered() -> None:
    assert told("video,seconds\na,1\nb,4\na,2") == {
        "a": (Unit.SECONDS, {"1": [1.0], "2": [2.0]}), "b": (Unit.SECONDS, {"1": [4.0]}),
    }  # fmt: skip


def test_the_unit_is_that_of_the_row_then_of_the_header_then_of_the_caller() -> None:
    text = "video,points_s,unit\na,1,counts\nb,1,"
    assert [unit for unit, _ in told(text, Unit.COUNTS).values()] == [Unit.COUNTS, Unit.SECONDS]
    assert [unit for unit, _ in told("video,points\na,1", Unit.COUNTS).values()] == [Unit.COUNTS]


@pytest.mark.parametrize(("text", "why"), [
    ("clip,annotator,points\na,ada,1", "line 1: no column names the video; there are clip, annotator, points."),
    ("clip,points\na,1", "line 1: no column names the video; there are clip, points."),
    ("video,annotator,moves\na,ada,1", "line 1: no column has the boundary points; there are video, annotator, moves."),
    ("url,points_s,counts\na,1,2", "line 1: there are points in seconds and points in counts; leave one of them out."),
    ("video,points\na,1\n,2", "line 3: it names no video."),
    ("video,points\n\na,1 x 3", "line 3: 'x' is no number."),
    ("video,points\na,-1", "line 2: no boundary can be at -1."),
    ("video,points\na,1 nan", "line 2: no boundary can be at nan."),
    ("video,points\na,inf", "line 2: no boundary can be at inf."),
    ("video,points,unit\na,1,frames", "line 2: its unit is 'frames', not seconds or counts."),
    ("video,annotator,points\na,ada,1\nb,ada,1\na,ada,2", "line 4: ada has told of a before, in line 2."),
    ("video,points,unit\na,1,s\na,2,counts", "line 3: a is told in counts here, and in seconds in line 2."),
    ("points,video\n1,a,2", "line 2: it has more cells than there are columns: 2."),
    (f"video,points\na,1\nb,{'1' * 200_000}", "line 3: field larger than field limit (131072)."),
    (f"{URL},ada,1\n{URL},eva,one", "line 2: 'one' is no number."),
])  # fmt: skip
def test_what_is_wrong_is_told_by_its_line(text: str, why: str) -> None:
    assert refusal(text) == why


def test_points_of_which_nobody_tells_the_unit_are_refused() -> None:
    assert refusal("video,points\na,1", None) == "line 2: nothing tells whether its points are seconds or counts."


@pytest.mark.parametrize("text", ["", "\n\n", " , ,\n"])
def test_a_table_of_nothing_is_refused(text: str) -> None:
    assert refusal(text) == "There are no boundary labels in this table."


@given(
    st.dictionaries(
        st.tuples(st.text("abc", min_size=1), st.text("xyz", min_size=1)),
        st.sets(st.integers(0, 4000).map(lambda n: n / 40), max_size=5), min_size=1, max_size=6,
    )
)  # fmt: skip
def test_what_was_written_is_read(rows: dict[tuple[str, str], set[float]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["file_name", "annotator_id", "labels", "unit"])
    for (video, who), points in rows.items():
        writer.writerow([f"{video}.mp4", who, str(sorted(points)), "seconds"])
    found = {
        (video, who): points for video, (_, people) in told(out.getvalue()).items() for who, points in people.items()
    }
    assert found == {key: sorted(points) for key, points in rows.items()}


@pytest.mark.parametrize("points", ["1,5 3,0", "1,5;3,0", "1,5", "0,5 2"])
def test_commas_that_may_be_decimal_are_refused(points: str) -> None:
    with pytest.raises(BadLabels, match=r"line 2: .* may have commas for decimals"):
        read_labels(f"video\tpoints_s\none.mp4\t{points}\n")


@pytest.mark.parametrize("points", ["1, 5, 9", "1,5,9", "1.5,3", "[1,5,9]"])
def test_commas_between_points_are_not(points: str) -> None:
    (told,) = read_labels(f"video\tpoints_s\none.mp4\t{points}\n")
    assert len(told.points[0]) >= 2
