"""What is to go wrong with an upload, as a pure function of its seed.

Over some two hundred seeds every process dies before and after every write that it does for a job.
Nothing here knows how to kill, or what a port is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from shared.errors import DamagedFile, Unavailable

ALWAYS = 1 << 30


class When(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Fate:
    """How an upload ends (DONE, or an error's code), and what its content or its work is to do to that."""

    title: str
    end: str = "DONE"
    upload: str = "video"
    place: str = ""
    """The step, or load, infer, record, that raises ``error``."""
    error: type[Exception] | None = None
    tries: int = ALWAYS
    """How often it raises."""
    metadata: Mapping[str, str] = field(default_factory=dict)


GOOD = Fate("good")
TEXT = Fate("text", "NOT_A_VIDEO", upload="text")
EMPTY = Fate("empty", "EMPTY_FILE", upload="empty")
SOUND_ONLY = Fate("no picture", "NO_PICTURE", upload="sound")
BAD_OPTION = Fate("bad option", "BAD_OPTION", metadata={"min_counts": "many"})
BAD_SOUND = Fate("bad sound", "DAMAGED_FILE", place="audio", error=DamagedFile)
BAD_PICTURE = Fate("bad picture", "DAMAGED_FILE", place="pose-00", error=DamagedFile)
NOBODY = Fate("nobody", "NOBODY_FOUND", upload="empty stage")
UNLOADABLE = Fate("unloadable", "DAMAGED_FILE", place="load", error=DamagedFile)
UNINFERABLE = Fate("uninferable", "DAMAGED_FILE", place="infer", error=DamagedFile)
UNRECORDABLE = Fate("unrecordable", "DAMAGED_FILE", place="record", error=DamagedFile)
POISONOUS = Fate("kills whoever works on it", "GAVE_UP")


def _hiccup(place: str, tries: int) -> Fate:
    return Fate(f"hiccup in {place}", place=place, error=Unavailable, tries=tries)


HICCUP_SOUND, HICCUP_PICTURE = _hiccup("audio", 1), _hiccup("pose-00", 1)
HICCUPS_GPU = tuple(_hiccup(place, 3) for place in ("load", "infer", "record"))
"""More than one, for another job of the batch may bring death upon the first."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL to a process of a kind, before or after a write, ``times`` times.

    ``whole``: to its siblings and their parent too.
    """

    kind: str
    write: str
    when: When
    times: int = 1
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """A run of one upload. ``again_s``: when its notification comes once more, after the upload."""

    seed: int
    fate: Fate
    kills: tuple[Kill, ...]
    is_long: bool
    """Whether the video is worth two shards."""
    pauses_s: Mapping[str, float]
    """How long the work of a step lasts."""
    again_s: tuple[float, ...]

    @property
    def name(self) -> str:
        return f"videos/seed-{self.seed:04d}.mp4"

    def kill_at(self, kind: str, write: str, when: When) -> Kill | None:
        return next((kill for kill in self.kills if (kill.kind, kill.write, kill.when) == (kind, write, when)), None)


@dataclass(frozen=True, slots=True)
class Point:
    """A write that a process does for a job, and the fates with which it comes about."""

    kind: str
    write: str
    fates: tuple[Fate, ...] = (GOOD,)


REFUSED = (TEXT, EMPTY, SOUND_ONLY, BAD_OPTION)
UNUSABLE = (UNLOADABLE, UNINFERABLE, UNRECORDABLE)

POINTS: Sequence[Point] = (
    Point("intake", "job RECEIVED", (GOOD, *REFUSED)),
    Point("intake", "job EXTRACTING"),
    Point("intake", "job FAILED", REFUSED),
    Point("intake", "publish audio"),
    Point("intake", "publish pose"),
    Point("audio", "audio RUNNING"),
    Point("audio", "progress"),
    Point("audio", "object audio"),
    Point("audio", "audio DONE"),
    Point("audio", "publish features"),
    Point("audio", "audio WAITING", (HICCUP_SOUND,)),
    Point("audio", "audio FAILED", (BAD_SOUND,)),
    Point("audio", "job FAILED", (BAD_SOUND,)),
    Point("pose", "pose RUNNING"),
    Point("pose", "progress"),
    Point("pose", "object pose"),
    Point("pose", "pose DONE"),
    Point("pose", "publish features"),
    Point("pose", "pose WAITING", (HICCUP_PICTURE,)),
    Point("pose", "pose FAILED", (BAD_PICTURE,)),
    Point("pose", "job FAILED", (BAD_PICTURE,)),
    Point("dispatch", "progress"),
    Point("dispatch", "job READY"),
    Point("dispatch", "job FAILED", (NOBODY,)),
    Point("gpu", "infer RUNNING"),
    Point("gpu", "job RUNNING"),
    Point("gpu", "infer renewed"),
    Point("gpu", "object result"),
    Point("gpu", "infer DONE"),
    Point("gpu", "job DONE"),
    Point("gpu", "infer FAILED", UNUSABLE),
    Point("gpu", "job FAILED", UNUSABLE),
    Point("gpu", "infer rested", HICCUPS_GPU),
)
"""Every write that belongs to one job."""

SHARED: Sequence[tuple[str, str]] = (
    ("audio", "audio renewed"),
    ("pose", "pose renewed"),
    ("dispatch", "slot reserved"),
    ("dispatch", "slot unreserved"),
    ("dispatch", "launch"),
    ("sweep", "publish upload"),
    ("sweep", "publish audio"),
    ("sweep", "publish pose"),
    ("sweep", "publish features"),
    ("sweep", "slot reserved"),
    ("sweep", "slot unreserved"),
    ("sweep", "launch"),
    ("sweep", "job looked after"),
    ("gpu", "slot unreserved"),
    ("gpu", "slot RUNNING"),
    ("gpu", "slot renewed"),
    ("gpu", "slot WAITING"),
    ("gpu", "infer WAITING"),
)
"""Writes that many jobs have in common, or that nobody can tell beforehand for which they come about."""

SHARED_KILLS = frozenset({2, 13, 31, 71})
"""A shared write is deadly when it is begun, or done, for these times."""

SWEEP_KILLS = frozenset({1, 9, 31, 71})
"""Some of what the sweep writes it seldom has to."""

TIRING = {
    ("job EXTRACTING", When.BEFORE),
    ("job READY", When.BEFORE),
    ("audio RUNNING", When.BEFORE),
    ("pose RUNNING", When.BEFORE),
}

POISON_EVERY = 97
"""One of so many seeds kills whoever works on it."""

_ORDER: Sequence[tuple[Point, When]] = Random(8).sample([(point, when) for point in POINTS for when in When], 66)
"""Mixed, so that uploads that come together die in different places."""


def shared_kill(kind: str, count: int) -> bool:
    """Whether the process dies at a shared write that comes about for the ``count``-th time."""
    return count in (SWEEP_KILLS if kind == "sweep" else SHARED_KILLS)


def script_of(seed: int) -> Script:
    random = Random(seed)
    point, when = _ORDER[seed % len(_ORDER)]
    fate = point.fates[seed // len(_ORDER) % len(point.fates)]
    kills = [_kill(point, when, seed // len(_ORDER), random)]
    if random.random() < 0.3:
        other, other_when = random.choice(_ORDER)
        kills.append(Kill(other.kind, other.write, other_when))
    if seed % POISON_EVERY == POISON_EVERY // 2:
        fate, kills = POISONOUS, [_poison(seed // POISON_EVERY)]
    return Script(seed, fate, tuple(kills), random.random() < 0.3, _pauses_s(point, random), _again_s(random))


def seed_of(name: str) -> int | None:
    """The seed in an upload's name."""
    found = re.fullmatch(r"videos/seed-(\d+)\.mp4", name)
    return int(found[1]) if found else None


def _kill(point: Point, when: When, turn: int, random: Random) -> Kill:
    """Now and then so often that Pub/Sub tires, and the sweep must say the message again."""
    tiring = (point.write, when) in TIRING and turn % 2 == 0
    whole = point.kind != "gpu" and not tiring and random.random() < 0.06
    return Kill(point.kind, point.write, when, times=4 if tiring else 1, whole=whole)


def _poison(number: int) -> Kill:
    kind, write = (("pose", "pose RUNNING"), ("gpu", "object result"), ("audio", "object audio"))[number % 3]
    return Kill(kind, write, When.AFTER, times=ALWAYS)


def _pauses_s(point: Point, random: Random) -> Mapping[str, float]:
    """Progress is told only where the document has rested for a second: then there must be time for it."""
    pauses = {"sound": 0.0} | {step: random.uniform(0, 1.0) for step in ("audio", "pose", "infer")}
    match point.kind, point.write:
        case "audio", "progress":
            pauses["sound"] = 1.5
        case "pose" | "dispatch", "progress":  # later than what dispatch tells of the sound
            pauses |= {"audio": 0.0, "pose": 3.0}
        case "gpu", "infer renewed":
            pauses["infer"] = 2.5
        case _:
            pass
    if random.random() < 0.1:
        pauses[random.choice(["audio", "pose"])] = 4.0  # long enough for a heartbeat
    return pauses


def _again_s(random: Random) -> tuple[float, ...]:
    return tuple(random.uniform(0, 20) for _ in range(random.choice([0, 0, 0, 1, 2])))
