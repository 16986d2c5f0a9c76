"""``dancebits features``: a folder of videos becomes a folder of features, which the segmentation network learns from.

The functions that extract are those of the chain. What they found is kept under the digest of the video's bytes, so
that a run that was stopped goes on where it was, a video that is renamed is not looked at again, and one that is
changed is. Files of another rate or another schema are made anew; that an estimator was changed is not known here.
Nobody uploads these videos: they may be longer and larger than an upload.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import TypeVar

from functions.audio.extraction import SAMPLE_RATE_HZ
from functions.audio.extraction import extract as hear
from functions.pose import couple, extraction
from functions.pose.handler import model
from gpu_job.notice import Notice
from infra.local import oneshot, show
from infra.local.annotations import Annotated, annotated
from shared.couple import Couple
from shared.errors import BadMessage, MissingTool, NoBeat, NobodyFound, NoPicture, NotFound, PermanentError
from shared.features import AudioFeatures, PoseFeatures
from shared.files import write_whole
from shared.media import probe, sound
from shared.timeline import SampleSpan, sample_count

ANNOTATIONS = "annotations.json"
CLIPS = "clips.json"
SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"})
"""Of the containers that the intake promises to open."""
DIGEST_LETTERS = 16
DUPLICATE_VIDEO, DUPLICATE_NAME = "DUPLICATE_VIDEO", "DUPLICATE_NAME"

Features = TypeVar("Features", AudioFeatures, PoseFeatures, Couple)


class NoClips(PermanentError):
    """None of the videos can be used."""

    code = "NO_CLIPS"


@dataclass(frozen=True, slots=True)
class Listed:
    """A video that is to be looked at.

    ``path``    below the folder of videos
    ``label``   of its move, None where nobody says
    ``refusal`` why it cannot be used, where that is known beforehand
    """

    path: str
    label: str | None = None
    refusal: Notice | None = None

    @property
    def name(self) -> str:
        """``spin/spin1`` for ``spin/spin1.mp4``."""
        return Path(self.path).with_suffix("").as_posix()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a video: its digest, or why it cannot be used."""

    listed: Listed
    digest: str
    refusal: Notice | None = None


def features(
    videos: Path, annotations: Path | None, out: Path, environment: Mapping[str, str], *, rate_hz: float
) -> int:
    """Extract, or go on extracting, the features of all videos into ``out``; 0.

    ``annotations`` usually ``annotations.json`` among the videos; where there is none, all videos, without labels.
    Raises NotFound, BadAnnotations, MissingTool, and NoClips where no video can be used.
    """
    listed = _listed(videos, annotations)
    out.mkdir(parents=True, exist_ok=True)
    extractor = Extractor(videos, out, environment, rate_hz)
    with show.counting("Extracting features", len(listed)) as told:
        outcomes = [told(one.path, partial(extractor.taken, one)) for one in listed]
    return _report(outcomes, out)


def _listed(videos: Path, annotations: Path | None) -> list[Listed]:
    if not videos.is_dir():
        raise NotFound(f"There is no folder {videos}.")
    if annotations is None and (usual := videos / ANNOTATIONS).is_file():
        annotations = usual
    if annotations is not None:
        return [_described(entry) for entry in annotated(annotations, videos)]
    found = sorted(path for path in videos.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return [Listed(path.relative_to(videos).as_posix()) for path in found]


def _described(entry: Annotated) -> Listed:
    if not entry.options:
        return Listed(entry.path or entry.clip_id, refusal=entry.findings[0])
    return Listed(entry.path, str(entry.options["label"]))


class Extractor:
    def __init__(self, videos: Path, out: Path, environment: Mapping[str, str], rate_hz: float) -> None:
        self._videos = videos
        self._out = out
        self._settings = oneshot.settings_of(environment)
        self._rate_hz = rate_hz
        self._digests: dict[str, str] = {}
        self._names: dict[str, str] = {}
        """Of the videos seen so far, and their paths."""

    def taken(self, listed: Listed) -> Outcome:
        """The video's features in files, unless it cannot be used. Raises MissingTool."""
        if listed.refusal:
            return Outcome(listed, "", listed.refusal)
        video = self._videos / listed.path
        digest = _digest(video)
        if twin := self._twin(listed, digest):
            return Outcome(listed, digest, twin)
        try:
            self._extract(video, digest)
        except MissingTool:
            raise  # a fault of this machine, not of the video
        except PermanentError as error:
            return Outcome(listed, digest, Notice(error.code, error.message))
        return Outcome(listed, digest)

    def _twin(self, listed: Listed, digest: str) -> Notice | None:
        """Why a video that is there twice, or that could not be told from another, is left out."""
        if digest in self._digests:
            return Notice(DUPLICATE_VIDEO, f"It is the same video as {self._digests[digest]}.")
        if listed.name in self._names:
            return Notice(DUPLICATE_NAME, f"But for its suffix it is called as {self._names[listed.name]} is.")
        self._digests[digest] = self._names[listed.name] = listed.path
        return None

    def _extract(self, video: Path, digest: str) -> None:
        """What costs least comes first: it may be enough to refuse the video."""
        media = probe(video)
        if media.video is None:
            raise NoPicture
        audio = self._kept(f"{digest}.audio.npz", AudioFeatures, partial(self._heard, video, media.duration_s))
        if not len(audio.beats):
            raise NoBeat("We could not hear a beat in this clip. Please choose one with its music.")
        count = max(1, sample_count(media.duration_s, self._rate_hz))
        pose = self._kept(f"{digest}.pose.npz", PoseFeatures, partial(self._seen_by, extraction.extract, video, count))
        if not pose.detected.any():
            raise NobodyFound
        self._kept(f"{digest}.couple.npz", Couple, partial(self._seen_by, couple.extract, video, count))

    def _heard(self, video: Path, duration_s: float) -> AudioFeatures:
        return hear(sound(video, SAMPLE_RATE_HZ, duration_s), SAMPLE_RATE_HZ, self._rate_hz, duration_s)

    def _seen_by(self, extract: Callable[..., Features], video: Path, count: int) -> Features:
        cache = Path(self._settings.cache) if self._settings.cache else None
        bundle = model(self._settings.pose_model or None, cache)
        return extract(partial(video.open, "rb"), bundle, self._rate_hz, SampleSpan(0, count), count=count)

    def _kept(self, name: str, kind: type[Features], make: Callable[[], Features]) -> Features:
        path = self._out / name
        with suppress(FileNotFoundError, BadMessage):
            found = kind.from_bytes(path.read_bytes())
            if found.rate_hz == self._rate_hz:
                return found
        made = make()
        write_whole(path, made.to_bytes())
        return made


def _digest(video: Path) -> str:
    with video.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:DIGEST_LETTERS]


def _report(outcomes: Sequence[Outcome], out: Path) -> int:
    used = [outcome for outcome in outcomes if not outcome.refusal]
    write_whole(out / CLIPS, json.dumps([_told(outcome) for outcome in used], indent=1).encode())
    for outcome in outcomes:
        if outcome.refusal:
            show.finding(outcome.listed.path, outcome.refusal)
    if not used:
        raise NoClips
    show.say(f"In {out}: {CLIPS}, {len(used)} of {len(outcomes)} videos")
    return 0


def _told(outcome: Outcome) -> Mapping[str, str | None]:
    listed = outcome.listed
    return {"name": listed.name, "video": listed.path, "digest": outcome.digest, "label": listed.label}
