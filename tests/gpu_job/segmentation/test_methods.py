"""A job's method is found by its name; a network is loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_job.segmentation.methods import method
from gpu_job.segmentation.novelty import NoveltyModel
from shared.errors import UnfitNetwork
from shared.wishes import MethodName


def test_novelty_needs_no_network_wherever_that_might_be() -> None:
    found = method(MethodName.NOVELTY, "/nowhere")
    assert found == method(MethodName.NOVELTY)
    assert (found.name, found.boundaries, found.namer) == ("novelty-1", NoveltyModel(), None)


def test_a_network_that_is_not_there_is_no_method(tmp_path: Path) -> None:
    with pytest.raises(UnfitNetwork, match="cannot be read"):
        method(MethodName.NETWORK, str(tmp_path / "none.safetensors"))
