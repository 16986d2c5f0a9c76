"""The ports on Firestore, Cloud Storage, Pub/Sub and Cloud Run.

A client is made when it is first used, and its library imported no sooner than its adapter's; so a
deployable needs only the libraries of what it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from shared import logs
from shared.config import Settings
from shared.gcp.firestore import FirestoreJobStore
from shared.gcp.pubsub import PubSubBus
from shared.gcp.run import CloudRunLauncher
from shared.gcp.storage import CloudBlobStore
from shared.ports import Ports


def connected(environment: Mapping[str, str]) -> Ports:
    """For an entry point: its settings from the environment, its logs as JSON lines, and these ports."""
    settings = Settings.read(environment)
    logs.setup(settings.project)
    return connect(settings)


def connect(settings: Settings) -> Ports:
    """Nothing is contacted yet. The emulators' usual environment variables are heeded."""
    return Ports(
        settings=settings,
        jobs=FirestoreJobStore(settings.project, keep=timedelta(days=settings.keep_days)),
        blobs=CloudBlobStore(settings.project),
        bus=PubSubBus(settings.project),
        launcher=CloudRunLauncher(settings),
    )
