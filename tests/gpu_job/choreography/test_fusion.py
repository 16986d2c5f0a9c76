"""Sound and pose as one vector: unit length, symmetric, and silent about what is not known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.choreography.fusion import PRIORS, Fusion, common_sound, without
from shared.library import POSE_EMBEDDING, MoveLibrary
from shared.music import EMBEDDING
from tests.gpu_job.choreography.shelf import a_clip, shelf, unit

SILENCE = np.zeros(EMBEDDING, np.float32)
trust = st.floats(0, 1)


def a_pair(**second: object) -> MoveLibrary:
    return shelf(a_clip("a"), a_clip("b", **second))


def cosines(library: MoveLibrary) -> tuple[float, float]:
    """Of the first two blocks, of sound (less what is common) and pose."""
    audio, pose = without(common_sound(library.audio_embedding), library.audio_embedding), library.pose_embedding
    return float(audio[0] @ audio[1]), float(pose[0] @ pose[1])


def fused(audio_trust: list[float], pose_trust: list[float]) -> Fusion:
    many = len(audio_trust)
    return Fusion.fused(unit(1, EMBEDDING, many), unit(2, POSE_EMBEDDING, many),
                        np.array(audio_trust), np.array(pose_trust))  # fmt: skip


@given(trust, trust, trust, trust)
def test_a_vector_has_unit_length_unless_nothing_is_known(a: float, b: float, c: float, d: float) -> None:
    fusion = fused([a, b], [c, d])
    lengths = np.linalg.norm(fusion.vectors, axis=1)
    assert lengths == pytest.approx([float(a + c > 0), float(b + d > 0)], abs=1e-5)


@given(trust, trust, trust, trust)
def test_likeness_is_symmetric_and_within_the_cosines_it_is_the_mean_of(a: float, b: float, c: float, d: float) -> None:
    fusion = fused([a, b], [c, d])
    there, back = fusion.similarity(0, np.array([1]))[0], fusion.similarity(1, np.array([0]))[0]
    assert there == pytest.approx(back, abs=1e-5)
    cosine_of = (unit(1, EMBEDDING, 2), unit(2, POSE_EMBEDDING, 2))
    low, high = sorted(float(x[0] @ x[1]) for x in cosine_of)
    assert min(low, 0) - 1e-4 <= there <= max(high, 0) + 1e-4


def test_a_block_is_wholly_like_itself() -> None:
    assert Fusion.of(a_pair()).similarity(0, np.array([0, 1]))[0] == pytest.approx(1)


def test_with_equal_trust_the_priors_are_the_weights() -> None:
    library = shelf(*(a_clip(i, bar_confidence=1.0) for i in "ab"))
    audio, pose = cosines(library)
    found = Fusion.of(library).similarity(0, np.array([1]))[0]
    assert found == pytest.approx(PRIORS[0] * audio + PRIORS[1] * pose, abs=1e-5)


def test_the_less_is_seen_of_a_block_the_more_its_sound_counts() -> None:
    whole, half, none = (Fusion.of(a_pair(detection=share)).roots[1] for share in (1.0, 0.5, 0.0))
    assert whole[0] < half[0] < none[0] == pytest.approx(1)
    assert whole[1] > half[1] > none[1] == 0


def test_unsure_bars_take_half_of_the_trust_in_the_sound() -> None:
    sure, unsure = (Fusion.of(a_pair(bar_confidence=bars)).roots[1] ** 2 for bars in (1.0, 0.0))
    assert unsure[0] / unsure[1] == pytest.approx(sure[0] / sure[1] / 2)


def test_a_silent_clip_is_compared_by_its_pose_alone() -> None:
    library = a_pair(audio=SILENCE)
    assert Fusion.of(library).similarity(0, np.array([1]))[0] == pytest.approx(cosines(library)[1], abs=1e-5)


def test_an_unseen_block_is_compared_by_its_sound_alone() -> None:
    library = a_pair(detection=0.0)
    assert Fusion.of(library).similarity(0, np.array([1]))[0] == pytest.approx(cosines(library)[0], abs=1e-5)


def test_what_has_nothing_known_in_common_is_neither_like_nor_unlike() -> None:
    library = shelf(a_clip("a", audio=SILENCE), a_clip("b", detection=0.0), a_clip("c", audio=SILENCE, detection=0.0))
    fusion = Fusion.of(library)
    assert fusion.similarity(0, np.array([1, 2])).tolist() == [0, 0]
    assert not fusion.vectors[2].any()


def test_the_inner_product_of_vectors_is_their_likeness_where_they_are_trusted_alike() -> None:
    fusion = fused([0.4, 0.4, 0.4], [0.9, 0.9, 0.9])
    assert fusion.vectors @ fusion.vectors[0] == pytest.approx(fusion.similarity(0, np.arange(3)), abs=1e-6)


def test_what_is_common_is_that_of_what_is_heard() -> None:
    sounds = np.stack([SILENCE, unit(1, EMBEDDING), unit(2, EMBEDDING)])
    assert common_sound(sounds) == pytest.approx((sounds[1] + sounds[2]) / 2)
    rest = without(common_sound(sounds), sounds)
    assert np.linalg.norm(rest, axis=1) == pytest.approx([0, 1, 1])
    assert rest[1] == pytest.approx(-rest[2], abs=1e-5)
    assert not without(common_sound(sounds[:2]), sounds[:2]).any(), "a single sound is all that is common"
    assert common_sound(np.zeros((0, EMBEDDING))).tolist() == SILENCE.tolist()


def test_a_library_without_a_block_has_no_vectors() -> None:
    assert Fusion.of(shelf()).vectors.shape == (0, EMBEDDING + POSE_EMBEDDING)
