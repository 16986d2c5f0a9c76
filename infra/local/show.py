"""What a person sees on the terminal: progress bars, tables, sentences."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from shared.job import Job, State

console = Console()


@contextmanager
def progress(first: str = "Opening the video") -> Generator[Callable[[Job], None]]:
    """A bar that follows a job; what it yields is to be called with every change."""
    columns = TextColumn("{task.description:48}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(first, total=1.0)
        yield lambda job: bars.update(task, description=job.stage, completed=job.progress)


def say(sentence: str) -> None:
    """On one line, however long: a terminal wraps it by itself, and a file keeps it whole."""
    console.print(sentence, highlight=False, soft_wrap=True)


def outcome(job: Job, out: Path | None = None) -> int:
    """Tell how a settled job ended; the exit status of the command."""
    if job.state is not State.DONE:
        sentence = job.error.message if job.error else job.stage
        say(f"[red]{job.error.code if job.error else job.state}[/red]: {escape(sentence)}")
        return 1
    console.print(moves_table(job.result["moves"]))
    for notice in job.result.get("warnings", ()):
        say(f"[yellow]{notice['code']}[/yellow]: {escape(notice['message'])}")
    if out:
        say(f"In {escape(str(out))}: result.json, timeline.png, curves.npz, moves/")
    return 0


def moves_table(moves: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        "move",
        "from",
        "to",
        "counts",
        "label",
        "confidence",
        title="1 move" if len(moves) == 1 else f"{len(moves)} moves",
    )
    for number, move in enumerate(moves, 1):
        counts = "–" if move["counts"] is None else f"{move['counts']:g}"
        times = f"{move['start_s']:.2f} s", f"{move['end_s']:.2f} s"
        table.add_row(str(number), *times, counts, move["label"], f"{move['confidence']:.0%}")
    return table
