"""What teachers say of their clips is read whole: what is wrong is named, what can be mended is mended."""

import json
from pathlib import Path

import pytest

from infra.local.annotations import BadAnnotations, annotated
from shared.errors import NotFound

GOOD = {
    "clip_id": "basic",
    "video_path": "basic.mp4",
    "move_label": "basic",
    "difficulty": "low",
    "energy_level": "high",
}


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for name in ("basic.mp4", "turn.mp4"):
        (tmp_path / name).write_bytes(b"video")
    return tmp_path


def read(clips: Path, told: object):
    file = clips / "annotations.json"
    file.write_text(told if isinstance(told, str) else json.dumps(told))
    return annotated(file, clips)


@pytest.mark.parametrize("wrap", [list, lambda entries: {"source": "a school", "clips": entries}])
def test_a_clip_is_what_a_library_job_is_told(clips, wrap):
    (one,) = read(clips, wrap([{**GOOD, "estimated_tempo": 129, "styles": ["sensual", "modern"]}]))
    assert one.options == {
        "clip_id": "basic", "label": "basic", "difficulty": "beginner", "energy": "high", "tempo_bpm": 129.0,
        "styles": "sensual,modern",
    }  # fmt: skip
    assert one.findings == ()


def test_tempo_and_styles_need_not_be_known(clips):
    (one,) = read(clips, [{**GOOD, "estimated_tempo": None}])
    assert set(one.options) == {"clip_id", "label", "difficulty", "energy"}


@pytest.mark.parametrize("field", ["clip_id", "move_label", "difficulty", "energy_level"])
def test_what_is_needed_is_asked_for_by_its_name(clips, field):
    (one,) = read(clips, [{name: value for name, value in GOOD.items() if name != field}])
    assert one.options == {}
    assert (one.findings[0].code, field in one.findings[0].message) == ("BAD_OPTION", True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"video_path": "nothing.mp4"}, "NOT_FOUND"),
        ({"video_path": None}, "NOT_FOUND"),
        ({"difficulty": "impossible"}, "BAD_OPTION"),
        ({"estimated_tempo": "quick"}, "BAD_OPTION"),
        ({"styles": ["tango"]}, "BAD_OPTION"),
        ({"clip_id": "../../etc"}, "BAD_OPTION"),
    ],
)
def test_a_clip_that_cannot_be_used_is_refused_and_the_others_are_not(clips, change, code):
    bad, good = read(clips, [{**GOOD, **change}, {**GOOD, "clip_id": "turn", "video_path": "turn.mp4"}])
    assert (bad.options, [finding.code for finding in bad.findings]) == ({}, [code])
    assert good.options["clip_id"] == "turn"


def test_an_entry_that_is_no_object(clips):
    (one,) = read(clips, ["basic"])
    assert (one.clip_id, one.options) == ("number 1", {})


def test_two_clips_of_one_id_are_both_kept_and_told_apart(clips):
    entries = [GOOD, {**GOOD, "video_path": "turn.mp4"}, {**GOOD, "clip_id": "basic-2"}, GOOD]
    found = read(clips, entries)
    assert [one.clip_id for one in found] == ["basic", "basic-3", "basic-2", "basic-4"]
    assert [one.options["clip_id"] for one in found] == [one.clip_id for one in found]
    assert [finding.code for one in found for finding in one.findings] == ["DUPLICATE_ID"] * 2


def test_a_file_outside_the_folder_is_not_opened(clips):
    (clips / "inside").mkdir()
    (one,) = read(clips / "inside", [{**GOOD, "video_path": "../basic.mp4"}])
    assert "outside" in one.findings[0].message


def test_a_mark_of_the_byte_order_is_no_harm(clips):
    (clips / "annotations.json").write_text(json.dumps([GOOD]), "utf-8-sig")
    assert annotated(clips / "annotations.json", clips)[0].findings == ()


@pytest.mark.parametrize("told", ["no JSON", "3", '{"clips": 4}'])
def test_a_file_that_holds_no_annotations(clips, told):
    with pytest.raises(BadAnnotations):
        read(clips, told)


def test_a_file_that_is_not_there(clips):
    with pytest.raises(NotFound):
        annotated(clips / "nothing.json", clips)
