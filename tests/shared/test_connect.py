"""Connecting contacts nobody, and needs no library of what is not used."""

import subprocess
import sys
import textwrap

PROGRAM = """
    import sys
    sys.modules["google.cloud.run_v2"] = None  # as if it were not installed
    from shared.config import Settings
    from shared.gcp import connect
    settings = Settings("demo", "uploads", "features", "results", "library")
    ports = connect(settings)
    assert ports.settings is settings
    print(*(type(port).__name__ for port in (ports.jobs, ports.blobs, ports.bus, ports.launcher)))
    try:
        ports.launcher.active()
    except ImportError as error:
        print(error.name)
"""


def test_connecting_needs_neither_network_nor_credentials_nor_what_is_not_used() -> None:
    nowhere = {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere", "NO_GCE_CHECK": "true", "PATH": "/bin"}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    done = subprocess.run(command, env=nowhere, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.split() == [
        "FirestoreJobStore", "CloudBlobStore", "PubSubBus", "CloudRunLauncher", "google.cloud.run_v2",
    ]  # fmt: skip
