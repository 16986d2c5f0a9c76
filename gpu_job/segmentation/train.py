"""Train the segmentation network from a folder of annotated clips.

    python -m gpu_job.segmentation.train CLIPS [--annotations FILE] [--out network.safetensors]

CLIPS is a folder with the videos that ``annotations.json`` names (as for `dancebits library build`). Poses and sound
are extracted once and kept in the folder --work, beside the state of the training: the same command goes on where it
was stopped, and gives the same network. For each fold of the clips one network is trained on all others. The file holds
them all, and what each has seen, so that `python -m gpu_job.segmentation.evaluate` judges each by clips new to it. A
picture of the losses stands beside it.

Where people have marked boundaries in other videos, --labels TABLE.csv --videos FOLDER adds these: a row for each video
and annotator, with the video's address or name and the points in seconds or counts. All networks learn from them: so
none may show what a clip shows.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.learning.by_folds import checkpoint, names, network
from gpu_job.segmentation.learning.clips import extracted
from gpu_job.segmentation.learning.course import Course, Plan
from gpu_job.segmentation.learning.curves import Log
from gpu_job.segmentation.learning.folds import FOLDS
from gpu_job.segmentation.learning.labelled import Marked, marked
from gpu_job.segmentation.learning.naming_training import Figures
from gpu_job.segmentation.learning.plots import curves
from gpu_job.segmentation.learning.training import Recipe
from shared.errors import DanceBitsError
from shared.files import write_whole
from shared.signals import ended_by_signals

console = Console(highlight=False, markup=False)

RECIPE = Recipe()
_GIVEN: Mapping[str, Mapping[str, bool]] = {
    "pose": {},
    "sound": {"pose": False, "sound": True},
    "both": {"sound": True},
}


STOPPED = "Stopped. The same command goes on after the last whole epoch."
INTERRUPTED = 130
"""What a shell says of a command that was ended by Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    if wrong := _wrong(chosen):
        console.print(wrong, style="red")
        return 2
    try:
        with ended_by_signals():
            _train(chosen)
    except DanceBitsError as error:
        console.print(f"{error.code}: {error.message}", style="red")
        return 1
    except KeyboardInterrupt:
        console.print(STOPPED)
        return INTERRUPTED
    except SystemExit:  # by a signal
        console.print(STOPPED)
        raise
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of the clips")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="usually CLIPS/annotations.json")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="boundaries that people marked in other videos")
    parser.add_argument("--videos", type=Path, metavar="FOLDER", help="these videos")
    parser.add_argument("--out", type=Path, default=Path("network.safetensors"), metavar="FILE", help="%(default)s")
    parser.add_argument("--work", type=Path, default=Path(".training"), help="features and state (%(default)s)")
    parser.add_argument("--version", default="", help="what results say they were made with (a digest of the weights)")
    parser.add_argument("--folds", type=int, default=FOLDS, metavar="K", help="of the clips (%(default)s)")
    parser.add_argument("--only", type=int, nargs="+", metavar="FOLD", help="only the networks of these folds")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, metavar="N", help="%(default)s")
    parser.add_argument("--inputs", choices=[*_GIVEN], default="pose", help="what the network is given (%(default)s)")
    parser.add_argument("--pretraining", type=int, default=0, metavar="N", help="steps on masked beats (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="%(default)s")
    parser.add_argument("--track", metavar="ENTITY/PROJECT", help="log to Weights & Biases, and keep the network there")
    return parser


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


def _train(chosen: argparse.Namespace) -> None:
    course = _course(chosen)
    state = chosen.work / f"state-{course.name}"
    state.mkdir(parents=True, exist_ok=True)
    with _no_denormals(), Log(state / "curves.csv", chosen.track, course.plan.recipe.facts()) as log:
        with _bars() as bars:
            teller = _Teller(bars, course.plan.recipe.epochs)
            networks = {fold: network(course, fold, state, log, teller) for fold in course.wanted}
        found = checkpoint(course, networks, names(course, teller), chosen.version)
        _kept(found, chosen.out, log)


def _course(chosen: argparse.Namespace) -> Course:
    """Raises NotExtracted, BadLabels, TooFewClips."""
    clips = extracted(chosen.clips, chosen.annotations, chosen.work / "clips")
    marks = marked(chosen.labels, chosen.videos, chosen.work / "videos") if chosen.labels else Marked()
    course = Course.of(clips, marks, _plan(chosen))
    _warn(course)
    course.check()
    return course


def _plan(chosen: argparse.Namespace) -> Plan:
    recipe = replace(RECIPE, shape=replace(RECIPE.shape, **_GIVEN[chosen.inputs]), epochs=chosen.epochs)
    return Plan(recipe, chosen.seed, chosen.pretraining, chosen.folds, tuple(chosen.only or ()))


def _warn(course: Course) -> None:
    """Of what is not used."""
    if course.left_out:
        told = f"{len(course.left_out)} of {len(course.dealt)} clips have no beats or are too short, and are left out: "
        console.print(told + ", ".join(course.left_out), style="yellow")
    if not course.labelled:
        told = "No names are learnt: that takes clips of two labels at least, and in two folds."
        console.print(told, style="yellow")


def _kept(found: Checkpoint, out: Path, log: Log) -> None:
    """The file, and the picture of the losses beside it."""
    data = found.to_bytes()
    write_whole(out, data)
    curves(log.rows(), out.with_suffix(".png"))
    log.kept(out, found.version)
    console.print(f"{out}: {found.version}, {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def _bars() -> Progress:
    columns = TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, TimeRemainingColumn(), console=console)


class _Teller:
    """A bar for each network that is trained, one after the other."""

    def __init__(self, bars: Progress, epochs: int) -> None:
        self._bars, self._epochs = bars, epochs
        self._tasks: dict[int, TaskID] = {}

    def begun(self, fold: int, epoch: int) -> None:
        self._tasks[fold] = self._bars.add_task(f"fold {fold}", total=self._epochs, completed=epoch)

    def pretrained(self, fold: int, error: float) -> None:
        console.print(f"fold {fold}: masked beats {error:.3f}")

    def named(self, figures: Mapping[str, Figures]) -> None:
        for cut, one in figures.items():
            told = f"{one.top1:.1%} and {one.top3:.1%} (commonest labels {one.majority1:.1%} and {one.majority3:.1%})"
            console.print(f"names of stretches held out, {cut}, each by itself: likeliest and among three {told}")

    def learnt(self, fold: int, epoch: int, loss: float) -> None:
        self._bars.update(self._tasks[fold], completed=epoch, description=f"fold {fold}, loss {loss:.4f}")


if __name__ == "__main__":
    sys.exit(main())
