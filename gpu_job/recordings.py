"""What the functions extracted from a job's videos, and what results tell of these. Knows no inference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.features import AudioFeatures, PoseFeatures
from shared.job import Recording, Step, listens, looks
from shared.ports import Ports


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """The features of one video.

    ``pose``    as the estimator saw it: not smoothed
    ``sha256``  of the file
    ``seconds`` that ``audio`` and ``pose`` took
    """

    pose: PoseFeatures
    audio: AudioFeatures
    sha256: str
    seconds: Mapping[str, float]


def extracted(names: Iterable[str], steps: Mapping[str, Step], ports: Ports) -> Extracted:
    """What the steps of these names left. Raises NotFound where it is gone."""
    outputs = {name: steps[name].output for name in names}

    def features(name: str) -> bytes:
        return ports.blobs.read(ports.settings.features_bucket, outputs[name]["object"])

    (sound,) = (name for name in outputs if listens(name))
    poses = [name for name in outputs if looks(name)]
    return Extracted(
        PoseFeatures.joined([PoseFeatures.from_bytes(features(name)) for name in poses]),
        AudioFeatures.from_bytes(features(sound)),
        outputs[sound]["sha256"],
        {"audio": outputs[sound]["seconds"], "pose": sum(outputs[name]["seconds"] for name in poses)},
    )


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
