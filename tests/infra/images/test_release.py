"""The way of a release: its scripts with tools that only tell what they were asked, and the two builds."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.infra.images.dockerfile import IMAGES, ROOT, units

NAMES = [unit.name for unit in units()]
REGISTRY = "europe-west1-docker.pkg.dev/studio/dancebits"
DIGEST = "sha256:" + "4d" * 32
TERRAFORMS_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/-]*@sha256:[0-9a-f]{64}")
"""As the variable ``images`` is validated."""

TOOL = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$TOLD"
{answer}
"""


@pytest.fixture
def checkout(tmp_path):
    """What the scripts read, in a folder of their own."""
    for folder in ("infra/images", *(unit.folder for unit in units())):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for path in IMAGES.iterdir():
        target = tmp_path / "infra/images" / path.name
        target.write_text(path.read_text())
        target.chmod(path.stat().st_mode)
    return tmp_path


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Puts a tool on the path that tells what it was asked, and answers by a few lines of shell."""
    folder, told = tmp_path / "tools", tmp_path / "told"
    folder.mkdir()
    told.touch()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("TOLD", str(told))

    def make(name, answer=""):
        (folder / name).write_text(TOOL.replace("{answer}", answer))
        (folder / name).chmod(0o755)
        return told

    return make


def run(checkout, script, *arguments, expected=0):
    command = [checkout / "infra/images" / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == expected, done.stderr
    return done


# Building


def test_every_unit_is_built_on_the_digest_of_one_base(checkout, tool, monkeypatch):
    monkeypatch.delenv("PYTHON", raising=False)
    told = tool("docker", f'[ "$1 $2" = "image inspect" ] && echo "python@{DIGEST}"; true')
    run(checkout, "build", REGISTRY, "abc123")
    lines = told.read_text().splitlines()
    builds = [line for line in lines if line.startswith("docker build ")]
    assert lines[0] == "docker pull --quiet python:3.11-slim-bookworm"
    assert (checkout / "build/base").read_text() == f"python@{DIGEST}\n"
    assert all(f"--build-arg PYTHON=python@{DIGEST} " in build for build in builds)
    assert [re.search(r"--tag (\S+)", build)[1] for build in builds] == [f"{REGISTRY}/{name}:abc123" for name in NAMES]
    assert "--build-arg UNIT=functions/intake --build-arg TARGET=on_upload_finalized" in builds[0]


def test_a_build_that_fails_is_the_end(checkout, tool):
    tool("docker", '[ "$1" != build ] && echo "python@sha256:0"')
    run(checkout, "build", REGISTRY, "abc123", expected=1)


# Scanning


def scanned(tool, finding):
    return tool("gcloud", f'case "$*" in *"images scan"*) echo scans/1 ;; *) printf "{finding}" ;; esac')


def test_what_is_found_is_listed_and_ends_nothing_below_critical(checkout, tool):
    told = scanned(tool, "HIGH,CVE-2026-1,False\\n")
    run(checkout, "scan", REGISTRY, "abc123", "europe")
    assert f"images scan {REGISTRY}/intake:abc123 --location=europe" in told.read_text()
    assert (checkout / "build/pose.vulnerabilities.csv").read_text() == "HIGH,CVE-2026-1,False\n"


def test_a_critical_vulnerability_is_the_end_after_all_were_looked_at(checkout, tool):
    scanned(tool, "HIGH,CVE-2026-1,False\\nCRITICAL,CVE-2026-2,True\\n")
    done = run(checkout, "scan", REGISTRY, "abc123", "europe", expected=1)
    assert [f"{name} has critical vulnerabilities" for name in NAMES] == done.stderr.splitlines()


def test_one_that_is_accepted_is_not(checkout, tool):
    scanned(tool, "CRITICAL,CVE-2026-2,False\\n")
    with (checkout / "infra/images/accepted").open("a") as accepted:
        accepted.write("CVE-2026-2 2027-01-31 only in what nothing of ours calls\n")
    run(checkout, "scan", REGISTRY, "abc123", "europe")
    scanned(tool, "CRITICAL,CVE-2026-22,False\\n")
    run(checkout, "scan", REGISTRY, "abc123", "europe", expected=1)


def test_a_scan_that_fails_is_the_end(checkout, tool):
    tool("gcloud", "exit 3")
    run(checkout, "scan", REGISTRY, "abc123", "europe", expected=3)


# Auditing


def test_every_lock_is_audited_by_its_hashes_and_its_software_listed(checkout, tool):
    told = tool("pip-audit")
    tool("cyclonedx-py")
    with (checkout / "infra/images/accepted").open("a") as accepted:
        accepted.write("GHSA-aaaa 2027-01-31 only in what nothing of ours calls\n")
    run(checkout, "audit")
    lines = told.read_text().splitlines()
    for unit in units():
        assert f"{unit.folder}/requirements.lock --ignore-vuln GHSA-aaaa" in "\n".join(lines)
        assert any(f"build/{unit.name}.sbom.json {unit.folder}/requirements.lock" in line for line in lines)
    assert all("--strict" in line and "--require-hashes" in line for line in lines if line.startswith("pip-audit"))


def test_a_known_vulnerability_is_the_end(checkout, tool):
    tool("cyclonedx-py")
    tool("pip-audit", "exit 1")
    run(checkout, "audit", expected=1)


# Pushing


@pytest.fixture
def pushed(checkout, tool):
    tool("docker", f'if [ "$1" = image ]; then echo "other/name@sha256:1"; echo "${{5%:*}}@{DIGEST}"; fi')
    run(checkout, "push", REGISTRY, "abc123")
    return checkout


def test_what_is_pushed_is_named_by_its_digest_as_terraform_wants_it(pushed):
    images = json.loads((pushed / "build/images.tfvars.json").read_text())["images"]
    assert images == {name: f"{REGISTRY}/{name}@{DIGEST}" for name in NAMES}
    assert all(TERRAFORMS_IMAGE.fullmatch(image) for image in images.values())


def test_the_list_of_software_is_laid_beside_each_image(pushed, tool):
    told = tool("gcloud")
    run(pushed, "list", "gs://studio-terraform/software")
    asked = [line for line in told.read_text().splitlines() if "sbom load" in line]
    assert asked == [
        f"gcloud artifacts sbom load --source=build/{name}.sbom.json --uri={REGISTRY}/{name}@{DIGEST} "
        f"--destination=gs://studio-terraform/software/{name}"
        for name in NAMES
    ]


def test_a_list_without_a_place_is_the_end_before_anything_is_asked(pushed, tool):
    told = tool("gcloud")
    told.write_text("")
    run(pushed, "list", expected=1)
    assert told.read_text() == ""


# The two builds


BUILDS = {"build": ROOT / "cloudbuild.yaml", "apply": ROOT / "infra/gcp/apply.cloudbuild.yaml"}
GIVEN = {"PROJECT_ID", "BUILD_ID", "COMMIT_SHA"}
"""By Cloud Build itself."""


@pytest.fixture(params=BUILDS)
def build(request):
    return yaml.safe_load(BUILDS[request.param].read_text())


def waits(build, step):
    """All steps that have ended before it begins."""
    steps = {each["id"]: each for each in build["steps"]}
    direct = [name for name in steps[step].get("waitFor", []) if name != "-"]
    return set(direct).union(*(waits(build, name) for name in direct))


def test_what_a_build_refers_to_is_there(build):
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(build)))
    assert used - GIVEN == {name for name in build["substitutions"] if name in used}
    assert set(build["substitutions"]) <= used
    steps = [step["id"] for step in build["steps"]]
    assert {name for step in build["steps"] for name in step.get("waitFor", [])} <= {"-", *steps}
    scripts = re.findall(r"infra/images/\w+|\.ci/\w+", json.dumps(build["steps"]))
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


def test_a_build_runs_by_an_account_of_its_own_and_logs_to_the_log(build):
    assert re.search(r"/serviceAccounts/dancebits-(build|apply)@", build["serviceAccount"])
    assert build["options"]["logging"] == "CLOUD_LOGGING_ONLY"


def test_no_tool_is_the_latest(build):
    tools = [step["name"] for step in build["steps"]] + [str(value) for value in build["substitutions"].values()]
    assert not [name for name in tools if name.endswith(":latest")]


def test_nothing_is_pushed_that_was_not_tested_audited_and_scanned():
    build = yaml.safe_load(BUILDS["build"].read_text())
    assert {"test", "audit", "build", "scan"} <= waits(build, "push")
    assert {"push", "plan", "list", "leave"} <= waits(build, "ask")


def test_nothing_is_planned_by_a_configuration_that_was_not_tested():
    build = yaml.safe_load(BUILDS["build"].read_text())
    assert "configuration" in waits(build, "plan")
    (step,) = (step for step in build["steps"] if step["id"] == "configuration")
    lines = step["args"][-1].splitlines()
    asked = [line.removeprefix("terraform ") for line in lines if line.startswith("terraform ")]
    assert asked == ["fmt -check -recursive", "init -input=false -backend=false", "validate", "test"]


def test_the_lists_of_software_are_kept_where_the_build_may_write():
    build = yaml.safe_load(BUILDS["build"].read_text())
    (step,) = (step for step in build["steps"] if step["id"] == "list")
    bucket = step["args"][-1].replace("${PROJECT_ID}", "$PROJECT").rpartition("/")[0]
    operations = (ROOT / "docs/operations.md").read_text()
    assert f"add-iam-policy-binding {bucket} --member=$build --role=roles/storage.objectUser" in operations


def test_images_are_scanned_by_a_tool_that_can_look_into_them():
    """Google's documentation of on-demand scanning in a pipeline uses this image; the other has no local-extract."""
    build = yaml.safe_load(BUILDS["build"].read_text())
    (step,) = (step for step in build["steps"] if step["id"] == "scan")
    assert step["name"] == "${_SCANNER}"
    assert build["substitutions"]["_SCANNER"] == "gcr.io/cloud-builders/gcloud"


def test_only_the_approved_build_applies_and_it_ends_with_the_canary():
    texts = {name: path.read_text() for name, path in BUILDS.items()}
    assert "terraform apply" not in texts["build"]
    apply = yaml.safe_load(texts["apply"])
    assert [step["id"] for step in apply["steps"]] == ["fetch", "apply", "canary"]
    assert "terraform apply -input=false plan" in json.dumps(apply)
    assert "python -m infra.canary" in apply["steps"][-1]["args"][-1]


def test_the_canary_is_told_the_buckets_as_its_settings(tmp_path, monkeypatch):
    """The lines of its step that turn Terraform's output into variables, as bash reads them."""
    script = yaml.safe_load(BUILDS["apply"].read_text())["steps"][-1]["args"][-1]
    (line,) = (line for line in script.splitlines() if line.startswith("eval "))
    buckets = {name: f"studio-{name}" for name in ("uploads", "features", "results", "library")}
    Path(tmp_path, "buckets.json").write_text(json.dumps(buckets))
    done = subprocess.run(["bash", "-ec", f"{line}\nenv"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {f"DANCEBITS_{name.upper()}_BUCKET=studio-{name}" for name in buckets} <= set(done.stdout.splitlines())
