"""The images, built without an engine: every instruction of the Dockerfile carried out in a plain Debian.

    debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm ROOT
    python -m tests.benchmarks.images ROOT [--unit NAME …]

As root, on Linux. ``ROOT`` stands for the base image, and is not changed. A function is then started
as the image would start it, as the user that it names, without the network's settings, and asked
once; what it loads only when it is needed is loaded. Sizes are of what an image adds to its base.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.processes import free_port
from tests.benchmarks.machine import print_table
from tests.infra.images.dockerfile import ROOT, Instruction, Unit, context, lineage, units

PATIENCE_S = 120.0
GRACE_S = 10.0
"""From SIGTERM to SIGKILL on Cloud Run."""
SETTINGS: Mapping[str, str] = {
    "DANCEBITS_PROJECT": "demo-images",
    "DANCEBITS_APP_CHECK": "off",  # of the API, which else asks for the project's number
    **{f"DANCEBITS_{name}_BUCKET": name.lower() for name in ("UPLOADS", "FEATURES", "RESULTS", "LIBRARY")},
}
JUNK = {
    "message": {
        "data": "", "attributes": {"a": "b"}, "messageId": "1", "message_id": "1",
        "publishTime": "2026-03-01T00:00:00Z", "publish_time": "2026-03-01T00:00:00Z",
    },
    "subscription": "projects/p/subscriptions/s",
}  # fmt: skip
"""A push that any function acknowledges, for no delivery will make it better; the API knows no such address: 404."""
MOUNTED = 'mount --rbind /dev "$0/dev" && mount --rbind /sys "$0/sys" && mount -t proc proc "$0/proc" && exec "$@"'
"""What an engine mounts, seen by what runs inside alone."""


@dataclass(slots=True)
class Image:
    """A folder that an image's files lie in, and what the Dockerfile says besides files."""

    root: Path
    arguments: Mapping[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0"
    command: Sequence[str] = ()

    def run(self, command: Sequence[str], user: str = "0", **options: object) -> subprocess.Popen[bytes]:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **self.environment}
        pairs = [f"{name}={value}" for name, value in environment.items()]
        mounted = ("unshare", "--mount", "sh", "-c", MOUNTED, str(self.root))
        inside = ("chroot", f"--userspec={user}:{user}", str(self.root), "/usr/bin/env", f"--chdir={self.folder}")
        return subprocess.Popen([*mounted, *inside, "-i", *pairs, *command], **options)  # pyright: ignore - as it has them


PROOFS: Mapping[str, str] = {
    "pose": (
        "import numpy as np; from pathlib import Path; from functions.pose.landmarker import Landmarker\n"
        "from functions.pose.model import bundle\n"
        "with Landmarker(bundle(None, Path('/models')), 15.0) as seeing:\n"
        "    print('sees', seeing.landmarks(np.zeros((720, 1280, 3), np.uint8), 0), 'in the dark')"
    ),
    "gpu_job": "import gpu_job.__main__, gpu_job.kinds, torch; print('torch', torch.__version__, torch.version.cuda)",
}
"""What else must go well inside: libraries that are loaded when they are needed, and files that must be there."""


class Builder:
    """Carries out the stages of one unit, each in a copy of what it stands on."""

    def __init__(self, base: Path, work: Path, unit: Unit) -> None:
        self._base = base
        self._work = work
        self._unit = unit
        self._built: dict[str, Image] = {}

    def built(self, name: str) -> Image:
        if name not in self._built:
            stage = lineage(name)[-1]
            below = self.built(stage.base) if len(lineage(name)) > 1 else None
            image = self._on(below, name)
            self._built[name] = image
            for instruction in stage.instructions:
                self._carry_out(instruction, image)
        return self._built[name]

    def _on(self, below: Image | None, name: str) -> Image:
        root = self._work / self._unit.name / name
        root.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", below.root if below else self._base, root], check=True)
        if not below:
            return Image(root, {})
        return Image(root, {}, dict(below.environment), below.folder, below.user, below.command)

    def _carry_out(self, instruction: Instruction, image: Image) -> None:
        values = {**image.arguments, **image.environment}
        match instruction.word:
            case "ARG":
                name, _, default = instruction.rest.partition("=")
                image.arguments = {**image.arguments, name: self._unit.arguments.get(name, default)}
            case "ENV":
                for pair in instruction.filled(values).split():
                    name, _, value = pair.partition("=")
                    image.environment[name] = value.replace("$PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            case "WORKDIR":
                image.folder = instruction.rest
                (image.root / instruction.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = instruction.rest
            case "CMD":
                image.command = json.loads(instruction.rest)
            case "COPY":
                self._copy(instruction.filled(values).split(), image)
            case "RUN":
                _succeeds(image.run(["sh", "-c", instruction.filled(values)]), instruction.rest)
            case other:
                raise ValueError(f"the Dockerfile says {other}, which is not carried out here")

    def _copy(self, words: list[str], image: Image) -> None:
        option = words.pop(0) if words[0].startswith("--from=") else ""
        source = self.built(option.removeprefix("--from=")).root if option else ROOT
        what, to = words
        assert option or Path(what).parts[0] in context(), f"{what} is not in the build context"
        target = image.root / to.lstrip("/") if to.startswith("/") else image.root / image.folder.lstrip("/") / to
        origin = source / what.lstrip("/")
        if origin.is_dir():
            # From another stage by links: gigabytes of CUDA, which nothing writes to any more.
            ignore = None if option else shutil.ignore_patterns("__pycache__")
            copy = os.link if option else shutil.copy2
            shutil.copytree(origin, target, symlinks=True, dirs_exist_ok=True, ignore=ignore, copy_function=copy)
        else:
            target = target / origin.name if to.endswith("/") else target
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, target)


def _succeeds(process: subprocess.Popen[bytes], what: str) -> None:
    if process.wait():
        raise SystemExit(f"failed: {what}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.images", description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--unit", action="append", help="only this, and others that are named so")
    options = parser.parse_args()
    chosen = [unit for unit in units() if unit.name in (options.unit or [unit.name])]
    with tempfile.TemporaryDirectory(prefix="dancebits-images-", dir=options.root.parent) as folder:
        base = _prepared(options.root, Path(folder))
        rows = [_row(unit, base, Path(folder)) for unit in chosen]
    print_table(
        "What an image adds to its base, and how it starts", ["unit", "MB", "user", "s", "answer", "inside"], rows
    )


def _prepared(root: Path, work: Path) -> Path:
    """A copy with the names of Python that its official image has, and the way to the package index."""
    base = work / "base"
    subprocess.run(["cp", "-a", root, base], check=True)
    local = base / "usr" / "local" / "bin"
    for name, program in (("python", "/usr/bin/python3"), ("pip", "/usr/bin/pip3")):
        (local / name).symlink_to(program)
    for file in ("resolv.conf", "hosts", "pip.conf", "ssl/certs/ca-certificates.crt"):
        if Path("/etc", file).exists():
            shutil.copy(Path("/etc", file), base / "etc" / file)
    return base


def _row(unit: Unit, base: Path, work: Path) -> Sequence[object]:
    image = Builder(base, work, unit).built(unit.stage)
    added_mb = (_bytes(image.root) - _bytes(base)) / 1e6
    proof = _proven(image, PROOFS[unit.name]) if unit.name in PROOFS else ""
    seconds, answer = _asked(image) if unit.target != "-" else (0.0, "")
    shutil.rmtree(work / unit.name)
    return unit.name, f"{added_mb:.0f}", image.user, f"{seconds:.1f}", answer, proof


def _bytes(root: Path) -> int:
    told = subprocess.run(["du", "--summarize", "--bytes", root], check=True, capture_output=True, text=True)
    return int(told.stdout.split()[0])


def _asked(image: Image) -> tuple[float, str]:
    """Start it as the image would be started; the seconds until it answers, and what."""
    port = free_port()
    image.environment |= {**SETTINGS, "PORT": str(port), "THREADS": "2", "CLOUD_RUN_TIMEOUT_SECONDS": "540"}
    began = time.monotonic()
    process = image.run(image.command, image.user)
    try:
        answer = _answer(process, port, began + PATIENCE_S)
        return time.monotonic() - began, answer
    finally:
        process.terminate()
        process.wait(GRACE_S)


def _answer(process: subprocess.Popen[bytes], port: int, until: float) -> str:
    body = json.dumps(JUNK).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/projects/p/topics/t", body)
    request.add_header("Content-Type", "application/json")
    while time.monotonic() < until:
        if process.poll() is not None:
            return f"ended with {process.returncode}"
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return f"{response.status}"
        except urllib.error.HTTPError as error:
            return f"{error.code}"
        except OSError:
            time.sleep(0.1)
    return "none"


def _proven(image: Image, program: str) -> str:
    process = image.run(["python", "-c", program], image.user, stdout=subprocess.PIPE)
    told = process.communicate()[0].decode().strip()
    return told if not process.returncode else f"FAILED with {process.returncode}"


if __name__ == "__main__":
    assert os.geteuid() == 0, "chroot is root's"
    main()
