"""A job's way from upload to result, as pure transitions on immutable values.

Every transition may run more than once, and on a job that has gone on meanwhile: one that no longer
applies returns the job as it is. Nothing here knows a clock, a database or a message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.errors import (
    BadMessage,
    GaveUp,
    LostLease,
    MissingSettings,
    NoTeacher,
    NotFound,
    PermanentError,
    SourceGone,
    StepBusy,
)

SCHEMA = 1
"""Version of the job document; see docs/schema.md."""

PIPELINE = 1
"""Raised when the same upload should give another result; part of a job's id and of its outputs' names."""


class Kind(StrEnum):
    SEGMENT = "segment"
    """A dance is cut into its moves."""
    COMPARE = "compare"
    """A student's dance is held against a teacher's."""
    CHOREOGRAPH = "choreograph"
    """A song becomes a choreography of the library's moves."""
    LIBRARY = "library"
    """An annotated clip becomes a move of the library."""


FOLDERS: Mapping[str, Kind] = {
    "videos": Kind.SEGMENT,
    "compare": Kind.COMPARE,
    "songs": Kind.CHOREOGRAPH,
    "library": Kind.LIBRARY,
}
"""The first part of an upload's name says what is wanted."""
FOLDER_OF: Mapping[Kind, str] = {kind: folder for folder, kind in FOLDERS.items()}


class State(StrEnum):
    RECEIVED = "RECEIVED"
    """The upload was seen."""
    EXTRACTING = "EXTRACTING"
    """Sound and poses are being extracted."""
    READY = "READY"
    """All features are there: the job is in the GPU's backlog."""
    RUNNING = "RUNNING"
    """A GPU worker has taken it up."""
    DONE = "DONE"
    """The result is there."""
    FAILED = "FAILED"
    """It cannot succeed; ``error`` says why."""
    CANCELLED = "CANCELLED"
    """Its owner no longer wants it."""


SETTLED = frozenset({State.DONE, State.FAILED, State.CANCELLED})
BACKLOG = frozenset({State.READY, State.RUNNING})

STAGES: Mapping[State, str] = {
    State.RECEIVED: "Looking at your video",
    State.EXTRACTING: "Watching the dance and listening to the music",
    State.READY: "Waiting for its turn",
    State.RUNNING: "Finding the moves",
    State.DONE: "Done",
    State.FAILED: "Stopped",
    State.CANCELLED: "Cancelled",
}
STAGES_OF_KIND: Mapping[tuple[Kind, State], str] = {
    (Kind.COMPARE, State.EXTRACTING): "Watching both dances and listening to the music",
    (Kind.COMPARE, State.RUNNING): "Comparing you with your teacher",
    (Kind.CHOREOGRAPH, State.RECEIVED): "Looking at your song",
    (Kind.CHOREOGRAPH, State.EXTRACTING): "Listening to your song",
    (Kind.CHOREOGRAPH, State.RUNNING): "Choosing the moves",
    (Kind.LIBRARY, State.RUNNING): "Adding the move to the library",
}
"""Where a kind has a phrase of its own."""

# How far along a job is when it enters a state; in between, progress grows with the work done.
PROGRESS: Mapping[State, float] = {
    State.RECEIVED: 0.0,
    State.EXTRACTING: 0.05,
    State.READY: 0.8,
    State.RUNNING: 0.85,
    State.DONE: 1.0,
}


JOB_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Source:
    """One generation of one object: what was uploaded."""

    bucket: str
    name: str
    generation: int
    size: int = 0
    content_type: str = ""

    @property
    def kind(self) -> Kind | None:
        """What its folder asks for, or None where it asks for nothing, as the folder itself does."""
        folder, _, name = self.name.partition("/")
        return FOLDERS.get(folder) if name else None

    @property
    def job_id(self) -> str:
        """32 hexadecimal digits: the same generation is the same job, an overwrite is a new one."""
        key = f"{self.bucket}/{self.name}/{self.generation}/{PIPELINE}"
        return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Recording:
    """A video that a job works on, and what it was found to be.

    ``job`` the earlier job whose features of this video serve again; empty where this one extracts them
    """

    source: Source
    media: Mapping[str, Any]
    job: str = ""


OURS = (BadMessage, MissingSettings, NotFound)
"""Permanent errors that no upload can cause."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job or a step failed: a code for programs, a sentence for people."""

    code: str
    message: str

    @classmethod
    def of(cls, error: PermanentError) -> Failure:
        """A fault that lies with us tells its code; its sentence is for the log, not for the dancer."""
        return cls(error.code, GaveUp().message if isinstance(error, OURS) else error.message)


@dataclass(frozen=True, slots=True)
class Job:
    """What a client watches. ``plan`` names the steps to be done and what each is to work on.

    ``source`` and ``media`` are of the upload; ``teacher`` is what a comparison holds it against.
    """

    id: str
    kind: Kind
    owner: str
    source: Source
    created_at: datetime
    expire_at: datetime
    options: Mapping[str, float | str] = field(default_factory=dict)
    state: State = State.RECEIVED
    stage: str = STAGES[State.RECEIVED]
    progress: float = 0.0
    media: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    error: Failure | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    teacher: Recording | None = None
    trace: str = ""
    """Of the request that uploaded it, 32 hexadecimal digits; empty: the job's id is its trace."""
    looked_after: int = 0
    """How often the sweep found it resting."""
    updated_at: datetime | None = None
    """Stamped by the store."""

    @property
    def is_settled(self) -> bool:
        return self.state in SETTLED

    @property
    def dancers(self) -> int:
        """How many are to be followed: 1, or the 2 of a couple, as everybody in the library dances."""
        return 2 if self.kind is Kind.LIBRARY else int(self.options.get("dancers", 1))

    @property
    def own_steps(self) -> list[str]:
        """Those of the plan that work on the upload."""
        return [step for step in self.plan if not step.startswith(TEACHER)]

    def recording(self, step: str) -> Recording:
        """What a step works on."""
        if self.teacher and step.startswith(TEACHER):
            return self.teacher
        return Recording(self.source, self.media)

    def planned(
        self,
        plan: Mapping[str, Mapping[str, int]],
        media: Mapping[str, Any],
        options: Mapping[str, float | str] | None = None,
        teacher: Recording | None = None,
    ) -> Job:
        if self.state is not State.RECEIVED:
            return self
        job = self._entered(State.EXTRACTING)
        return replace(job, plan=plan, media=media, options=options or {}, teacher=teacher)

    def extracted(self, share: float) -> Job:
        """``share`` 0 … 1 of the extraction is done. Progress never goes back."""
        if self.state is not State.EXTRACTING:
            return self
        low, high = PROGRESS[State.EXTRACTING], PROGRESS[State.READY]
        return replace(self, progress=max(self.progress, round(low + min(1.0, share) * (high - low), 3)))

    def sealed(self) -> Job:
        """Every planned step is done: into the backlog."""
        return self._entered(State.READY) if self.state is State.EXTRACTING else self

    def started(self) -> Job:
        return self._entered(State.RUNNING) if self.state is State.READY else self

    def advanced(self, stage: str, progress: float, result: Mapping[str, Any] | None = None) -> Job:
        """Under way, with a phrase to show, ``progress`` 0 … 1 of the inference, and what can be seen of the result."""
        if self.state is not State.RUNNING:
            return self
        low, high = PROGRESS[State.RUNNING], PROGRESS[State.DONE]
        reached = max(self.progress, round(low + min(1.0, progress) * (high - low), 3))
        return replace(self, stage=stage, progress=reached, result=self.result if result is None else result)

    def done(self, result: Mapping[str, Any]) -> Job:
        return replace(self._entered(State.DONE), result=result) if self.state in BACKLOG else self

    def failed(self, failure: Failure) -> Job:
        return self if self.is_settled else replace(self._entered(State.FAILED), error=failure)

    def revived(self) -> Job:
        """Looked after by the sweep, which then comes back to it only when it has rested as long again."""
        return self if self.is_settled else replace(self, looked_after=self.looked_after + 1)

    def cancelled(self) -> Job:
        return self if self.is_settled else self._entered(State.CANCELLED)

    def _entered(self, state: State) -> Job:
        progress = max(self.progress, PROGRESS.get(state, self.progress))
        stage = STAGES_OF_KIND.get((self.kind, state), STAGES[state])
        return replace(self, state=state, stage=stage, progress=progress)


def features_name(job: Job, step: str) -> str:
    """The object in the features bucket that a step of a job writes, once."""
    return f"{job.id}/v{PIPELINE}/{step}.npz"


def results_name(job: Job, name: str) -> str:
    """The object in the results bucket for one part of a job's result."""
    return f"{job.id}/v{PIPELINE}/{name}"


class StepState(StrEnum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


AUDIO, POSE, INFER = "audio", "pose", "infer"
"""What the steps of a plan begin with, and the step that the GPU job does after them."""
TEACHER = "teacher-"
"""Before the name of a step that works on the teacher's video."""


def of_the_teachers(error: PermanentError) -> PermanentError:
    """What is wrong with the teacher's video, said so that the student does not take it for her own."""
    if isinstance(error, SourceGone):
        return NoTeacher()
    return type(error)(f"The teacher's video cannot be used. {error.message}")


def failure_in(step: str, error: PermanentError) -> Failure:
    """Why a step failed, in words for the dancer."""
    return Failure.of(of_the_teachers(error) if step.startswith(TEACHER) and not isinstance(error, OURS) else error)


def listens(step: str) -> bool:
    return step.removeprefix(TEACHER).startswith(AUDIO)


def looks(step: str) -> bool:
    return step.removeprefix(TEACHER).startswith(POSE)


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of a job's work. ``attempt`` is its fencing token: it grows with every claim."""

    name: str
    state: StepState = StepState.WAITING
    attempt: int = 0
    lease_until: datetime | None = None
    output: Mapping[str, Any] = field(default_factory=dict)
    error: Failure | None = None

    @property
    def is_settled(self) -> bool:
        return self.state in (StepState.DONE, StepState.FAILED)

    def is_leased(self, now: datetime) -> bool:
        return self.state is StepState.RUNNING and self.lease_until is not None and now < self.lease_until

    def claimed(self, now: datetime, lease: timedelta, max_attempts: int) -> Step:
        """Take it for one worker: a waiting step, or one whose lease has run out.

        A settled step stays as it is. Raises StepBusy while another holds it, and GaveUp where
        ``max_attempts`` workers have begun it and none came back.
        """
        if self.is_settled:
            return self
        if self.is_leased(now):
            raise StepBusy(f"step {self.name} is leased until {self.lease_until}")
        if self.attempt >= max_attempts:
            raise GaveUp
        return replace(self, state=StepState.RUNNING, attempt=self.attempt + 1, lease_until=now + lease)

    def held(self, attempt: int) -> Step:
        """As it is. Raises LostLease where it is no longer that attempt's."""
        if self.state is not StepState.RUNNING or self.attempt != attempt:
            raise LostLease(f"attempt {attempt} of step {self.name} was overtaken by attempt {self.attempt}")
        return self

    def renewed(self, attempt: int, now: datetime, lease: timedelta) -> Step:
        return replace(self.held(attempt), lease_until=now + lease)

    def finished(self, attempt: int, output: Mapping[str, Any]) -> Step:
        return replace(self.held(attempt), state=StepState.DONE, lease_until=None, output=output)

    def failed(self, attempt: int, failure: Failure) -> Step:
        return replace(self.held(attempt), state=StepState.FAILED, lease_until=None, error=failure)

    def released(self, attempt: int) -> Step:
        """Given back unfinished, so that the next delivery may start at once."""
        return replace(self.held(attempt), state=StepState.WAITING, lease_until=None)

    def abandoned(self) -> Step:
        """Failed for want of attempts, by whoever finds it so."""
        return self if self.is_settled else replace(self, state=StepState.FAILED, error=Failure.of(GaveUp()))
