"""What was found, as rows of a table: each figure beside its bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpu_job.segmentation.learning.judging import Judged, found_s
from gpu_job.segmentation.learning.naming_trials import Named, naming
from gpu_job.segmentation.learning.trials import (
    COARSE_S,
    FINE_S,
    USUAL,
    Sureness,
    Trial,
    best_grid_s,
    difference,
    f_of,
    false_at_nulls,
    on_grid,
)
from gpu_job.segmentation.novelty import NoveltyModel
from shared.timeline import FloatArray

Row = tuple[str, str, str, bool | None]
"""What, the figure, the bar, whether it is met."""


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
        theirs = Judged(one.trials, tuple(found_s(one.trials, NoveltyModel())))
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
