"""Child processes end, whatever they and we do."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from infra.local.processes import Process, Program, answers_http, free_port, running, wait_until
from infra.local.supervisor import supervised
from infra.local.web import Response, serving
from shared.errors import Unavailable
from shared.signals import ended_by_signals

WAITS = "import time; print('ready', flush=True); time.sleep(60)"
HAS_A_CHILD = """
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    print(child.pid, flush=True)
    time.sleep(60)
"""
DOES_NOT_LISTEN = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(60)
"""


def program(script, grace_s=10.0):
    return Program("child", (sys.executable, "-S", "-c", textwrap.dedent(script)), dict(os.environ), grace_s=grace_s)


def ready(process):
    wait_until(lambda: "\n" in process.tail, process, timeout_s=20)
    return process.tail.split()[-1]


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def test_what_a_child_says_is_kept(tmp_path):
    with running(program("print('hello')"), tmp_path / "log") as process:
        assert process.wait(20) == 0
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_child_ends_with_its_block(tmp_path):
    with running(program(WAITS), tmp_path / "log") as process:
        ready(process)
        assert process.exit_code is None
    assert process.exit_code == -signal.SIGTERM
    process.end()  # again, and nothing happens


def test_what_a_child_started_ends_with_it(tmp_path):
    with running(program(HAS_A_CHILD), tmp_path / "log") as process:
        grandchild = int(ready(process))
        assert is_alive(grandchild)
    until(lambda: not is_alive(grandchild))


def test_a_child_that_does_not_listen_is_killed_after_its_grace(tmp_path):
    with running(program(DOES_NOT_LISTEN, grace_s=0.2), tmp_path / "log") as process:
        ready(process)
    assert process.exit_code == -signal.SIGKILL


def test_a_child_ends_with_its_killed_parent(tmp_path):
    script = """
        import sys, time
        from pathlib import Path
        from infra.local.processes import Process
        from tests.infra.test_processes import HAS_A_CHILD, program, ready
        process = Process(program(HAS_A_CHILD), Path(sys.argv[1]))
        print(process.pid, ready(process), flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(map(is_alive, pids))
        parent.kill()
    until(lambda: not any(map(is_alive, pids)))


def test_a_program_that_is_not_there_says_so(tmp_path):
    with running(Program("child", ("/no/such/program",)), tmp_path / "log") as process:
        assert process.wait(20) == 127
        assert "/no/such/program" in process.tail


def test_waiting_ends_with_the_child_and_tells_its_last_words(tmp_path):
    process = Process(program("raise SystemExit('no luck')"), tmp_path / "log")
    with pytest.raises(Unavailable, match="no luck"):
        wait_until(lambda: False, process, timeout_s=20)
    process.end()


def test_waiting_has_an_end(tmp_path):
    process = Process(program(WAITS), tmp_path / "log")
    with pytest.raises(Unavailable, match=r"does not answer after 0\.1 s"):
        wait_until(lambda: False, process, timeout_s=0.1)
    process.end()


def test_an_answer_is_an_answer_whatever_it_says():
    assert not answers_http(free_port())
    with serving(lambda _: Response(404)) as port:
        assert answers_http(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unwinds_once(number):
    undone = []
    before = signal.getsignal(number)

    def work():
        try:
            os.kill(os.getpid(), number)
            time.sleep(20)
        finally:
            os.kill(os.getpid(), number)
            undone.append("everything")

    with pytest.raises(SystemExit) as left, ended_by_signals() as stopped:
        work()
    assert left.value.code == 128 + number
    assert stopped.is_set()
    assert undone == ["everything"]
    assert signal.getsignal(number) is before


class TestSupervisor:
    def test_who_dies_is_started_again(self, tmp_path):
        with supervised(tmp_path) as supervisor:
            first = supervisor.start(program(WAITS), restart=True)
            ready(first)
            supervisor.kill("child")
            until(lambda: supervisor.children["child"].pid != first.pid)
            second = supervisor.children["child"]
        assert first.exit_code == -signal.SIGKILL
        assert second.exit_code is not None

    def test_who_must_not_die_is_a_loss(self, tmp_path):
        with supervised(tmp_path) as supervisor:
            supervisor.start(program("raise SystemExit('no luck')"), restart=False)
            with pytest.raises(Unavailable, match="no luck"):
                supervisor.wait(20)

    def test_without_a_loss_waiting_ends_by_itself(self, tmp_path):
        with supervised(tmp_path) as supervisor:
            supervisor.start(program(WAITS), restart=False)
            supervisor.wait(0.05)

    def test_nobody_is_started_after_the_end(self, tmp_path):
        with supervised(tmp_path) as supervisor:
            pass
        with pytest.raises(Unavailable):
            supervisor.start(program(WAITS), restart=True)

    def test_at_the_end_all_are_gone_even_who_keeps_dying(self, tmp_path):
        with supervised(tmp_path) as supervisor:
            supervisor.start(program("raise SystemExit(1)"), restart=True)
            until(lambda: (tmp_path / "child.log").exists())
            time.sleep(0.5)
        assert all(process.exit_code is not None for process in supervisor.children.values())


def test_a_process_has_the_environment_it_was_given_and_no_other(tmp_path):
    child = Program("child", (sys.executable, "-S", "-c", "import os; print(sorted(os.environ))"), {"ONE": "1"})
    with running(child, tmp_path / "log") as process:
        process.wait(20)
    assert "'ONE'" in process.tail
    assert "'HOME'" not in process.tail


def test_output_of_many_runs_follows_one_another(tmp_path):
    for _ in range(2):
        process = Process(program("print('hello')"), tmp_path / "log")
        process.wait(20)
        process.end()
    assert process.tail == "hello\nhello\n"
