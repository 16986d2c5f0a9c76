"""Evidence of what the system did, gathered from outside, and the judgement on it.

Firestore knows every version of every document, the buckets tell of every object, and the journal has
what the processes were about to do. Nothing here runs the system.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import grpc
from google.api_core.exceptions import Cancelled, DeadlineExceeded
from google.cloud import storage
from google.cloud.firestore_v1 import Client, DocumentReference, FieldFilter
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from shared.config import Settings
from shared.job import INFER, SETTLED, State, StepState
from tests.pipeline.chaos_inferences import Inferences, Note
from tests.pipeline.chaos_plan import Script
from tests.pipeline.chaos_ports import tempo_of

LEAST_INTERVAL_S = 1.0
"""Between two writes of a document."""

ORDER = (State.RECEIVED, State.EXTRACTING, State.READY, State.RUNNING)

_TOPIC = "evidence"
READERS = 8
"""Documents that are followed back at once."""


@dataclass(frozen=True, slots=True)
class Version:
    """A document as it was written at an instant; ``created_at`` is that of its first version."""

    at: datetime
    created_at: datetime
    fields: Mapping[str, Any]


class Documents:
    """Every version of the jobs, their steps and the executors' slots, by path.

    Firestore tells how a document was at any time of the last hour, so each is followed back from its last version
    to its first. A listener would not do: one whose stream broke is told of the last version alone.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._versions: dict[str, list[Version]] = {}

    def collect(self) -> None:
        """Take in all that was written so far."""
        groups = [self._client.collection_group(name).select([]).stream() for name in _GROUPS]
        references = [found.reference for found in itertools.chain.from_iterable(groups)]
        with ThreadPoolExecutor(READERS) as pool:
            histories = pool.map(_history, references)
            self._versions = {each.path: found for each, found in zip(references, histories, strict=True)}

    def versions(self, path: str) -> list[Version]:
        """In the order of their writing."""
        return self._versions.get(path, [])

    def paths(self, depth: int) -> list[str]:
        """Of documents that lie so deep: ``jobs/x`` lies 2 deep."""
        return [path for path in self._versions if path.count("/") == depth - 1]

    def settled(self) -> set[str]:
        """The ids of jobs that have come to an end by now."""
        ended = FieldFilter("state", "in", sorted(SETTLED))
        return {found.id for found in self._client.collection("jobs").where(filter=ended).select([]).stream()}


def _history(document: DocumentReference) -> list[Version]:
    """Oldest first."""
    versions, found = list[Version](), document.get()
    while found.exists:
        versions.append(Version(found.update_time, found.create_time, found.to_dict()))
        if found.update_time == found.create_time:
            break
        found = document.get(read_time=found.update_time - timedelta(microseconds=1))
    return versions[::-1]


_GROUPS = ("jobs", "steps", "executors")


class Objects:
    """What the buckets of features and results told: the generations of every object that was ever finished."""

    def __init__(self, settings: Settings, pubsub: grpc.Channel) -> None:
        self.deleted: list[str] = []
        self._settings = settings
        self._generations: dict[str, set[str]] = defaultdict(set)
        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=pubsub))
        self._subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=pubsub))
        self._subscription = f"projects/{settings.project}/subscriptions/{_TOPIC}"
        self._client = storage.Client(project=settings.project)

    def subscribe(self) -> None:
        topic = f"projects/{self._settings.project}/topics/{_TOPIC}"
        self._publisher.create_topic(name=topic)
        self._subscriber.create_subscription(name=self._subscription, topic=topic)
        for bucket in self._buckets:
            self._client.bucket(bucket).notification(_TOPIC, self._settings.project, payload_format="NONE").create()

    def collect(self) -> None:
        """Take in all that was told so far."""
        while pulled := self._pulled():
            for received in pulled:
                self._take(received.message.attributes)
            self._subscriber.acknowledge(
                subscription=self._subscription, ack_ids=[received.ack_id for received in pulled]
            )

    def read(self, name: str) -> bytes:
        return self._client.bucket(self._settings.results_bucket).blob(name).download_as_bytes()

    def stored(self) -> dict[str, str]:
        """The generation of each object that is there now."""
        found = itertools.chain.from_iterable(self._client.list_blobs(bucket) for bucket in self._buckets)
        return {blob.name: str(blob.generation) for blob in found}

    @property
    def generations(self) -> Mapping[str, set[str]]:
        return self._generations

    @property
    def _buckets(self) -> Sequence[str]:
        return (self._settings.features_bucket, self._settings.results_bucket)

    def _pulled(self) -> Sequence[Any]:
        try:
            return self._subscriber.pull(
                subscription=self._subscription, max_messages=500, timeout=2.0, retry=None
            ).received_messages
        except (DeadlineExceeded, Cancelled):
            return []

    def _take(self, told: Mapping[str, str]) -> None:
        if told["eventType"] == "OBJECT_FINALIZE":
            self._generations[told["objectId"]].add(told["objectGeneration"])
        else:
            self.deleted.append(told["objectId"])


@dataclass(frozen=True, slots=True)
class Violation:
    seed: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    documents: Documents
    objects: Objects
    scripts: Mapping[str, Script]
    """By the job's id: every upload that was made."""
    notes: Sequence[Note]
    """The journal."""

    def violations(self) -> Iterator[Violation]:
        for job_id, script in self.scripts.items():
            yield from (Violation(script.seed, text) for text in self._of_job(job_id, script))
        yield from (Violation(None, text) for text in self._of_documents())
        yield from (Violation(self._seed(name), text) for name, text in self._of_objects())

    def ends(self) -> Counter[str]:
        return Counter(self.end(job_id) for job_id in self.scripts)

    def end(self, job_id: str) -> str:
        versions = self.documents.versions(f"jobs/{job_id}")
        return _end(versions[-1].fields) if versions else "nothing"

    def completions(self, job_id: str) -> int:
        """How often the GPU's step was recorded as done."""
        versions = self.documents.versions(f"jobs/{job_id}/steps/{INFER}")
        states = [StepState.WAITING, *(version.fields["state"] for version in versions)]
        return sum(new == StepState.DONE != old for old, new in itertools.pairwise(states))

    def inferences(self, job_id: str) -> Inferences:
        """What was done of the GPU's work, recorded or not."""
        history = self.documents.versions(f"jobs/{job_id}/steps/{INFER}")
        return Inferences(self.scripts[job_id].seed, self.notes, history)

    def repetitions(self) -> Counter[str]:
        """How often a job was inferred to the end once more, by the reason."""
        reasons = (reason for job_id in self.scripts for reason in self.inferences(job_id).reasons())
        return Counter(reason or "no reason" for reason in reasons)

    def intervals_s(self) -> list[float]:
        """Between the writes of every document."""
        return [interval_s for _, interval_s in self._intervals()]

    # Jobs

    def _of_job(self, job_id: str, script: Script) -> Iterator[str]:
        versions = self.documents.versions(f"jobs/{job_id}")
        end, completions = self.end(job_id), self.completions(job_id)
        if end != script.fate.end:
            yield f"{script.fate.title} ended as {end}, not as {script.fate.end}"
        if completions != (end == State.DONE):
            yield f"ended as {end}, and was inferred to the end {completions} times"
        yield from self._of_inferences(job_id)
        for old, new in itertools.pairwise(versions):
            yield from _of_change(old.fields, new.fields)
        for name in (path for path in self.documents.paths(4) if path.startswith(f"jobs/{job_id}/")):
            for old, new in itertools.pairwise(self.documents.versions(name)):
                yield from _of_step(name.rpartition("/")[2], old, new)
        if end == State.DONE:
            yield from self._of_result(job_id, script, versions[-1].fields)

    def _of_inferences(self, job_id: str) -> Iterator[str]:
        inferences = self.inferences(job_id)
        for number, reason in enumerate(inferences.reasons(), 1):
            if not reason:
                yield f"inference {number} came to its end, and another followed for no reason"

    def _of_result(self, job_id: str, script: Script, fields: Mapping[str, Any]) -> Iterator[str]:
        told, name = dict(fields["result"]), fields["result"]["object"]
        answer = {"tempo": tempo_of(script), "samples": fields["media"]["samples"], "token": told.get("token")}
        if told != {**answer, "object": name}:
            yield f"the result is {told}, not {answer}"
        if (stored := json.loads(self.objects.read(name))) != answer:
            yield f"the object {name} is {stored}, and the document tells {answer}"
        if told.get("token") not in self.inferences(job_id).tokens:
            yield "the result is of no inference that came to its end"
        if fields["progress"] != 1.0:
            yield f"done at {fields['progress']}"

    # Documents and objects

    def _of_documents(self) -> Iterator[str]:
        known = {f"jobs/{job_id}" for job_id in self.scripts}
        yield from (f"{path} belongs to no upload" for path in self.documents.paths(2)
                    if path.startswith("jobs/") and path not in known)  # fmt: skip
        for path, first in ((path, versions[0]) for path, versions in self._histories()):
            if first.at != first.created_at:
                yield f"{path} is not known before {first.at}: what was written until then cannot be judged"
        for path, interval_s in self._intervals():
            if interval_s < LEAST_INTERVAL_S:
                yield f"{path} was written twice within {interval_s:.3f} s"

    def _intervals(self) -> Iterator[tuple[str, float]]:
        for path, versions in self._histories():
            for old, new in itertools.pairwise(versions):
                yield path, (new.at - old.at).total_seconds()

    def _histories(self) -> Iterator[tuple[str, list[Version]]]:
        for path in itertools.chain(self.documents.paths(2), self.documents.paths(4)):
            yield path, self.documents.versions(path)

    def _of_objects(self) -> Iterator[tuple[str, str]]:
        for name, generations in self.objects.generations.items():
            if len(generations) > 1:
                yield name, f"{name} was written {len(generations)} times"
        for name in self.objects.deleted:
            yield name, f"{name} was overwritten or deleted"
        stored = {name: {generation} for name, generation in self.objects.stored().items()}
        for name in stored.keys() ^ self.objects.generations.keys():
            yield name, f"{name} was told of or stored, but not both"

    def _seed(self, name: str) -> int | None:
        script = self.scripts.get(name.partition("/")[0])
        return script and script.seed


def _end(fields: Mapping[str, Any]) -> str:
    return fields["error"]["code"] if fields["error"] else fields["state"]


def _of_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What must not happen from one version of a job to the next."""
    before, after = State(old["state"]), State(new["state"])
    if before in SETTLED:
        yield f"was written after it had ended as {before}"
    elif after not in SETTLED and ORDER.index(after) - ORDER.index(before) not in (0, 1):
        yield f"jumped from {before} to {after}"
    if new["progress"] < old["progress"]:
        yield f"progress went back from {old['progress']} to {new['progress']}"


def _of_step(name: str, old: Version, new: Version) -> Iterator[str]:
    before, after = old.fields, new.fields
    if before["state"] in (StepState.DONE, StepState.FAILED):
        yield f"step {name} was written after it had been {before['state']}"
    if after["attempt"] - before["attempt"] not in (0, 1):
        yield f"step {name} went from attempt {before['attempt']} to {after['attempt']}"
    if after["attempt"] > before["attempt"] and before["leaseUntil"] and new.at < before["leaseUntil"]:
        yield f"step {name} was taken while attempt {before['attempt']} held it"
