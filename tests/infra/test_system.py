"""The system on one machine, with a function that notes what it is told."""

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.request import urlopen

import psutil
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import pubsub_v1, storage
from google.oauth2 import service_account

from infra.local.processes import answers_http, free_port, wait_until
from infra.local.pushing import Mishaps
from infra.local.supervisor import supervised
from infra.local.system import LOCAL_SETTINGS, Address, AlreadyRunning, Function, Plan, deployed_functions, up
from shared.config import Settings
from shared.errors import NotFound, Unavailable
from shared.events import Topic, UploadFinalized, decode

pytestmark = pytest.mark.emulator

RECORDER = Path(__file__).with_name("recorder.py")
SLEEPER = (sys.executable, "-S", "-c", "import time; print('ready', flush=True); time.sleep(60)")


def plan(folder, **changes):
    topics = ("uploads", "audio-requests", "audio-requests-dead", "ticks")
    recorder = Function("recorder", RECORDER, "on_anything", topics, threads=8)
    environment = {**os.environ, "NOTES": str(folder / "notes")}
    return Plan(
        **{"functions": [recorder], "task": SLEEPER, "environment": environment, "min_backoff_s": 0.1} | changes
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("system")


@pytest.fixture(scope="module")
def system(folder):
    with up(folder, plan=plan(folder)) as running:
        yield running


@pytest.fixture
def connected(system, monkeypatch):
    """Clients find the system as deployables do: by the environment."""
    for name, value in system.environment.items():
        monkeypatch.setenv(name, value)
    return system


@pytest.fixture
def publish(connected):
    publisher = pubsub_v1.PublisherClient()

    def send(topic, text, **attributes):
        name = f"projects/{connected.settings.project}/topics/{topic}"
        publisher.publish(name, text.encode(), **attributes).result(timeout=10)

    yield send
    publisher.stop()
    publisher.transport.close()


@pytest.fixture
def notes(folder):
    def read(**attributes):
        file = folder / "notes"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if attributes.items() <= line["attributes"].items()]

    return read


def until(holds, within_s=30):
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)


class TestMessages:
    def test_an_upload_reaches_the_function(self, connected, notes):
        bucket = storage.Client().bucket(connected.settings.uploads_bucket)
        blob = bucket.blob("videos/a.mp4")
        blob.metadata = {"owner": "ada"}
        blob.upload_from_string(b"hello", content_type="video/mp4")
        until(lambda: notes(objectId="videos/a.mp4"))
        (note,) = notes(objectId="videos/a.mp4")
        message = decode(note["text"].encode(), note["attributes"])
        assert isinstance(message, UploadFinalized)
        assert (message.source.generation, message.source.size) == (blob.generation, 5)
        assert message.metadata == {"owner": "ada"}

    def test_the_topic_is_told(self, publish, notes):
        publish("audio-requests", "hello", test="topic")
        until(lambda: notes(test="topic"))
        assert notes(test="topic")[0]["source"].endswith("/topics/audio-requests")

    def test_what_is_refused_comes_again(self, publish, notes):
        publish("audio-requests", "fail 2", test="again")
        until(lambda: len(notes(test="again")) == 3)

    def test_after_five_refusals_it_is_a_dead_letter(self, publish, notes):
        publish("audio-requests", "fail", test="dead")
        source = "CloudPubSubDeadLetterSourceSubscription"
        until(lambda: any(source in note["attributes"] for note in notes(test="dead")))
        deliveries = Counter(note["attributes"].get(source) for note in notes(test="dead"))
        assert deliveries[None] == 5

    def test_many_at_once_are_each_delivered(self, publish, notes):
        for number in range(200):
            publish("audio-requests", str(number), test="many")
        until(lambda: len({note["text"] for note in notes(test="many")}) == 200)

    def test_ticks_come_by_themselves(self, tmp_path):
        with up(tmp_path, plan=plan(tmp_path, tick_s=0.2)):
            until(lambda: (tmp_path / "notes").exists() and "tick" in (tmp_path / "notes").read_text())

    def test_ticks_that_nobody_took_are_soon_forgotten(self, connected):
        with pubsub_v1.SubscriberClient() as subscriber:
            name = f"projects/{connected.settings.project}/subscriptions/ticks"
            subscription = subscriber.get_subscription(subscription=name)
        assert subscription.message_retention_duration == timedelta(minutes=10)

    def test_answers_get_lost_where_a_test_wants_it(self, tmp_path):
        mishaps = Mishaps(lost_answers=0.5, delay_s=0.05, random=Random(1))
        with up(tmp_path, plan=plan(tmp_path, mishaps=mishaps, tick_s=0.1)):
            until(lambda: (tmp_path / "notes").exists() and (tmp_path / "notes").read_text().count("tick") >= 60)
            told = [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]
        deliveries = Counter(note["id"] for note in told)
        assert max(deliveries.values()) > 1


class TestCrashes:
    def test_a_killed_function_starts_again_and_its_message_comes_again(self, system, publish, notes):
        publish("audio-requests", "wait 60", test="crash")
        until(lambda: notes(test="crash"))
        before = system.pids["recorder"]
        system.kill("recorder")
        until(lambda: len(notes(test="crash")) == 2)
        first, second = notes(test="crash")
        assert first["pid"] != second["pid"]
        assert system.pids["recorder"] != before

    def test_a_lost_emulator_is_told(self, tmp_path):
        with up(tmp_path, plan=plan(tmp_path, functions=[])) as system:
            os.kill(system.pids["firestore"], signal.SIGKILL)
            with pytest.raises(Unavailable, match="firestore ended with -9"):
                system.wait(timeout_s=20)

    def test_a_function_that_cannot_start_is_told_with_its_own_words(self, tmp_path):
        broken = tmp_path / "main.py"
        broken.write_text("raise RuntimeError('what is wrong with me')")
        functions = [Function("broken", broken, "on_anything", ("uploads",))]
        with (
            pytest.raises(Unavailable, match="what is wrong with me"),
            up(tmp_path, plan=plan(tmp_path, functions=functions)),
        ):
            pass


class TestAddress:
    def test_another_shell_finds_the_system(self, system, folder):
        assert Address.read(folder) == system.address

    def test_settings_reach_the_functions(self, system):
        assert Settings.read(system.environment) == system.settings
        assert system.settings.run_endpoint == system.run.endpoint

    def test_a_signed_url_is_accepted(self, connected):
        credentials = service_account.Credentials.from_service_account_file(connected.address.key)
        host = f"http://{connected.address.storage}"
        client = storage.Client(credentials=AnonymousCredentials())
        blob = client.bucket(connected.settings.results_bucket).blob("signed")
        options = {"version": "v4", "expiration": 60, "credentials": credentials, "api_access_endpoint": host}
        blob.upload_from_string(b"hello")
        with urlopen(blob.generate_signed_url(**options)) as answer:
            assert answer.read() == b"hello"
        client.close()

    @pytest.mark.usefixtures("system")
    def test_a_second_system_with_the_same_state_is_refused(self, folder):
        with pytest.raises(AlreadyRunning), up(folder):
            pass

    def test_a_system_that_does_not_run_is_not_found(self, tmp_path):
        with pytest.raises(NotFound, match="dancebits up"):
            Address.read(tmp_path)


@pytest.mark.parametrize(
    ("number", "after_s"),
    [
        (signal.SIGINT, 0.3),
        (signal.SIGKILL, 0.3),
        (signal.SIGTERM, 1.0),
        (signal.SIGKILL, 1.0),
        (signal.SIGINT, 2.5),
        (signal.SIGTERM, None),
        (signal.SIGKILL, None),
    ],
)
def test_nothing_is_left_whenever_it_is_ended(tmp_path, number, after_s):
    """``after_s`` its start, or once it is ready, with an execution of the GPU job running."""
    script = """
        import sys, time
        from pathlib import Path
        from shared.signals import ended_by_signals
        from infra.local.system import up
        from tests.infra.test_system import plan
        folder = Path(sys.argv[1])
        with ended_by_signals():
            print("starting", flush=True)
            with up(folder, plan=plan(folder)) as system:
                system.run.start("projects/p/locations/l/jobs/gpu-job")
                while not (process := system.run.executions[0].process) or "ready" not in process.tail:
                    time.sleep(0.01)
                print("ready", flush=True)
                system.wait()
    """
    marker = {"SYSTEM_TEST": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, **marker}, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "starting\n"
        if after_s is None:
            assert parent.stdout.readline() == "ready\n"
            assert len(family(marker)) > 6
        else:
            time.sleep(after_s)
        parent.send_signal(number)
        exit_code = parent.wait(timeout=30)
    assert exit_code == (-9 if number == signal.SIGKILL else 128 + number)
    until(lambda: not family(marker), within_s=5)


def family(marker):
    """Every process, however it came about, that has inherited the marker."""
    found = []
    for process in psutil.process_iter():
        try:
            if marker.items() <= process.environ().items():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def test_a_function_that_hangs_is_killed_and_replaced(tmp_path):
    port = free_port()
    function = Function("recorder", RECORDER, "on_anything", (), timeout_s=1)
    with supervised(tmp_path) as functions:
        environment = {**os.environ, "NOTES": str(tmp_path / "notes")}
        child = functions.start(function.program(port, environment), restart=True)
        wait_until(lambda: answers_http(port), child, 60)
        assert ask(port, "wait 60") == 500
        assert ask(port, "wait 60") == 200
    pids = [json.loads(line)["pid"] for line in (tmp_path / "notes").read_text().splitlines()]
    assert len(set(pids)) == 2


def ask(port, text):
    """Deliver a message as push does."""
    message = {
        "data": base64.b64encode(text.encode()).decode(),
        "messageId": text,
        "publishTime": "2026-01-01T00:00:00Z",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"})
        connection.request("POST", "/projects/p/topics/t", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_every_topic_has_its_function():
    subscribed = Counter(topic for function in deployed_functions() for topic in function.topics)
    dead = {f"{topic}-dead" for topic in Topic if topic is not Topic.TICKS}
    assert set(subscribed) == {*Topic, *dead}
    assert set(subscribed.values()) == {1}
    assert all(function.source.is_file() for function in deployed_functions())


def test_local_settings_name_four_buckets():
    settings = LOCAL_SETTINGS
    buckets = {settings.uploads_bucket, settings.features_bucket, settings.results_bucket, settings.library_bucket}
    assert len(buckets) == 4
