"""The canary says what is wrong, and that all is well where it is."""

import pytest

from infra import canary
from infra.canary import complaints_of
from infra.local.system import Plan, up
from shared.job import Failure, State
from tests.contracts.makers import a_job

GOOD = {"tempo_bpm": 126.2, "moves": [{}, {}]}


def test_a_job_with_its_tempo_and_its_moves_is_well():
    assert complaints_of(a_job(state=State.DONE, result=GOOD)) == []


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        (None, "never became a job"),
        (a_job(state=State.RUNNING, progress=0.85, stage="Finding the moves"), "RUNNING at 85%: Finding the moves"),
        (a_job(state=State.FAILED, error=Failure("NO_SOUND", "No sound.")), "FAILED: NO_SOUND: No sound."),
        (a_job(state=State.DONE, result={**GOOD, "tempo_bpm": 63.0}), "tempo was found to be 63.0"),
        (a_job(state=State.DONE, result={**GOOD, "tempo_bpm": None}), "tempo was found to be None"),
        (a_job(state=State.DONE, result={**GOOD, "moves": [{}]}), "1 moves were found"),
    ],
)
def test_it_says_what_is_wrong(job, complaint):
    (found,) = complaints_of(job)
    assert complaint in found


class Asked:
    """A store that shows one state after another."""

    def __init__(self, *states):
        self.states = list(states)

    def get(self, _job_id):
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


def test_it_waits_until_the_job_is_settled_or_the_time_is_over(monkeypatch, capsys):
    monkeypatch.setattr(canary, "LOOK_EVERY_S", 0.01)
    running, done = a_job(state=State.RUNNING), a_job(state=State.DONE, stage="Done")
    assert canary._settled(Asked(running, running, done), done.id, float("inf")) is done
    assert canary._settled(Asked(running), done.id, 0.0) is None
    assert capsys.readouterr().out.splitlines() == [f"RUNNING: {running.stage}", "DONE: Done"]


@pytest.mark.emulator
@pytest.mark.timeout(600)
def test_the_system_on_this_machine_is_well(tmp_path, monkeypatch, capsys):
    with up(tmp_path, plan=Plan(min_backoff_s=0.2)) as system:
        for name, value in system.environment.items():
            monkeypatch.setenv(name, value)
        assert canary.main(["--within", "500"]) == 0
        assert "well after" in capsys.readouterr().out
