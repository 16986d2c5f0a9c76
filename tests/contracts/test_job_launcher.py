"""What every JobLauncher keeps to."""

import socket
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.local.run_standin import RunStandin, Task, run_standin
from shared.config import Settings
from shared.errors import Unavailable
from shared.gcp.run import CloudRunLauncher
from shared.memory import MemoryLauncher
from shared.ports import JobLauncher

SETTINGS = Settings("demo-project", "uploads", "features", "results", "library", region="europe-west4", gpu_job="infer")
UNTIL_TOLD = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)"

pytestmark = pytest.mark.timeout(60)


@dataclass(frozen=True, slots=True)
class Yard:
    """``finish`` ends every execution, well."""

    launcher: JobLauncher
    finish: Callable[[], None]


@pytest.fixture
def standin(tmp_path: Path) -> Generator[RunStandin]:
    """Every execution lasts until the file ``end`` is there."""
    task = Task((sys.executable, "-S", "-c", UNTIL_TOLD, str(tmp_path / "end")), {}, tmp_path)
    with run_standin(task) as standin:
        yield standin


@pytest.fixture
def cloud_run(standin: RunStandin) -> CloudRunLauncher:
    return launcher_at(standin.endpoint)


def launcher_at(endpoint: str) -> CloudRunLauncher:
    names = SETTINGS.environment() | {"DANCEBITS_RUN_ENDPOINT": endpoint}
    return CloudRunLauncher(Settings.read(names))


@pytest.fixture(params=["memory", "cloud run"])
def yard(request: pytest.FixtureRequest, tmp_path: Path) -> Yard:
    if request.param == "memory":
        return memory_yard()
    launcher: CloudRunLauncher = request.getfixturevalue("cloud_run")
    return Yard(launcher, (tmp_path / "end").touch)


def memory_yard() -> Yard:
    launcher = MemoryLauncher()

    def finish() -> None:
        launcher.finished = launcher.launched

    return Yard(launcher, finish)


def test_nothing_is_active_at_first(yard: Yard) -> None:
    assert yard.launcher.active() == 0


def test_an_execution_is_active_from_its_launch_to_its_end(yard: Yard) -> None:
    yard.launcher.launch()
    assert yard.launcher.active() == 1
    yard.launcher.launch()
    assert yard.launcher.active() == 2
    yard.finish()
    while yard.launcher.active():  # the timeout of the test is its bound
        time.sleep(0.02)


def test_every_execution_has_a_name_of_its_own(yard: Yard) -> None:
    assert len({yard.launcher.launch() for _ in range(3)}) == 3


def test_the_execution_of_the_named_job_is_started(cloud_run: CloudRunLauncher, standin: RunStandin) -> None:
    name = cloud_run.launch()
    assert name.startswith("projects/demo-project/locations/europe-west4/jobs/infer/executions/infer-")
    assert [execution.name for execution in standin.executions] == [name]


def test_executions_are_counted_beyond_the_first_page(
    cloud_run: CloudRunLauncher, standin: RunStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [cloud_run.launch() for _ in range(3)]
    monkeypatch.setattr("shared.gcp.run.PAGE", 2)
    assert cloud_run.active() == len(names)


def test_a_refused_launch_is_unavailable_and_starts_nothing(cloud_run: CloudRunLauncher, standin: RunStandin) -> None:
    standin.faults.refused_runs = 1
    with pytest.raises(Unavailable, match="Cloud Run does not answer"):
        cloud_run.launch()
    assert cloud_run.active() == 0


def test_a_launch_whose_answer_is_lost_is_unavailable_and_seen_by_looking(
    cloud_run: CloudRunLauncher, standin: RunStandin
) -> None:
    standin.faults.lost_answers = 1
    with pytest.raises(Unavailable):
        cloud_run.launch()
    assert cloud_run.active() == 1


def test_a_cloud_run_that_is_away_is_unavailable() -> None:
    away = launcher_at("http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        away.launch()


def test_a_cloud_run_that_is_silent_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.gcp.run.TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        launcher = launcher_at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Unavailable):
            launcher.launch()
        with pytest.raises(Unavailable):
            launcher.active()
