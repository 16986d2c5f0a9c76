"""Judge segmentation networks on clips that they have never seen, beside what counting and novelty reach.

    python -m gpu_job.segmentation.evaluate CLIPS [--network FILE] [--against FILE ...] [--out FOLDER]

Dances are joined from blocks of 2 to 16 counts of the clips of one fold and judged by the network that was trained
without that fold; clips that no network has seen are judged by all networks together, as in the service. Prints the
table, and writes it with plots. The grid beside it is told the true beats, and for each dance the period and the phase
that fit it best.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gpu_job.segmentation.learning.clips import extracted
from gpu_job.segmentation.learning.figures import (
    Row,
    boundary_rows,
    imagined_rows,
    naming_rows,
    other_rows,
    robustness_rows,
    single_naming_rows,
    sureness_row,
)
from gpu_job.segmentation.learning.judging import (
    IMAGINED,
    by_another,
    by_label,
    found_s,
    grouped,
    judge,
    judge_imagined,
    judge_names,
    judge_single_names,
    judge_sureness,
)
from gpu_job.segmentation.learning.plots import plots
from gpu_job.segmentation.learning.trials import (
    CONDITIONS,
    OTHER_DANCES,
    USUAL,
)
from gpu_job.segmentation.novelty import NoveltyModel
from shared.errors import DanceBitsError

console = Console(width=118, highlight=False, markup=False)


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
    others: dict[str, Sequence[Sequence[float]]] = {"novelty": found_s(usual.trials, NoveltyModel())}
    others |= {Path(place).stem: by_another(clips, groups, place, chosen.dances) for place in chosen.against}
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


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table("what", "figure", "bar", "", title=title)
    for what, figure, bar, met in rows:
        table.add_row(what, figure, bar, "" if met is None else ("met" if met else "missed"))
    return table


if __name__ == "__main__":
    sys.exit(main())
