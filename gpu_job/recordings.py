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


def heard(step: Step, ports: Ports) -> Heard:
    """What a step ``audio`` left of a song. Raises NotFound where it is gone."""
    output = step.output
    music = Music.from_bytes(ports.blobs.read(ports.settings.features_bucket, output["object"]))
    return Heard(music, output["sha256"], {"audio": output["seconds"]})


def extracted(names: Iterable[str], steps: Mapping[str, Step], ports: Ports, dancers: int = 1) -> Extracted:
    """What the steps of these names left. Raises NotFound where it is gone."""
    outputs = {name: steps[name].output for name in names}

    def features(name: str) -> bytes:
        return ports.blobs.read(ports.settings.features_bucket, outputs[name]["object"])

    (sound,) = (name for name in outputs if listens(name))
    poses = [name for name in outputs if looks(name)]
    return Extracted(
        *_followed([features(name) for name in poses], dancers),
        AudioFeatures.from_bytes(features(sound)),
        outputs[sound]["sha256"],
        {"audio": outputs[sound]["seconds"], "pose": sum(outputs[name]["seconds"] for name in poses)},
    )


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
