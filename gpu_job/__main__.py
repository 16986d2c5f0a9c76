"""``python -m gpu_job``: one execution of the GPU job."""

import os
import signal
import threading
from types import FrameType

from gpu_job.kinds import INFERENCES
from gpu_job.worker import Worker
from shared.gcp import connected


def main() -> None:
    Worker(connected(os.environ), INFERENCES, _stop_on_sigterm()).run()


def _stop_on_sigterm() -> threading.Event:
    """Set when the platform wants this execution to end."""
    stop = threading.Event()

    def set_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, set_stop)
    return stop


if __name__ == "__main__":
    main()
