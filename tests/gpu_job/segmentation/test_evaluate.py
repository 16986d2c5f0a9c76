"""Judging from the command line: a table, figures and plots, of clips that a network has never seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gpu_job.segmentation import evaluate
from gpu_job.segmentation.learning import judging
from gpu_job.segmentation.learning.clips import Clip, TooFewClips
from gpu_job.segmentation.learning.figures import boundary_rows, naming_rows, robustness_rows, single_naming_rows
from gpu_job.segmentation.learning.judging import Judged, by_another, grouped, judge_single_names
from gpu_job.segmentation.learning.naming_trials import Named
from gpu_job.segmentation.learning.trials import USUAL
from gpu_job.segmentation.naming import Name
from gpu_job.segmentation.performance import Performance
from shared.errors import UnfitNetwork
from shared.timeline import IntArray
from tests.gpu_job.segmentation.learning.readable import drawn_clip
from tests.gpu_job.segmentation.learning.test_trials import trial
from tests.gpu_job.segmentation.networks import checkpoint, network

CLIPS = [drawn_clip(seed) for seed in range(8)]
FOLDS = {clip.digest: number // 4 for number, clip in enumerate(CLIPS)}


def kept(path: Path, seen: Mapping[str, int | None], folds: Sequence[int] = (0, 1)) -> str:
    path.write_bytes(checkpoint({fold: network(fold) for fold in folds}, seen).to_bytes())
    return str(path)


class TestGroups:
    def test_each_fold_is_judged_by_the_network_that_has_not_seen_it(self, tmp_path: Path) -> None:
        groups = grouped(CLIPS, kept(tmp_path / "net", FOLDS), 3)
        assert [[one.name for one in group.sources] for group in groups] == [
            [clip.name for clip in CLIPS[:4]], [clip.name for clip in CLIPS[4:]],
        ]  # fmt: skip
        assert [list(group.model.networks) for group in groups] == [[0], [1]]
        assert [len(group.seeds) for group in groups] == [3, 3]
        assert not set(groups[0].seeds) & set(groups[1].seeds)

    def test_what_no_network_has_seen_is_judged_by_all(self, tmp_path: Path) -> None:
        seen = {clip.digest: 0 for clip in CLIPS[:4]}
        both, own = sorted(
            grouped(CLIPS, kept(tmp_path / "net", seen), 3), key=lambda group: -len(group.model.networks)
        )
        assert (list(both.model.networks), list(own.model.networks)) == ([0, 1], [0])
        assert [one.name for one in both.sources] == [clip.name for clip in CLIPS[4:]]

    def test_what_every_network_has_seen_is_judged_by_none(self, tmp_path: Path) -> None:
        with pytest.raises(TooFewClips, match="No network of network-9"):
            grouped(CLIPS, kept(tmp_path / "net", dict.fromkeys(FOLDS, 7)), 3)

    def test_what_people_marked_for_every_network_is_left_out(self, tmp_path: Path) -> None:
        marked = dict.fromkeys([clip.digest for clip in CLIPS[4:]])
        (group,) = grouped(CLIPS, kept(tmp_path / "net", {**FOLDS, **marked}), 3)
        assert [one.name for one in group.sources] == [clip.name for clip in CLIPS[:4]]

    def test_moves_are_named_by_what_was_not_learnt_from_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        monkeypatch.setattr(judging, "weights_of", lambda _, key: asked.append(key))
        grouped(CLIPS, kept(tmp_path / "net", FOLDS), 3)
        grouped(CLIPS, kept(tmp_path / "net", {}), 3)
        assert asked == ["0", "1", "all"]

    def test_one_dancer_is_judged_as_in_a_job(self, tmp_path: Path) -> None:
        groups = grouped(CLIPS, kept(tmp_path / "net", FOLDS), 3)
        assert {len(one.views) for group in groups for one in group.sources} == {1}


class TestRows:
    def judged(self, *found: Sequence[float]) -> Judged:
        return Judged((trial([5.0, 10.0], [7.0]), trial([5.0, 8.0], [6.0])), tuple(found))

    def test_known_answers(self) -> None:
        rows = {
            row[0]: row for row in boundary_rows(self.judged([5.0, 10.0], [5.5, 6.0]), {"other": [[5.0], [5.0, 8.0]]})
        }
        assert rows["F at ±0.25 s"][1] == "0.500"
        assert rows["F at ±0.5 s"][1:] == ("0.750", "≥ 0.80", False)
        assert rows["other, ±0.25 and ±0.5 s"][1] == "0.833, 0.833"
        assert rows["ahead of other at ±0.25 s"][1].startswith("-0.333")
        assert rows["ahead of other at ±0.25 s"][3] is False
        assert rows["boundaries told at null joins"][1:] == ("50.0%", "≤ 5 %", False)
        assert rows["boundaries on a beat or half-beat, ±35 ms"][1:] == ("100.0%", "100 %", True)

    def test_what_a_condition_costs(self) -> None:
        usual, worse = self.judged([5.0, 10.0], [5.0, 8.0]), self.judged([5.0, 10.0], [])
        assert robustness_rows({USUAL: usual, "in fog": worse, "in sun": usual}) == [
            ("F at ±0.25 s lost, in fog", "0.500", "≤ 0.03", False),
            ("F at ±0.25 s lost, in sun", "0.000", "≤ 0.03", True),
        ]


class Caller:
    """A namer to whom everything is a turn."""

    def names(self, performance: Performance, edges: IntArray) -> list[tuple[Name, ...]]:
        assert len(performance.grid) > edges[-1]
        return [(Name("turn", 0.5),)] * (len(edges) - 1)

    def told(self, names: tuple[Name, ...]) -> Name:
        return names[0]


class TestNames:
    def test_every_move_of_a_labelled_clip_is_held_against_its_label(self, tmp_path: Path) -> None:
        (group, _) = grouped(CLIPS, kept(tmp_path / "net", FOLDS), 1)
        turn, wave, nobody, _ = group.sources
        own = (replace(turn, label="turn"), replace(wave, label="wave"), replace(nobody, label=None))
        found = judge_single_names([replace(group, sources=own, namer=Caller()), group])
        alone = replace(group, sources=own[:1], namer=Caller())
        assert 0 < len(judge_single_names([alone])) < len(found)
        assert [one.label for one in found] == sorted(one.label for one in found)
        assert {one.label for one in found} == {"turn", "wave"}
        assert {(one.names, one.told) for one in found} == {((Name("turn", 0.5),), "turn")}

    def test_known_answers(self) -> None:
        names = Name("turn", 0.75), Name("wave", 0.25)
        rows = single_naming_rows([Named("turn", names, "turn"), Named("wave", names, "unknown")])
        assert [row[1] for row in rows] == ["50.0%", "100.0%", "0.250", "50.0%, 100.0%"]
        assert "of 2 moves" in rows[0][0]
        assert all(row[0].startswith("single clips, cut by the network") for row in rows)

    def test_nothing_is_told_of_nothing(self) -> None:
        assert single_naming_rows([]) == naming_rows([]) == []


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    def run(*arguments: object, of: Sequence[Clip] = CLIPS) -> int:
        monkeypatch.setattr(evaluate, "extracted", lambda *_: list(of))
        return evaluate.main(
            [str(tmp_path / "clips"), f"--out={tmp_path / 'judged'}", "--dances=1", *map(str, arguments)]
        )

    return run


class TestCommand:
    def test_a_table_is_printed_and_written_with_plots(
        self, judged: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        net, other = kept(tmp_path / "net", FOLDS), kept(tmp_path / "sound-alone", FOLDS)
        assert judged(f"--network={net}", "--against", other) == 0
        out = capsys.readouterr().out
        assert "2 dances of 8 clips" in out
        rows = json.loads((tmp_path / "judged" / "figures.json").read_text())
        assert all(set(row) == {"what", "figure", "bar", "met"} for row in rows)
        names = [row["what"] for row in rows]
        assert {"F at ±0.25 s", "ahead of novelty at ±0.25 s", "ahead of sound-alone at ±0.25 s"} <= set(names)
        assert sum(name.startswith("F at ±0.25 s lost") for name in names) == 6
        assert sum(name.startswith("imagined") for name in names) == 6
        assert all(name.split(",")[0] in out for name in names)
        drawn = {path.name for path in (tmp_path / "judged").iterdir()}
        assert drawn == {"figures.json", "tolerance.png", "dances.png", "errors.png"}
        same = {row["what"]: row["figure"] for row in rows}
        assert same["ahead of sound-alone at ±0.25 s"] == "+0.000 (+0.000 … +0.000)"  # it is the same network

    def test_too_few_clips_are_told_in_a_sentence(
        self, judged: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert judged(f"--network={kept(tmp_path / 'net', {})}", of=CLIPS[:3]) == 1
        assert "TOO_FEW_CLIPS: No network of network-9" in capsys.readouterr().out

    def test_a_network_that_is_not_there_is_told_in_a_sentence(
        self, judged: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert judged(f"--network={tmp_path / 'nowhere'}") == 1
        assert "UNFIT_NETWORK: " in capsys.readouterr().out


def test_a_network_of_other_folds_is_not_compared(tmp_path: Path) -> None:
    groups = grouped(CLIPS, kept(tmp_path / "net", FOLDS), 1)
    turned = kept(tmp_path / "other", {digest: 1 - fold for digest, fold in FOLDS.items()})
    with pytest.raises(UnfitNetwork, match="was trained on other folds"):
        by_another(CLIPS, groups, turned, 1)
