"""Pictures of an evaluation. matplotlib draws them; knows no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gpu_job.segmentation.learning.trials import COARSE_S, FINE_S, Trial, f_of
from gpu_job.segmentation.scoring import matches

TOLERANCES_S = np.arange(1, 13) / 20

Found = Sequence[Sequence[float]]
"""Boundaries of each dance, in seconds."""


def plots(trials: Sequence[Trial], found: Mapping[str, Found], folder: Path) -> None:
    """``tolerance.png``: F by the tolerance; ``dances.png``: F of each dance; ``errors.png``: how far boundaries are
    off. ``found`` by the name of the model."""
    _drawn(folder / "tolerance.png", lambda axes: _by_tolerance(axes, trials, found))
    _drawn(folder / "dances.png", lambda axes: _by_dance(axes, trials, found))
    _drawn(folder / "errors.png", lambda axes: _errors(axes, trials, found))


def curves(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """The log of a training: loss of each fold's network by epoch, dashed on the clips that it does not see."""
    _drawn(path, lambda axes: _losses(axes, rows))


def _losses(axes: Axes, rows: Sequence[Mapping[str, str]]) -> None:
    for number, fold in enumerate(sorted({row["fold"] for row in rows})):
        own = [row for row in rows if row["fold"] == fold]
        epochs = [float(row["epoch"]) for row in own]
        axes.plot(epochs, [float(row["loss"]) for row in own], f"C{number}", label=f"fold {float(fold):.0f}")
        axes.plot(epochs, [float(row["held_out_loss"]) for row in own], f"C{number}--")
    _named(axes, "epoch", "loss, nats a half-beat; dashed: joins of clips held out")
    axes.set_yscale("log")


def _by_tolerance(axes: Axes, trials: Sequence[Trial], found: Mapping[str, Found]) -> None:
    for name, boundaries in found.items():
        axes.plot(TOLERANCES_S, [f_of(boundaries, trials, float(s)).mean() for s in TOLERANCES_S], label=name)
    _named(axes, "tolerance, s", "F, mean over dances")
    axes.set_ylim(0, 1)


def _by_dance(axes: Axes, trials: Sequence[Trial], found: Mapping[str, Found]) -> None:
    for name, boundaries in found.items():
        axes.plot(np.sort(f_of(boundaries, trials, FINE_S)), label=name)
    _named(axes, "dances, from the worst", "F at ±0.25 s")
    axes.set_ylim(0, 1)


def _errors(axes: Axes, trials: Sequence[Trial], found: Mapping[str, Found]) -> None:
    bins = np.linspace(-COARSE_S, COARSE_S, 41).tolist()
    for name, boundaries in found.items():
        pairs = zip(boundaries, trials, strict=True)
        off = [match.error_s for told, one in pairs for match in matches(told, one.joins_s.tolist(), COARSE_S)]
        axes.hist(off, bins, histtype="step", label=name)
    _named(axes, "found less true, s", "boundaries")


def _named(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(frameon=False)
    axes.grid(alpha=0.2)


def _drawn(path: Path, draw: Callable[[Axes], None]) -> None:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    draw(figure.add_subplot())
    FigureCanvasAgg(figure).print_png(path)
