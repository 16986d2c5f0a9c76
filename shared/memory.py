"""Every port in memory: for the one-shot run, and as fakes for tests."""

from __future__ import annotations

import io
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from shared.config import Settings
from shared.errors import NotAllowed, NotFound, SourceGone
from shared.events import Message
from shared.files import write_whole
from shared.job import BACKLOG, Job, Source, Step
from shared.measures import note_settled
from shared.ports import Blob, Grant, Held, Place, Ports, SignedRequest, check_folder, utc_now


class MemoryJobStore:
    """Jobs in a dictionary. Writes are not paced: there is no database to spare."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._jobs: dict[str, Job] = {}
        self._steps: dict[str, dict[str, Step]] = {}
        self._executors: dict[int, Step] = {}
        self._watchers: dict[str, list[SimpleQueue[Job]]] = {}
        self._lock = threading.RLock()
        self._now = now

    def create(self, job: Job) -> Job:
        with self._lock:
            return self._jobs[job.id] if job.id in self._jobs else self._keep(job)

    def get(self, job_id: str) -> Job:
        with self._lock:
            try:
                return self._jobs[job_id]
            except KeyError:
                raise NotFound(f"there is no job {job_id}") from None

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        with self._lock:
            job = self.get(job_id)
            changed = change(job)
            kept = job if changed == job else self._keep(changed)
        note_settled(job, kept)
        return kept

    def offer(self, job_id: str, change: Callable[[Job], Job]) -> None:
        self.update(job_id, change)

    def steps(self, job_id: str) -> Mapping[str, Step]:
        with self._lock:
            return dict(self._steps.get(job_id, {}))

    def update_step(self, job_id: str, name: str, change: Callable[[Step], Step]) -> Step:
        with self._lock:
            steps = self._steps.setdefault(job_id, {})
            step = change(steps.get(name, Step(name)))
            if step != steps.get(name, Step(name)):
                steps[name] = step
            return step

    def update_executor(self, slot: int, change: Callable[[Step], Step]) -> Step:
        with self._lock:
            self._executors[slot] = change(self._executors.get(slot, Step(f"executor-{slot}")))
            return self._executors[slot]

    def backlog(self, limit: int) -> list[Job]:
        with self._lock:
            waiting = (job for job in self._jobs.values() if job.state in BACKLOG)
            return sorted(waiting, key=lambda job: job.created_at)[:limit]

    def stale(self, before: datetime, limit: int) -> list[Job]:
        def written(job: Job) -> datetime:
            return job.updated_at or job.created_at

        with self._lock:
            resting = (job for job in self._jobs.values() if not job.is_settled and written(job) < before)
            return sorted(resting, key=written)[:limit]

    def of_owner(self, owner: str, limit: int, after: Place | None = None) -> list[Job]:
        with self._lock:
            places = {Place(job.created_at, job.id): job for job in self._jobs.values() if job.owner == owner}
        behind = [place for place in sorted(places, reverse=True) if after is None or place < after]
        return [places[place] for place in behind[:limit]]

    def delete(self, job_id: str) -> None:
        with self._lock:
            self._steps.pop(job_id, None)
            self._jobs.pop(job_id, None)

    @contextmanager
    def watch(self, job_id: str) -> Generator[Iterator[Job]]:
        told: SimpleQueue[Job] = SimpleQueue()
        with self._lock:
            if job_id in self._jobs:
                told.put(self._jobs[job_id])
            self._watchers.setdefault(job_id, []).append(told)
        try:
            yield _until_settled(told)
        finally:
            with self._lock:
                self._watchers[job_id].remove(told)

    def _keep(self, job: Job) -> Job:
        self._jobs[job.id] = kept = replace(job, updated_at=self._now())
        for told in self._watchers.get(job.id, ()):
            told.put(kept)
        return kept


def _until_settled(told: SimpleQueue[Job]) -> Iterator[Job]:
    while True:
        job = told.get()
        yield job
        if job.is_settled:
            return


@dataclass(frozen=True, slots=True)
class _Object:
    blob: Blob
    open: Callable[[], BinaryIO]


class MemoryBlobStore:
    """Objects in a dictionary. Generations count up, as in a bucket.

    ``mount`` lends it an object that lies elsewhere, and ``folders`` keeps the objects that are created
    in some buckets as files, so that no large video is held in memory; what already lies there is in the bucket.
    """

    def __init__(self, folders: Mapping[str, Path] | None = None) -> None:
        self._folders = dict(folders or {})
        self._objects: dict[tuple[str, str], _Object] = {}
        self._generation = 0
        self._lock = threading.RLock()
        for bucket, folder in self._folders.items():
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    self._mount_file(bucket, path.relative_to(folder).as_posix(), path, "")

    def put(
        self, bucket: str, name: str, content: bytes, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> Source:
        """Upload: a new generation, whatever was there."""
        opener: Callable[[], BinaryIO] = lambda: io.BytesIO(content)  # noqa: E731 - typed for the checker
        return self.mount(bucket, name, opener, len(content), content_type, metadata)

    def mount(
        self,
        bucket: str,
        name: str,
        opener: Callable[[], BinaryIO],
        size: int,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Source:
        """Like ``put``, of an object that ``opener`` opens wherever it lies."""
        with self._lock:
            self._generation += 1
            source = Source(bucket, name, self._generation, size, content_type)
            self._objects[bucket, name] = _Object(Blob(source, dict(metadata or {})), opener)
            return source

    def stat(self, bucket: str, name: str) -> Blob:
        return self._object(bucket, name).blob

    def open(self, source: Source) -> BinaryIO:
        return self._of_generation(source).open()

    def read(self, bucket: str, name: str) -> bytes:
        with self._object(bucket, name).open() as file:
            return file.read()

    def create(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> bool:
        with self._lock:
            if (bucket, name) in self._objects:
                return False
            if bucket in self._folders:
                self._file(bucket, name, content, content_type)
            else:
                self.put(bucket, name, content.read_bytes() if isinstance(content, Path) else content, content_type)
            return True

    def _file(self, bucket: str, name: str, content: bytes | Path, content_type: str) -> None:
        path = self._folders[bucket] / name
        write_whole(path, content)
        self._mount_file(bucket, name, path, content_type)

    def _mount_file(self, bucket: str, name: str, path: Path, content_type: str) -> None:
        self.mount(bucket, name, lambda: path.open("rb"), path.stat().st_size, content_type)

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        with self._lock:
            return sorted(name for held, name in self._objects if held == bucket and name.startswith(prefix))

    def copy(self, source: Source, name: str) -> Source:
        with self._lock:
            if (source.bucket, name) in self._objects:
                return self.stat(source.bucket, name).source
            held = self._of_generation(source)
            return self.mount(
                source.bucket, name, held.open, held.blob.source.size, held.blob.source.content_type, held.blob.metadata
            )

    def delete(self, source: Source) -> None:
        with self._lock, suppress(SourceGone):
            self._of_generation(source)
            del self._objects[source.bucket, source.name]

    def delete_all(self, bucket: str, folder: str) -> None:
        check_folder(folder)
        with self._lock:
            for name in self.names(bucket, folder):
                del self._objects[bucket, name]

    def _of_generation(self, source: Source) -> _Object:
        held = self._objects.get((source.bucket, source.name))
        if held is None or held.blob.source.generation != source.generation:
            raise SourceGone
        return held

    def _object(self, bucket: str, name: str) -> _Object:
        try:
            return self._objects[bucket, name]
        except KeyError:
            raise NotFound(f"there is no object {bucket}/{name}") from None


class MemoryQuota:
    """What is used, in dictionaries. Nothing is forgotten."""

    def __init__(self) -> None:
        self._spent: Counter[str] = Counter()
        self._held: dict[str, list[Held]] = {}
        self._lock = threading.Lock()

    def spend(self, counter: str, limit: int, until: datetime) -> bool:  # noqa: ARG002 - memory ends with its process
        with self._lock:
            if self._spent[counter] >= limit:
                return False
            self._spent[counter] += 1
            return True

    def hold(self, counter: str, limit: int, held: Held, is_over: Callable[[Held], bool]) -> bool:
        with self._lock:
            going_on = [other for other in self._held.get(counter, []) if not is_over(other)]
            is_free = len(going_on) < limit
            self._held[counter] = [*going_on, held] if is_free else going_on
            return is_free

    def release(self, counter: str, holder: str) -> None:
        with self._lock:
            self._held[counter] = [held for held in self._held.get(counter, []) if held.holder != holder]


class MemoryUrlSigner:
    """Gives addresses that only :meth:`put` and :meth:`get` understand; they refuse what Cloud Storage would."""

    def __init__(self, blobs: MemoryBlobStore, now: Callable[[], datetime] = utc_now) -> None:
        self._blobs = blobs
        self._now = now
        self._grants: dict[str, tuple[Grant, SignedRequest, datetime]] = {}
        self._loans: dict[str, tuple[Source, datetime]] = {}

    def upload(self, grant: Grant, expires: timedelta) -> SignedRequest:
        url = f"memory:///{grant.bucket}/{grant.name}?number={len(self._grants)}"
        owned = {f"x-goog-meta-{name}": value for name, value in grant.metadata.items()}
        request = SignedRequest("POST", url, {"content-type": grant.content_type, "x-goog-resumable": "start", **owned})
        self._grants[url] = (grant, request, self._now() + expires)
        return request

    def download(self, source: Source, expires: timedelta) -> SignedRequest:
        url = f"memory:///{source.bucket}/{source.name}?generation={source.generation}&number={len(self._loans)}"
        self._loans[url] = (source, self._now() + expires)
        return SignedRequest("GET", url)

    def put(self, url: str, headers: Mapping[str, str], content: bytes) -> Source:
        """As a client uploads. Raises NotAllowed."""
        grant, request, until = self._grants[url]
        said = {name: value for name, value in headers.items() if name.startswith(("content-type", "x-goog-"))}
        if self._now() > until or said != request.headers or len(content) != grant.size:
            raise NotAllowed
        if grant.name in self._blobs.names(grant.bucket, grant.name):
            raise NotAllowed
        return self._blobs.put(grant.bucket, grant.name, content, grant.content_type, grant.metadata)

    def get(self, url: str) -> bytes:
        """Raises NotAllowed, and SourceGone."""
        source, until = self._loans.get(url, (None, self._now()))
        if source is None or self._now() > until:
            raise NotAllowed
        with self._blobs.open(source) as file:
            return file.read()


class MemoryBus:
    """Messages in a queue, first in, first out; whoever runs the system takes them out."""

    def __init__(self) -> None:
        self._queue: deque[Message] = deque()

    def publish(self, message: Message) -> None:
        self._queue.append(message)

    def take(self) -> Message | None:
        """The oldest message, or None."""
        return self._queue.popleft() if self._queue else None


@dataclass(slots=True)
class MemoryLauncher:
    """Counts what it is asked to start; whoever runs the system looks and starts it."""

    launched: int = 0
    finished: int = field(default=0)

    def active(self) -> int:
        return self.launched - self.finished

    def launch(self) -> str:
        self.launched += 1
        return f"execution-{self.launched}"


@dataclass(frozen=True, slots=True)
class MemoryPorts(Ports):
    """Ports whose memory can be looked into."""

    jobs: MemoryJobStore
    blobs: MemoryBlobStore
    bus: MemoryBus
    launcher: MemoryLauncher


def memory_ports(
    settings: Settings, now: Callable[[], datetime] = utc_now, folders: Mapping[str, Path] | None = None
) -> MemoryPorts:
    return MemoryPorts(settings, MemoryJobStore(now), MemoryBlobStore(folders), MemoryBus(), MemoryLauncher(), now)
