"""What a person sees on the terminal: progress bars, tables, sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gpu_job.comparison.findings import Limb
from gpu_job.comparison.wording import early_or_late_ms
from gpu_job.notice import Notice
from gpu_job.titles import UNKNOWN, name_of, title
from gpu_job.told import as_now
from infra.local.outcome import Outcome
from shared.job import Job, Kind, State
from shared.library import QUALITIES

console = Console()

LEAST_GUESS = 0.1
"""Of sixteen names each is as likely as that or so; less is no guess to show."""


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


def finding(name: str, notice: Notice) -> None:
    """What is to be said of one clip of many."""
    say(f"{escape(name)}: [yellow]{notice.code}[/yellow]: {escape(notice.message)}")


def outcome(job: Job, out: Path | None = None) -> int:
    """Tell how a settled job ended; the exit status of the command."""
    if job.state is not State.DONE:
        sentence = job.error.message if job.error else job.stage
        say(f"[red]{job.error.code if job.error else job.state}[/red]: {escape(sentence)}")
        return 1
    for table in TABLES[job.kind](job.result):
        console.print(table)
    for notice in job.result.get("warnings", ()):
        say(f"[yellow]{notice['code']}[/yellow]: {escape(notice['message'])}")
    if out:
        say(f"In {escape(str(out))}: {files(job)}")
    return 0


def moves_table(moves: Sequence[Mapping[str, Any]]) -> Table:
    """Of a result of whatever schema: jobs of earlier releases are looked at, too."""
    table = Table(
        "move",
        "from",
        "to",
        "counts",
        "called",
        "letter",
        "confidence",
        title="1 move" if len(moves) == 1 else f"{len(moves)} moves",
    )
    for number, move in enumerate(map(as_now, moves), 1):
        counts = "–" if move["counts"] is None else f"{move['counts']:g}"
        times = f"{move['start_s']:.2f} s", f"{move['end_s']:.2f} s"
        called = title(move["label"], move["letter"])
        table.add_row(str(number), *times, counts, called, move["letter"], _sureness(move))
    return table


def _sureness(move: Mapping[str, Any]) -> str:
    """Of the name; and what it might be where nobody can tell for sure."""
    if move["label"] != UNKNOWN:
        return f"{move['confidence']:.0%}"
    best: Mapping[str, Any] = move["names"][0] if move["names"] else {"confidence": 0.0}
    return f"{name_of(best['label'])}? {best['confidence']:.0%}" if best["confidence"] >= LEAST_GUESS else "–"


def comparison_tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """How near the dancers were together, and each: on the whole, limb by limb and move by move."""
    if len(result["dancers"]) > 1:
        yield Table("both", _points(result["score"]))
    for dancer in result["dancers"]:
        yield _grades_table(dancer)
        if dancer["moves"]:
            yield _moves_graded(dancer["moves"])


def _grades_table(dancer: Mapping[str, Any]) -> Table:
    low, high = dancer["interval"] or (None, None)
    who = "" if dancer["role"] == "dancer" else f"{dancer['role'].capitalize()}: "
    within = "" if low is None else f", between {low:.0f} and {high:.0f}"
    title = f"{who}{_points(dancer['score'])}{' of 100' if dancer['score'] is not None else ''}{within}"
    table = Table("part", "score", "seen", title=title)
    for limb in Limb:  # Firestore forgets the order of a map
        grade = dancer["limbs"][limb]
        table.add_row(limb.replace("_", " "), _points(grade["score"]), f"{grade['seen']:.0%}")
    table.add_row("timing", _late(dancer["lateness"]), "")
    return table


def _moves_graded(moves: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("move", "in the teacher's", "counts", "score", "timing", title="Move by move")
    for move in moves:
        counts = "–" if move["counts"] is None else f"{move['counts']:g}"
        at = f"{move['teacher_start_s']:.2f} s"
        table.add_row(move["label"], at, counts, _points(move["score"]), _late(move["lateness"]))
    return table


def _points(score: float | None) -> str:
    return "too little seen" if score is None else f"{score:.0f}"


def _late(lateness: Mapping[str, float] | None) -> str:
    return "–" if lateness is None else early_or_late_ms(lateness["ms"])


def choreography_table(result: Mapping[str, Any]) -> Table:
    """The dance, block by block."""
    plan, song = result["plan"], result["song"]
    title = f"{len(plan)} blocks on {song['tempo_bpm']:.1f} BPM"
    table = Table("at", "counts", "section", "move", "speed", "why", title=title)
    for block in plan:
        speed = "" if block["ratio"] is None else f"{1 / block['ratio']:.0%}"
        table.add_row(
            f"{block['start_s']:.2f} s", str(block["counts"]), block["section"], block["label"], speed, block["why"]
        )
    return table


def move_table(result: Mapping[str, Any]) -> Table:
    """One move of the library and its eights."""
    title = f"{result['clip_id']}: {result['label']}, {result['tempo_bpm']:.1f} BPM"
    table = Table("eight", "from", "to", *QUALITIES, title=title)
    for number, block in enumerate(result["blocks"], 1):
        times = f"{block['start_s']:.2f} s", f"{block['end_s']:.2f} s"
        table.add_row(str(number), *times, *(f"{block['qualities'][name]:.0%}" for name in QUALITIES))
    return table


TABLES: Mapping[Kind, Callable[[Mapping[str, Any]], Iterable[Table]]] = {
    Kind.SEGMENT: lambda result: [moves_table(result["moves"])],
    Kind.COMPARE: comparison_tables,
    Kind.CHOREOGRAPH: lambda result: [choreography_table(result)],
    Kind.LIBRARY: lambda result: [move_table(result)],
}
FOLDERS: Mapping[Kind, tuple[str, Callable[[Mapping[str, Any]], bool]]] = {
    Kind.SEGMENT: ("moves/", lambda result: any(move["clip"] for move in result["moves"])),
    Kind.COMPARE: ("moments/", lambda result: any(dancer["worst"] for dancer in result["dancers"])),
}
"""The folder that a kind of job leaves beside its files, and whether it did."""


def files(job: Job) -> str:
    """What a finished job left, by name; what to look at first comes first."""
    names = [name.rpartition("/")[2] for key, name in job.result["objects"].items() if key != "folder"]
    folder, is_there = FOLDERS.get(job.kind, ("", lambda _: False))
    first = sorted(names, key=lambda name: (not name.endswith((".html", ".png", ".mp4")), name))
    return ", ".join([*first, *([folder] if is_there(job.result) else [])])


@contextmanager
def counting(what: str, many: int) -> Generator[Callable[[str, Callable[[], Any]], Any]]:
    """A bar over ``many`` pieces of work; what it yields does one by name, and returns what that returns."""
    columns = TextColumn("{task.description:48}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(what, total=many)

        def done(name: str, work: Callable[[], Any]) -> Any:
            bars.update(task, description=f"{what}: {name}")
            answer = work()
            bars.advance(task)
            return answer

        yield done


def library(outcomes: Sequence[Outcome], moves: int, blocks: int, others: Sequence[str]) -> None:
    """What a build of the library came to: every clip of which there is something to say, by name."""
    states = Counter(outcome.state for outcome in outcomes)
    for outcome in outcomes:
        for notice in outcome.findings:
            finding(outcome.clip_id, notice)
    for clip_id in others:
        name = escape(clip_id)
        say(f"{name}: not in the annotations but in the library, and danced: delete moves/{name}-*.npz to take it out.")
    counted = ", ".join(f"{many} {state}" for state, many in states.items())
    say(f"{moves} moves, {blocks} blocks of eight counts ({len(outcomes)} clips: {counted})")
