"""Why a job was inferred more than once, from the journal and from the history of its step.

The fence lets one attempt alone record what it found, however many have inferred the job to the end. So the steps
cannot tell that the GPU did the same work twice; the journal can. Nothing here reads or runs anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from shared.job import StepState
from tests.pipeline.chaos_plan import When

FAILED_FOR_NOW = "failed for now"
"""What a script makes fail, and what may be tried again, in the journal."""

GIVEN_BACK = ("infer rested", "infer WAITING")
"""Writes after which neither a death nor a lease costs anything."""

Note = Mapping[str, Any]


class Reason(StrEnum):
    """That an inference was lost, which another then followed."""

    DEATH = "death"
    TERMINATION = "told to end"
    FAILURE = "not recorded"
    """A call failed, or was made to."""
    LEASE = "lease lost"


class Written(Protocol):
    """A version of a step."""

    @property
    def at(self) -> datetime: ...

    @property
    def fields(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Inferences:
    """Those of one job that came to an end. ``notes``: the whole journal; ``history``: of the job's step."""

    seed: int
    notes: Sequence[Note]
    history: Sequence[Written]

    @property
    def tokens(self) -> list[str]:
        return [note["token"] for note in self._all()]

    def reasons(self) -> Iterator[Reason | None]:
        """For each that another followed; None where nothing explains it."""
        for lost, next_ in itertools.pairwise(self._all()):
            yield self._reason(lost, next_)

    def _all(self) -> list[Note]:
        found = [note for note in self.notes if note["what"] == "inferred" and note["seed"] == self.seed]
        return sorted(found, key=lambda note: note["at"])

    def _reason(self, lost: Note, next_: Note) -> Reason | None:
        since = [note for note in self.notes if note["pid"] == lost["pid"] and lost["at"] <= note["at"] <= next_["at"]]
        own = [note for note in since if note["seed"] == self.seed]
        was_given_back = any(note["what"] in GIVEN_BACK and note["when"] == When.AFTER for note in own)
        if any(note["what"] == FAILED_FOR_NOW or note.get("when") == "failed" for note in own):
            return Reason.FAILURE
        if self._was_told_to_end(lost, next_):
            return Reason.TERMINATION
        if any(note.get("died") for note in since) and not was_given_back:
            return Reason.DEATH
        is_another = lost["attempt"] < next_["attempt"]
        return Reason.LEASE if is_another and not was_given_back and self._ran_out(lost["attempt"]) else None

    def _was_told_to_end(self, lost: Note, next_: Note) -> bool:
        """Since that process began, for an earlier one may have had its number."""
        starts = [note["at"] for note in self.notes if note["what"] == "started" and note["pid"] == lost["pid"]]
        started_at = max((at for at in starts if at <= lost["at"]), default=0.0)
        return any(
            note["what"] == "told to end" and note["of"] == lost["pid"] and started_at <= note["at"] <= next_["at"]
            for note in self.notes
        )

    def _ran_out(self, attempt: int) -> bool:
        """Whether another took the step when that attempt's lease had run out."""
        return any(
            old.fields["attempt"] == attempt != new.fields["attempt"]
            and old.fields["state"] == StepState.RUNNING
            and old.fields["leaseUntil"] <= new.at
            for old, new in itertools.pairwise(self.history)
        )
