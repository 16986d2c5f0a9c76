"""Training from the command line: a few clips, a tiny recipe, one file."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gpu_job.segmentation import train
from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.learning.clips import Clip, NotExtracted
from gpu_job.segmentation.learning.examples import Diet, example
from gpu_job.segmentation.learning.joins import Manner, Source
from gpu_job.segmentation.learning.training import Kitchen, Recipe, kitchen
from gpu_job.segmentation.network_model import NetworkModel
from shared.features import AudioFeatures
from tests.gpu_job.segmentation.learning.readable import drawn_clip
from tests.gpu_job.segmentation.networks import TINY

BRIEF = Diet(solos=0.0, drills=0.0, manner=Manner(beats=16))
RECIPE = Recipe(shape=TINY, diet=BRIEF, epochs=2, fresh=2, kept=4, steps=2, batch=2)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [drawn_clip(seed) for seed in range(4)]


@contextmanager
def at_home(sources: Sequence[Source], recipe: Recipe, seed: int) -> Generator[Kitchen]:
    """Makes the same dances as another process would, and is sooner there."""
    first = seed * 1_000_000
    yield lambda epoch: [
        example(sources, first + epoch * recipe.fresh + number, recipe.diet) for number in range(recipe.fresh)
    ]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, clips: list[Clip], tmp_path: Path) -> Callable[..., int]:
    """Runs the command on these clips, or others; there is no video anywhere."""
    monkeypatch.setattr(train, "RECIPE", RECIPE)
    monkeypatch.setattr(train, "HELD_OUT_DANCES", 1)
    monkeypatch.setattr(train, "kitchen", at_home)
    # Drawn dancers know the same moves: they are twins, and would all lie in one fold.
    monkeypatch.setattr(train, "folds", lambda clips, count: {clip.name: i % count for i, clip in enumerate(clips)})
    monkeypatch.setattr(train, "device", lambda: torch.device("cpu"))

    def run(*arguments: object, of: Sequence[Clip] | Exception = clips) -> int:
        def extracted(videos: Path, annotations: Path | None, work: Path) -> list[Clip]:
            if isinstance(of, Exception):
                raise of
            return list(of)

        monkeypatch.setattr(train, "extracted", extracted)
        places = [str(tmp_path / "clips"), f"--work={tmp_path / 'work'}", f"--out={tmp_path / 'new' / 'net'}"]
        return train.main([*places, "--folds=2", *map(str, arguments)])

    return run


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def read(tmp_path: Path) -> Checkpoint:
    return Checkpoint.from_bytes((tmp_path / "new" / "net").read_bytes(), features=INPUT_SCHEMA)


class TestToTheEnd:
    def test_one_file_holds_a_network_for_each_fold_and_what_it_has_seen(
        self,
        trained: Callable[..., int],
        tmp_path: Path,
        clips: list[Clip],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(train, "kitchen", kitchen)  # the real one
        assert trained("--version=network-5", "--seed=3") == 0
        data = (tmp_path / "new" / "net").read_bytes()
        assert hashlib.sha256(data).hexdigest() in told(capsys).replace(" ", "")
        found = read(tmp_path)
        assert sorted(NetworkModel.of(found).networks) == [0, 1]
        assert (found.version, found.facts["recipe"]["seed"], found.facts["recipe"]["epochs"]) == ("network-5", 3, 2)
        seen = found.facts["trained_on"]
        assert {digest: one["name"] for digest, one in seen.items()} == {clip.digest: clip.name for clip in clips}
        assert sorted(one["fold"] for one in seen.values()) == [0, 0, 1, 1]
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["net", "net.png"]  # and nothing half written
        assert np.array([1e-310]) * 0.5 != 0  # numbers that small are flushed while it trains, and not after
        (state,) = (tmp_path / "work").glob("state-*")
        rows = list(csv.DictReader((state / "curves.csv").read_text().splitlines()))
        assert [(row["fold"], row["epoch"]) for row in rows] == [("0", "1"), ("0", "2"), ("1", "1"), ("1", "2")]
        assert all(float(row[name]) > 0 for row in rows for name in ("loss", "held_out_loss"))

    def test_stopped_after_an_epoch_it_goes_on_to_the_same_file_and_finished_it_is_written_again(
        self, trained: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert trained("--only", 0) == 0
        whole = (tmp_path / "new" / "net").read_bytes()
        (tmp_path / "new" / "net").unlink()
        assert trained("--only", 0) == 0  # finished: nothing is learnt
        assert (tmp_path / "new" / "net").read_bytes() == whole

        def stop_after_one(training: object, path: Path, save: Callable[..., None] = train._save) -> None:
            save(training, path)
            raise KeyboardInterrupt

        (state,) = (tmp_path / "work").glob("state-*")
        (state / "fold-0.pt").unlink()
        (tmp_path / "new" / "net").unlink()
        with monkeypatch.context() as patch:
            patch.setattr(train, "_save", stop_after_one)
            with pytest.raises(KeyboardInterrupt):
                trained("--only", 0)
        assert not (tmp_path / "new" / "net").exists()
        assert trained("--only", 0) == 0
        assert (tmp_path / "new" / "net").read_bytes() == whole

    def test_pretrained_on_both_senses(
        self, trained: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert trained("--only", 1, "--inputs=both", "--pretraining=1", "--epochs=1") == 0
        assert "fold 1: masked beats" in told(capsys)
        found = read(tmp_path)
        assert (found.config["shape"]["pose"], found.config["shape"]["sound"]) == (True, True)
        assert (found.config["folds"], found.facts["recipe"]["pretraining"]) == ([1], 1)


class TestBefore:
    """What is wrong is said before anything is learnt."""

    @pytest.mark.parametrize("given", ["--labels=a.csv", "--videos=folder"])
    def test_labels_and_videos_belong_together(
        self, trained: Callable[..., int], given: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert trained(given) == 2
        assert told(capsys) == "--labels and --videos belong together."

    def test_there_are_only_so_many_folds(
        self, trained: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert trained("--only", 0, 2) == 2
        assert told(capsys) == "--only 2: folds are numbered from 0 to 1."

    def test_clips_that_cannot_be_had(self, trained: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
        assert trained(of=NotExtracted("The features of clips could not be extracted: no video.")) == 1
        assert told(capsys) == "NOT_EXTRACTED: The features of clips could not be extracted: no video."

    def test_too_few_clips(
        self, trained: Callable[..., int], clips: list[Clip], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert trained(of=clips[:3]) == 1
        assert "TOO_FEW_CLIPS: Fold 0 has 2 clips, and 1 are not in it" in told(capsys)

    def test_clips_without_beats_are_left_out_by_name(
        self, trained: Callable[..., int], clips: list[Clip], capsys: pytest.CaptureFixture[str]
    ) -> None:
        silent = replace(clips[3], audio=AudioFeatures.silent(12.0, 15.0))
        assert trained(of=[*clips[:3], silent]) == 1
        said = told(capsys)
        assert "1 of 4 clips have no beats or are too short, and are left out: dancer3" in said
        assert "TOO_FEW_CLIPS" in said

    def test_tracking_without_its_package(
        self, trained: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "wandb", None)
        assert trained("--track=me/dances") == 1
        assert told(capsys) == "MISSING_TOOL: Weights & Biases needs its package: pip install 'dancebits[tracking]'."


def test_every_recipe_and_every_seed_is_a_training_of_its_own(clips: list[Clip]) -> None:
    def name(*arguments: str, recipe: Recipe = RECIPE) -> str:
        chosen = train._parser().parse_args(["clips", *arguments])
        return train._state_name(clips, recipe, chosen)

    names = [name(), name("--seed=2"), name("--pretraining=5"), name("--folds=3"), name(recipe=Recipe())]
    assert len(set(names)) == 5
    assert name("--out=elsewhere", "--version=network-9", "--only", "1") == name()


def test_the_network_sees_what_it_is_given() -> None:
    shapes = {name: replace(Recipe().shape, **given) for name, given in train._GIVEN.items()}
    assert {name: (shape.pose, shape.sound) for name, shape in shapes.items()} == {
        "pose": (True, False), "sound": (False, True), "both": (True, True),
    }  # fmt: skip
    assert np.unique([shape.channels for shape in shapes.values()]).size == 1
