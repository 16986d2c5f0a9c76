"""Log records as JSON lines that Cloud Logging reads: severity, job, step, trace.

A job's id is 32 hexadecimal digits, and serves as the trace of everything done for it, from the
upload to the GPU.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

Fact = str | int | float

_bound: ContextVar[dict[str, Fact]] = ContextVar("bound", default={})  # noqa: B039 - replaced, never changed


@contextmanager
def bound(**names: Fact) -> Generator[None]:
    """Every record logged inside carries these, e.g. ``bound(job=…, step=…)``."""
    token = _bound.set({**_bound.get(), **names})
    try:
        yield
    finally:
        _bound.reset(token)


def tell(logger: logging.Logger, event: str, **facts: Fact) -> None:
    """One record of an event that is counted: the cloud's metrics and alerts read its fields, not its words."""
    with bound(event=event, **facts):
        logger.info(event)


class JsonFormatter(logging.Formatter):
    def __init__(self, project: str = "") -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "message": record.getMessage(),
            "logger": record.name,
            **_bound.get(),
        }
        if job := _bound.get().get("job"):
            entry["logging.googleapis.com/trace"] = f"projects/{self._project}/traces/{job}"
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def setup(project: str = "", level: int = logging.INFO) -> None:
    """Send every record to stderr as JSON. Called by entry points only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(project))
    logging.basicConfig(level=level, handlers=[handler], force=True)
