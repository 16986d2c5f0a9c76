"""Clips to learn from: what ``dancebits features`` left in a folder, read, or made by that command and read.

Knows the form of the folder, and no video: what extracts lives in the functions, which the GPU job must not import,
so it is asked for as a command in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from shared.couple import Couple
from shared.errors import BadMessage, NotFound, PermanentError
from shared.features import AudioFeatures, PoseFeatures

CLIPS = "clips.json"
COMMAND = (sys.executable, "-m", "infra.local.cli", "features")
LEAST_SEEN = 0.6
"""Of the samples. Who is hidden for longer teaches little of dancing and much of hiding."""

Features = TypeVar("Features", AudioFeatures, PoseFeatures, Couple)


class NotExtracted(PermanentError):
    """The features of the videos could not be extracted."""

    code = "NOT_EXTRACTED"


class TooFewClips(PermanentError):
    """There are too few clips to join dances of."""

    code = "TOO_FEW_CLIPS"


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What is known of one video.

    ``name``   its path without the suffix, ``spin/spin1``
    ``digest`` of the video's content
    ``label``  of its move, None where nobody said
    ``pose``   of the one dancer that was followed, as the estimator saw it: not smoothed
    ``couple`` both dancers, likewise; None where they were not looked at
    """

    name: str
    digest: str
    label: str | None
    pose: PoseFeatures
    couple: Couple | None
    audio: AudioFeatures

    def views(self, least_seen: float = LEAST_SEEN) -> tuple[PoseFeatures, ...]:
        """The same dance as each dancer did it: who was followed, then lead and follow, each where it is seen in
        ``least_seen`` of the samples or more. The first is mostly one of the other two, seen unmasked."""
        if self.couple is None:
            return (self.pose,)
        dancers = self.couple.settled()
        both = (dancers.lead, dancers.follow)
        return (self.pose, *(pose for pose in both if pose.detected_share >= least_seen))


def clips_in(folder: Path) -> list[Clip]:
    """All clips of a folder of features, in its order. Raises NotFound, BadMessage; both name the file."""
    return [_clip(folder, entry) for entry in _entries(folder / CLIPS)]


def extracted(videos: Path, annotations: Path | None, work: Path) -> list[Clip]:
    """The clips of a folder of videos, whose features are looked up in ``work``, or made and kept there.

    ``annotations`` says which videos, and what is danced in them; usually ``annotations.json`` among them.
    Raises NotExtracted with what the command complained of.
    """
    said = [f"--annotations={annotations}"] if annotations else []
    command = [*COMMAND, f"--out={work}", *said, "--", str(videos)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if done.returncode:
        raise NotExtracted(f"The features of {videos} could not be extracted: {_complaint(done)}")
    return clips_in(work)


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The command's own sentence, among what its libraries print; or else its last line."""
    lines = done.stderr.strip().splitlines() or [f"the command ended with {done.returncode} and no word"]
    own = [line.removeprefix("dancebits: ") for line in lines if line.startswith("dancebits: ")]
    return (own or lines)[-1]


def _entries(path: Path) -> list[Mapping[str, str | None]]:
    try:
        entries = json.loads(path.read_text("utf-8"))
        return [{key: entry[key] for key in ("name", "digest", "label")} for entry in entries]
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}: `dancebits features` makes it.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadMessage(f"{path} is no list of clips with name, digest and label: {error!r}") from error


def _clip(folder: Path, entry: Mapping[str, str | None]) -> Clip:
    def path(what: str) -> Path:
        return folder / f"{entry['digest']}.{what}.npz"

    pose, audio = _read(path("pose"), PoseFeatures), _read(path("audio"), AudioFeatures)
    couple = _read(path("couple"), Couple) if path("couple").exists() else None
    return Clip(str(entry["name"]), str(entry["digest"]), entry["label"], pose, couple, audio)


def _read(path: Path, kind: type[Features]) -> Features:
    try:
        return kind.from_bytes(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}: `dancebits features` makes it anew.") from error
    except BadMessage as error:
        raise BadMessage(f"{path}: {error.message}") from error
