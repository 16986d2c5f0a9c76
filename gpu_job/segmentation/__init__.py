"""Moves of a dance: where each starts and ends on the music's counts, and which are the same."""

from gpu_job.notice import Notice
from gpu_job.segmentation.moves import Curves, Move, Options, Segmentation
from gpu_job.segmentation.performance import BoundaryCurve, BoundaryModel, Performance
from gpu_job.segmentation.segmenting import segment, segment_batch

__all__ = [
    "BoundaryCurve",
    "BoundaryModel",
    "Curves",
    "Move",
    "Notice",
    "Options",
    "Performance",
    "Segmentation",
    "segment",
    "segment_batch",
]
