"""``python -m gpu_job``: one execution of the GPU job."""

import os
import signal
import sys
import threading
import time
from types import FrameType

from gpu_job.devices import device
from gpu_job.kinds import inferences, methods_of
from gpu_job.segmentation.moves import DEFAULT_METHOD
from gpu_job.worker import Worker
from shared.gcp import connected
from shared.measures import note_execution


def main() -> None:
    """Exits with 75 (``EX_TEMPFAIL``) where it was stopped with work left, so that the platform tries again: no
    other execution comes for jobs whose slot this one held.

    Raises MissingSettings, UnfitNetwork, MissingTool where the network cannot be had: before a job is begun, so that
    none fails for it; they wait for a better setting.
    """
    stop = _stop_on_sigterm()
    ports = connected(os.environ)
    methods = methods_of(ports)
    methods(DEFAULT_METHOD)
    worker = Worker(ports, inferences(methods), stop)
    began_s = time.monotonic()
    note_execution(worker.run(), time.monotonic() - began_s, str(device()))
    if stop.is_set() and worker.is_work_left():
        sys.exit(os.EX_TEMPFAIL)


def _stop_on_sigterm() -> threading.Event:
    """Set when the platform wants this execution to end."""
    stop = threading.Event()

    def set_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, set_stop)
    return stop


if __name__ == "__main__":
    main()
