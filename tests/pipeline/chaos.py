"""The whole system on the emulators, while its processes are killed at every write.

Uploads run through the real functions and the real GPU worker, on the real clients; only what is
extracted and inferred is invented. Messages come late, twice and in any order, processes die before
and after what they write, the run API fails after it has accepted. Afterwards every job must have
ended as its seed says, from evidence gathered outside of the system.

    python -m tests.pipeline.chaos [--runs 200] [--first 0] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from signal import SIGTERM
from typing import Any

import grpc
import psutil
from google.cloud import firestore, storage

from infra.local.pushing import Mishaps
from infra.local.system import LOCAL_SETTINGS, Function, Plan, System, deployed_functions, up
from shared.config import Settings
from shared.events import UploadFinalized
from shared.gcp import connect
from shared.gcp.pubsub import PubSubBus
from shared.job import Source
from tests.pipeline.chaos_evidence import Documents, Evidence, Objects, Violation
from tests.pipeline.chaos_plan import POINTS, SHARED, Script, When, script_of
from tests.pipeline.chaos_ports import FOLDER, Journal
from tests.shared.media_files import Recipe, write

SETTINGS = replace(
    LOCAL_SETTINGS,
    step_lease_s=5.0,
    infer_lease_s=4.5,
    stale_after_s=4.0,
    max_attempts=8,
    max_executions=3,
    batch_size=4,
)
"""Minutes are seconds here, so that what heals by waiting heals soon."""

TICK_S = 1.5
AT_ONCE = 60
"""Uploads under way at a time."""
INSTANCES = {"intake": 5, "audio": 5, "pose": 5, "dispatch": 4, "sweep": 1}
TERMINATED_EVERY_S = 20.0
"""An execution is told to end, as at a maintenance of its machine."""
PATIENCE_S = 120.0
"""Nothing heals more slowly than this, on however busy a machine."""
OFTEN = 5
"""Shared writes that come about less often need not have been deadly."""
REST_S = 6.0
"""Watched on after the last job has ended: late messages must change nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``minimum_s``: the shortest time between two writes of a document.

    ``completions``: inferences that were recorded. ``repetitions``: why others came to their end in vain.
    """

    runs: int
    wall_s: float
    ends: Mapping[str, int]
    violations: Sequence[Violation]
    notes: Sequence[Mapping[str, Any]]
    executions: int
    minimum_s: float
    completions: int
    repetitions: Mapping[str, int]


def chaos(seeds: Sequence[int], folder: Path, at_once: int = AT_ONCE) -> Outcome:
    """Run them all, in one system, and judge. Nothing of it is left running."""
    started_s, journal = time.monotonic(), Journal(folder)
    journal.prepare()
    with up(folder / "system", SETTINGS, _plan(folder)) as system, _environment(system.environment):
        outcome = _lived(system, seeds, journal, at_once)
    left = [Violation(None, f"process {name} was left over") for name in left_over(folder)]
    wall_s = time.monotonic() - started_s
    return replace(outcome, wall_s=wall_s, violations=[*outcome.violations, *left])


def _plan(folder: Path) -> Plan:
    root = Path(__file__).parents[2]
    environment = {**os.environ, FOLDER: str(folder), "PYTHONPATH": str(root)}
    return Plan(
        functions=[_chaotic(function) for function in deployed_functions() if function.topics],
        task=(sys.executable, "-m", "tests.pipeline.chaos_gpu"),
        environment=environment,
        min_backoff_s=0.5,
        tick_s=TICK_S,
        mishaps=Mishaps(lost_answers=0.05, delay_s=0.2, random=Random(1)),
    )


def _chaotic(function: Function) -> Function:
    """One message an instance, so that a death is that of one job's work."""
    source = Path(__file__).with_name("chaos_functions.py")
    return replace(function, source=source, instances=INSTANCES[function.name], threads=1)


@contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    """With it every Google client of this process finds the system."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _lived(system: System, seeds: Sequence[int], journal: Journal, at_once: int) -> Outcome:
    with (
        grpc.insecure_channel(system.address.pubsub) as pubsub,
        closing(firestore.Client(system.settings.project)) as client,
    ):
        documents = Documents(client)
        objects = Objects(system.settings, pubsub)
        objects.subscribe()
        with _maintenance(system, journal):
            scripts = _uploaded(seeds, documents, system.settings, at_once)
            _until(lambda: scripts.keys() <= documents.settled(), PATIENCE_S, lambda: len(documents.settled()))
            time.sleep(REST_S)
        is_idle = _until(lambda: all(each.completed_at for each in system.run.executions), PATIENCE_S)
        documents.collect()
        objects.collect()
        return _judged(system, Evidence(documents, objects, scripts, journal.notes()), is_idle=is_idle)


def _judged(system: System, evidence: Evidence, *, is_idle: bool) -> Outcome:
    left = connect(system.settings).jobs.backlog(100)
    found = [
        *evidence.violations(),
        *(Violation(None, f"job {job.id} is left in the backlog") for job in left),
        *([] if is_idle else [Violation(None, "executions still run with nothing to do")]),
    ]
    return Outcome(
        len(evidence.scripts), 0.0, evidence.ends(), found, evidence.notes, len(system.run.executions),
        min(evidence.intervals_s(), default=0.0), sum(map(evidence.completions, evidence.scripts)),
        evidence.repetitions(),
    )  # fmt: skip


def _until(holds: Any, patience_s: float, progress: Any = lambda: 0) -> bool:
    """Whether it comes about before nothing has moved for so long."""
    moved_at, last = time.monotonic(), progress()
    while not holds():
        if (now := progress()) != last:
            moved_at, last = time.monotonic(), now
        if time.monotonic() > moved_at + patience_s:
            return False
        time.sleep(0.5)
    return True


@contextmanager
def _maintenance(system: System, journal: Journal) -> Generator[None]:
    """The platform's part: the run API fails, before and after it accepts, and executions are told to end."""
    done, chance = threading.Event(), Random(2)

    def maintain() -> None:
        while not done.wait(TERMINATED_EVERY_S):
            system.run.faults.lost_answers += 1
            system.run.faults.refused_runs += 1
            running = [each.process for each in system.run.executions if each.process and not each.completed_at]
            for process in chance.sample(running, min(1, len(running))):
                journal.note("gpu", None, "told to end", of=process.pid)
                process.signal(SIGTERM)

    system.run.faults.lost_answers = system.run.faults.refused_runs = 2
    thread = threading.Thread(target=maintain, name="maintenance", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# Uploads


def _uploaded(seeds: Sequence[int], documents: Documents, settings: Settings, at_once: int) -> dict[str, Script]:
    """Upload them, and tell of some again; the scripts by the id of their job."""
    bucket = storage.Client(project=settings.project).bucket(settings.uploads_bucket)
    bus, scripts = PubSubBus(settings.project), dict[str, Script]()
    for seed in seeds:
        _until(lambda: len(scripts.keys() - documents.settled()) < at_once, PATIENCE_S)
        script = script_of(seed)
        message = _upload(bucket, script)
        scripts[message.job_id] = script
        for after_s in script.again_s:
            timer = threading.Timer(after_s, bus.publish, [message])
            timer.daemon = True
            timer.start()
    return scripts


def _upload(bucket: Any, script: Script) -> UploadFinalized:
    blob, content = bucket.blob(script.name), _content(script.fate.upload, script.is_long)
    blob.metadata = {"owner": "ann", **script.fate.metadata}
    blob.upload_from_string(content, content_type="video/mp4")
    source = Source(bucket.name, script.name, int(blob.generation), len(content), "video/mp4")
    return UploadFinalized(source, blob.metadata)


@cache
def _content(upload: str, is_long: bool) -> bytes:
    match upload:
        case "text":
            return b"this is no video"
        case "empty":
            return b""
        case "sound":
            return _video(Recipe(codec=None))
        case _:
            return _video(Recipe(count=60, rate_hz=2.0) if is_long else Recipe(count=30, rate_hz=15.0))


def _video(recipe: Recipe) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder, "video.mp4"), recipe).read_bytes()


def left_over(folder: Path) -> Iterator[str]:
    """Every process, however it came about, that has inherited the run's folder."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(FOLDER) == str(folder):
                yield f"{process.pid} ({' '.join(process.cmdline()[:4])})"
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue


# Reports


def report(outcome: Outcome) -> str:
    notes = outcome.notes
    deaths = Counter(note["kind"] for note in notes if note.get("died"))
    whens = Counter(note.get("when") for note in notes)
    whats = Counter(note["what"] for note in notes)
    rows = [
        ("runs", outcome.runs),
        ("outcomes", _listed(outcome.ends)),
        ("writes", whens[When.AFTER]),
        ("kills", f"{deaths.total()}: {_listed(deaths)}"),
        ("of whole functions", sum(bool(note.get("whole")) for note in notes)),
        ("told to end", whats["told to end"]),
        ("processes started", _listed(Counter(note["kind"] for note in notes if note["what"] == "started"))),
        ("messages delivered", f"{whats['delivered']}, refused {whats['refused']}"),
        ("published twice, late", f"{whens['twice']}, {whens['late']}"),
        ("run API failed", sum(note["what"] == "launch" and note.get("when") == "failed" for note in notes)),
        ("executions", outcome.executions),
        ("inferred, and recorded", f"{whats['inferred']}, {outcome.completions}"),
        ("inferred once more", _listed(outcome.repetitions)),
        ("least time between writes", f"{outcome.minimum_s:.3f} s"),
        ("wall time", f"{outcome.wall_s:.0f} s"),
        ("violations", len(outcome.violations)),
    ]
    return "\n".join(f"{name:26} {value}" for name, value in rows)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in sorted(counts))


def coverage(notes: Sequence[Mapping[str, Any]]) -> str:
    """How often each process died at each write."""
    died = Counter((note["kind"], note["what"], note["when"]) for note in notes if note.get("died"))
    written = Counter((note["kind"], note["what"]) for note in notes if note.get("when") == When.AFTER)
    points = dict.fromkeys([*((point.kind, point.write) for point in POINTS), *SHARED, *written])
    lines = [f"{'process':9} {'write':18} {'written':>8} {'died before':>12} {'died after':>11}"]
    for kind, what in sorted(points):
        before, after = (died[kind, what, when] for when in When)
        lines.append(f"{kind:9} {what:18} {written[kind, what]:8} {before:12} {after:11}")
    return "\n".join(lines)


def uncovered(notes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where no process died: though a point was some seed's, or a shared write came about often enough."""
    died = {(note["kind"], note["what"], note["when"]) for note in notes if note.get("died")}
    written = Counter((note["kind"], note["what"]) for note in notes if note.get("when") == When.AFTER)
    points = [(point.kind, point.write) for point in POINTS]
    points += [point for point in SHARED if written[point] >= OFTEN]
    wanted = [(*point, when) for point in points for when in When]
    return [f"{kind} never died {when} {write!r}" for kind, write, when in wanted if (kind, write, when) not in died]


def trace(notes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    start = min((note["at"] for note in notes), default=0.0)
    for note in sorted(notes, key=lambda note: note["at"]):
        more = {key: note[key] for key in ("step", "error", "of") if note.get(key)}
        died = "DIES " if note.get("died") else ""
        words = f"{died}{note.get('when') or ''} {note['what']} {_listed_values(more)}"
        yield f"{note['at'] - start:8.3f}  {note['kind']:8} {note['pid']:7}  {words.strip()}"


def _listed_values(values: Mapping[str, Any]) -> str:
    return " ".join(str(value) for value in values.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one alone, and print what happened")
    parser.add_argument("--folder", type=Path, help="where logs and journal are kept; else they are deleted")
    arguments = parser.parse_args()
    alone = arguments.seed is not None
    seeds = [arguments.seed] if alone else range(arguments.first, arguments.first + arguments.runs)
    with _folder(arguments.folder) as folder:
        outcome = chaos(seeds, folder)
    return _told(outcome, alone=alone)


@contextmanager
def _folder(wanted: Path | None) -> Generator[Path]:
    if wanted:
        wanted.mkdir(parents=True)
        yield wanted.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="dancebits-chaos-") as folder:
        yield Path(folder)


def _told(outcome: Outcome, *, alone: bool) -> int:
    """Print all of it; the exit status."""
    gaps = uncovered(outcome.notes) if outcome.runs >= 2 * len(POINTS) * len(When) else []
    print("\n".join(trace(outcome.notes)) if alone else coverage(outcome.notes), end="\n\n")
    print(report(outcome))
    for violation in outcome.violations:
        print(f"VIOLATION {violation.text}" + ("" if violation.seed is None else f"; replay: --seed {violation.seed}"))
    for gap in gaps:
        print(f"NOT COVERED {gap}")
    return int(bool(outcome.violations or gaps))


if __name__ == "__main__":
    sys.exit(main())
