"""Matrices of likeness: right, and never believed when of another library."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_job.choreography.fit import Traits
from gpu_job.choreography.fusion import Fusion
from gpu_job.choreography.recommendation import Recommender
from gpu_job.choreography.similarity import Kind, Similarities
from shared.errors import BadMessage
from shared.features import pack
from shared.library import MoveLibrary
from shared.music import EMBEDDING
from shared.wishes import Wishes
from tests.gpu_job.choreography.shelf import a_clip, places, shelf

SILENCE = np.zeros(EMBEDDING, np.float32)


def a_shelf(clips: int = 5, last: str = "basic") -> MoveLibrary:
    """Two blocks a clip; the first clip is silent, the second unseen."""
    odd = [a_clip("clip-0", energies=(0, 1), audio=SILENCE), a_clip("clip-1", energies=(0, 1), detection=0.0)]
    return shelf(*odd, *(a_clip(f"clip-{i}", last, energies=(0, 1)) for i in range(2, clips)))


# --- what is computed ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_likeness_is_symmetric_within_its_range_and_whole_with_oneself(kind: Kind) -> None:
    library = a_shelf()
    matrix = Similarities.of(library).matrices[kind]
    assert matrix.shape == (len(library), len(library))
    assert np.array_equal(matrix, matrix.T)
    assert np.all(np.abs(matrix) <= 1)
    unknown = {Kind.AUDIO: [0, 1], Kind.POSE: [2, 3], Kind.FUSED: []}[kind]
    assert np.diag(matrix) == pytest.approx([0 if i in unknown else 1 for i in range(len(library))], abs=5e-4)


def test_sound_and_pose_are_cosines_and_both_are_what_fusion_says() -> None:
    library, everyone = a_shelf(), np.arange(len(a_shelf()))
    found = Similarities.of(library)
    audio = Traits.of(library).audio[4:]
    assert found.matrices[Kind.AUDIO][4:, 4:] == pytest.approx(audio @ audio.T, abs=1e-3)
    pose = library.pose_embedding[4] @ library.pose_embedding[5]
    assert found.similarity(4, np.array([5]), Kind.POSE) == pytest.approx(pose, abs=1e-3)
    for block in everyone.tolist():
        assert found.similarity(block, everyone) == pytest.approx(
            Fusion.of(library).similarity(block, everyone), abs=1e-3
        )


def test_an_empty_library_has_empty_matrices() -> None:
    assert Similarities.of(shelf()).matrices[Kind.FUSED].shape == (0, 0)


def test_the_same_is_recommended_by_the_likeness_that_is_kept() -> None:
    library = a_shelf(12)
    computed = Recommender.of(library).recommended(places(), Wishes(), like=6)
    kept = Recommender.of(library, Similarities.of(library)).recommended(places(), Wishes(), like=6)
    assert [one.block for one in kept] == [one.block for one in computed]
    assert [one.score for one in kept] == pytest.approx([one.score for one in computed], abs=5e-4)


# --- as bytes -----------------------------------------------------------------------------------


def test_similarities_survive_being_written_and_read() -> None:
    library = a_shelf()
    written = Similarities.of(library)
    read = Similarities.from_bytes(written.to_bytes(), library)
    assert read.version == library.version
    assert all(np.array_equal(read.matrices[kind], written.matrices[kind]) for kind in Kind)


def test_those_of_another_version_method_or_size_are_refused() -> None:
    library = a_shelf()
    version, matrices = library.version, {kind.value: np.zeros((2, 2)) for kind in Kind}
    for data in (
        Similarities.of(a_shelf(last="spin")).to_bytes(),
        pack("similarity", version=version, method="another", **matrices),
        pack("similarity", version=version, method=Similarities.folder.split("/")[1], **matrices),
    ):
        with pytest.raises(BadMessage):
            Similarities.from_bytes(data, library)
