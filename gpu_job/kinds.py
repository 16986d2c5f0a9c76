"""What each kind of job asks of the GPU. A new kind is one entry here, and one in shared/job.py."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gpu_job.choreography.inference import ChoreographInference
from gpu_job.choreography.library_inference import LibraryInference
from gpu_job.comparison.inference import CompareInference
from gpu_job.segmentation.inference import SegmentInference
from gpu_job.segmentation.methods import Methods, method
from gpu_job.worker import Inference
from shared.job import Kind
from shared.media import Form, Written, mezzanine
from shared.ports import Ports
from shared.timeline import FloatArray

FORM = Form()
"""Of every mezzanine: clips of one form can be joined without encoding."""


def _transcoded(source: BinaryIO, target: Path, key_frames_s: FloatArray) -> Written:
    return mezzanine(source, target, FORM, key_frames_s)


def methods_of(ports: Ports) -> Methods:
    """With the network that the settings name, loaded when it is first asked for."""
    return partial(method, place=ports.settings.network, blobs=ports.blobs)


def inferences(methods: Methods) -> Mapping[Kind, Inference]:
    return {
        Kind.SEGMENT: SegmentInference(methods),
        Kind.COMPARE: CompareInference(methods),
        Kind.CHOREOGRAPH: ChoreographInference(),
        Kind.LIBRARY: LibraryInference(_transcoded, FORM.frame_rate_hz),
    }
