"""What each kind of job asks of the GPU. A new kind is one entry here, and one in shared/job.py."""

from collections.abc import Mapping

from gpu_job.comparison.inference import CompareInference
from gpu_job.segmentation.inference import SegmentInference
from gpu_job.worker import Inference
from shared.job import Kind

INFERENCES: Mapping[Kind, Inference] = {
    Kind.SEGMENT: SegmentInference(),
    Kind.COMPARE: CompareInference(),
}
