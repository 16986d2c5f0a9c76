"""Judge segmentation networks on clips that they have never seen, beside what counting and novelty reach.

    python -m gpu_job.segmentation.evaluate CLIPS [--network FILE ...] [--out FOLDER]

Dances are joined from blocks of 2 to 16 counts of the clips of one fold and judged by the network that was trained
without that fold; clips that no network has seen are judged by all networks together, as in the service. Prints the
table, and writes it with plots. The grid beside it is told the true beats, and for each dance the period and the phase
that fit it best.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gpu_job.segmentation.checkpoint import Checkpoint
from gpu_job.segmentation.inputs import INPUT_SCHEMA
from gpu_job.segmentation.learning.clips import Clip, TooFewClips, extracted
from gpu_job.segmentation.learning.joins import Joined, Source
from gpu_job.segmentation.learning.naming_trials import Named, named, naming
from gpu_job.segmentation.learning.plots import plots
from gpu_job.segmentation.learning.solos import drill, solo
from gpu_job.segmentation.learning.trials import (
    COARSE_S,
    CONDITIONS,
    FINE_S,
    OTHER_DANCES,
    USUAL,
    Condition,
    Sureness,
    Trial,
    best_grid_s,
    difference,
    f_of,
    false_at_nulls,
    on_grid,
    sureness,
    trials,
)
from gpu_job.segmentation.methods import Method
from gpu_job.segmentation.naming import Namer, TraitNamer
from gpu_job.segmentation.naming_file import ALL, weights_of
from gpu_job.segmentation.network_file import checkpoint_at
from gpu_job.segmentation.network_model import NetworkModel
from gpu_job.segmentation.novelty import NoveltyModel
from gpu_job.segmentation.performance import BoundaryModel, Performance
from gpu_job.segmentation.segmenting import segment_batch
from shared.errors import DanceBitsError, UnfitNetwork
from shared.timeline import FloatArray

console = Console(width=118, highlight=False, markup=False)

FIRST_SEED = 500_000  # of no training: those begin at a million
Row = tuple[str, str, str, bool | None]
"""What, the figure, the bar, whether it is met."""

IMAGINED: Mapping[str, Callable[[int], Joined]] = {"choreographies": solo, "drills": drill}
LEAST_PROBABLE = 0.1
LEAST_CLIPS = 4  # of a fold, to join dances of


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Clips, the network that has seen none of them, and what names moves likewise, if the checkpoint can."""

    sources: tuple[Source, ...]
    model: NetworkModel
    namer: Namer | None
    seeds: range


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Dances of one condition and the boundaries that were found in them, in seconds."""

    trials: tuple[Trial, ...]
    found_s: tuple[Sequence[float], ...]

    def f(self, tolerance_s: float) -> FloatArray:
        return f_of(self.found_s, self.trials, tolerance_s)


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        return _evaluate(chosen)
    except DanceBitsError as error:
        console.print(f"{error.code}: {error.message}", style="red")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of the clips")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="usually CLIPS/annotations.json")
    parser.add_argument("--network", default="", metavar="FILE", help="usually that of this release")
    parser.add_argument("--against", nargs="*", default=[], metavar="FILE", help="other networks, trained otherwise")
    parser.add_argument("--work", type=Path, default=Path(".training"), help="where features are kept (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("evaluation"), help="folder for the figures (%(default)s)")
    parser.add_argument("--dances", type=int, default=40, metavar="N", help="of each fold (%(default)s)")
    return parser


def _evaluate(chosen: argparse.Namespace) -> int:
    clips = extracted(chosen.clips, chosen.annotations, chosen.work / "clips")
    groups = grouped(clips, chosen.network, chosen.dances)
    judged = {name: judge(groups, condition) for name, condition in CONDITIONS.items()}
    usual = judged[USUAL]
    others: dict[str, Sequence[Sequence[float]]] = {"novelty": _found(usual.trials, NoveltyModel())}
    others |= {Path(place).stem: _by_another(clips, groups, place, chosen.dances) for place in chosen.against}
    imagined = {name: judge_imagined(groups, make, chosen.dances) for name, make in IMAGINED.items()}
    names = [*naming_rows(judge_names(groups, CONDITIONS[USUAL])), *single_naming_rows(judge_single_names(groups))]
    rows = [*boundary_rows(usual, others), sureness_row(judge_sureness(groups, CONDITIONS[USUAL]))]
    other = {name: judge(groups, condition) for name, condition in OTHER_DANCES.items()}
    other["blocks of clips of one label"] = judge(by_label(groups), CONDITIONS[USUAL])
    rows += [*robustness_rows(judged), *other_rows(other), *imagined_rows(imagined), *names]
    joined = sum(len(group.sources) for group in groups)
    console.print(_table(f"{len(usual.trials)} dances of {joined} clips, joined of 2 to 16 counts", rows))
    _write(chosen.out, rows)
    plots(usual.trials, {"network": usual.found_s, **others}, chosen.out)
    console.print(f"In {chosen.out}: figures.json, and the plots")
    return 0


def _write(folder: Path, rows: Sequence[Row]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = [dict(zip(("what", "figure", "bar", "met"), row, strict=True)) for row in rows]
    (folder / "figures.json").write_text(json.dumps(told, indent=1))


def grouped(clips: Sequence[Clip], place: str, dances: int) -> list[Group]:
    """The clips of each fold with its network, and those that no network has seen with all of them.

    ``dances`` of each. Raises UnfitNetwork, and TooFewClips where no fold has enough to join dances of.
    """
    checkpoint = checkpoint_at(place, None, features=INPUT_SCHEMA)
    model = NetworkModel.of(checkpoint)
    groups = [
        Group(tuple(sources), _without(model, fold), _namer(checkpoint, fold), _seeds(fold, dances))
        for fold, sources in _by_fold(clips, checkpoint.facts["trained_on"]).items()
        if (fold is None or fold in model.networks) and len(sources) >= LEAST_CLIPS
    ]
    if not groups:
        raise TooFewClips(
            f"No network of {model.name} is without {LEAST_CLIPS} usable clips of the same fold, or new to it."
        )
    return groups


def by_label(groups: Sequence[Group]) -> list[Group]:
    """The same clips, those of each label by themselves where there are two or more; as many dances in all, or so."""
    found: list[Group] = []
    for group in groups:
        labels = Counter(source.label for source in group.sources)
        several = sorted(str(label) for label, many in labels.items() if label and many > 1)
        for label in several:
            own = tuple(source for source in group.sources if source.label == label)
            found.append(replace(group, sources=own, seeds=group.seeds[: max(1, len(group.seeds) // len(several))]))
    return found


def _without(model: NetworkModel, fold: int | None) -> NetworkModel:
    return model if fold is None else model.only([fold])


def _namer(checkpoint: Checkpoint, fold: int | None) -> Namer | None:
    weights = weights_of(checkpoint, ALL if fold is None else str(fold))
    return TraitNamer(weights) if weights else None


def _by_fold(clips: Sequence[Clip], seen: Mapping[str, Mapping[str, Any]]) -> dict[int | None, list[Source]]:
    """The usable ones; None of those that were not seen in training at all. Those that every network saw, since people
    marked them, are left out."""
    found: dict[int | None, list[Source]] = {}
    for clip in clips:
        one = _source(clip)
        if one.is_usable and seen.get(clip.digest, {"fold": 0})["fold"] is not None:
            found.setdefault(seen[clip.digest]["fold"] if clip.digest in seen else None, []).append(one)
    return dict(sorted(found.items(), key=lambda item: str(item[0])))


def _seeds(fold: int | None, dances: int) -> range:
    first = FIRST_SEED + 1000 * (0 if fold is None else 1 + fold)
    return range(first, first + dances)


def _source(clip: Clip) -> Source:
    """As a job sees it: the one dancer that is followed."""
    return Source(clip.name, clip.label, (clip.pose,), clip.audio)


def judge(groups: Sequence[Group], condition: Condition) -> Judged:
    """Joins of each group's clips, by its network."""
    return _judged(groups, lambda group: trials(group.sources, group.seeds, condition))


def judge_imagined(groups: Sequence[Group], make: Callable[[int], Joined], dances: int) -> Judged:
    """Dancers alone, of 17 landmarks, at 78 to 150 BPM; each group's network has its share of them."""
    share = max(1, dances // len(groups))
    return _judged(groups, lambda group: [Trial.of(make(seed)) for seed in group.seeds[:share]])


def _judged(groups: Sequence[Group], dances_of: Callable[[Group], Sequence[Trial]]) -> Judged:
    given: list[Trial] = []
    found: list[Sequence[float]] = []
    for group in groups:
        own = dances_of(group)
        given += own
        found += _found(own, group.model)
    return Judged(tuple(given), tuple(found))


def _found(given: Sequence[Trial], model: BoundaryModel) -> list[Sequence[float]]:
    chosen = Method(model.name, model)
    cut = segment_batch([trial.performance for trial in given], methods=lambda _: chosen)
    return [one.boundaries_s for one in cut]


def judge_sureness(groups: Sequence[Group], condition: Condition) -> Sureness:
    """Whether the probabilities are true."""
    own = [(group.model, trials(group.sources, group.seeds, condition)) for group in groups]
    curves = [c.probability for model, dances in own for c in model.probabilities([one.performance for one in dances])]
    return sureness(curves, [one for _, dances in own for one in dances], LEAST_PROBABLE)


def judge_names(groups: Sequence[Group], condition: Condition) -> list[Named]:
    """Every block of joins of each group's clips, by its namer."""
    return [
        one
        for group in groups
        if group.namer
        for one in named(trials(group.sources, group.seeds, condition), group.namer)
    ]


def judge_single_names(groups: Sequence[Group]) -> list[Named]:
    """Every move that each group's network finds in a clip by itself, by the group's namer: as a job of that clip."""
    return [one for group in groups if group.namer for one in _single_names(group, group.namer)]


def _single_names(group: Group, namer: Namer) -> list[Named]:
    own = [source for source in group.sources if source.label]
    chosen = Method(group.model.name, group.model, namer)
    given = [Performance(source.views[0].smoothed(), source.audio) for source in own]
    cut = segment_batch(given, methods=lambda _: chosen)
    return [
        Named(source.label, move.names, namer.told(move.names).label)
        for source, one in zip(own, cut, strict=True)
        for move in one.moves
        if source.label
    ]


def _by_another(clips: Sequence[Clip], groups: Sequence[Group], place: str, dances: int) -> Sequence[Sequence[float]]:
    """What another network finds in the same dances. Raises UnfitNetwork where it was trained on other folds."""
    own = grouped(clips, place, dances)
    if [(_names(group), group.seeds) for group in own] != [(_names(group), group.seeds) for group in groups]:
        raise UnfitNetwork(f"{place} was trained on other folds of these clips: nothing can be compared.")
    return judge(own, CONDITIONS[USUAL]).found_s


def _names(group: Group) -> list[str]:
    return [source.name for source in group.sources]


def boundary_rows(usual: Judged, others: Mapping[str, Sequence[Sequence[float]]]) -> list[Row]:
    """``others`` by name: what else found in the same dances."""
    fine, coarse = usual.f(FINE_S), usual.f(COARSE_S)
    grid = best_grid_f(usual.trials)
    nulls, placed = false_at_nulls(usual.found_s, usual.trials), on_grid(usual.found_s, usual.trials)
    return [
        ("F at ±0.25 s", f"{fine.mean():.3f}", "", None),
        ("F at ±0.5 s", f"{coarse.mean():.3f}", "≥ 0.80", bool(coarse.mean() >= 0.80)),
        _both("best grid of beats", *grid),
        _ahead("ahead of the grid at ±0.25 s", fine, grid[0]),
        *(row for name, found in others.items() for row in _other_rows(name, usual, found)),
        ("boundaries told at null joins", f"{nulls:.1%}", "≤ 5 %", nulls <= 0.05),
        ("boundaries on a beat or half-beat, ±35 ms", f"{placed:.1%}", "100 %", placed >= 1.0),
    ]


def best_grid_f(given: Sequence[Trial]) -> list[FloatArray]:
    """At ±0.25 and at ±0.5 s, each with the grid that is best at it."""
    return [f_of([best_grid_s(one, s) for one in given], given, s) for s in (FINE_S, COARSE_S)]


def _other_rows(name: str, usual: Judged, found_s: Sequence[Sequence[float]]) -> tuple[Row, Row]:
    theirs = Judged(usual.trials, tuple(found_s))
    fine = theirs.f(FINE_S)
    return _both(name, fine, theirs.f(COARSE_S)), _ahead(f"ahead of {name} at ±0.25 s", usual.f(FINE_S), fine)


def _both(who: str, fine: FloatArray, coarse: FloatArray) -> Row:
    return (f"{who}, ±0.25 and ±0.5 s", f"{fine.mean():.3f}, {coarse.mean():.3f}", "", None)


def _ahead(what: str, ours: FloatArray, theirs: FloatArray) -> Row:
    """By how much, with its interval."""
    apart = difference(ours, theirs)
    figure = f"{apart.mean:+.3f} ({apart.low:+.3f} … {apart.high:+.3f})"
    return (what, figure, "≥ 0.05, above 0", apart.mean >= 0.05 and apart.low > 0)


def sureness_row(found: Sureness) -> Row:
    figure = f"{found.probability:.3f}, {found.right:.3f}, {found.off:.3f}"
    return (f"mean probability of {found.told} peaks, right, calibration error", figure, "", None)


def robustness_rows(judged: Mapping[str, Judged]) -> list[Row]:
    """What each condition costs, against the usual one."""
    usual = judged[USUAL].f(FINE_S).mean()
    rows: list[Row] = []
    for name, one in judged.items():
        if name != USUAL:
            lost = float(usual - one.f(FINE_S).mean())
            rows.append((f"F at ±0.25 s lost, {name}", f"{lost:.3f}", "≤ 0.03", lost <= 0.03))
    return rows


def other_rows(judged: Mapping[str, Judged]) -> list[Row]:
    """Dances that are joined otherwise, where there are any."""
    return [_both(name, one.f(FINE_S), one.f(COARSE_S)) for name, one in judged.items() if one.trials]


def imagined_rows(imagined: Mapping[str, Judged]) -> list[Row]:
    """The network on each kind, and beside it what novelty and counting reach."""
    rows: list[Row] = []
    for name, one in imagined.items():
        theirs = Judged(one.trials, tuple(_found(one.trials, NoveltyModel())))
        for who, judged in ((name, one), (f"{name}, novelty", theirs)):
            rows.append(_both(f"imagined {who}", judged.f(FINE_S), judged.f(COARSE_S)))
        rows.append(_both(f"imagined {name}, best grid", *best_grid_f(one.trials)))
    return rows


def naming_rows(names: Sequence[Named]) -> list[Row]:
    if not names:
        return []
    found = naming(names)
    return [
        (
            f"the label is the likeliest name, of {found.blocks} blocks",
            f"{found.first:.1%}",
            "≥ 40 %",
            found.first >= 0.4,
        ),
        ("the label is among the three likeliest", f"{found.third:.1%}", "≥ 65 %", found.third >= 0.65),
        ("calibration error of the likeliest", f"{found.off:.3f}", "≤ 0.1", found.off <= 0.1),
        ("blocks that are told a name; of these, rightly", f"{found.told:.1%}, {found.right:.1%}", "", None),
    ]


def single_naming_rows(names: Sequence[Named]) -> list[Row]:
    """Every move counts the same: a clip counts as often as it is cut."""
    if not names:
        return []
    found, what = naming(names), "single clips, cut by the network"
    return [
        (f"{what}: likeliest, of {found.blocks} moves", f"{found.first:.1%}", "", None),
        (f"{what}: among the three likeliest", f"{found.third:.1%}", "", None),
        (f"{what}: calibration error", f"{found.off:.3f}", "", None),
        (f"{what}: told; of these, rightly", f"{found.told:.1%}, {found.right:.1%}", "", None),
    ]


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table("what", "figure", "bar", "", title=title)
    for what, figure, bar, met in rows:
        table.add_row(what, figure, bar, "" if met is None else ("met" if met else "missed"))
    return table


if __name__ == "__main__":
    sys.exit(main())
