"""Moves of a dance: where each starts and ends on the music's counts, and what it is called, which are the same."""

from gpu_job.notice import Notice
from gpu_job.segmentation.methods import Method, Methods, method
from gpu_job.segmentation.moves import Curves, Move, Options, Segmentation
from gpu_job.segmentation.naming import Name, Namer
from gpu_job.segmentation.performance import BoundaryCurve, BoundaryModel, Performance
from gpu_job.segmentation.segmenting import segment, segment_batch

__all__ = [
    "BoundaryCurve",
    "BoundaryModel",
    "Curves",
    "Method",
    "Methods",
    "Move",
    "Name",
    "Namer",
    "Notice",
    "Options",
    "Performance",
    "Segmentation",
    "method",
    "segment",
    "segment_batch",
]
