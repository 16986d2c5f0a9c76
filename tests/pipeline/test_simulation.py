"""The whole chain, by messages alone and in any weather; and the simulation finds what is broken on purpose."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from functions.dispatch import handler as dispatch
from functions.sweep import handler as sweep
from gpu_job.worker import Worker
from shared import backlog
from shared.job import Job, Step
from shared.memory import MemoryBlobStore
from tests.pipeline.simulation import CALM, SHOWERS, STORM, WEATHERS, Weather, simulate

SEEDS = 50  # of each weather: 200 in all; more by python -m tests.pipeline.simulation


@pytest.mark.parametrize("weather", WEATHERS, ids=lambda weather: weather.name)
def test_every_job_comes_to_its_due_end_once(weather):
    for seed in range(SEEDS):
        outcome = simulate(seed, weather)
        assert not outcome.complaints, f"python -m tests.pipeline.simulation --seed {seed} --weather {weather.name}"


def test_a_seed_always_gives_the_same_run():
    assert simulate(2, STORM, tracing=True) == simulate(2, STORM, tracing=True)


def complains(weather: Weather, complaint: str, seeds: int = 300) -> bool:
    return any(complaint in text for seed in range(seeds) for text in simulate(seed, weather).complaints)


def test_it_finds_a_dispatch_that_trusts_what_the_platform_calls_active(monkeypatch):
    def ensure_execution(ports):
        if ports.jobs.backlog(100) and not ports.launcher.active():
            ports.launcher.launch()

    monkeypatch.setattr(dispatch, "ensure_execution", ensure_execution)
    assert complains(CALM, "rests in READY")


def test_it_finds_executions_started_for_nothing(monkeypatch):
    monkeypatch.setattr(backlog, "is_reserved", lambda *_: False)
    assert complains(CALM, "were worth it")


def test_it_finds_functions_without_a_heartbeat(monkeypatch):
    monkeypatch.setattr("shared.step.heartbeat", lambda *_: nullcontext())
    assert complains(CALM, "took the attempts")


def test_it_finds_a_worker_whose_heart_does_not_beat(monkeypatch):
    monkeypatch.setattr(Worker, "_renew", lambda *_: None)
    assert complains(CALM, "took the attempts")


def test_it_finds_records_that_are_not_fenced(monkeypatch):
    monkeypatch.setattr(Step, "held", lambda self, _: self)
    assert complains(SHOWERS, "was changed")


def test_it_finds_a_short_outage_that_uses_up_every_attempt(monkeypatch):
    monkeypatch.setattr("gpu_job.worker.FIRST_REST_S", 0.0)
    assert complains(CALM, "outage for")


def test_it_finds_progress_that_goes_back(monkeypatch):
    monkeypatch.setattr(Job, "extracted", lambda self, share: replace(self, progress=share))
    assert complains(CALM, "progress went back")


def test_it_finds_objects_that_are_written_twice(monkeypatch):
    def create(self, bucket, name, content, content_type):
        self.put(bucket, name, content, content_type)
        return True

    monkeypatch.setattr(MemoryBlobStore, "create", create)
    assert complains(STORM, "was written twice")


def test_it_finds_a_sweep_that_revives_nobody(monkeypatch):
    monkeypatch.setattr(sweep, "_revive", lambda *_: None)
    assert complains(SHOWERS, "not settled within")
