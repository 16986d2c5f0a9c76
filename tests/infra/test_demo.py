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

MOVE = {
    "start_s": 0.0, "end_s": 2.5, "counts": None, "label": "lady_turn", "confidence": 0.62,
    "names": [{"label": "lady_turn", "confidence": 0.62}], "letter": "A", "probability": 1.0,
}  # fmt: skip


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
    found = [
        {"start_s": at, "label": label, "letter": letter}
        for at, label, letter in ((0.52, "unknown", "A"), (4.2, "lady_turn", "B"), (7.0, "unknown", "C"))
    ]
    assert rows(seen(demo._beside(MOVES, found))) == [
        ["basic", "8", "0.50 s", "0.52 s", "+20 ms", "move A"],
        ["turn", "4", "4.30 s", "4.20 s", "-100 ms", "lady turn"],
        ["wave", "4", "6.20 s", "–", "–", "–"],
    ]


def test_moves_without_a_beat_have_no_counts(seen):
    assert rows(seen(show.moves_table([MOVE]))) == [["1", "0.00 s", "2.50 s", "–", "lady turn", "A", "62%"]]


@pytest.mark.parametrize(("changes", "told"), [
    ({"label": "unknown", "confidence": 0.0, "names": []}, ["move A", "A", "–"]),
    ({"label": "unknown", "confidence": 0.0}, ["move A", "A", "lady turn? 62%"]),
    ({"label": "unseen", "confidence": 1.0, "names": [], "letter": ""}, ["unseen", "", "100%"]),
])  # fmt: skip
def test_what_a_move_is_called_is_told_as_surely_as_it_is_known(seen, changes, told):
    assert rows(seen(show.moves_table([{**MOVE, **changes}])))[0][-3:] == told


@pytest.mark.parametrize(("label", "told"), [("move-A", ["move A", "A", "–"]), ("unseen", ["unseen", "", "62%"])])
def test_moves_of_a_job_of_an_earlier_release_are_told(seen, label, told):
    """Schema 1 knew no names and no letters."""
    old = {name: value for name, value in MOVE.items() if name not in ("names", "letter")}
    assert rows(seen(show.moves_table([{**old, "label": label}])))[0][-3:] == told


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
