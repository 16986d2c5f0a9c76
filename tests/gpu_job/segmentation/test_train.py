"""Training from the command line: a few clips, a tiny recipe, one file."""

from __future__ import annotations

import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch

from gpu_job.segmentation import train
from gpu_job.segmentation.checkpoint import Checkpoint, version_of
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.learning import by_folds, course, labelled
from gpu_job.segmentation.learning.clips import Clip, NotExtracted
from gpu_job.segmentation.learning.examples import Diet, Example, example
from gpu_job.segmentation.learning.joins import Manner, Source
from gpu_job.segmentation.learning.training import Kitchen, Recipe, kitchen
from gpu_job.segmentation.network_model import NetworkModel
from shared.features import AudioFeatures, PoseFeatures
from shared.signals import ended_by_signals
from tests.gpu_job.segmentation.learning.footage import recorded
from tests.gpu_job.segmentation.learning.readable import drawn_clip
from tests.gpu_job.segmentation.learning.test_training import is_running
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
    monkeypatch.setattr(by_folds, "HELD_OUT_DANCES", 1)
    monkeypatch.setattr(by_folds, "kitchen", at_home)
    # Drawn dancers know the same moves: they are twins, and would all lie in one fold.
    monkeypatch.setattr(course, "folds", lambda clips, count: {clip.name: i % count for i, clip in enumerate(clips)})
    monkeypatch.setattr(by_folds, "device", lambda: torch.device("cpu"))

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
        monkeypatch.setattr(by_folds, "kitchen", kitchen)  # the real one
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

        def stop_after_one(training: object, path: Path, save: Callable[..., None] = by_folds._save) -> None:
            save(training, path)
            raise KeyboardInterrupt

        (state,) = (tmp_path / "work").glob("state-*")
        (state / "fold-0.pt").unlink()
        (state / "curves.csv").unlink()
        (tmp_path / "new" / "net").unlink()
        with monkeypatch.context() as patch:
            patch.setattr(by_folds, "_save", stop_after_one)
            assert trained("--only", 0) == train.INTERRUPTED
        assert not (tmp_path / "new" / "net").exists()
        assert trained("--only", 0) == 0
        assert (tmp_path / "new" / "net").read_bytes() == whole
        assert [row["epoch"] for row in csv.DictReader((state / "curves.csv").read_text().splitlines())] == ["2"]

    def test_it_is_called_after_its_weights_unless_it_is_given_a_name(
        self, trained: Callable[..., int], tmp_path: Path
    ) -> None:
        assert trained("--only", 0) == 0
        found = read(tmp_path)
        assert found.version == version_of(found.tensors)
        assert trained("--only", 0, "--seed=2") == 0
        assert read(tmp_path).version != found.version

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
        assert told(capsys).endswith(
            "MISSING_TOOL: Weights & Biases needs its package: pip install 'dancebits[tracking]'."
        )


@dataclass(slots=True)
class Spy:
    """A kitchen that notes whose clips it is given, by the seed of the network."""

    seen: dict[int, list[str]] = field(default_factory=dict)

    @contextmanager
    def kitchen(self, sources: Sequence[Source], recipe: Recipe, seed: int) -> Generator[Kitchen]:
        self.seen[seed] = [source.name for source in sources]
        with at_home(sources, recipe, seed) as dances_of:
            yield dances_of


class TestNoFoldIsKnownToItsNetwork:
    """Clips 0 and 2 are of fold 0, the others of fold 1."""

    @pytest.fixture
    def named(self, clips: list[Clip]) -> list[Clip]:
        labels = ("spin", "spin", "basic", "basic")
        return [replace(clip, label=label) for clip, label in zip(clips, labels, strict=True)]

    def test_no_network_is_given_dances_of_its_fold(
        self, trained: Callable[..., int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spy = Spy()
        monkeypatch.setattr(by_folds, "kitchen", spy.kitchen)
        assert trained("--seed=3") == 0
        assert spy.seen == {3000: ["dancer1", "dancer3"], 3001: ["dancer0", "dancer2"]}

    def test_nor_is_it_pretrained_on_them(self, trained: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[set[str]] = []

        def spied(sources: Sequence[Source], seed: int, diet: Diet) -> Example:
            seen.append({source.name for source in sources})
            return example(sources, seed, BRIEF)

        monkeypatch.setattr(by_folds, "example", spied)
        assert trained("--only", 0, "--pretraining=1", "--epochs=1") == 0
        assert seen == [{"dancer1", "dancer3"}] * RECIPE.fresh + [{"dancer0", "dancer2"}]  # to look at the loss

    def test_what_names_moves_has_not_seen_its_fold_either(
        self, trained: Callable[..., int], named: list[Clip], tmp_path: Path
    ) -> None:
        """It is the same whatever is danced in the clips of its fold, and whatever that is called."""
        assert trained("--epochs=1", of=named) == 0
        found = read(tmp_path).tensors
        one, two, three, four = named
        others = [replace(one, pose=narrow(one.pose), label="basic"), two, replace(three, label="spin"), four]
        assert trained("--epochs=1", of=others) == 0
        changed = read(tmp_path).tensors
        names = {name.partition("names.")[2] for name in found if name.startswith("all.")}
        assert {"weight", "bias", "centre", "scale", "axes"} <= names
        for name in names:
            assert torch.equal(found[f"0.names.{name}"], changed[f"0.names.{name}"])
        for key in ("all", "1"):
            assert not torch.equal(found[f"{key}.names.weight"], changed[f"{key}.names.weight"])
            assert not torch.equal(found[f"{key}.names.weight"], found["0.names.weight"])

    def test_a_fold_without_labels_has_not_been_seen_by_all(
        self, trained: Callable[..., int], clips: list[Clip], tmp_path: Path
    ) -> None:
        labels = ("spin", "basic", None, None, None, None)
        more = [*clips, *(replace(clip, name=f"{clip.name} again", digest=f"{i:064x}")
                          for i, clip in enumerate(clips[:2], 10))]  # fmt: skip
        given = [replace(clip, label=label) for clip, label in zip(more, labels, strict=True)]
        assert trained("--epochs=1", "--only", 2, "--folds=3", of=given) == 0
        found = read(tmp_path).tensors
        assert torch.equal(found["2.names.weight"], found["all.names.weight"])
        assert not torch.equal(found["0.names.weight"], found["all.names.weight"])

    @pytest.mark.parametrize("labels", [("spin", None, "basic", None), ("spin", "spin", "spin", None)])
    def test_no_names_are_learnt_of_one_fold_or_one_label(
        self,
        trained: Callable[..., int],
        clips: list[Clip],
        labels: Sequence[str | None],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        given = [replace(clip, label=label) for clip, label in zip(clips, labels, strict=True)]
        assert trained("--only", 0, "--epochs=1", of=given) == 0
        assert "No names are learnt: that takes clips of two labels at least, and in two folds." in told(capsys)
        assert "names" not in read(tmp_path).facts


def narrow(pose: PoseFeatures) -> PoseFeatures:
    """The same dance, half as wide: it is cut into the same stretches, and is another."""
    return replace(pose, image=pose.image * np.array([0.5, 1.0], np.float32))


class TestMarked:
    """Videos in which people have marked boundaries."""

    @pytest.fixture
    def marking(
        self, trained: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> Callable[[Clip], int]:
        def marking(video: Clip) -> int:
            monkeypatch.setattr(labelled, "extracted", lambda *_: [video])
            (tmp_path / "labels.csv").write_text(f"url,annotator,points_s\n{video.name}.mp4,A,5 10\n")
            return trained("--only", 0, "--epochs=1", f"--labels={tmp_path / 'labels.csv'}", f"--videos={tmp_path}")

        return marking

    def test_they_are_told_as_seen_by_all(self, marking: Callable[[Clip], int], tmp_path: Path) -> None:
        video = replace(drawn_clip(1), name="solo", digest="a" * 64, pose=recorded(7))
        assert marking(video) == 0
        seen = read(tmp_path).facts["trained_on"]
        assert seen["a" * 64] == {"name": "solo", "fold": None}
        assert len(seen) == 5

    def test_one_that_is_a_clip_too_is_refused(
        self, marking: Callable[[Clip], int], clips: list[Clip], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert marking(replace(clips[2], name="solo")) == 1
        assert "BAD_LABELS: The marked video solo is the clip dancer2: every network would learn" in told(capsys)

    def test_one_that_shows_what_a_clip_shows_is_refused(
        self, marking: Callable[[Clip], int], clips: list[Clip], capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert marking(replace(clips[2], name="solo", digest="b" * 64)) == 1
        assert "The marked video solo shows the same dance as the clip dancer" in told(capsys)
        assert not (tmp_path / "new").exists()


class TestStopped:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_to_end_unwinds_as_an_error_does(self, number: int) -> None:
        before = signal.getsignal(number)
        with pytest.raises(SystemExit, match=str(128 + number)), ended_by_signals():
            ended_twice(number)
        assert signal.getsignal(number) is before

    @pytest.mark.parametrize("when", ["extracting", "training"])
    def test_nobody_is_left_behind_when_the_command_is_ended(self, tmp_path: Path, when: str) -> None:
        command = [sys.executable, "-c", STOPPED, when, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
            assert parent.stdout
            child = int(next(line for line in parent.stdout if line.startswith("child ")).split()[1])
            parent.terminate()
            assert parent.wait(60) == 128 + signal.SIGTERM
        assert not is_running(child)


def ended_twice(number: int) -> None:
    """The second time while the first unwinds, which is not interrupted."""
    try:
        os.kill(os.getpid(), number)
        time.sleep(10)
    finally:
        os.kill(os.getpid(), number)


STOPPED = """
import multiprocessing, sys, time
from gpu_job.segmentation import train
from gpu_job.segmentation.learning import clips, course
from gpu_job.segmentation.learning.examples import Diet
from gpu_job.segmentation.learning.training import Recipe, kitchen

def at_work(*_):
    with kitchen([], Recipe(diet=Diet(solos=1.0, drills=0.0), epochs=2, fresh=1), 1) as dances_of:
        dances_of(0)
        print("child", multiprocessing.active_children()[0].pid, flush=True)
        time.sleep(100)

if __name__ == "__main__":
    when, folder = sys.argv[1:]
    if when == "training":
        from tests.gpu_job.segmentation.learning import readable
        course.folds = lambda given, count: {clip.name: i % count for i, clip in enumerate(given)}
        train.extracted, train.network = lambda *_: [readable.drawn_clip(seed) for seed in range(4)], at_work
    sleeper = "import os, time; print('child', os.getpid(), flush=True); time.sleep(100)"
    clips.COMMAND = (sys.executable, "-c", sleeper)
    sys.exit(train.main([folder, "--folds=2", f"--work={folder}/work", f"--out={folder}/net"]))
"""


def test_the_network_sees_what_it_is_given() -> None:
    shapes = {name: replace(Recipe().shape, **given) for name, given in train._GIVEN.items()}
    assert {name: (shape.pose, shape.sound) for name, shape in shapes.items()} == {
        "pose": (True, False), "sound": (False, True), "both": (True, True),
    }  # fmt: skip
    assert np.unique([shape.channels for shape in shapes.values()]).size == 1


def test_stopped_it_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "extracted", interrupted)
    assert train.main(["clips"]) == train.INTERRUPTED
    assert "goes on after the last whole epoch" in told(capsys)
