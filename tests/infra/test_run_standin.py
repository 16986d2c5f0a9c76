"""The stand-in for Cloud Run's jobs, asked by the real clients."""

import json
import sys
import textwrap
import time

import pytest
from google.api_core.exceptions import MethodNotImplemented, NotFound, ServiceUnavailable
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2

from infra.local.run_standin import Task, run_standin
from shared.config import Settings
from shared.gcp.run import CloudRunLauncher

JOB = "projects/demo-dancebits/locations/europe-west1/jobs/gpu-job"

COUNTS_ITS_ATTEMPTS = """
    import os, pathlib, sys
    file = pathlib.Path(os.environ["FILE"])
    file.write_text(file.read_text() + os.environ["CLOUD_RUN_TASK_ATTEMPT"] if file.exists() else "0")
    sys.exit(file.read_text() != os.environ["UNTIL"])
"""
WAITS_FOR_A_FILE = """
    import os, pathlib, time
    while not pathlib.Path(os.environ["FILE"]).exists():
        time.sleep(0.01)
"""
TELLS_OF_SIGTERM = """
    import os, pathlib, signal, sys, time
    def leave(*_):
        pathlib.Path(os.environ["FILE"]).write_text("asked to stop")
        sys.exit(0)
    signal.signal(signal.SIGTERM, leave)
    print("ready", flush=True)
    time.sleep(60)
"""
TELLS_ITS_ENVIRONMENT = """
    import json, os, pathlib
    pathlib.Path(os.environ["FILE"]).write_text(json.dumps(dict(os.environ)))
"""


@pytest.fixture
def serve(tmp_path):
    """Serves a script as the job's task, with FILE in its environment."""

    def start(script, max_retries=0, **environment):
        command = (sys.executable, "-S", "-c", textwrap.dedent(script))
        task = Task(command, {"FILE": str(tmp_path / "file"), **environment}, tmp_path, max_retries)
        return run_standin(task)

    return start


def jobs(standin):
    return run_v2.JobsClient(**connection(standin))


def executions(standin):
    return run_v2.ExecutionsClient(**connection(standin))


def connection(standin):
    return {
        "transport": "rest",
        "credentials": AnonymousCredentials(),
        "client_options": {"api_endpoint": standin.endpoint},
    }


def until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def test_an_execution_is_told_from_its_start_to_its_end(serve, tmp_path):
    with serve(WAITS_FOR_A_FILE) as standin:
        name = jobs(standin).run_job(name=JOB).metadata.name
        assert name.startswith(f"{JOB}/executions/gpu-job-")
        client = executions(standin)
        until(lambda: client.get_execution(name=name).running_count)
        running = client.get_execution(name=name)
        assert (running.succeeded_count, running.failed_count, running.completion_time) == (0, 0, None)
        assert running.create_time <= running.start_time
        (tmp_path / "file").touch()
        until(lambda: client.get_execution(name=name).completion_time)
        done = client.get_execution(name=name)
    assert (done.running_count, done.succeeded_count, done.failed_count) == (0, 1, 0)
    assert done.completion_time >= done.start_time


def test_a_task_knows_whose_it_is(serve, tmp_path):
    with serve(TELLS_ITS_ENVIRONMENT, COLOUR="blue") as standin:
        name = jobs(standin).run_job(name=JOB).metadata.name
        until(lambda: executions(standin).get_execution(name=name).completion_time)
    told = json.loads((tmp_path / "file").read_text())
    assert told["CLOUD_RUN_EXECUTION"] == name.rpartition("/")[2]
    assert (told["CLOUD_RUN_JOB"], told["CLOUD_RUN_TASK_ATTEMPT"], told["COLOUR"]) == ("gpu-job", "0", "blue")


def test_a_failing_task_is_tried_again_until_it_succeeds(serve):
    with serve(COUNTS_ITS_ATTEMPTS, max_retries=3, UNTIL="012") as standin:
        name = jobs(standin).run_job(name=JOB).metadata.name
        until(lambda: executions(standin).get_execution(name=name).completion_time)
        done = executions(standin).get_execution(name=name)
    assert (done.succeeded_count, done.failed_count, done.retried_count) == (1, 0, 2)


def test_a_task_that_always_fails_uses_up_its_attempts(serve, tmp_path):
    with serve(COUNTS_ITS_ATTEMPTS, max_retries=2, UNTIL="never") as standin:
        name = jobs(standin).run_job(name=JOB).metadata.name
        until(lambda: executions(standin).get_execution(name=name).completion_time)
        done = executions(standin).get_execution(name=name)
    assert (done.succeeded_count, done.failed_count) == (0, 1)
    assert (tmp_path / "file").read_text() == "012"


def test_a_killed_task_is_tried_again(serve, tmp_path):
    with serve(WAITS_FOR_A_FILE, max_retries=1) as standin:
        jobs(standin).run_job(name=JOB)
        (execution,) = standin.executions
        until(lambda: execution.process)
        execution.process.signal(9)
        until(lambda: execution.attempt == 1)
        (tmp_path / "file").touch()
        until(lambda: execution.completed_at)
        assert execution.succeeded


def test_a_cancelled_execution_is_asked_to_stop_and_not_tried_again(serve, tmp_path):
    with serve(TELLS_OF_SIGTERM, max_retries=3) as standin:
        name = jobs(standin).run_job(name=JOB).metadata.name
        (execution,) = standin.executions
        until(lambda: execution.process and "ready" in execution.process.tail)
        executions(standin).cancel_execution(name=name)
        until(lambda: executions(standin).get_execution(name=name).completion_time)
        done = executions(standin).get_execution(name=name)
    assert (done.cancelled_count, done.failed_count, done.retried_count) == (1, 0, 0)
    assert (tmp_path / "file").read_text() == "asked to stop"


def test_at_the_end_nothing_runs(serve, tmp_path):
    with serve(TELLS_OF_SIGTERM) as standin:
        for _ in range(3):
            jobs(standin).run_job(name=JOB)
        until(lambda: all(each.process and "ready" in each.process.tail for each in standin.executions))
    assert all(each.process.exit_code is not None for each in standin.executions)


def test_executions_are_listed_newest_first_over_pages(serve, tmp_path):
    (tmp_path / "file").touch()
    with serve(WAITS_FOR_A_FILE) as standin:
        names = [jobs(standin).run_job(name=JOB).metadata.name for _ in range(3)]
        client = executions(standin)
        assert [each.name for each in client.list_executions(parent=JOB)] == names[::-1]
        request = run_v2.ListExecutionsRequest(parent=JOB, page_size=2)
        pages = [[each.name for each in page.executions] for page in client.list_executions(request).pages]
        assert pages == [names[:0:-1], names[:1]]
        assert list(client.list_executions(parent=f"{JOB}-2")) == []


def test_a_refused_run_starts_nothing_and_a_lost_answer_does(serve, tmp_path):
    (tmp_path / "file").touch()
    with serve(WAITS_FOR_A_FILE) as standin:
        standin.faults.refused_runs, standin.faults.lost_answers = 1, 1
        for started in (0, 1):
            with pytest.raises(ServiceUnavailable):
                jobs(standin).run_job(name=JOB)
            assert len(standin.executions) == started
        jobs(standin).run_job(name=JOB)
        assert len(standin.executions) == 2


def test_what_it_does_not_do_it_says(serve):
    with serve(WAITS_FOR_A_FILE) as standin:
        overrides = run_v2.RunJobRequest.Overrides(task_count=2)
        with pytest.raises(MethodNotImplemented, match="overrides"):
            jobs(standin).run_job(run_v2.RunJobRequest(name=JOB, overrides=overrides))
        with pytest.raises(MethodNotImplemented):
            jobs(standin).get_job(name=JOB)
        with pytest.raises(NotFound):
            executions(standin).get_execution(name=f"{JOB}/executions/none")


def test_the_launcher_counts_what_runs(serve, tmp_path):
    with serve(WAITS_FOR_A_FILE) as standin:
        settings = Settings("demo-dancebits", "u", "f", "r", "l", run_endpoint=standin.endpoint)
        launcher = CloudRunLauncher(settings)
        assert launcher.active() == 0
        launcher.launch()
        assert launcher.active() == 1
        (tmp_path / "file").touch()
        until(lambda: launcher.active() == 0)
