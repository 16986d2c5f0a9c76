"""Recordings as the comparison takes them, true variations of them, and dances filmed from elsewhere.

A variation is a video of its own, written anew and seen and heard by the same functions as any upload. What was
seen and heard is kept in a folder, as looking costs more than all that follows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import librosa
import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.extraction import extract as hear
from functions.pose.extraction import MAX_HEIGHT
from functions.pose.extraction import extract as see
from functions.pose.model import bundle
from gpu_job.comparison.findings import Take
from infra.local.sample.dancer import Dance
from infra.local.sample.drawing import Painter
from infra.local.sample.skeleton import Axes, Figure
from infra.local.sample.song import Song
from infra.local.sample.stage import Picture
from shared.features import AudioFeatures, PoseFeatures
from shared.media import frames, probe, sound
from shared.timeline import FloatArray, SampleSpan, Segment, sample_count, sample_times_s

RATE_HZ = 15.0
USUAL_FRAME_RATE_HZ = 30.0
SOUND_HZ = 44_100
AAC_FRAME = 1024
DRAWN_PIXELS = 768, 432


@dataclass(frozen=True, slots=True)
class Variation:
    """What becomes of a recording: so many seconds cut from its start, danced ``tempo`` times as fast, mirrored,
    the picture turned by a quarter, shown at another rate."""

    frame_rate_hz: float = USUAL_FRAME_RATE_HZ
    cut_s: float = 0.0
    tempo: float = 1.0
    is_mirrored: bool = False
    is_lying: bool = False

    @property
    def name(self) -> str:
        return "-".join(f"{value:g}" for value in astuple(self))


@dataclass(frozen=True, slots=True)
class Shelf:
    """Takes, looked up in a folder, or made and kept there."""

    folder: Path

    def clip(self, video: Path) -> Take:
        return self._kept(f"{video.parent.name}-{video.stem}", lambda _: video)

    def varied(self, video: Path, variation: Variation) -> Take:
        return self._kept(f"{video.parent.name}-{video.stem}-{variation.name}", partial(rewritten, video, variation))

    def drawn(self, name: str, song: Song, dance: Dance, frame_rate_hz: float = 30.0, yaw_deg: float = 0.0) -> Take:
        """A drawn dance, filmed from ``yaw_deg`` further to its left, and looked at by the estimator."""
        return self._kept(f"{name}-{frame_rate_hz:g}-{yaw_deg:g}", partial(filmed, song, dance, frame_rate_hz, yaw_deg))

    def _kept(self, name: str, make: Callable[[Path], Path]) -> Take:
        seen, heard = (self.folder / f"{name}.{what}.npz" for what in ("pose", "audio"))
        if not (seen.is_file() and heard.is_file()):
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                pose, audio = looked_at(make(Path(folder) / "varied.mp4"))
            seen.write_bytes(pose.to_bytes())
            heard.write_bytes(audio.to_bytes())
        return Take(PoseFeatures.from_bytes(seen.read_bytes()).smoothed(), AudioFeatures.from_bytes(heard.read_bytes()))


def looked_at(video: Path) -> tuple[PoseFeatures, AudioFeatures]:
    duration_s = probe(video).duration_s
    count = sample_count(duration_s, RATE_HZ)
    pose = see(partial(video.open, "rb"), bundle(None), RATE_HZ, SampleSpan(0, count), count=count)
    return pose, hear(sound(video, SAMPLE_RATE_HZ, duration_s), SAMPLE_RATE_HZ, RATE_HZ, duration_s)


def rewritten(video: Path, variation: Variation, to: Path) -> Path:
    """The video as ``variation`` makes it, in picture and sound alike."""
    duration_s = probe(video).duration_s
    rate_hz = variation.frame_rate_hz / variation.tempo  # pictures for a second of the original
    first = sample_count(variation.cut_s, rate_hz)
    shown = frames(video, rate_hz, Segment(first / rate_hz, duration_s), max_height=MAX_HEIGHT)
    samples = sound(video, SOUND_HZ, duration_s)
    if samples is not None:
        samples = samples[round(first / rate_hz * SOUND_HZ) :]
        samples = samples if variation.tempo == 1 else librosa.effects.time_stretch(samples, rate=variation.tempo)
    written(to, (_turned(frame.picture, variation) for frame in shown), variation.frame_rate_hz, samples)
    return to


def resampled(take: Take, video: Path, variation: Variation) -> Take:
    """The same recording varied in time alone, after it was looked at: what the estimator makes of a second look
    is left out. The sound is varied as in :func:`rewritten`."""
    pose, duration_s = take.pose, len(take.pose) / take.pose.rate_hz
    kept_s = (duration_s - variation.cut_s) / variation.tempo
    times_s = sample_times_s(sample_count(kept_s, RATE_HZ), RATE_HZ)
    shown_s = np.floor(times_s * variation.frame_rate_hz + 1e-6) / variation.frame_rate_hz
    places = np.clip((variation.cut_s + shown_s * variation.tempo) * RATE_HZ, 0, len(pose) - 1)
    image, world, visibility = (_between(each, places) for each in (pose.image, pose.world, pose.visibility))
    samples = sound(video, SAMPLE_RATE_HZ, duration_s)
    assert samples is not None
    samples = samples[round(variation.cut_s * SAMPLE_RATE_HZ) :]
    samples = samples if variation.tempo == 1 else librosa.effects.time_stretch(samples, rate=variation.tempo)
    return Take(PoseFeatures(RATE_HZ, image, world, visibility), hear(samples, SAMPLE_RATE_HZ, RATE_HZ, kept_s))


def _between(values: FloatArray, places: FloatArray) -> FloatArray:
    """Rows at real-numbered places; where the next one is unseen, the one before."""
    at = np.floor(places).astype(int)
    then = np.minimum(at + 1, len(values) - 1)
    share = (places - at).reshape(-1, *[1] * (values.ndim - 1))
    mixed = values[at] * (1 - share) + values[then] * share
    return np.where(np.isfinite(mixed), mixed, values[at]).astype(np.float32)


def _turned(picture: Picture, variation: Variation) -> Picture:
    picture = picture[:, ::-1] if variation.is_mirrored else picture
    picture = np.rot90(picture, -1) if variation.is_lying else picture
    return np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])


def filmed(song: Song, dance: Dance, frame_rate_hz: float, yaw_deg: float, to: Path) -> Path:
    width, height = DRAWN_PIXELS
    times_s = sample_times_s(sample_count(song.duration_s, frame_rate_hz), frame_rate_hz)
    pictures = Painter.of_size(width, height).frames(seen_from(dance.figure(times_s), yaw_deg))
    samples = np.repeat(song.samples, SOUND_HZ // song.sample_rate_hz)
    written(to, (np.ascontiguousarray(picture[..., ::-1]) for picture in pictures), frame_rate_hz, samples)
    return to


def seen_from(figure: Figure, yaw_deg: float) -> Figure:
    """The figure as a camera sees it that stands so far to the dancer's left, at the same distance."""
    cos, sin = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    about = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    head = figure.head
    turned = Axes(head.left @ about, head.up @ about, head.front @ about)
    return replace(
        figure, joints=figure.joints @ about, waist=figure.waist @ about, skull=figure.skull @ about, head=turned
    )


def written(to: Path, pictures: Iterator[Picture], frame_rate_hz: float, samples: FloatArray | None) -> None:
    """Pictures ``(H, W, 3)`` RGB and mono sound at :data:`SOUND_HZ`, encoded with x264 and AAC."""
    rate = Fraction(frame_rate_hz).limit_denominator(1001)
    with av.open(str(to), "w") as container:
        first = next(pictures)
        stream = container.add_stream("libx264", rate=rate, options={"bf": "0", "preset": "superfast", "crf": "18"})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        heard = None if samples is None else container.add_stream("aac", rate=SOUND_HZ, layout="mono")
        for number, picture in enumerate([first, *pictures]):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for start in range(0, 0 if samples is None else len(samples), AAC_FRAME):
            block = av.AudioFrame.from_ndarray(
                samples[None, start : start + AAC_FRAME].astype(np.float32), format="fltp", layout="mono"
            )
            block.sample_rate, block.pts, block.time_base = SOUND_HZ, start, Fraction(1, SOUND_HZ)
            container.mux(heard.encode(block))
        if heard is not None:
            container.mux(heard.encode(None))
