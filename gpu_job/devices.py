"""Where the GPU job computes."""

from __future__ import annotations

import functools

import torch


@functools.cache
def device() -> torch.device:
    """CUDA where there is one. Asked once: the answer takes 30 ms.

    Convolutions there keep their single precision: by default they would be rounded to ten bits, and a dance cut
    elsewhere than on a processor.
    """
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
