"""Train the segmentation network from a folder of annotated clips.

    python -m gpu_job.segmentation.train CLIPS [--annotations FILE] [--out network.safetensors]

CLIPS is a folder with the videos that ``annotations.json`` names (as for `dancebits library build`). Poses and sound
are extracted once and kept in the folder --work, beside the state of the training: the same command goes on where it
was stopped, and gives the same network. For each fold of the clips one network is trained on all others. The file holds
them all, and what each has seen, so that `python -m gpu_job.segmentation.evaluate` judges each by clips new to it. A
picture of the losses stands beside it.

Where people have marked boundaries in other videos, --labels TABLE.csv --videos FOLDER adds these: a row for each video
and annotator, with the video's address or name and the points in seconds or counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gpu_job.devices import device
from gpu_job.segmentation import naming_file
from gpu_job.segmentation.checkpoint import KIND, Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.learning import naming_training
from gpu_job.segmentation.learning.clips import Clip, TooFewClips, extracted
from gpu_job.segmentation.learning.curves import Log
from gpu_job.segmentation.learning.examples import Diet, Example, example
from gpu_job.segmentation.learning.folds import folds
from gpu_job.segmentation.learning.joins import Source
from gpu_job.segmentation.learning.labelled import labelled_examples
from gpu_job.segmentation.learning.plots import curves
from gpu_job.segmentation.learning.pretraining import pretrain
from gpu_job.segmentation.learning.training import Progress as Training
from gpu_job.segmentation.learning.training import Recipe, begun, epochs, kitchen, loss_of
from gpu_job.segmentation.naming import NamingWeights
from gpu_job.segmentation.network import BoundaryNetwork
from gpu_job.segmentation.network_model import tensors_of
from gpu_job.segmentation.performance import Performance
from shared.errors import DanceBitsError

console = Console(highlight=False, markup=False)

RECIPE = Recipe()
HELD_OUT_DANCES = 32  # by whose loss the curves tell whether a network learns its clips by heart
_HELD_OUT_SEED = 900_000_000  # far from those of any training
_NETWORKS_APART = 1000  # seeds
_GIVEN: Mapping[str, Mapping[str, bool]] = {
    "pose": {},
    "sound": {"pose": False, "sound": True},
    "both": {"sound": True},
}


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What networks are trained on, and how.

    ``clips``  that can be used, ``fold_of`` each by its name
    ``marked`` examples that people marked, for every network
    ``wanted`` folds whose networks are trained
    ``state``  folder in which a training that is stopped is taken up again
    """

    clips: Sequence[Clip]
    fold_of: Mapping[str, int]
    marked: Sequence[Example]
    recipe: Recipe
    seed: int
    pretraining: int
    wanted: Sequence[int]
    state: Path

    def seed_of(self, fold: int) -> int:
        return self.seed * _NETWORKS_APART + fold

    def known(self, fold: int) -> list[Source]:
        """What the network of this fold learns from."""
        return [source(clip) for clip in self.clips if self.fold_of[clip.name] != fold]

    def unknown(self, fold: int) -> list[Source]:
        """What it never sees, as a job would: the one dancer that is followed."""
        own = [source(clip) for clip in self.clips if self.fold_of[clip.name] == fold]
        return [replace(one, views=one.views[:1]) for one in own]


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        return _train(chosen)
    except DanceBitsError as error:
        console.print(f"{error.code}: {error.message}", style="red")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of the clips")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="usually CLIPS/annotations.json")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="boundaries that people marked in other videos")
    parser.add_argument("--videos", type=Path, metavar="FOLDER", help="these videos")
    parser.add_argument("--out", type=Path, default=Path("network.safetensors"), metavar="FILE", help="%(default)s")
    parser.add_argument("--work", type=Path, default=Path(".training"), help="features and state (%(default)s)")
    parser.add_argument("--version", default="network-1", help="what results say they were made with (%(default)s)")
    parser.add_argument("--folds", type=int, default=5, metavar="K", help="of the clips (%(default)s)")
    parser.add_argument("--only", type=int, nargs="+", metavar="FOLD", help="only the networks of these folds")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, metavar="N", help="%(default)s")
    parser.add_argument("--inputs", choices=[*_GIVEN], default="pose", help="what the network is given (%(default)s)")
    parser.add_argument("--pretraining", type=int, default=0, metavar="N", help="steps on masked beats (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="%(default)s")
    parser.add_argument("--track", metavar="ENTITY/PROJECT", help="log to Weights & Biases, and keep the network there")
    return parser


def _train(chosen: argparse.Namespace) -> int:
    if wrong := _wrong(chosen):
        console.print(wrong, style="red")
        return 2
    course = _course(chosen)
    with _no_denormals(), Log(course.state / "curves.csv", chosen.track, course.recipe.facts()) as log:
        networks = {fold: _network(course, fold, log) for fold in course.wanted}
        names = _names(course)
        tensors = {**tensors_of(networks), **naming_file.tensors_of(names)}
        data = Checkpoint(tensors, _facts(course, chosen.version, names)).to_bytes()
        _write(chosen.out, data)
        curves(log.rows(), chosen.out.with_suffix(".png"))
        log.kept(chosen.out, chosen.version)
    console.print(f"{chosen.out}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")
    return 0


@contextmanager
def _no_denormals() -> Generator[None]:
    """Weights that decay to almost nothing would slow a processor down."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _wrong(chosen: argparse.Namespace) -> str | None:
    """What cannot be asked for, in a sentence."""
    if bool(chosen.labels) != bool(chosen.videos):
        return "--labels and --videos belong together."
    if strange := [fold for fold in chosen.only or () if fold not in range(chosen.folds)]:
        return f"--only {strange[0]}: folds are numbered from 0 to {chosen.folds - 1}."
    return None


def _course(chosen: argparse.Namespace) -> Course:
    """Raises NotExtracted, BadLabels, TooFewClips."""
    clips = extracted(chosen.clips, chosen.annotations, chosen.work / "clips")
    fold_of = folds(clips, chosen.folds)
    marked = labelled_examples(chosen.labels, chosen.videos, chosen.work / "videos") if chosen.labels else []
    recipe = replace(RECIPE, shape=replace(RECIPE.shape, **_GIVEN[chosen.inputs]), epochs=chosen.epochs)
    state = chosen.work / _state_name(clips, recipe, chosen)
    state.mkdir(parents=True, exist_ok=True)
    wanted = chosen.only or range(chosen.folds)
    course = Course(_usable(clips), fold_of, marked, recipe, chosen.seed, chosen.pretraining, wanted, state)
    _check(course)
    return course


def _usable(clips: Sequence[Clip]) -> list[Clip]:
    usable = [clip for clip in clips if source(clip).is_usable]
    if left_out := sorted({clip.name for clip in clips} - {clip.name for clip in usable}):
        told = f"{len(left_out)} of {len(clips)} clips have no beats or are too short, and are left out: "
        console.print(told + ", ".join(left_out), style="yellow")
    return usable


def _check(course: Course) -> None:
    """Raises TooFewClips: no dance can be joined of fewer than two, be it to learn from or to look at the loss of."""
    for fold in course.wanted:
        known, unknown = len(course.known(fold)), len(course.unknown(fold))
        if min(known, unknown) < 2:
            raise TooFewClips(
                f"Fold {fold} has {unknown} clips, and {known} are not in it: two of each are the least. "
                "Give more clips, or fewer --folds."
            )


def _network(course: Course, fold: int, log: Log) -> BoundaryNetwork:
    """The network that never sees the clips of this fold, trained to its end from wherever it was."""
    training, path = begun(course.recipe, course.seed_of(fold)), course.state / f"fold-{fold}.pt"
    if path.exists():
        training.restore(torch.load(path, map_location=device(), weights_only=True))
    elif course.pretraining:
        _pretrain(training, course, fold)
    if training.epoch < course.recipe.epochs:
        _go_on(training, course, fold, log, path)
    return training.network.eval()


def _pretrain(training: Training, course: Course, fold: int) -> None:
    known, seed = course.known(fold), course.seed_of(fold)
    pool = [example(known, seed * 7 + i, Diet()) for i in range(course.recipe.fresh)]
    error = pretrain(training.network, pool, course.pretraining, seed)
    console.print(f"fold {fold}: masked beats {error:.3f}")


def _go_on(training: Training, course: Course, fold: int, log: Log, path: Path) -> None:
    """Keeps the state after every epoch."""
    recipe, seed, unknown = course.recipe, course.seed_of(fold), course.unknown(fold)
    held_out = [example(unknown, _HELD_OUT_SEED + i, Diet(solos=0.0)) for i in range(HELD_OUT_DANCES)]
    with _bar() as bar, kitchen(course.known(fold), recipe, seed) as dances_of:
        task = bar.add_task(f"fold {fold}", total=recipe.epochs, completed=training.epoch)
        for loss in epochs(training, dances_of, recipe, seed, course.marked):
            log.told(fold=fold, epoch=training.epoch, loss=loss, held_out_loss=_loss(training, held_out))
            _save(training, path)
            bar.update(task, completed=training.epoch, description=f"fold {fold}, loss {loss:.4f}")


def source(clip: Clip) -> Source:
    """With all its dancers."""
    return Source(clip.name, clip.label, clip.views(), clip.audio)


@torch.inference_mode()
def _loss(training: Training, examples: Sequence[Example]) -> float:
    return float(loss_of(training.network, examples))


def _bar() -> Progress:
    columns = TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, TimeRemainingColumn(), console=console)


def _names(course: Course) -> Mapping[str, NamingWeights]:
    """What names moves: of all clips, and for each fold of all but its own; none where labels are too few."""
    named = [clip for clip in course.clips if clip.label]
    if len({clip.label for clip in named}) < 2:
        return {}
    taught = [
        naming_training.Clip(clip.name, clip.label, Performance(clip.pose.smoothed(), clip.audio))
        for clip in named
        if clip.label
    ]
    found = naming_training.learned(taught, course.fold_of, course.seed)
    return {naming_file.ALL: found.weights, **{str(fold): weights for fold, weights in found.by_fold.items()}}


def _facts(course: Course, version: str, names: Mapping[str, NamingWeights]) -> Mapping[str, Any]:
    recipe = course.recipe
    return {
        "kind": KIND,
        "version": version,
        "features": INPUT_SCHEMA,
        "config": {"shape": recipe.shape.facts(), "folds": list(course.wanted)},
        "trained_on": {clip.digest: {"name": clip.name, "fold": course.fold_of[clip.name]} for clip in course.clips},
        **({naming_file.NAMES: naming_file.facts_of(names)} if names else {}),
        "recipe": {**recipe.facts(), "seed": course.seed, "pretraining": course.pretraining},
    }


def _state_name(clips: Sequence[Clip], recipe: Recipe, chosen: argparse.Namespace) -> str:
    """Another recipe, or other clips, are another training."""
    asked = chosen.seed, chosen.pretraining, chosen.folds, str(chosen.labels)
    said = [clip.digest for clip in clips], recipe.facts(), asked
    return "state-" + hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _save(training: Training, path: Path) -> None:
    new = path.with_suffix(".new")
    torch.save(training.state(), new)
    new.replace(path)


def _write(path: Path, data: bytes) -> None:
    """Whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main())
