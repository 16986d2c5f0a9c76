"""What the system asks of the outside world. Each port has a memory adapter and a Google one,
and one suite of contracts (tests/contracts) that both pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from shared.config import Settings
from shared.events import Message
from shared.job import Job, Source, Step


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a job stands among its owner's: also once it is deleted."""

    created_at: datetime
    job_id: str


class JobStore(Protocol):
    """Jobs and their steps.

    A document is written at most once a second, the rate that Firestore sustains: ``update…`` waits
    until the last write is a second old. A ``change`` is pure and may run again; it is applied to
    what is there at the moment of writing, or not at all. One that returns its argument writes
    nothing; what it raises is raised, and nothing is written.
    """

    def create(self, job: Job) -> Job:
        """Keep ``job``; where its id is taken, return the job that is there, unchanged."""
        ...

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        ...

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Raises NotFound, and Conflict where others keep writing."""
        ...

    def offer(self, job_id: str, change: Callable[[Job], Job]) -> None:
        """Like ``update``, but forgone without waiting if the document was written within the last
        second or another writes at the same moment: for progress, which the next offer supersedes."""
        ...

    def steps(self, job_id: str) -> Mapping[str, Step]:
        """The steps begun so far, by name."""
        ...

    def update_step(self, job_id: str, name: str, change: Callable[[Step], Step]) -> Step:
        """A step that nobody has begun is ``Step(name)``. Raises Conflict where others keep writing."""
        ...

    def update_executor(self, slot: int, change: Callable[[Step], Step]) -> Step:
        """The lease of one of the places in which a GPU worker may drain the backlog, ``Step("executor-N")``."""
        ...

    def backlog(self, limit: int) -> list[Job]:
        """Jobs that are READY or RUNNING, oldest first."""
        ...

    def stale(self, before: datetime, limit: int) -> list[Job]:
        """Jobs that are not settled and were last written before, longest unwritten first."""
        ...

    def of_owner(self, owner: str, limit: int, after: Place | None = None) -> list[Job]:
        """A user's jobs, the latest first, as far as they come behind ``after``."""
        ...

    def delete(self, job_id: str) -> None:
        """The job and its steps. Nothing happens where there is none."""
        ...

    def watch(self, job_id: str) -> AbstractContextManager[Iterator[Job]]:
        """The job as it is (waiting until it exists), then after every change; ends when it is settled."""
        ...


@dataclass(frozen=True, slots=True)
class Blob:
    """What is known of one object."""

    source: Source
    metadata: Mapping[str, str]


class BlobStore(Protocol):
    """Objects in buckets."""

    def stat(self, bucket: str, name: str) -> Blob:
        """Raises NotFound."""
        ...

    def open(self, source: Source) -> BinaryIO:
        """A seekable reader of that very generation, by ranges. Raises SourceGone, at once or while reading."""
        ...

    def read(self, bucket: str, name: str) -> bytes:
        """Raises NotFound."""
        ...

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        """Of the objects whose names begin so, in order."""
        ...

    def create(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> bool:
        """Write an object that is written once. True if it was written, False if it was there already."""
        ...


class BlobKeeper(BlobStore, Protocol):
    """A store in which objects can also be copied and deleted: for their owner."""

    def copy(self, source: Source, name: str) -> Source:
        """That generation with its metadata under another name in its bucket; whatever lies there already counts.

        Raises SourceGone.
        """
        ...

    def delete(self, source: Source) -> None:
        """That generation. Nothing happens where it is not there any more."""
        ...

    def delete_all(self, bucket: str, folder: str) -> None:
        """All objects whose names begin with ``folder``, which ends with a slash. Raises ValueError."""
        ...


def check_folder(folder: str) -> None:
    """Raises ValueError for what would be more than one folder: a whole bucket."""
    if not folder.endswith("/") or folder == "/":
        raise ValueError(f"{folder!r} does not end with a slash after a name")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client may upload, once: an object of that name, type, size and metadata."""

    bucket: str
    name: str
    content_type: str
    size: int
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that whoever holds it may make, with these very headers."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class UrlSigner(Protocol):
    """Lets clients that have no account of the cloud at one object, for a while."""

    def upload(self, grant: Grant, expires: timedelta) -> SignedRequest:
        """Begins a resumable upload: the answer's Location takes the content. Raises Unavailable."""
        ...

    def download(self, source: Source, expires: timedelta) -> SignedRequest:
        """Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """One of a user's places: what holds it, and since when."""

    holder: str
    since: datetime


class QuotaStore(Protocol):
    """What users have used of what they may: exact, however many ask at once."""

    def spend(self, counter: str, limit: int, until: datetime) -> bool:
        """One of ``limit``, never given back: whether one was left. After ``until`` nobody asks of the counter."""
        ...

    def hold(self, counter: str, limit: int, held: Held, is_over: Callable[[Held], bool]) -> bool:
        """One of ``limit`` places, until :meth:`release`. Whether there was one.

        A place is free also where ``is_over`` says so of what holds it.
        """
        ...

    def release(self, counter: str, holder: str) -> None:
        """Nothing happens where it holds none."""
        ...


class MessageBus(Protocol):
    def publish(self, message: Message) -> None:
        """Returns when the message is safe; it will be delivered at least once, in any order."""
        ...


class JobLauncher(Protocol):
    """Starts executions of the GPU job."""

    def active(self) -> int:
        """How many executions are starting or running."""
        ...

    def launch(self) -> str:
        """Start one more and return its name, without waiting for it. An error does not mean that none started."""
        ...


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world as one deployable is given it."""

    settings: Settings
    jobs: JobStore
    blobs: BlobStore
    bus: MessageBus
    launcher: JobLauncher
    now: Callable[[], datetime] = utc_now
