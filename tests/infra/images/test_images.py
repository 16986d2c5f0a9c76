"""The Dockerfile, the table of units and the locks: what an image holds, as whom it runs, and what it is held to."""

import ast
import datetime
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.images.dockerfile import IMAGES, ROOT, context, instructions, lineage, stages, units

UNITS = units()
PLAIN = {unit.name: unit for unit in UNITS}
NAMES = sorted(PLAIN)


def program(name: str) -> str:
    """One that a package of the tests brings."""
    found = shutil.which(name)
    assert found
    return found


# Units


def test_every_deployable_is_a_unit():
    functions = {path.parent.name for path in ROOT.glob("functions/*/main.py")}
    assert {*functions, "gpu_job"} == set(PLAIN)
    assert all((ROOT / unit.folder).is_dir() for unit in UNITS)


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.target != "-"], ids=lambda unit: unit.name)
def test_a_functions_target_is_what_its_entry_point_defines(unit):
    tree = ast.parse((ROOT / unit.folder / "main.py").read_text())
    decorators = {
        node.name: [ast.unparse(decorator) for decorator in node.decorator_list]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    expected = {"cloudevent": "functions_framework.cloud_event", "http": "functions_framework.http"}
    assert decorators[unit.target] == [expected[unit.signature]]


# Locks


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_names_each_package_by_its_version_and_its_hashes(name):
    text = re.sub(r"\\\n\s*", " ", PLAIN[name].lock.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) > 10
    assert [line for line in lines if not re.match(r"[\w.\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("name", NAMES)
def test_torch_is_installed_where_it_infers_and_nowhere_else(name):
    assert ("\ntorch==" in PLAIN[name].lock.read_text()) == (name == "gpu_job")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_compiles_kernels_at_its_first_use(name):
    """librosa's numba would need a cache in the image; the service hears without it (decision 8)."""
    assert not re.search(r"^(numba|librosa|llvmlite)==", PLAIN[name].lock.read_text(), re.MULTILINE)


def test_the_gpu_jobs_torch_is_for_the_driver_that_cloud_run_has():
    lock = PLAIN["gpu_job"].lock.read_text()
    assert re.search(r"^nvidia-cuda-runtime-cu12==12", lock, re.MULTILINE)
    assert not re.search(r"^nvidia-\S+(-cu13)?==13", lock, re.MULTILINE)


# The Dockerfile


def test_a_linter_has_nothing_to_say_of_the_dockerfile():
    done = subprocess.run([program("hadolint"), IMAGES / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_nor_has_one_of_the_scripts():
    scripts = [path for path in IMAGES.iterdir() if path.read_text().startswith("#!")]
    assert len(scripts) > 3
    done = subprocess.run([program("shellcheck"), *scripts], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_one_base_stands_below_all_and_is_named_by_whoever_builds():
    first = next(instructions())
    assert re.fullmatch(r"PYTHON=python:3\.\d+-slim-\w+", first.rest)
    assert {stage.base for stage in stages().values()} == {"${PYTHON}", *stages()} - {"pose", "gpu_job", "model"}


@pytest.mark.parametrize("name", NAMES)
def test_an_image_runs_as_a_user_who_is_nobody(name):
    users = [user for stage in lineage(PLAIN[name].stage) for user in stage.of("USER")]
    assert users[-1] == "10001"


@pytest.mark.parametrize("name", NAMES)
def test_an_image_starts_without_a_shell_between_it_and_its_signals(name):
    commands = [command for stage in lineage(PLAIN[name].stage) for command in stage.of("CMD")]
    assert commands[-1].startswith('["python", "-m", ')


@pytest.mark.parametrize("name", NAMES)
def test_an_image_holds_its_own_code_what_is_shared_and_what_its_lock_names(name):
    copies = {copy for stage in lineage(PLAIN[name].stage) for copy in stage.of("COPY")}
    own = {"gpu_job gpu_job"} if name == "gpu_job" else {"functions/__init__.py functions/", "${UNIT} ${UNIT}"}
    model = {"--from=model /models /models"} if name == "pose" else set()
    assert copies == {"--from=libraries /venv /venv", "shared shared"} | own | model


def test_only_code_is_sent_to_the_builder():
    assert context() == ["functions", "gpu_job", "shared"]


def test_what_is_installed_is_checked_before_it_runs():
    """By pip, against the hashes of the lock; no other thing fetches anything but Debian's packages and the model."""
    runs = [instruction.rest for instruction in instructions() if instruction.word == "RUN"]
    (pip,) = (run for run in runs if " install " in run and "pip" in run)
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(pip.split())
    assert not any(re.search(r"\b(curl|wget|git|npm)\b|https?://", run) for run in runs)
    assert not any(instruction.word == "ADD" for instruction in instructions())


def test_the_graphics_libraries_are_where_mediapipe_is_and_nowhere_else():
    asking = {name for name, stage in stages().items() if any("apt-get" in run for run in stage.of("RUN"))}
    assert asking == {"pose"}
    (run,) = (run for run in stages()["pose"].of("RUN") if "apt-get" in run)
    assert {"libegl1", "libgles2", "--no-install-recommends"} <= set(run.split())
    assert run.endswith("rm -rf /var/lib/apt/lists/*")


def test_no_secret_is_an_argument_or_a_variable_of_an_image():
    words = [instruction.rest for instruction in instructions() if instruction.word in {"ARG", "ENV"}]
    assert not [word for word in words if re.search(r"key|token|secret|passw|credential", word, re.IGNORECASE)]


# What is accepted


def test_a_vulnerability_is_accepted_for_a_reason_and_for_a_time():
    lines = [line for line in (IMAGES / "accepted").read_text().splitlines() if line and not line.startswith("#")]
    for line in lines:
        name, until, reason = line.split(maxsplit=2)
        assert re.fullmatch(r"(CVE|GHSA|PYSEC)-[\w-]+", name)
        assert datetime.date.fromisoformat(until) >= datetime.datetime.now(datetime.UTC).date()
        assert len(reason) > 20
    assert len({line.split()[0] for line in lines}) == len(lines)


def test_nothing_but_what_is_known_lies_beside_the_dockerfile():
    assert {path.name for path in Path(IMAGES).iterdir()} == {
        "Dockerfile", "units", "accepted", "build", "scan", "audit", "push", "list",
    }  # fmt: skip
