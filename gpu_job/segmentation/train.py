"""Train the segmentation network from a folder of annotated clips.

    python -m gpu_job.segmentation.train CLIPS [--annotations FILE] [--out network.safetensors]

CLIPS is a folder with the videos that ``annotations.json`` names (as for `dancebits library build`). Poses and sound
are extracted once and kept in the folder --work, beside the state of the training: the same command goes on where it
was stopped, and gives the same network. For each fold of the clips one network is trained on all others. The file holds
them all, and what each has seen, so that `python -m gpu_job.segmentation.evaluate` judges each by clips new to it.

Where people have marked boundaries in other videos, --labels TABLE.csv --videos FOLDER adds these: a row for each video
and annotator, with the video's address or name and the points in seconds or counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gpu_job.devices import device
from gpu_job.segmentation.checkpoint import KIND, Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.learning.clips import Clip, extracted
from gpu_job.segmentation.learning.curves import Log
from gpu_job.segmentation.learning.examples import Diet, Example, example
from gpu_job.segmentation.learning.folds import folds
from gpu_job.segmentation.learning.joins import Source
from gpu_job.segmentation.learning.labelled import labelled_examples
from gpu_job.segmentation.learning.pretraining import pretrain
from gpu_job.segmentation.learning.training import Progress as Training
from gpu_job.segmentation.learning.training import Recipe, begun, epochs, loss_of
from gpu_job.segmentation.network import BoundaryNetwork, Shape
from gpu_job.segmentation.network_model import tensors_of
from shared.errors import DanceBitsError

console = Console()

HELD_OUT_DANCES = 32
_HELD_OUT_SEED = 900_000_000
_GIVEN: Mapping[str, Shape] = {
    "pose": Shape(), "sound": Shape(pose=False, sound=True), "both": Shape(sound=True),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        return _train(chosen)
    except DanceBitsError as error:
        console.print(f"{error.code}: {error.message}", style="red", highlight=False)
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
    parser.add_argument("--epochs", type=int, default=Recipe().epochs, metavar="N", help="%(default)s")
    parser.add_argument("--inputs", choices=[*_GIVEN], default="pose", help="what the network is given (%(default)s)")
    parser.add_argument("--pretraining", type=int, default=0, metavar="N", help="steps on masked beats (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="%(default)s")
    parser.add_argument("--track", metavar="ENTITY/PROJECT", help="log to Weights & Biases, and keep the network there")
    return parser


def _train(chosen: argparse.Namespace) -> int:
    if bool(chosen.labels) != bool(chosen.videos):
        console.print("--labels and --videos belong together.", style="red")
        return 2
    torch.set_flush_denormal(True)
    clips = extracted(chosen.clips, chosen.annotations, chosen.work / "clips")
    fold_of = folds(clips, chosen.folds)
    marked = labelled_examples(chosen.labels, chosen.videos, chosen.work / "videos") if chosen.labels else []
    recipe = Recipe(shape=_GIVEN[chosen.inputs], epochs=chosen.epochs)
    state = chosen.work / _state_name(clips, recipe, chosen)
    state.mkdir(parents=True, exist_ok=True)
    wanted = chosen.only or range(chosen.folds)
    with Log(state / "curves.csv", chosen.track, recipe.facts()) as log:
        networks = {fold: _network(fold, clips, fold_of, marked, recipe, state, chosen, log) for fold in wanted}
        checkpoint = Checkpoint(tensors_of(networks), _facts(clips, fold_of, wanted, recipe, chosen))
        data = checkpoint.to_bytes()
        _write(chosen.out, data)
        log.kept(chosen.out, chosen.version)
    console.print(f"{chosen.out}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}", highlight=False)
    return 0


def _network(
    fold: int, clips: Sequence[Clip], fold_of: Mapping[str, int], marked: Sequence[Example], recipe: Recipe,
    state: Path, chosen: argparse.Namespace, log: Log,
) -> BoundaryNetwork:  # fmt: skip
    """The network that never sees the clips of this fold, trained to its end from wherever it was."""
    sources = [source(clip) for clip in clips]
    known = [one for one in sources if fold_of[one.name] != fold]
    unknown = [replace(one, views=one.views[:1]) for one in sources if fold_of[one.name] == fold]
    seed = chosen.seed * 1000 + fold
    training = begun(recipe, seed)
    path = state / f"fold-{fold}.pt"
    if path.exists():
        training.restore(torch.load(path, map_location=device(), weights_only=True))
    elif chosen.pretraining:
        pool = [example(known, seed * 7 + i, Diet()) for i in range(recipe.fresh)]
        console.print(f"fold {fold}: masked beats {pretrain(training.network, pool, chosen.pretraining, seed):.3f}")
    held_out = [example(unknown, _HELD_OUT_SEED + i, Diet(solos=0.0)) for i in range(HELD_OUT_DANCES)]
    with _bar() as bar:
        task = bar.add_task(f"fold {fold}", total=recipe.epochs, completed=training.epoch)
        for loss in epochs(training, known, recipe, seed, marked):
            log.told(fold=fold, epoch=training.epoch, loss=loss, held_out_loss=_loss(training, held_out))
            _save(training, path)
            bar.update(task, completed=training.epoch, description=f"fold {fold}, loss {loss:.4f}")
    return training.network


def source(clip: Clip) -> Source:
    return Source(clip.name, clip.label, clip.views(), clip.audio)


@torch.inference_mode()
def _loss(training: Training, examples: Sequence[Example]) -> float:
    return float(loss_of(training.network, examples))


def _bar() -> Progress:
    columns = TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, TimeRemainingColumn(), console=console)


def _facts(
    clips: Sequence[Clip], fold_of: Mapping[str, int], wanted: Sequence[int], recipe: Recipe, chosen: argparse.Namespace
) -> Mapping[str, Any]:
    return {
        "kind": KIND,
        "version": chosen.version,
        "features": INPUT_SCHEMA,
        "config": {"shape": recipe.shape.facts(), "folds": list(wanted)},
        "trained_on": {clip.digest: {"name": clip.name, "fold": fold_of[clip.name]} for clip in clips},
        "recipe": {**recipe.facts(), "seed": chosen.seed, "pretraining": chosen.pretraining},
    }


def _state_name(clips: Sequence[Clip], recipe: Recipe, chosen: argparse.Namespace) -> str:
    """Another recipe, or other clips, are another training."""
    asked = chosen.seed, chosen.pretraining, chosen.folds, str(chosen.labels)
    said = [clip.digest for clip in clips], recipe.facts(), asked
    return "state-" + hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _save(training: Training, path: Path) -> None:
    torch.save(training.state(), path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".new").write_bytes(data)
    path.with_name(path.name + ".new").replace(path)


if __name__ == "__main__":
    sys.exit(main())
