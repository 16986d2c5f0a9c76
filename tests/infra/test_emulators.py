"""The emulators start, serve the real clients, and leave nothing behind."""

import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore, pubsub_v1

from infra.local.emulators import FIRESTORE_JAR, find_jar, find_java, firestore_emulator, pubsub_emulator
from shared.errors import MissingTool

PROJECT = "demo-dancebits"


@pytest.mark.emulator
def test_firestore_keeps_a_document_as_long_as_it_runs(monkeypatch):
    with firestore_emulator(PROJECT) as host:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
        client = firestore.Client(PROJECT, AnonymousCredentials())
        client.document("jobs/1").create({"state": "RECEIVED"})
        assert client.document("jobs/1").get().to_dict() == {"state": "RECEIVED"}
        client.close()
    assert not listeners(host)


@pytest.mark.emulator
def test_firestore_reads_the_rules(tmp_path):
    rules = tmp_path / "firestore.rules"
    rules.write_text("rules_version = '2'; service cloud.firestore { match /databases/{database}/documents {} }")
    with firestore_emulator(PROJECT, rules=rules) as host:
        assert host.startswith("127.0.0.1:")


@pytest.mark.emulator
def test_pubsub_delivers_what_was_published(monkeypatch):
    with pubsub_emulator(PROJECT) as host:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        topic, subscription = f"projects/{PROJECT}/topics/topic", f"projects/{PROJECT}/subscriptions/pull"
        with pubsub_v1.SubscriberClient() as subscriber:
            publisher = pubsub_v1.PublisherClient()
            publisher.create_topic(name=topic)
            subscriber.create_subscription(name=subscription, topic=topic)
            publisher.publish(topic, b"hello").result(timeout=10)
            received = subscriber.pull(subscription=subscription, max_messages=1, timeout=10)
            publisher.stop()
            publisher.transport.close()
        assert received.received_messages[0].message.data == b"hello"
    assert not listeners(host)


@pytest.mark.emulator
def test_a_killed_parent_takes_its_emulator_along():
    script = """
        import time
        from infra.local.emulators import pubsub_emulator
        with pubsub_emulator("demo-dancebits") as host:
            print(host, flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        host = parent.stdout.readline().strip()
        assert listeners(host)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while listeners(host) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listeners(host)


def test_a_missing_jar_is_told_with_the_way_to_get_it(tmp_path):
    with pytest.raises(MissingTool, match="gcloud components install"):
        find_jar("DANCEBITS_FIRESTORE_JAR", "no-such-emulator/*.jar", {"PATH": str(tmp_path)})


def test_a_jar_named_in_the_environment_must_be_there(tmp_path):
    jar = tmp_path / "emulator.jar"
    with pytest.raises(MissingTool, match=r"emulator\.jar is no file"):
        find_jar("DANCEBITS_FIRESTORE_JAR", FIRESTORE_JAR, {"DANCEBITS_FIRESTORE_JAR": str(jar)})
    jar.touch()
    assert find_jar("DANCEBITS_FIRESTORE_JAR", FIRESTORE_JAR, {"DANCEBITS_FIRESTORE_JAR": str(jar)}) == jar


def test_the_jars_beside_gcloud_are_found(tmp_path):
    jar = tmp_path / "sdk" / "platform" / FIRESTORE_JAR
    gcloud = tmp_path / "sdk" / "bin" / "gcloud"
    for file in (jar, gcloud):
        file.parent.mkdir(parents=True)
        file.touch()
    gcloud.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").symlink_to(gcloud)
    assert find_jar("UNSET", FIRESTORE_JAR, {"PATH": str(tmp_path / "bin")}) == jar


def test_missing_java_is_told_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingTool, match="openjdk-17"):
        find_java()


def listeners(host: str) -> list[int]:
    """Who listens there."""
    port = int(host.rpartition(":")[2])
    found = psutil.net_connections("tcp")
    return [each.pid or 0 for each in found if each.laddr and each.laddr.port == port and each.status == "LISTEN"]
