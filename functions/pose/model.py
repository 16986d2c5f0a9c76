"""Where the networks come from: one MediaPipe bundle (``.task``), fetched or built once, then cached.

By default the bundle is built from the networks that MediaPipe published under the Apache licence
inside its package of version 0.10.21 (later packages carry none), so a package index is all that
is needed. Every file is checked against its SHA-256. This module does not import MediaPipe and
does not know what the bundle is used for.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from functions.pose.tflite import with_normalization, without_output
from shared.errors import MissingTool, Unavailable

WHEEL = "mediapipe==0.10.21"  # the last release with the networks inside
# The networks are the same in every wheel of that release; this one is asked for on any system.
WHEEL_PLATFORM = ("--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux_2_28_x86_64")
PIP_TIMEOUT_S = 600  # 36 MB over a slow line
URL_TIMEOUT_S = 60
ENTRY_ALIGNMENT = 64  # bytes: weights that lie aligned in the file are used where they are, not copied


@dataclass(frozen=True, slots=True)
class Network:
    """A network in the wheel: its place there, its SHA-256, and its name in a bundle."""

    member: str
    sha256: str
    entry: str


DETECTOR = Network(
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "pose_detector.tflite",
)
LANDMARKS = Network(
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    "pose_landmarks_detector.tflite",
)
PRESENCE_OUTPUT, MASK_OUTPUT = 1, 2  # of the landmark network
BUILT_SHA256 = "af8ab452499b8fd02e49e1820c11b40cf2573173b7108f0c89978454bc7fcf6f"


@dataclass(frozen=True, slots=True)
class Official:
    """A bundle that Google hosts."""

    size: str
    sha256: str

    @property
    def url(self) -> str:
        name = f"pose_landmarker_{self.size}"
        return f"https://storage.googleapis.com/mediapipe-models/pose_landmarker/{name}/float16/1/{name}.task"


OFFICIAL = {
    official.size: official
    for official in (
        Official("lite", "59929e1d1ee95287735ddd833b19cf4ac46d29bc7afddbbf6753c459690d574a"),
        Official("full", "5134a3aad27a58b93da0088d431f366da362b44e3ccfbe3462b3827a839011b1"),
        Official("heavy", "64437af838a65d18e5ba7a0d39b465540069bc8aae8308de3e318aad31fcbc7b"),
    )
}


def bundle(setting: str | None, cache: Path | None = None) -> Path:
    """The bundle that ``setting`` names.

    ``None`` or empty              built from the package's networks, kept in ``cache``
    ``lite``, ``full``, ``heavy``  downloaded from Google, kept in ``cache``
    anything else                  the path of a bundle; ``PATH#sha256=…`` checks it

    ``cache`` is :func:`user_cache` unless another folder is given.
    Raises MissingTool where the bundle cannot be had or is not the one expected, and Unavailable
    where Google's server does not answer.
    """
    cache = cache or user_cache()
    if not setting:
        return _cached(cache / f"blazepose-full-{BUILT_SHA256[:12]}.task", BUILT_SHA256, _build)
    if official := OFFICIAL.get(setting):
        path = cache / f"pose_landmarker_{official.size}-{official.sha256[:12]}.task"
        return _cached(path, official.sha256, lambda: _download(official.url))
    return _given(setting)


def user_cache() -> Path:
    """Where this user's programs keep what they can fetch again."""
    if sys.platform == "win32":
        return Path.home() / "AppData/Local/dancebits"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "dancebits"


def _given(setting: str) -> Path:
    name, marker, expected = setting.partition("#sha256=")
    path = Path(name).expanduser()
    if not path.is_file():
        raise MissingTool(f"There is no pose model at {path}; give lite, full, heavy or the path of a .task file.")
    if marker:
        _check(path.read_bytes(), expected, str(path))
    return path


def _cached(path: Path, sha256: str, make: Callable[[], bytes]) -> Path:
    """``path``, made if it is not there or damaged.

    Processes that do this at the same time each write a file of their own and rename it: the last
    one wins, and all are equal.
    """
    if path.is_file() and _sha256(path.read_bytes()) == sha256:
        return path
    data = make()
    _check(data, sha256, path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(path, data)
    return path


def _write_whole(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as part:
        part.write(data)
    try:
        Path(part.name).replace(path)
    finally:
        Path(part.name).unlink(missing_ok=True)


def _build() -> bytes:
    networks = _from_wheel(DETECTOR, LANDMARKS)
    # A mask of the dancer that nobody asks for: 29 % of the network's time, nothing in the landmarks.
    landmarks = without_output(networks[LANDMARKS.entry], dropped=MASK_OUTPUT, stand_in=PRESENCE_OUTPUT)
    # The detector says by itself that it wants -1 … 1. This network wants 0 … 1 and does not say so.
    networks[LANDMARKS.entry] = with_normalization(landmarks, mean=0.0, std=255.0)
    return _zipped(networks)


def _from_wheel(*networks: Network) -> dict[str, bytes]:
    """The networks by their names in a bundle, checked."""
    with tempfile.TemporaryDirectory(prefix="dancebits-") as folder:
        wheel = _pip_download(Path(folder))
        try:
            with zipfile.ZipFile(wheel) as archive:
                found = {network.entry: archive.read(network.member) for network in networks}
        except (KeyError, zipfile.BadZipFile) as error:
            raise MissingTool(f"{wheel.name} does not hold the pose model: {error}") from error
    for network in networks:
        _check(found[network.entry], network.sha256, network.member)
    return found


def _pip_download(folder: Path) -> Path:
    """The wheel, downloaded from the package index that pip is set up for."""
    command = (
        sys.executable, "-m", "pip", "download", WHEEL, "--no-deps", "--only-binary=:all:", *WHEEL_PLATFORM,
        "--dest", str(folder), "--quiet", "--no-input", "--disable-pip-version-check",
    )  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise MissingTool(f"The pose model could not be fetched: pip took more than {PIP_TIMEOUT_S} s.") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise MissingTool(
            f"The pose model could not be fetched: it is inside the package {WHEEL}, and pip could not download "
            f"that ({_last_line(done.stderr)}). With a pose model of your own, name its path in the settings."
        )
    return wheels[0]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it gave no reason"])[-1]


def _download(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=URL_TIMEOUT_S) as response:  # noqa: S310  the addresses above
            return response.read()
    except OSError as error:
        raise Unavailable(f"The pose model could not be downloaded from {url}: {error}") from error


def _check(data: bytes, sha256: str, name: str) -> None:
    found = _sha256(data)
    if found != sha256.lower():
        raise MissingTool(f"{name} is not the pose model we expect: its SHA-256 is {found}, not {sha256}.")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _zipped(entries: dict[str, bytes]) -> bytes:
    """An uncompressed archive, the same bytes every time: fixed dates, entries aligned by padding."""
    with tempfile.SpooledTemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in entries.items():
                archive.writestr(_entry(name, at=file.tell()), data)
        file.seek(0)
        return file.read()


def _entry(name: str, at: int) -> zipfile.ZipInfo:
    """An entry whose header, at byte ``at``, is so long that the data after it are aligned."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3  # Unix, wherever it is written
    header = 30 + len(name.encode()) + 4  # local header, name, id and size of the padding
    padding = -(at + header) % ENTRY_ALIGNMENT
    info.extra = struct.pack("<HH", 0xD935, padding) + bytes(padding)  # the id that Android's zipalign uses
    return info
