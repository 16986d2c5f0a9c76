"""The whole chain in one process: the same functions and the same GPU job, on ports in memory."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from functions.audio.handler import handle as audio
from functions.dispatch.handler import handle as dispatch
from functions.intake.handler import handle as intake
from functions.pose.handler import handle as pose
from gpu_job.worker import Inference, Worker
from shared.config import Settings
from shared.errors import Interrupted, NotFound, PermanentError
from shared.events import Message, Topic, UploadFinalized
from shared.job import FOLDER_OF, Job, Kind, Source, State, Step, results_name
from shared.memory import MemoryPorts, memory_ports
from shared.ports import Ports

HANDLERS: Mapping[Topic, Callable[[Message, Ports], None]] = {
    Topic.UPLOADS: intake,
    Topic.AUDIO_REQUESTS: audio,
    Topic.POSE_REQUESTS: pose,
    Topic.FEATURES: dispatch,
}

OUR_FILES = (
    "result.json", "curves.npz", "timeline.png", "report.html", "overlay.mp4", "overlay_follow.mp4",
    "plan.json", "choreography.mp4", "thumbnail.jpg",
)  # fmt: skip
OUR_FOLDERS: Mapping[str, re.Pattern[str]] = {
    "moves": re.compile(r"\d{2,}_[A-Za-z0-9-]+\.mp4"),
    "moments": re.compile(r"[a-z]+_\d+\.png"),
}
"""What a run leaves, and what the files in its folders are called."""

SETTINGS: Mapping[str, str] = {
    "DANCEBITS_PROJECT": "local",
    "DANCEBITS_UPLOADS_BUCKET": "uploads",
    "DANCEBITS_FEATURES_BUCKET": "features",
    "DANCEBITS_RESULTS_BUCKET": "results",
    "DANCEBITS_LIBRARY_BUCKET": "library",
}
"""Names for what has no name outside this process; the environment may set everything else."""


LENT = "lent"
"""The folder of videos that a job works on beside the upload; it asks for no job of its own."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A video to be worked on, wherever it lies."""

    name: str
    size: int
    open: Callable[[], BinaryIO]


def clip_at(place: str) -> Clip:
    """The clip that a path or an address ``s3://bucket/name`` names. Raises NotFound, BadOption."""
    return s3_clip(place) if place.startswith("s3://") else local_clip(Path(place))


def local_clip(path: Path) -> Clip:
    """Raises NotFound."""
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist; only files and s3:// addresses can be read"
        raise NotFound(f"{path} {what}.")
    return Clip(path.name, path.stat().st_size, lambda: path.open("rb"))


def s3_clip(url: str) -> Clip:
    """The clip that ``s3://bucket/name`` names. Raises NotFound, BadOption."""
    from shared.s3 import S3BlobStore  # an extra of its own

    store = S3BlobStore()
    source = store.locate(url).source
    return Clip(Path(source.name).name, source.size, lambda: store.open(source))


def run(
    clip: Clip,
    out: Path,
    options: Mapping[str, str],
    environment: Mapping[str, str],
    watch: Callable[[Job], object],
    *,
    kind: Kind = Kind.SEGMENT,
    teacher: Clip | None = None,
    library: Path | None = None,
    stop: threading.Event | None = None,
) -> Job:
    """Take one clip or song through the chain; the settled job. Its results are files in ``out``, in place of those
    of an earlier run; a job that fails leaves these alone.

    ``watch`` is called with every state of the job, from another thread. A comparison is with the ``teacher``, a
    choreography of the moves in the ``library``, a folder. Once ``stop`` is set, what takes long ends early.
    """
    settings = settings_of(environment)
    with _folder(out), TemporaryDirectory(dir=out, prefix=".working-") as folder:
        folders = {settings.results_bucket: Path(folder)} | ({settings.library_bucket: library} if library else {})
        job = work(clip, options, memory_ports(settings, folders=folders), watch, kind=kind, teacher=teacher, stop=stop)
        if job.state is State.DONE:
            _clear(out)
            _keep(Path(folder) / results_name(job, ""), out)
    return job


@contextmanager
def _folder(out: Path) -> Generator[None]:
    """A folder that is there inside; a new one that stays empty is taken away again."""
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it holds a result
                out.rmdir()


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Raises MissingSettings."""
    return Settings.read({**SETTINGS, **environment})


def work(
    clip: Clip,
    options: Mapping[str, str],
    ports: MemoryPorts,
    watch: Callable[[Job], object],
    *,
    kind: Kind = Kind.SEGMENT,
    teacher: Clip | None = None,
    stop: threading.Event | None = None,
) -> Job:
    """Take one clip through the chain; the settled job, whose features and results are in the ports' buckets."""
    if teacher:
        options = {**options, "teacher": _mounted(teacher, LENT, ports).name}
    upload = UploadFinalized(_mounted(clip, FOLDER_OF[kind], ports), options)
    with _watched(ports, upload.job_id, watch):
        ports.bus.publish(upload)
        _deliver_all(ports, stop or threading.Event())
    return ports.jobs.get(upload.job_id)


def _mounted(clip: Clip, folder: str, ports: MemoryPorts) -> Source:
    return ports.blobs.mount(ports.settings.uploads_bucket, f"{folder}/{clip.name}", clip.open, clip.size)


def _deliver_all(ports: MemoryPorts, stop: threading.Event) -> None:
    """Hand every message to its function, and run the GPU job when it is asked for."""
    while (message := ports.bus.take()) is not None:
        HANDLERS[message.topic](message, ports)
        if ports.launcher.active():
            _infer(ports, stop)


def _infer(ports: MemoryPorts, stop: threading.Event) -> None:
    # torch takes 190 MB: it comes when the trackers have given back theirs.
    from gpu_job.kinds import inferences, methods_of

    at_once = {kind: _AtOnce(inference) for kind, inference in inferences(methods_of(ports)).items()}
    Worker(ports, at_once, stop).run()
    ports.launcher.finished += 1


@contextmanager
def _watched(ports: MemoryPorts, job_id: str, watch: Callable[[Job], object]) -> Generator[None]:
    """Tells ``watch`` of every change, and waits until it was told of the last."""

    def tell(changes: Iterator[Job]) -> None:
        for job in changes:
            watch(job)

    with ports.jobs.watch(job_id) as changes:
        thread = threading.Thread(target=tell, args=(changes,), daemon=True)
        thread.start()
        yield
        thread.join()


def _clear(out: Path) -> None:
    """Take away what an earlier run left, and nothing else."""
    if not (out / "result.json").is_file():
        return
    for name in OUR_FILES:
        (out / name).unlink(missing_ok=True)
    for folder, ours in OUR_FOLDERS.items():
        for path in (out / folder).glob("*"):
            if ours.fullmatch(path.name):
                path.unlink()


def _keep(results: Path, out: Path) -> None:
    """Put the results where they were asked for."""
    for path in sorted(results.rglob("*")):
        target = out / path.relative_to(results)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            path.replace(target)


class _AtOnce:
    """Inference where nothing is tried again: what fails, fails the job, in its own words."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def load(self, job: Job, steps: Mapping[str, Step], ports: Ports) -> Any:
        return _final(lambda: self._inference.load(job, steps, ports))

    def infer(self, loaded: Sequence[Any]) -> Sequence[Any]:
        return _final(lambda: self._inference.infer(loaded))

    def record(self, job: Job, loaded: Any, answer: Any, ports: Ports) -> Mapping[str, Any]:
        return _final(lambda: self._inference.record(job, loaded, answer, ports))


def _final(work: Callable[[], Any]) -> Any:
    """Raises whatever went wrong as a PermanentError."""
    try:
        return work()
    except (PermanentError, Interrupted):
        raise
    except Exception as error:
        raise PermanentError(f"{type(error).__name__}: {error}") from error
