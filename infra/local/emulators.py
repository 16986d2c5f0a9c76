"""Google's emulators of Firestore and Pub/Sub, each for as long as a ``with`` lasts.

The jars are started directly: the wrapper ``gcloud emulators`` leaves Java running when it is told
to stop. Nothing here knows what is kept or published.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.local.processes import LOCALHOST, Process, Program, answers_http, free_port, wait_until
from shared.errors import MissingTool, Unavailable

FIRESTORE_JAR = "cloud-firestore-emulator/cloud-firestore-emulator.jar"
PUBSUB_JAR = "pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"

_JAR_HINT = (
    "Install it with `gcloud components install cloud-firestore-emulator pubsub-emulator` (or, where gcloud came "
    "from Debian's packages, `apt-get install google-cloud-cli-firestore-emulator google-cloud-cli-pubsub-emulator`)"
)
_JAVA_HINT = "Version 17 or later is needed: `apt-get install openjdk-17-jre-headless`, or set JAVA_HOME."
_SDK_ROOTS = (
    "/usr/lib/google-cloud-sdk",
    "/usr/lib/google-cloud-cli",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
    "~/google-cloud-sdk",
)
# Small heaps and the quick compiler: the emulators start sooner and leave the cores to the functions. Firestore's sends
# a listener of a collection all of it with every write; what a slow one has not read yet lies outside the heap.
_JVM_OPTIONS = ("-Xmx512m", "-XX:MaxDirectMemorySize=2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
START_TIMEOUT_S = 60.0
_TRIES = 3


@contextmanager
def firestore_emulator(project: str, port: int = 0, rules: Path | None = None) -> Generator[str]:
    """Firestore at the yielded ``host:port``, empty at first.

    Raises MissingTool without Java or the jar, and Unavailable where it does not start.
    """
    with _for_as_long_as_needed(lambda port: firestore_program(project, port, rules), port) as host:
        yield host


@contextmanager
def pubsub_emulator(_project: str, port: int = 0) -> Generator[str]:
    """Pub/Sub, of any project, at the yielded ``host:port``, without topics at first. Raises as above."""
    with _for_as_long_as_needed(pubsub_program, port) as host:
        yield host


def firestore_program(project: str, port: int, rules: Path | None = None) -> Program:
    """``rules`` apply to clients that are not the server. Raises MissingTool."""
    jar = find_jar("DANCEBITS_FIRESTORE_JAR", FIRESTORE_JAR, os.environ)
    main = ("-cp", str(jar), "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start")
    address = ("--host", LOCALHOST, "--port", str(port), "--project_id", project)
    options = ("--rules", str(rules)) if rules else ()
    return Program("firestore", (find_java(), *_JVM_OPTIONS, *main, *address, *options))


def pubsub_program(port: int) -> Program:
    """Raises MissingTool."""
    jar = find_jar("DANCEBITS_PUBSUB_JAR", PUBSUB_JAR, os.environ)
    return Program("pubsub", (find_java(), *_JVM_OPTIONS, "-jar", str(jar), f"--host={LOCALHOST}", f"--port={port}"))


@contextmanager
def _for_as_long_as_needed(program: Callable[[int], Program], port: int) -> Generator[str]:
    with tempfile.TemporaryDirectory(prefix="dancebits-") as folder:
        process, chosen = _start(program, port, Path(folder, "log"))
        try:
            yield f"{LOCALHOST}:{chosen}"
        finally:
            process.end()


def _start(program: Callable[[int], Program], port: int, log: Path) -> tuple[Process, int]:
    """Start it, and wait until it answers. Another may take a free port first: then try the next."""
    for _ in range(0 if port else _TRIES - 1):
        with contextlib.suppress(Unavailable):
            return _start_at(program, free_port(), log)
    return _start_at(program, port or free_port(), log)


def _start_at(program: Callable[[int], Program], port: int, log: Path) -> tuple[Process, int]:
    process = Process(program(port), log)
    try:
        wait_until(lambda: answers_http(port), process, START_TIMEOUT_S)
    except BaseException:
        process.end()
        raise
    return process, port


def find_java() -> str:
    """Raises MissingTool."""
    home = os.environ.get("JAVA_HOME")
    if found := shutil.which("java", path=f"{home}/bin" if home else None):
        return found
    raise MissingTool(f"Java is not installed. {_JAVA_HINT}")


def find_jar(setting: str, pattern: str, environment: Mapping[str, str]) -> Path:
    """The newest jar by that pattern, unless ``setting`` names one. Raises MissingTool."""
    if named := environment.get(setting):
        if Path(named).is_file():
            return Path(named)
        raise MissingTool(f"{setting}={named} is no file")
    for root in _sdk_roots(environment):
        if jars := sorted(Path(root, "platform").glob(pattern)):
            return jars[-1]
    raise MissingTool(f"{pattern} was not found. {_JAR_HINT}, or name it in {setting}.")


def _sdk_roots(environment: Mapping[str, str]) -> Iterator[Path]:
    if root := environment.get("CLOUDSDK_ROOT_DIR"):
        yield Path(root)
    if gcloud := shutil.which("gcloud", path=environment.get("PATH")):
        yield Path(gcloud).resolve().parents[1]
    yield from (Path(root).expanduser() for root in _SDK_ROOTS)
