"""A short run of the chaos program, what its plan promises, and what its judgement finds."""

import itertools
import json
import os
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import firestore

from shared.errors import MissingTool
from tests.pipeline.chaos import chaos, report
from tests.pipeline.chaos_evidence import Documents, Evidence, Version
from tests.pipeline.chaos_inferences import FAILED_FOR_NOW, Inferences, Reason
from tests.pipeline.chaos_plan import ALWAYS, GOOD, POINTS, Script, When, script_of, seed_of
from tests.pipeline.chaos_ports import Journal, tempo_of

SEEDS = range(10)


@pytest.mark.emulator
def test_every_job_ends_as_it_should_though_processes_die(tmp_path):
    try:
        outcome = chaos(SEEDS, tmp_path)
    except MissingTool as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    assert not outcome.violations, "\n".join([report(outcome), *map(str, outcome.violations)])
    assert sum(outcome.ends.values()) == len(SEEDS)
    died = {(note["kind"], note["what"], note["when"]) for note in outcome.notes if note.get("died")}
    assert len(died) >= len(SEEDS) / 2, "the plan's deaths did not come about"


class TestPlan:
    def test_two_hundred_seeds_die_before_and_after_every_write(self):
        kills = {(kill.kind, kill.write, kill.when) for seed in range(200) for kill in script_of(seed).kills}
        assert kills >= {(point.kind, point.write, when) for point, when in itertools.product(POINTS, When)}

    def test_a_seed_is_the_same_run_again(self):
        assert [script_of(seed) for seed in range(50)] == [script_of(seed) for seed in range(50)]

    def test_an_upload_tells_its_seed(self):
        assert seed_of(script_of(42).name) == 42
        assert seed_of("videos/holiday.mp4") is None

    def test_some_seeds_kill_whoever_works_on_them(self):
        poisonous = [script_of(seed) for seed in range(300) if script_of(seed).fate.end == "GAVE_UP"]
        kinds = {kill.kind for script in poisonous for kill in script.kills if kill.times == ALWAYS}
        assert kinds == {"pose", "gpu", "audio"}


def test_what_is_counted_is_counted_by_all_processes_together(tmp_path):
    one, other = Journal(tmp_path), Journal(tmp_path)
    one.prepare()
    assert [one.counted("a"), other.counted("a"), one.counted("b")] == [1, 2, 1]
    assert [one.is_within(2, "c"), other.is_within(2, "c"), one.is_within(2, "c")] == [True, True, False]


# What the judgement finds

SCRIPT = Script(7, GOOD, (), False, {}, ())
ANSWER = {"tempo": tempo_of(SCRIPT), "samples": 30, "token": "b"}
START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeDocuments(Documents):
    def __init__(self, versions):
        self._versions = {path: history for path, history in versions.items() if history}


@dataclass
class FakeObjects:
    generations: dict[str, set[str]] = field(default_factory=lambda: {"j/v1/result.json": {"1"}})
    deleted: list[str] = field(default_factory=list)
    content: bytes = json.dumps(ANSWER).encode()

    def stored(self):
        return dict.fromkeys(self.generations, "1")

    def read(self, _name):
        return self.content


def job(state, progress, **fields):
    result = {**ANSWER, "object": "j/v1/result.json"} if state == "DONE" else {}
    return {
        "state": state, "progress": progress, "error": None, "result": result, "media": {"samples": 30}, **fields
    }  # fmt: skip


def step(state, attempt=1, lease_s=None):
    """``lease_s``: until when it is leased, after the beginning."""
    return {
        "state": state, "attempt": attempt, "leaseUntil": lease_s and START + timedelta(seconds=lease_s)
    }  # fmt: skip


def note(at_s, what, pid=1, seed=SCRIPT.seed, **more):
    return {"at": at_s, "pid": pid, "kind": "gpu", "seed": seed, "what": what, **more}


def inferred(at_s, token, attempt=1, pid=1, **more):
    return note(at_s, "inferred", pid, token=token, attempt=attempt, **more)


JOB = (job("RECEIVED", 0.0), job("EXTRACTING", 0.1), job("READY", 0.8), job("RUNNING", 0.85), job("DONE", 1.0))
INFER = (step("RUNNING"), step("DONE"))
INFERRED = (note(0, "started"), inferred(1, "b"))


def complaints(jobs=JOB, infer=INFER, objects=None, every_s=1.5, path="jobs/j", notes=INFERRED):
    documents = FakeDocuments({path: history(jobs, every_s), "jobs/j/steps/infer": history(infer, every_s)})
    return [each.text for each in Evidence(documents, objects or FakeObjects(), {"j": SCRIPT}, notes).violations()]


def history(versions, every_s=1.5, first=0):
    """``first``: how many versions before these are not known."""
    times = [START + timedelta(seconds=(first + number) * every_s) for number in range(len(versions))]
    return [Version(at, START, fields) for at, fields in zip(times, versions, strict=True)]


def test_what_is_not_known_is_told():
    documents = FakeDocuments({"jobs/j": history(JOB[2:], first=2), "jobs/j/steps/infer": history(INFER)})
    found = [each.text for each in Evidence(documents, FakeObjects(), {"j": SCRIPT}, INFERRED).violations()]
    assert [text for text in found if "jobs/j is not known before" in text] == found


@pytest.mark.emulator
def test_every_version_of_a_document_is_found(firestore_project):
    states = ("READY", "RUNNING", "DONE")
    with closing(firestore.Client(firestore_project)) as client:
        told = [client.document("jobs/j").set({"state": state}).update_time for state in states]
        documents = Documents(client)
        documents.collect()
        assert documents.settled() == {"j"}
    assert documents.versions("jobs/j") == [
        Version(at, told[0], {"state": state}) for at, state in zip(told, states, strict=True)
    ]


def test_nothing_is_said_against_a_job_that_went_its_way():
    assert complaints() == []


FAILED = job("FAILED", 0.9, error={"code": "GAVE_UP", "message": ""})
AFTER_ALL = {
    "ended as RUNNING, not as DONE": {"jobs": JOB[:-1], "infer": INFER[:1]},
    "ended as GAVE_UP, not as DONE": {"jobs": [*JOB[:-1], FAILED], "infer": INFER[:1]},
    "ended as nothing": {"jobs": [], "infer": []},
    "written after it had ended": {"jobs": [*JOB, job("RUNNING", 1.0), JOB[-1]]},
    "jumped from EXTRACTING to RUNNING": {"jobs": [*JOB[:2], *JOB[3:]]},
    "progress went back": {"jobs": [*JOB[:3], job("READY", 0.5), *JOB[3:]]},
    "done at 0.9": {"jobs": [*JOB[:-1], job("DONE", 0.9)]},
    "the result is": {"jobs": [*JOB[:-1], job("DONE", 1.0, result={"object": "j/v1/result.json"})]},
    "to the end 2 times": {"infer": [*INFER, step("RUNNING", 2), step("DONE", 2)]},
    "to the end 0 times": {"infer": INFER[:1]},
    "had been DONE": {"infer": [*INFER, step("DONE", 2)]},
    "from attempt 1 to 3": {"infer": [step("RUNNING"), step("RUNNING", 3), step("DONE", 3)]},
    "written twice within 0.900 s": {"every_s": 0.9},
    "belongs to no upload": {"path": "jobs/other"},
    "written 2 times": {"objects": FakeObjects({"j/v1/audio.npz": {"1", "2"}})},
    "overwritten or deleted": {"objects": FakeObjects(deleted=["j/v1/audio.npz"])},
    "and the document tells": {"objects": FakeObjects(content=json.dumps({**ANSWER, "token": "a"}).encode())},
    "of no inference that came to its end": {"notes": ()},
    "was taken while attempt 1 held it": {"infer": [step("RUNNING", 1, 4.5), step("RUNNING", 2, 6), step("DONE", 2)]},
}


@pytest.mark.parametrize("complaint", AFTER_ALL)
def test_what_goes_wrong_is_found(complaint):
    found = complaints(**AFTER_ALL[complaint])
    assert any(complaint in text for text in found), found


# Inferred to the end, and once more

BEGUN = note(0, "started")
TWICE = (BEGUN, note(0, "started", 2), inferred(1, "a"), inferred(9, "b", 2, pid=2))
LOST = history((step("RUNNING", 1, 1), step("RUNNING", 2, 9), step("DONE", 2)))
HELD = history((step("RUNNING", 1, 5), step("RUNNING", 2, 9), step("DONE", 2)))
GIVEN_BACK = history((step("RUNNING", 1, 5), step("WAITING", 1), step("RUNNING", 2, 9), step("DONE", 2)))

EXPLAINED = {
    "death": ([note(2, "object result", seed=8, died=True)], HELD),
    "told to end": ([note(0.5, "told to end", pid=0, of=1)], GIVEN_BACK),
    "not recorded": ([note(2, FAILED_FOR_NOW), note(3, "infer rested", when="after")], LOST),
    "lease lost": ([], LOST),
}


@pytest.mark.parametrize("reason", EXPLAINED)
def test_an_inference_that_was_lost_is_explained(reason):
    notes, versions = EXPLAINED[reason]
    assert list(Inferences(SCRIPT.seed, [*TWICE, *notes], versions).reasons()) == [reason]


UNEXPLAINED = {
    "nothing happened": ([], GIVEN_BACK),
    "it was taken from one who held it": ([], HELD),
    "another process died": ([note(2, "object result", pid=3, died=True)], GIVEN_BACK),
    "it died before": ([note(0.5, "object result", died=True)], GIVEN_BACK),
    "it died when all was done": ([note(10, "object result", died=True)], GIVEN_BACK),
    "another was told to end": ([note(2, "told to end", pid=0, of=2)], GIVEN_BACK),
    "its number was told to end before it began": ([note(-1, "told to end", pid=0, of=1)], GIVEN_BACK),
    "it rested though nothing had failed": ([note(3, "infer rested", when="after")], LOST),
    "it died at rest, though nothing had failed": (
        [note(3, "infer rested", when="after"), note(4, "slot renewed", died=True)],
        LOST,
    ),
    "another job failed": ([note(2, FAILED_FOR_NOW, seed=8)], GIVEN_BACK),
    "it failed for good": ([note(2, "failed for good")], GIVEN_BACK),
}


@pytest.mark.parametrize("case", UNEXPLAINED)
def test_an_inference_that_nothing_explains_is_complained_of(case):
    notes, versions = UNEXPLAINED[case]
    infer = [version.fields for version in versions]
    assert list(Inferences(SCRIPT.seed, [*TWICE, *notes], versions).reasons()) == [None]
    assert any("for no reason" in text for text in complaints(infer=infer, notes=[*TWICE, *notes]))


def test_the_lease_of_another_attempt_explains_nothing():
    again = [BEGUN, inferred(9, "a", 2), inferred(10, "b", 2)]
    assert list(Inferences(SCRIPT.seed, again, LOST).reasons()) == [None]


def test_each_inference_needs_a_reason_of_its_own():
    third = inferred(20, "c", 3, pid=3)
    died = note(2, "object result", died=True)
    assert list(Inferences(SCRIPT.seed, [*TWICE, died, third], GIVEN_BACK).reasons()) == [Reason.DEATH, None]
