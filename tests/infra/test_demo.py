"""``dancebits demo``: what was danced and what was found, side by side."""

import json

import pytest

from infra.local import cli, demo, show
from infra.local.sample.dancer import LabelledSegment

MOVES = (
    LabelledSegment(0.5, 4.3, 8, "basic"),
    LabelledSegment(4.3, 6.2, 4, "turn"),
    LabelledSegment(6.2, 8.1, 4, "wave"),
)


@pytest.fixture
def seen(monkeypatch):
    """What a person sees on a wide terminal."""
    monkeypatch.setattr(show.console, "width", 120)

    def seen(thing):
        with show.console.capture() as captured:
            show.console.print(thing)
        return captured.get()

    return seen


def rows(table):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if line.startswith("│")]


def test_each_true_move_has_the_start_that_was_found_for_it(seen):
    found = [{"start_s": at, "label": f"move-{letter}"} for at, letter in ((0.52, "A"), (4.2, "B"), (7.0, "C"))]
    assert rows(seen(demo._beside(MOVES, found))) == [
        ["basic", "8", "0.50 s", "0.52 s", "+20 ms", "move-A"],
        ["turn", "4", "4.30 s", "4.20 s", "-100 ms", "move-B"],
        ["wave", "4", "6.20 s", "–", "–", "–"],
    ]


def test_moves_without_a_beat_have_no_counts(seen):
    move = {"start_s": 0.0, "end_s": 2.5, "counts": None, "label": "move-A", "confidence": 0.5}
    assert rows(seen(show.moves_table([move]))) == [["1", "0.00 s", "2.50 s", "–", "move-A", "50%"]]


@pytest.mark.parametrize(("found", "told"), [(None, "no tempo, true 126.0"), (125.94, "tempo 125.9 BPM, true 126.0")])
def test_a_song_whose_beat_was_not_found_is_told(found, told):
    assert demo._tempi(found, 126.0) == told


def test_the_demo_draws_runs_and_compares(tmp_path, capsys):
    assert cli.main(["demo", "--seconds", "8", "--seed", "3", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "The moves that were danced, and found" in told
    assert "Boundaries found and true agree with F = " in told
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"sample.mp4", "result.json", "curves.npz", "timeline.png", "moves"}
    assert json.loads((tmp_path / "result.json").read_text())["source"]["name"] == "sample.mp4"
