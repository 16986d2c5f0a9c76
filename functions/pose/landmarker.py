"""MediaPipe's pose landmarker, made to follow one dancer: a picture goes in, 33 landmarks come out.

The only module of the service that imports MediaPipe, and it does so at first use: loading it takes
50 MB, and each landmarker as much. Knows nothing of files and of what came before its first picture.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from shared.errors import MissingTool
from shared.heap import give_memory_back
from shared.timeline import FloatArray

DEBIAN_PACKAGES = "libegl1 libgles2"

# MediaPipe's own defaults, written down because results depend on them.
DETECTION_CONFIDENCE = 0.5
PRESENCE_CONFIDENCE = 0.5
TRACKING_CONFIDENCE = 0.5

# What MediaPipe and TFLite write at every start and what is no news to anybody.
HARMLESS = (
    b"Created TensorFlow Lite XNNPACK delegate for CPU",
    b"Logging before InitGoogle() is written to STDERR",
    b"inference_feedback_manager.cc",  # the network has no signature, which only training would need
    b"landmark_projection_calculator.cc",  # the region that is followed is square
)


class Landmarker:
    """Follows one dancer through pictures that come in order.

    Where it has lost the dancer it looks for the most visible one. It smooths what it sees, so a
    picture's landmarks depend on those before it. Close it, or use it in a ``with`` statement.
    """

    def __init__(self, model: Path, rate_hz: float) -> None:
        """Raises MissingTool where MediaPipe or the model cannot be loaded."""
        self._rate_hz = rate_hz
        self._started = False
        with _without_noise():
            self._task = _task(model)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.close()
        give_memory_back()  # each landmarker's threads leave 50 MB behind

    def landmarks(self, picture: npt.NDArray[np.uint8], sample: int) -> FloatArray | None:
        """The dancer at ``sample`` of the clock, or None where nobody is seen.

        ``picture`` ``(H, W, 3)`` RGB. ``sample`` is greater than at the last call.
        Returns ``(33, 6)`` float32: x and y in image heights; x, y and z in metres; visibility 0 … 1.
        """
        if self._started:
            return self._seen(picture, sample)
        self._started = True
        with _without_noise():
            return self._seen(picture, sample)

    def _seen(self, picture: npt.NDArray[np.uint8], sample: int) -> FloatArray | None:
        # MediaPipe takes the bytes at the array's address for the picture, whatever its strides.
        image = _mediapipe().Image(_mediapipe().ImageFormat.SRGB, np.ascontiguousarray(picture))
        result = self._task.detect_for_video(image, round(sample * 1000 / self._rate_hz))
        if not result.pose_landmarks:
            return None
        aspect = picture.shape[1] / picture.shape[0]
        pairs = zip(result.pose_landmarks[0], result.pose_world_landmarks[0], strict=True)
        rows = [(at.x * aspect, at.y, world.x, world.y, world.z, at.visibility) for at, world in pairs]
        return np.array(rows, np.float32)


def _task(model: Path) -> Any:
    mediapipe = _mediapipe()
    vision = mediapipe.tasks.vision
    options = vision.PoseLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(model)),
        running_mode=vision.RunningMode.VIDEO,
        num_poses=1,
        min_pose_detection_confidence=DETECTION_CONFIDENCE,
        min_pose_presence_confidence=PRESENCE_CONFIDENCE,
        min_tracking_confidence=TRACKING_CONFIDENCE,
    )
    try:
        return vision.PoseLandmarker.create_from_options(options)
    except OSError as error:
        raise _unloadable(error) from error
    except (RuntimeError, ValueError) as error:
        raise MissingTool(f"MediaPipe cannot read the pose model {model}: {error}") from error


@cache
def _mediapipe() -> Any:
    """The package. Raises MissingTool where it is not installed or lacks a system library."""
    try:
        with _left_out("cv2", "matplotlib", "matplotlib.pyplot"):
            import mediapipe
    except ModuleNotFoundError as error:
        raise MissingTool(f"Finding poses needs MediaPipe: pip install 'dancebits[landmarks]' ({error}).") from error
    except (ImportError, OSError) as error:
        raise _unloadable(error) from error
    return mediapipe


@contextmanager
def _left_out(*names: str) -> Generator[None]:
    """Import without these packages, as far as they are not loaded yet.

    MediaPipe's drawing helpers, which we do not call, import them: 67 MB and a third of a second,
    and OpenCV asks for libGL.
    """
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in absent})
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _unloadable(error: Exception) -> MissingTool:
    return MissingTool(
        f"MediaPipe could not be loaded: {error}. It needs the system's graphics libraries even where there is no "
        f"display; on Debian and Ubuntu: apt-get install {DEBIAN_PACKAGES}"
    )


_stderr = Lock()


@contextmanager
def _without_noise() -> Generator[None]:
    """Pass on what is written to descriptor 2 meanwhile, less the lines that are harmless.

    MediaPipe's C++ writes there itself, and no setting stops it.
    """
    with _stderr, tempfile.TemporaryFile() as held:
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            _pass_on(held.read())


def _pass_on(text: bytes) -> None:
    told = [line for line in text.splitlines(keepends=True) if not any(part in line for part in HARMLESS)]
    sys.stderr.flush()
    os.write(2, b"".join(told))
