"""Sound and pose of a block as one vector, each as far as it can be trusted.

For each block and modality m there is an embedding x_m of unit length and a weight (that of sound is taken less
what the sound of the whole library has in common: of clips of one teacher, nearly all of it)

    w_m = prior_m × confidence_m / Σ over both,    prior: audio 0.3, pose 0.7,
    confidence of audio   (1 + bar confidence) / 2, for half of it (timbre, harmony) needs no bars; silent: 0
    confidence of pose    the share of the block in which both dancers were seen

The fused vector is [√w_audio · x_audio, √w_pose · x_pose], of unit length, so that an index over fused vectors is one
over both. The inner product of two is Σ √(w_m w'_m) · cos_m. Divided by Σ √(w_m w'_m) it is their *fused similarity*:
a weighted mean of the cosines of the modalities that are known of both, and of no others. Where nothing is known of
both, it is 0. Moves are told apart by how they are danced, songs by how they sound: hence the priors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_job.choreography.nearest import products
from shared.library import POSE_EMBEDDING, QUALITIES, MoveLibrary
from shared.music import EMBEDDING
from shared.timeline import FloatArray, IntArray

METHOD = "fusion-1"
"""Another formula is another name: what is kept of the old one is not taken for the new."""

DIMENSION = EMBEDDING + POSE_EMBEDDING
PRIORS = (0.3, 0.7)
"""Of audio and pose."""


@dataclass(frozen=True, slots=True, eq=False)
class Fusion:
    """Of ``N`` blocks.

    ``vectors`` ``(N, 512)`` audio, then pose; of unit length, zeros where neither is known
    ``roots``   ``(N, 2)`` √w of audio and pose: their squares sum to 1, or are 0 where unknown
    """

    vectors: FloatArray
    roots: FloatArray

    def __len__(self) -> int:
        return len(self.vectors)

    @classmethod
    def of(cls, library: MoveLibrary) -> Fusion:
        detection = library.qualities[:, QUALITIES.index("detection")]
        bars = np.array([move.bar_confidence for move in library.moves])[library.owner]
        audio = without(common_sound(library.audio_embedding), library.audio_embedding)
        return cls.fused(audio, library.pose_embedding, (1 + bars) / 2, detection)

    @classmethod
    def fused(
        cls, audio: FloatArray, pose: FloatArray, audio_confidence: FloatArray, pose_confidence: FloatArray
    ) -> Fusion:
        """``(N, 128)``, ``(N, 384)``, and ``(N,)`` 0 … 1 each. An embedding of zeros is unknown at any confidence."""
        known = np.stack([_is_known(audio), _is_known(pose)], axis=1)
        trust = np.stack([audio_confidence, pose_confidence], axis=1) * PRIORS * known
        total = trust.sum(axis=1, keepdims=True)
        roots = np.sqrt(np.divide(trust, total, out=np.zeros_like(trust), where=total > 0)).astype(np.float32)
        return cls(np.concatenate([audio * roots[:, :1], pose * roots[:, 1:]], axis=1).astype(np.float32), roots)

    def similarity(self, block: int, others: IntArray) -> FloatArray:
        """``(M,)`` -1 … 1, the fused similarity of a block to others."""
        weights = products(self.roots[others], self.roots[block])
        return meant(products(self.vectors[others], self.vectors[block].astype(np.float32)), weights)


def meant(products: FloatArray, weights: FloatArray) -> FloatArray:
    """Inner products of fused vectors as means of cosines; 0 where nothing is known of both."""
    means = np.divide(products, weights, out=np.zeros_like(products), where=weights > 1e-6)
    return np.clip(means, -1, 1)


def common_sound(audio: FloatArray) -> FloatArray:
    """``(D,)`` the mean of the embeddings ``(N, D)`` that are known, zeros where none is."""
    return audio.sum(axis=0) / max(1.0, _is_known(audio).sum())


def without(common: FloatArray, audio: FloatArray) -> FloatArray:
    """``(N, D)`` less what is common, of unit length again; zeros where silent, or where no more than that is there."""
    rest = (audio - common) * _is_known(audio)[:, None]
    length = np.linalg.norm(rest, axis=1, keepdims=True)
    return np.divide(rest, length, out=np.zeros_like(rest), where=length > 1e-4).astype(np.float32)


def _is_known(embedding: FloatArray) -> FloatArray:
    return (np.abs(embedding) > 0).any(axis=1).astype(float)
