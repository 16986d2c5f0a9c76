"""Log records as JSON lines that Cloud Logging reads: severity, job, step, trace, and what is counted.

Everything done for a job is one trace, from the upload to the GPU: that of the request which began
it, where that told one, and the job's id (32 hexadecimal digits, as a trace's) where it did not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_bound: ContextVar[dict[str, str | float]] = ContextVar("bound", default={})  # noqa: B039 - replaced, never changed

TRACEPARENT = "traceparent"
"""Named so in messages, in an upload's metadata and in HTTP: https://www.w3.org/TR/trace-context/."""
GOOGLES = "x-cloud-trace-context"
"""The header of Google's load balancers: TRACE/SPAN;o=OPTIONS."""

_TRACES: Mapping[str, re.Pattern[str]] = {
    TRACEPARENT: re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"),
    GOOGLES: re.compile(r"([0-9a-f]{32})(/\d+)?(;o=\d+)?"),
}
_NO_TRACE = "0" * 32


@contextmanager
def bound(**names: str | float) -> Generator[None]:
    """Every record logged inside carries these, e.g. ``bound(job=…, step=…)``."""
    token = _bound.set({**_bound.get(), **names})
    try:
        yield
    finally:
        _bound.reset(token)


def bound_value(name: str) -> str | float | None:
    return _bound.get().get(name)


def trace_in(carrier: Mapping[str, str]) -> str:
    """The trace that headers, attributes or metadata tell; empty where they tell none that can be read."""
    told = {name.lower(): text for name, text in carrier.items()}
    for name, pattern in _TRACES.items():
        found = pattern.fullmatch(told.get(name, ""))
        if found and found[1] != _NO_TRACE:
            return found[1]
    return ""


def carried() -> dict[str, str]:
    """What a message or an upload takes along, so that who handles it logs to the same trace."""
    trace = _trace()
    if not re.fullmatch("[0-9a-f]{32}", trace):
        return {}
    # The sender's span: no span is exported, but the format wants one, and the same sender is the same.
    span = hashlib.sha256(f"{trace}/{_bound.get().get('step', '')}".encode()).hexdigest()[:16]
    return {TRACEPARENT: f"00-{trace}-{span}-01"}


def _trace() -> str:
    bound_now = _bound.get()
    return str(bound_now.get("trace") or bound_now.get("job") or "")


class JsonFormatter(logging.Formatter):
    """A record's ``measures`` (given as ``extra``) become fields, by which Cloud Monitoring counts."""

    def __init__(self, project: str = "") -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        named = {name: value for name, value in _bound.get().items() if name != "trace"}
        entry: dict[str, object] = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "message": record.getMessage(),
            "logger": record.name,
            **named,
            **getattr(record, "measures", {}),
        }
        if trace := _trace():
            entry["logging.googleapis.com/trace"] = f"projects/{self._project}/traces/{trace}"
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def setup(project: str = "", level: int = logging.INFO) -> None:
    """Send every record to stderr as JSON. Called by entry points only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(project))
    logging.basicConfig(level=level, handlers=[handler], force=True)
