"""What the functions extracted from a job's videos, and what results tell of these. Knows no inference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.couple import Couple
from shared.features import AudioFeatures, PoseFeatures
from shared.job import Recording, Step, listens, looks
from shared.music import Music
from shared.ports import Ports

SURE = 0.7
"""Sureness below which lead and follow may have been taken for each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """The features of one video.

    ``poses``   of its one dancer, or of lead and follow, as the estimator saw them: not smoothed
    ``sureness``0 … 1, that lead and follow are not taken for each other
    ``sha256``  of the file
    ``seconds`` that ``audio`` and ``pose`` took
    """

    poses: Sequence[PoseFeatures]
    sureness: float
    audio: AudioFeatures
    sha256: str
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """The music of one upload.

    ``sha256``  of the file
    ``seconds`` that ``audio`` took
    """

    music: Music
    sha256: str
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Danced:
    """A couple's clip, and its music. ``lead`` and ``follow``, ``sureness``, ``sha256`` and ``seconds`` as in
    :class:`Extracted`."""

    lead: PoseFeatures
    follow: PoseFeatures
    sureness: float
    music: Music
    sha256: str
    seconds: Mapping[str, float]


def heard(step: Step, ports: Ports) -> Heard:
    """What a step ``audio`` left of a song. Raises NotFound where it is gone."""
    music = Music.from_bytes(_features(step, ports))
    return Heard(music, step.output["sha256"], {"audio": step.output["seconds"]})


def extracted(names: Iterable[str], steps: Mapping[str, Step], ports: Ports, dancers: int = 1) -> Extracted:
    """What the steps of these names left. Raises NotFound where it is gone."""
    of_sound, of_poses = _by_sense(names, steps)
    audio = AudioFeatures.from_bytes(_features(of_sound, ports))
    followed = _followed([_features(step, ports) for step in of_poses], dancers)
    return Extracted(*followed, audio, of_sound.output["sha256"], _seconds(of_sound, of_poses))


def danced(names: Iterable[str], steps: Mapping[str, Step], ports: Ports) -> Danced:
    """What the steps of these names left of a couple's clip. Raises NotFound where it is gone."""
    of_sound, of_poses = _by_sense(names, steps)
    (lead, follow), sureness = _followed([_features(step, ports) for step in of_poses], 2)
    sound = heard(of_sound, ports)
    return Danced(lead, follow, sureness, sound.music, sound.sha256, _seconds(of_sound, of_poses))


def _by_sense(names: Iterable[str], steps: Mapping[str, Step]) -> tuple[Step, Sequence[Step]]:
    """The one that listened, and those that looked."""
    named = {name: steps[name] for name in names}
    (sound,) = (step for name, step in named.items() if listens(name))
    return sound, [step for name, step in named.items() if looks(name)]


def _features(step: Step, ports: Ports) -> bytes:
    return ports.blobs.read(ports.settings.features_bucket, step.output["object"])


def _seconds(of_sound: Step, of_poses: Sequence[Step]) -> Mapping[str, float]:
    return {"audio": of_sound.output["seconds"], "pose": sum(step.output["seconds"] for step in of_poses)}


def _followed(parts: Sequence[bytes], dancers: int) -> tuple[Sequence[PoseFeatures], float]:
    """The poses of each dancer, and how sure it is who is who."""
    if dancers == 1:
        return [PoseFeatures.joined([PoseFeatures.from_bytes(part) for part in parts])], 1.0
    couple = Couple.joined([Couple.from_bytes(part) for part in parts]).settled()
    return [couple.lead, couple.follow], couple.confidence


def described(recording: Recording, sha256: str) -> dict[str, Any]:
    """A video as ``result.json`` tells of it."""
    media = recording.media
    video, audio = media["video"], media["audio"]
    return {
        "name": recording.source.name.rpartition("/")[2],
        "sha256": sha256,
        "container": media["container"],
        "codecs": {"video": video["codec"], "audio": audio and audio["codec"]},
        "width": video["width"],
        "height": video["height"],
        "rotation": video["rotation"],
        "duration_s": media["duration_s"],
    }
