"""Google's emulators and our stand-ins, each started once for the whole run, at its first use.

Without Java or the emulators the tests that need them are skipped, and say so; where CI is set
they fail instead.
"""

import os
import tempfile
import uuid
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

from infra.local.emulators import firestore_emulator, pubsub_emulator
from infra.local.storage_fake import RunningFake, storage_fake
from shared.errors import MissingTool

T = TypeVar("T")

PROJECT = "demo-dancebits"

# A busy machine is no failure: nothing that Hypothesis tries is held to a time.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def firestore_host() -> Generator[str]:
    with _needed(firestore_emulator(PROJECT)) as host:
        yield host


@pytest.fixture(scope="session")
def pubsub_host() -> Generator[str]:
    with _needed(pubsub_emulator(PROJECT)) as host:
        yield host


@pytest.fixture(scope="session")
def storage() -> Generator[RunningFake]:
    with tempfile.TemporaryDirectory(prefix="dancebits-") as folder, storage_fake(Path(folder)) as fake:
        yield fake


@pytest.fixture
def project() -> str:
    """A name of its own for every test: nobody else's documents and topics are in it."""
    return f"demo-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def firestore_project(firestore_host: str, project: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty Firestore, that the client finds by the environment."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    return project


@pytest.fixture
def pubsub_project(pubsub_host: str, project: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Pub/Sub without topics, that the clients find by the environment."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_host)
    return project


@pytest.fixture
def storage_project(storage: RunningFake, project: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The fake of Cloud Storage, that the client finds by the environment. Buckets are everybody's."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
    return project


@contextmanager
def _needed(emulator: AbstractContextManager[T]) -> Generator[T]:
    try:
        value = emulator.__enter__()
    except MissingTool as error:
        if os.environ.get("CI"):
            pytest.fail(f"emulators are not optional here: {error}")
        pytest.skip(str(error))
    try:
        yield value
    finally:
        emulator.__exit__(None, None, None)
