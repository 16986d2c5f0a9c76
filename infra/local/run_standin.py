"""A stand-in for the jobs of Cloud Run, for one machine: an execution is a process.

It speaks as much of https://run.googleapis.com/v2 as starting, watching and cancelling an execution
of one task needs, and answers 501 to the rest. A task that fails is tried again, as there. Nothing
here knows what the task does.

    python -m infra.local.run_standin [--port N] [--logs DIR] [--max-retries N] -- COMMAND …
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from infra.local.processes import LOCALHOST, Process, Program
from infra.local.web import HttpError, Request, Response, dispatch, not_implemented, route, serving
from shared.signals import ended_by_signals

GRACE_S = 10.0
"""From SIGTERM to SIGKILL, as on Cloud Run."""

_TYPE = "type.googleapis.com/google.cloud.run.v2."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """What an execution of any job runs, and how often it is tried again where it fails."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    logs: Path
    max_retries: int = 3
    timeout_s: float = 3600.0
    """A task with a GPU lasts an hour at most."""


@dataclass(slots=True)
class Faults:
    """Mishaps yet to come, for tests: each ``run`` request uses one up."""

    refused_runs: int = 0
    """Refused with 503, and nothing is started."""
    lost_answers: int = 0
    """Answered with 503 although the execution is started: the fault that looking before trying again is for."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, name: str) -> bool:
        with self.lock:
            left = getattr(self, name)
            setattr(self, name, max(0, left - 1))
            return left > 0


class Execution:
    """One task, tried until it succeeds, is cancelled, or has used up its attempts."""

    def __init__(self, name: str, task: Task) -> None:
        self.name = name
        self.created_at = _now()
        self.started_at = ""
        self.completed_at = ""
        self.succeeded = False
        self.cancelled = False
        self.attempt = 0
        self.process: Process | None = None
        self._task = task
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name.rpartition("/")[2], daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Returns when its process is gone."""
        with self._lock:
            self.cancelled = not self.completed_at
        if self.process and self.cancelled:
            self.process.end()
        self._thread.join()

    def to_json(self) -> dict[str, Any]:
        """As the interface tells it: what is zero or not yet so is left out."""
        told = {
            "name": self.name, "uid": self.name.rpartition("-")[2], "job": self.name.split("/")[5],
            "createTime": self.created_at, "startTime": self.started_at, "completionTime": self.completed_at,
            "updateTime": self.completed_at or self.started_at or self.created_at,
            "parallelism": 1, "taskCount": 1, "retriedCount": self.attempt,
            "runningCount": int(bool(self.started_at and not self.completed_at)),
            "succeededCount": int(self.succeeded), "cancelledCount": int(bool(self.completed_at) and self.cancelled),
            "failedCount": int(bool(self.completed_at) and not self.succeeded and not self.cancelled),
        }  # fmt: skip
        return {key: value for key, value in told.items() if value}

    def _run(self) -> None:
        try:
            self._try_until_done()
        finally:
            with self._lock:
                self.completed_at = _now()

    def _try_until_done(self) -> None:
        for attempt in range(self._task.max_retries + 1):
            self.attempt = attempt
            if not self._start_attempt():
                return
            self.succeeded = self._succeeds()
            if self.succeeded:
                return

    def _start_attempt(self) -> bool:
        with self._lock:
            if not self.cancelled:
                self.process = Process(self._program(), self._task.logs / f"{self._short_name}.log")
                self.started_at = self.started_at or _now()
            return not self.cancelled

    def _succeeds(self) -> bool:
        assert self.process
        exit_code = self.process.wait(self._task.timeout_s)
        self.process.end()
        if exit_code and not self.cancelled:
            logger.warning("%s: attempt %d ended with %s", self._short_name, self.attempt, exit_code)
        return exit_code == 0

    @property
    def _short_name(self) -> str:
        return self.name.rpartition("/")[2]

    def _program(self) -> Program:
        job = self.name.split("/")[5]
        own = {
            "CLOUD_RUN_JOB": job, "CLOUD_RUN_EXECUTION": self._short_name, "CLOUD_RUN_TASK_INDEX": "0",
            "CLOUD_RUN_TASK_COUNT": "1", "CLOUD_RUN_TASK_ATTEMPT": str(self.attempt),
        }  # fmt: skip
        return Program(self._short_name, self._task.command, {**self._task.environment, **own}, grace_s=GRACE_S)


class RunStandin:
    """Every job exists, and all run the same task."""

    def __init__(self, task: Task) -> None:
        self.faults = Faults()
        self.host = ""
        self._task = task
        self._executions: dict[str, Execution] = {}
        self._lock = threading.Lock()
        job = "projects/[^/]+/locations/[^/]+/jobs/[^/:]+"
        self._routes = [
            route("POST", f"/v2/({job}):run", self._run),
            route("GET", f"/v2/({job})/executions", self._list),
            route("GET", f"/v2/({job}/executions/[^/:]+)", self._get),
            route("POST", f"/v2/({job}/executions/[^/:]+):cancel", self._cancel),
        ]

    @property
    def endpoint(self) -> str:
        """What a client is given as its ``api_endpoint``."""
        return f"http://{self.host}"

    @property
    def executions(self) -> list[Execution]:
        """All that were ever started, newest first."""
        with self._lock:
            return list(self._executions.values())[::-1]

    def answer(self, request: Request) -> Response:
        return dispatch(self._routes, request)

    def start(self, job: str) -> Execution:
        """What a request to run ``job`` (its full name) does."""
        name = f"{job}/executions/{job.rpartition('/')[2]}-{secrets.token_hex(4)}"
        execution = Execution(name, self._task)
        with self._lock:
            self._executions[name] = execution
        execution.start()
        return execution

    def close(self) -> None:
        """Cancel whatever runs."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Execution.cancel, self.executions))

    def _run(self, request: Request, job: str) -> Response:
        request.allow("$alt")
        if overrides := set(request.json()) - {"name"}:
            raise not_implemented(f"a run with {', '.join(sorted(overrides))}")
        if self.faults.take("refused_runs"):
            raise _unavailable()
        execution = self.start(job)
        if self.faults.take("lost_answers"):
            raise _unavailable()
        return _operation(execution)

    def _list(self, request: Request, job: str) -> Response:
        request.allow("$alt", "pageSize", "pageToken")
        start, size = int(request.query.get("pageToken") or 0), int(request.query.get("pageSize") or 0) or 100
        mine = [each for each in self.executions if each.name.startswith(f"{job}/")]
        more = {"nextPageToken": str(start + size)} if start + size < len(mine) else {}
        return Response.json({"executions": [each.to_json() for each in mine[start : start + size]], **more})

    def _get(self, request: Request, name: str) -> Response:
        request.allow("$alt")
        return Response.json(self._found(name).to_json())

    def _cancel(self, request: Request, name: str) -> Response:
        request.allow("$alt")
        execution = self._found(name)
        threading.Thread(target=execution.cancel, name="cancel", daemon=True).start()
        return _operation(execution)

    def _found(self, name: str) -> Execution:
        with self._lock:
            if name not in self._executions:
                raise HttpError(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"there is no execution {name}")
            return self._executions[name]


def _operation(execution: Execution) -> Response:
    """That lasts as long as the execution; our clients never wait for it, so it cannot be asked for."""
    location = "/".join(execution.name.split("/")[:4])
    return Response.json({
        "name": f"{location}/operations/{execution.name.rpartition('/')[2]}",
        "metadata": {"@type": f"{_TYPE}Execution", **execution.to_json()},
        "done": False,
    })  # fmt: skip


def _unavailable() -> HttpError:
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", "The service is currently unavailable.")


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@contextmanager
def run_standin(task: Task, port: int = 0) -> Generator[RunStandin]:
    """Serve in threads of this process. At the end whatever runs is cancelled."""
    standin = RunStandin(task)
    with serving(standin.answer, port) as chosen:
        standin.host = f"{LOCALHOST}:{chosen}"
        try:
            yield standin
        finally:
            standin.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.local.run_standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--logs", type=Path, default=Path())
    parser.add_argument("--max-retries", type=int, default=3)
    parser.add_argument("command", nargs="*", default=[sys.executable, "-m", "gpu_job"])
    options = parser.parse_args(arguments)
    task = Task(tuple(options.command), dict(os.environ), options.logs, options.max_retries)
    with ended_by_signals(), run_standin(task, options.port) as standin:
        print(standin.endpoint, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
