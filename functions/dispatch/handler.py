"""Fan-in: when every planned step of a job is done, seal it into the backlog and see that the GPU job runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from shared.backlog import ensure_execution
from shared.errors import BadMessage, NobodyFound, PermanentError, TeacherUnseen
from shared.events import FeaturesReady, Message
from shared.job import BACKLOG, POSE, TEACHER, Failure, Job, State, Step, StepState
from shared.logs import bound
from shared.ports import Ports

log = logging.getLogger(__name__)

MIN_DETECTED_SHARE = 0.05
"""Below this a dancer was seen so briefly that no move can be told: most likely a false detection."""


def handle(message: Message, ports: Ports) -> None:
    if not isinstance(message, FeaturesReady):
        raise BadMessage(f"dispatch was sent {type(message).__name__}")
    with bound(job=message.job_id):
        job = ports.jobs.get(message.job_id)
        if job.state is State.EXTRACTING:
            job = _gathered(job, ports)
        if job.state in BACKLOG:
            ensure_execution(ports)


def _gathered(job: Job, ports: Ports) -> Job:
    """The job after a look at its steps: sealed where all are done."""
    steps = ports.jobs.steps(job.id)
    done = [name for name in job.plan if name in steps and steps[name].state is StepState.DONE]
    if len(done) < len(job.plan):
        ports.jobs.offer(job.id, lambda now: now.extracted(len(done) / len(job.plan)))
        return job
    if (nobody := _nobody(job, steps)) is not None:
        failure = Failure.of(nobody)
        return ports.jobs.update(job.id, lambda now: now.failed(failure))
    return ports.jobs.update(job.id, Job.sealed)


def _nobody(job: Job, steps: Mapping[str, Step]) -> PermanentError | None:
    """What to say where nobody is to be seen in one of the job's videos."""
    for whose, nobody in ((POSE, NobodyFound()), (TEACHER + POSE, TeacherUnseen())):
        poses = [steps[name].output for name in job.plan if name.startswith(whose)]
        detected, samples = (sum(pose[count] for pose in poses) for count in ("detected", "samples"))
        if poses and detected < MIN_DETECTED_SHARE * max(1, samples):
            return nobody
    return None
