"""The whole system on one machine, as it is deployed: functions behind subscriptions, a GPU job, buckets.

The cloud's part is played by Google's emulators and our own stand-ins. What is kept in Firestore,
Pub/Sub and Cloud Storage is forgotten at the end. Nothing here knows what the functions do.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import logging
import os
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.types import PubsubMessage

from infra.local.emulators import firestore_program, pubsub_program
from infra.local.processes import LOCALHOST, Program, answers_http, free_port, wait_until
from infra.local.pushing import Mishaps, Push, pushing
from infra.local.run_standin import RunStandin, Task, run_standin
from infra.local.storage_signing import read_or_make_key
from infra.local.supervisor import Supervisor, supervised
from infra.local.topology import Names, create_buckets, create_subscriptions, dead_letters
from shared.config import Settings
from shared.errors import NotFound, PermanentError
from shared.events import Tick, Topic, encode
from shared.signals import ended_by_signals

_PROJECT = "demo-dancebits"
"""Google's tools know that a project called ``demo-…`` exists on emulators only."""

LOCAL_SETTINGS = Settings(
    project=_PROJECT,
    uploads_bucket=f"{_PROJECT}-uploads",
    features_bucket=f"{_PROJECT}-features",
    results_bucket=f"{_PROJECT}-results",
    library_bucket=f"{_PROJECT}-library",
    max_executions=1,  # one process of the GPU job keeps the cores of a small machine busy
)

API = "api"
"""The function that clients call."""

UNSIGNED = {"FIREBASE_AUTH_EMULATOR_HOST": f"{LOCALHOST}:9099", "DANCEBITS_APP_CHECK": "off"}
"""Here the API takes tokens as Firebase's Auth emulator gives them. That nobody listens there is no matter: it is not
asked."""

_STATE = "system.json"
_START_TIMEOUT_S = 120.0
_FUNCTION_GRACE_S = 3.0

logger = logging.getLogger(__name__)


class AlreadyRunning(PermanentError):
    """A system with that state is running already."""

    code = "ALREADY_RUNNING"


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function. An instance is a process, which answers ``threads`` requests at once. One without topics
    is asked by clients themselves, over HTTP.

    One that has a single thread and hangs in it for ``timeout_s`` is killed and replaced. Threads
    beside others cannot be killed: what runs in them must see to its own time limits.
    """

    name: str
    source: Path
    target: str
    topics: tuple[str, ...]
    instances: int = 1
    threads: int = 1
    timeout_s: int = 540
    """As deployed: the longest that a function may take for an event."""

    def program(self, port: int, environment: Mapping[str, str]) -> Program:
        signature = "cloudevent" if self.topics else "http"
        options = {"source": self.source, "target": self.target, "signature-type": signature}
        address = {"host": LOCALHOST, "port": port}
        arguments = [f"--{name}={value}" for name, value in {**options, **address}.items()]
        instances = {
            "WORKERS": str(self.instances), "THREADS": str(self.threads),
            "CLOUD_RUN_TIMEOUT_SECONDS": str(self.timeout_s), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        command = (sys.executable, "-m", "functions_framework", *arguments)
        return Program(self.name, command, {**environment, **instances}, grace_s=_FUNCTION_GRACE_S)


def deployed_functions() -> tuple[Function, ...]:
    """Those of the cloud; but those that compute have no more instances than this machine can feed. One of these
    answers two requests at once, so that it works while a request waits to write: a document rests a second.
    """
    sweeps = (Topic.TICKS, *(dead_letters(topic) for topic in Topic if topic is not Topic.TICKS))
    poses = max(1, (os.cpu_count() or 1) // 2)  # an instance decodes and looks at the same time
    return (
        Function("intake", _source("intake"), "on_upload_finalized", (Topic.UPLOADS,), threads=16),
        Function("audio", _source("audio"), "on_audio_requested", (Topic.AUDIO_REQUESTS,), threads=2),
        Function("pose", _source("pose"), "on_pose_requested", (Topic.POSE_REQUESTS,), instances=poses, threads=2),
        Function("dispatch", _source("dispatch"), "on_features_ready", (Topic.FEATURES,), threads=4),
        Function("sweep", _source("sweep"), "on_tick_or_dead_letter", sweeps),
        Function(API, _source(API), "on_api_request", (), threads=16, timeout_s=60),
    )


def _source(name: str) -> Path:
    found = importlib.util.find_spec(f"functions.{name}")
    assert found
    assert found.origin
    return Path(found.origin).with_name("main.py")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. ``task`` is the GPU job's command; ``environment`` what every child is given besides its own."""

    functions: Sequence[Function] = field(default_factory=deployed_functions)
    task: tuple[str, ...] = (sys.executable, "-m", "gpu_job")
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    max_retries: int = 3
    min_backoff_s: float = 1.0
    """Before a refused message comes again. The cloud waits ten seconds."""
    tick_s: float = 10.0
    mishaps: Mishaps = field(default_factory=Mishaps)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a running system is found: what ``system.json`` holds. Hosts are ``host:port``."""

    settings: Settings
    firestore: str
    pubsub: str
    storage: str
    api: str
    key: Path
    """The key file of the account whose signed URLs the storage accepts."""
    logs: Path

    @property
    def environment(self) -> dict[str, str]:
        """With it every Google client, and every deployable of ours, finds the system."""
        return {
            **self.settings.environment(), "GOOGLE_CLOUD_PROJECT": self.settings.project,
            "FIRESTORE_EMULATOR_HOST": self.firestore, "PUBSUB_EMULATOR_HOST": self.pubsub,
            "STORAGE_EMULATOR_HOST": f"http://{self.storage}", "DANCEBITS_SIGNING_KEY": str(self.key),
        }  # fmt: skip

    @contextmanager
    def written(self, state: Path) -> Generator[None]:
        """To be read inside, and by nobody in halves."""
        draft = state / f"{_STATE}.draft"
        draft.write_text(json.dumps(asdict(self), indent=2, default=str))
        draft.rename(state / _STATE)
        try:
            yield
        finally:
            (state / _STATE).unlink()

    @classmethod
    def read(cls, state: Path) -> Address:
        """Raises NotFound where no system runs with that state."""
        if not (state / _STATE).is_file() or not _is_locked(state):
            raise NotFound(f"No system is running in {state}. Start one with: dancebits up")
        told = json.loads((state / _STATE).read_text())
        hosts = (told["firestore"], told["pubsub"], told["storage"], told["api"])
        return cls(Settings(**told["settings"]), *hosts, Path(told["key"]), Path(told["logs"]))


@dataclass(frozen=True, slots=True)
class System:
    """A running system. ``run`` offers the executions of the GPU job, and mishaps at their start."""

    address: Address
    run: RunStandin
    services: Supervisor
    functions: Supervisor

    @property
    def settings(self) -> Settings:
        return self.address.settings

    @property
    def environment(self) -> dict[str, str]:
        return self.address.environment

    @property
    def pids(self) -> dict[str, int]:
        """Of emulators, storage and functions, and of what runs of the GPU job by the execution's name."""
        executions = [each.process for each in self.run.executions if each.process and not each.completed_at]
        children = [*self.services.children.values(), *self.functions.children.values(), *executions]
        return {process.program.name: process.pid for process in children}

    def log(self, name: str) -> str:
        """What a child has said so far."""
        return (self.address.logs / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str) -> None:
        """SIGKILL to all instances of a function. It is started again, and its messages are delivered again."""
        self.functions.kill(name)

    def wait(self, timeout_s: float | None = None) -> None:
        """Raises Unavailable when an emulator or the storage is lost, and with it what was kept there."""
        self.services.wait(timeout_s)


def serve(state: Path, environment: Mapping[str, str]) -> int:
    """``dancebits up``: run the system until a signal ends it. Settings in ``environment`` go before the local ones."""
    settings = Settings.read({**LOCAL_SETTINGS.environment(), **environment})
    with contextlib.suppress(SystemExit), ended_by_signals():
        print("Starting …", flush=True)
        with up(state, settings, Plan(environment=environment)) as system:
            print(_welcome(system, state), flush=True)
            system.wait()
    return 0


def _welcome(system: System, state: Path) -> str:
    address, option = system.address, "" if state == Path(".dancebits") else f" --state {state}"
    return (
        f"Firestore     {address.firestore}\nPub/Sub       {address.pubsub}\nCloud Storage {address.storage}\n"
        f"Cloud Run     {system.run.host}\nAPI           http://{address.api}/docs\nLogs          {address.logs}\n"
        f"Ready. Upload with: dancebits upload FILE --watch{option}\nCtrl-C ends it and forgets everything."
    )


@contextmanager
def up(state: Path, settings: Settings = LOCAL_SETTINGS, plan: Plan | None = None) -> Generator[System]:
    """The system runs inside, ready for uploads. At the end no process of it is left, whatever happened.

    Raises AlreadyRunning, MissingTool, and Unavailable where a part does not start.
    """
    plan = plan or Plan()
    with ExitStack() as stack:
        stack.enter_context(_locked(state))
        address = _address(state, settings)
        environment = {**UNSIGNED, **plan.environment, **address.environment}
        services = stack.enter_context(supervised(address.logs))
        _start_services(services, address, environment)
        functions = stack.enter_context(supervised(address.logs))
        ports = _start_functions(functions, plan.functions, environment, _port(address.api))
        task = Task(plan.task, environment, address.logs, plan.max_retries)
        run = stack.enter_context(run_standin(task, _port(address.settings.run_endpoint)))
        _wait_for(services, {name: _port(getattr(address, name)) for name in services.children})
        _wait_for(functions, ports)
        channel = stack.enter_context(grpc.insecure_channel(address.pubsub))
        create_subscriptions(channel, settings.project, tuple(Topic), plan.min_backoff_s)
        create_buckets(address.storage, settings)
        stack.enter_context(pushing(address.pubsub, _pushes(settings.project, plan.functions, ports), plan.mishaps))
        stack.enter_context(_ticking(channel, settings.project, plan.tick_s))
        stack.enter_context(address.written(state))
        yield System(address, run, services, functions)


@contextmanager
def _locked(state: Path) -> Generator[None]:
    """The lock is the kernel's: it ends with this process, however it ends."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"A system is running already in {state}.") from error
        yield


def _is_locked(state: Path) -> bool:
    """Whether a system runs with that state; one that was killed has left its address behind."""
    with contextlib.suppress(AlreadyRunning), _locked(state):
        return False
    return True


def _address(state: Path, settings: Settings) -> Address:
    """Ports that are free, a key, and a folder for logs without those of the last time."""
    logs = state.absolute() / "logs"
    logs.mkdir(exist_ok=True)
    for old in logs.glob("*.log"):
        old.unlink()
    key = state.absolute() / "key.json"
    read_or_make_key(key, settings.project)
    firestore, pubsub, storage, api, run = (f"{LOCALHOST}:{free_port()}" for _ in range(5))
    return Address(replace(settings, run_endpoint=f"http://{run}"), firestore, pubsub, storage, api, key, logs)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _start_services(services: Supervisor, address: Address, environment: Mapping[str, str]) -> None:
    """What they keep is lost with them: so they are not started again."""
    options = ("--port", str(_port(address.storage)), "--pubsub", address.pubsub, "--key", str(address.key))
    folder = ("--folder", str(address.key.with_name("storage")))
    storage = (sys.executable, "-m", "infra.local.storage_fake", *options, *folder)
    services.start(firestore_program(address.settings.project, _port(address.firestore)), restart=False)
    services.start(pubsub_program(_port(address.pubsub)), restart=False)
    services.start(Program("storage", storage, environment), restart=False)


def _start_functions(
    supervisor: Supervisor, functions: Sequence[Function], environment: Mapping[str, str], api: int
) -> dict[str, int]:
    """Their ports, by name; that of the API is known before."""
    ports = {function.name: api if function.name == API else free_port() for function in functions}
    for function in functions:
        supervisor.start(function.program(ports[function.name], environment), restart=True)
    return ports


def _wait_for(supervisor: Supervisor, ports: Mapping[str, int]) -> None:
    """Raises Unavailable where one ends instead of answering."""
    for name, process in supervisor.children.items():
        wait_until(lambda name=name: answers_http(ports[name]), process, _START_TIMEOUT_S)


def _pushes(project: str, functions: Sequence[Function], ports: Mapping[str, int]) -> list[Push]:
    names = Names(project)
    return [
        Push(names.subscription(topic), names.topic(topic), ports[function.name], function.instances * function.threads)
        for function in functions
        for topic in function.topics
    ]


@contextmanager
def _ticking(channel: grpc.Channel, project: str, every_s: float) -> Generator[None]:
    """The scheduler's part."""
    publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
    data, attributes = encode(Tick())
    topic, message = Names(project).topic(Topic.TICKS), PubsubMessage(data=data, attributes=attributes)
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(every_s):
            try:
                publisher.publish(topic=topic, messages=[message], timeout=every_s)
            except GoogleAPICallError as error:
                logger.warning("a tick could not be published: %s", error)

    thread = threading.Thread(target=tick, name="ticks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
