"""What the command line says, above all when something is wrong: a sentence, and never a traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from functions.api.tokens import Unsigned, firebase_issuer
from infra.local import cli, client, oneshot
from infra.local.system import Address, _locked, up
from shared.config import Settings
from shared.errors import NotFound
from shared.ports import utc_now
from tests.infra.test_system import plan, until

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def run(capsys):
    """Run a command; its exit status, and what it said to people and to programs."""

    def run(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse ends so
            status = exit_.code
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return status, said.err.strip(), said.out.strip()

    return run


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    return path


def run_apart(code, **environment):
    """In a process of its own, whose modules nobody has imported yet."""
    command = [
        sys.executable,
        "-c",
        f"import sys; {code}; from infra.local.cli import main; sys.exit(main(sys.argv[1:]))",
    ]
    paths = {"PYTHONPATH": str(REPOSITORY), **environment}
    return lambda *arguments: subprocess.run(
        [*command, *map(str, arguments)], env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )


class TestUsage:
    def test_without_a_command_it_says_what_there_is(self, run):
        status, said, _ = run()
        assert status == 2
        assert "COMMAND" in said

    @pytest.mark.parametrize(
        "command",
        ["demo", "segment", "compare", "choreograph", "library", "features", "up", "upload", "watch", "token"],
    )
    def test_every_command_explains_itself(self, run, command):
        status, _, told = run(command, "--help")
        assert status == 0
        assert f"dancebits {command}" in told

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["dance"], "invalid choice: 'dance'"),
            (["segment", "a.mp4"], "required: --out"),
            (["compare", "a.mp4"], "required: teacher"),
            (["choreograph", "a.mp3"], "required: --library"),
            (["library"], "ACTION"),
            (["library", "build", "clips", "--out", "lib"], "required: --annotations"),
            (["library", "recommend", "lib", "--level", "2"], "'2' is no number from 0 to 1"),
            (["features", "clips", "--rate", "1"], "'1' is no number from 5 to 60"),
            (["demo", "--seconds", "long"], "'long' is no number from 2 to 900"),
            (["demo", "--seconds", "0"], "'0' is no number from 2 to 900"),
            (["demo", "--seconds", "nan"], "'nan' is no number from 2 to 900"),
            (["demo", "--seconds", "1e9"], "'1e9' is no number from 2 to 900"),
            (["demo", "--seed", "1.5"], "'1.5' is no whole number from 0 on"),
        ],
    )
    def test_a_wrong_command_is_refused(self, run, arguments, sentence):
        status, said, _ = run(*arguments)
        assert status == 2
        assert sentence in said

    def test_up_does_not_wait_for_torch(self, tmp_path):
        code = "sys.modules['torch'] = None"
        ended = run_apart(code, JAVA_HOME="/nowhere")("up", "--state", tmp_path)
        assert "torch" not in ended.stderr
        assert "Java" in ended.stderr or "jar" in ended.stderr


class TestCompare:
    def test_a_teacher_that_is_not_there(self, run, text, tmp_path):
        status, said, _ = run("compare", text, tmp_path / "nothing.mp4", "--out", tmp_path / "out")
        assert status == 1
        assert said.startswith(f"dancebits: NOT_FOUND: {tmp_path / 'nothing.mp4'} does not exist")

    def test_a_wish_that_is_none_of_a_comparison(self, run, text):
        status, said, _ = run("upload", text, "--teacher", "0" * 32, "--min-counts", "4")
        assert (status, said) == (1, "dancebits: BAD_OPTION: The option min_counts is none of a job of kind compare.")


class TestSegment:
    def test_a_file_that_is_not_there(self, run, tmp_path):
        missing = tmp_path / "nothing.mp4"
        sentence = f"{missing} does not exist; only files and s3:// addresses can be read."
        assert run("segment", missing, "--out", tmp_path / "out") == (1, f"dancebits: NOT_FOUND: {sentence}", "")

    def test_a_folder(self, run, tmp_path):
        status, said, _ = run("segment", tmp_path, "--out", tmp_path / "out")
        assert (status, said) == (1, f"dancebits: NOT_FOUND: {tmp_path} is no file.")

    def test_a_file_that_is_no_video(self, run, text, tmp_path):
        status, _, told = run("segment", text, "--out", tmp_path / "out")
        assert status == 1
        assert "NOT_A_VIDEO: This file is not a video that we can open." in told

    @pytest.mark.parametrize(
        ("option", "value", "what"),
        [
            ("--min-counts", "many", "a whole number from 1 to 32"),
            ("--min-counts", "0", "a whole number from 1 to 32"),
            ("--min-counts", "2.5", "a whole number from 1 to 32"),
            ("--min-probability", "1.1", "a number from 0 to 1"),
            ("--min-probability", "nan", "a number from 0 to 1"),
            ("--method", "guessing", "one of network, novelty"),
        ],
    )
    def test_an_option_that_cannot_be(self, run, text, tmp_path, option, value, what):
        status, said, _ = run("segment", text, "--out", tmp_path / "out", option, value)
        name = option.removeprefix("--").replace("-", "_")
        assert (status, said) == (
            1,
            f"dancebits: BAD_OPTION: The option {name} cannot be {value!r}: it must be {what}.",
        )
        assert not (tmp_path / "out").exists()

    def test_a_folder_that_is_a_file(self, run, text):
        assert run("segment", text, "--out", text)[:2] == (1, f"dancebits: FILES: {text}: File exists")

    def test_a_folder_that_cannot_be_made(self, run, text):
        status, said, _ = run("segment", text, "--out", text / "out")
        assert (status, said) == (1, f"dancebits: FILES: {text / 'out'}: Not a directory")

    def test_a_setting_that_cannot_be_read(self, run, text, tmp_path, monkeypatch):
        monkeypatch.setenv("DANCEBITS_RATE_HZ", "often")
        status, said, _ = run("segment", text, "--out", tmp_path / "out")
        assert (status, said) == (1, "dancebits: MISSING_SETTINGS: DANCEBITS_RATE_HZ='often' is no float")

    def test_an_address_that_names_no_object(self, run, tmp_path):
        status, said, _ = run("segment", "s3://bucket", "--out", tmp_path / "out")
        assert status == 1
        assert said == "dancebits: BAD_OPTION: s3://bucket does not name an object as s3://bucket/name does"

    @pytest.mark.parametrize(
        ("module", "video", "extra"),
        [("av", "a.mp4", "oneshot"), ("rich", "a.mp4", "oneshot"), ("boto3", "s3://b/c", "s3")],
    )
    def test_a_package_that_is_not_installed(self, tmp_path, module, video, extra):
        ended = run_apart(f"sys.modules[{module!r}] = None")("segment", video, "--out", tmp_path / "out")
        assert ended.returncode == 1
        sentence = f"The Python package {module!r} is missing. Install what this needs with: pip install '.[{extra}]'"
        assert ended.stderr == f"dancebits: MISSING_TOOL: {sentence}\n"

    def test_ctrl_c(self, run, text, tmp_path, monkeypatch):
        def interrupted(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(oneshot, "run", interrupted)
        assert run("segment", text, "--out", tmp_path / "out")[:2] == (1, f"dancebits: {cli.STOPPED}")


class TestWithoutASystem:
    @pytest.mark.parametrize("command", ["upload", "watch", "token"])
    def test_it_says_how_to_start_one(self, run, text, tmp_path, command):
        argument = text if command == "upload" else "0" * 32
        status, said, _ = run(command, argument, "--state", tmp_path)
        assert status == 1
        assert said == f"dancebits: NOT_FOUND: No system is running in {tmp_path}. Start one with: dancebits up"

    def test_a_file_that_is_not_there(self, run, tmp_path):
        status, said, _ = run("upload", tmp_path / "nothing.mp4", "--state", tmp_path)
        assert (status, said) == (1, f"dancebits: NOT_FOUND: There is no file {tmp_path / 'nothing.mp4'}.")

    def test_one_that_was_killed_is_none(self, tmp_path, address):
        with address.written(tmp_path), pytest.raises(NotFound, match="No system is running"):
            Address.read(tmp_path)

    def test_one_that_holds_its_lock_is_found(self, tmp_path, address):
        with _locked(tmp_path), address.written(tmp_path):
            assert Address.read(tmp_path) == address

    @pytest.mark.parametrize("name", ["nothing", "", "a/b", "0" * 31, "0" * 33, "G" * 32])
    def test_a_job_that_cannot_be(self, run, tmp_path, address, name, monkeypatch):
        monkeypatch.setattr(os, "environ", dict(os.environ))
        with _locked(tmp_path), address.written(tmp_path):
            status, said, _ = run("watch", name, "--state", tmp_path)
        assert status == 1
        assert said == f"dancebits: NOT_FOUND: {name!r} is no job: the name of one has 32 hexadecimal digits"

    def test_a_token_is_of_the_user_in_the_project_of_the_system(self, run, tmp_path, address):
        with _locked(tmp_path), address.written(tmp_path):
            status, _, said = run("token", "maria", "--state", tmp_path)
        assert status == 0
        assert firebase_issuer("p", Unsigned()).verified(said.strip(), utc_now()) == "maria"

    @pytest.fixture
    def address(self, tmp_path):
        return Address(
            Settings("p", "u", "f", "r", "l"), "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4", tmp_path,
            tmp_path,
        )  # fmt: skip


class TestUp:
    def test_without_java(self, run, tmp_path, monkeypatch):
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
        monkeypatch.setenv("DANCEBITS_FIRESTORE_JAR", __file__)
        status, said, _ = run("up", "--state", tmp_path / "state")
        assert status == 1
        assert said.startswith("dancebits: MISSING_TOOL: Java is not installed. Version 17 or later is needed")

    def test_without_an_emulator(self, run, tmp_path, monkeypatch):
        monkeypatch.setenv("DANCEBITS_FIRESTORE_JAR", "/nowhere.jar")
        status, said, _ = run("up", "--state", tmp_path / "state")
        assert (status, said) == (1, "dancebits: MISSING_TOOL: DANCEBITS_FIRESTORE_JAR=/nowhere.jar is no file")

    def test_a_state_that_is_a_file(self, run, text):
        assert run("up", "--state", text)[:2] == (1, f"dancebits: FILES: {text}: File exists")

    def test_a_second_one_with_the_same_state(self, run, tmp_path):
        with _locked(tmp_path):
            status, said, _ = run("up", "--state", tmp_path)
        assert (status, said) == (1, f"dancebits: ALREADY_RUNNING: A system is running already in {tmp_path}.")

    def test_a_setting_that_cannot_be_read(self, run, tmp_path, monkeypatch):
        monkeypatch.setenv("DANCEBITS_BATCH_SIZE", "large")
        status, said, _ = run("up", "--state", tmp_path)
        assert (status, said) == (1, "dancebits: MISSING_SETTINGS: DANCEBITS_BATCH_SIZE='large' is no int")


@pytest.mark.emulator
class TestClient:
    """Against a system whose functions note what they are told, and do nothing else."""

    @pytest.fixture(scope="class")
    @classmethod
    def state(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("client")
        with up(folder, plan=plan(folder)):
            yield folder

    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch):
        """What a command sets in this process, it sets for itself."""
        for name in (
            "FIRESTORE_EMULATOR_HOST",
            "PUBSUB_EMULATOR_HOST",
            "STORAGE_EMULATOR_HOST",
            "GOOGLE_CLOUD_PROJECT",
        ):
            monkeypatch.delenv(name, raising=False)
        before = dict(os.environ)
        yield
        os.environ.clear()
        os.environ.update(before)

    def test_an_upload_prints_the_name_of_its_job(self, run, text, state):
        status, _, told = run(
            "upload", text, "--owner", "ada", "--min-counts", "4", "--method", "novelty", "--state", state
        )
        assert status == 0
        assert len(told) == 32
        until((state / "notes").exists)
        notes = [json.loads(line) for line in (state / "notes").read_text().splitlines()]
        resource = next(json.loads(note["text"]) for note in notes if note["attributes"].get("objectId"))
        assert re.fullmatch(r"videos/[0-9a-f]{32}/text\.mp4", resource["name"])
        assert resource["metadata"] == {"owner": "ada", "min_counts": "4", "method": "novelty"}
        assert resource["contentType"] == "video/mp4"

    def test_a_bad_wish_uploads_nothing(self, run, text, state, monkeypatch):
        monkeypatch.setattr(client, "upload", pytest.fail)
        assert run("upload", text, "--min-counts", "99", "--state", state)[0] == 1

    def test_a_job_that_nobody_knows(self, run, state):
        status, said, _ = run("watch", "0" * 32, "--state", state)
        assert (status, said) == (1, f"dancebits: NOT_FOUND: there is no job {'0' * 32}")
