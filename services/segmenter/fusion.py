"""One matte out of several proposals, by how far they agree with each other and with themselves.

The rule, in order:

1. A single proposal is taken as it is; its confidence is the agreement.
2. Several learned proposals become their mean, weighted by confidence; that one meets the classical one.
3. On a plain background a learned proposal that contradicts itself (confidence under `_UNSURE`) gives way to a
   classical one that does not; elsewhere only one that sees nothing does: there colours tell less than even that.
4. On a clean plain background nothing but product differs from the fitted field. A learned proposal that lies within a
   consistent classical one has missed the rest, and the classical one wins.
5. Otherwise the learned proposal decides what is product. On a clean plain background the holes that the field sees
   through the product are opened.

Thresholds are set on composites made for tuning, with exact mattes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.segmenter.background import Background
from services.segmenter.masks import enclosed, resize, soft_iou
from services.segmenter.proposal import Proposal

_UNSURE = 0.7
_CONSISTENT = 0.8
_WITHIN = 0.9  # share of the learned product that the classical one covers
_SAME = 0.85  # overlap from which both mean the same product
_MIN_HOLE_SHARE = 0.0005  # of the frame


@dataclass(frozen=True, slots=True)
class Fusion:
    """Attributes:
    matte: float32 (h, w) in [0, 1].
    agreement: mean soft IoU between the proposals, in [0, 1], and no more than the surest learned proposal agrees
        with itself; of a single proposal, its confidence.
    chance: float32 (h, w) in [0, 1], of each pixel being product: the mean of all proposals, used or not; a single
        one is believed as far as it agrees with itself.
    weights: one per proposal, in their order, summing to 1: how much of the matte is theirs.
    """

    matte: NDArray[np.float32]
    agreement: float
    chance: NDArray[np.float32]
    weights: tuple[float, ...]


def fuse(proposals: Sequence[Proposal], background: Background, classical_name: str = "classical") -> Fusion:
    """Fuse proposals; see the module for the rule.

    Raises:
        ValueError: when there is no proposal.
    """
    if not proposals:
        raise ValueError("no proposals to fuse; configure at least one proposer")
    if len(proposals) == 1:
        agreement = _agreement(proposals[0])
        return Fusion(proposals[0].matte, agreement, proposals[0].matte * np.float32(agreement), (1.0,))

    height, width = max((p.matte.shape for p in proposals), key=lambda shape: shape[0] * shape[1])
    mattes = [resize(p.matte, height, width) for p in proposals]
    chance = np.asarray(np.mean(mattes, axis=0), np.float32)
    learned = [i for i, p in enumerate(proposals) if p.name != classical_name]
    classical = [i for i, p in enumerate(proposals) if p.name == classical_name]
    agreement = float(
        np.mean([soft_iou(mattes[i], mattes[j]) for i in range(len(mattes)) for j in range(i + 1, len(mattes))])
    )
    if learned:
        agreement = min(agreement, max(proposals[i].confidence for i in learned))
    learned_weights = _learned_weights(proposals, learned)
    learned_matte = np.zeros((height, width), np.float32)
    for i in learned:
        learned_matte += np.float32(learned_weights[i]) * mattes[i]
    weights = [learned_weights.get(i, 0.0) for i in range(len(proposals))]
    if not classical:
        return Fusion(learned_matte, agreement, chance, tuple(weights))

    own = classical[0]
    matte, classical_weight = _meet(
        learned_matte, max(proposals[i].confidence for i in learned), proposals[own], mattes[own], background
    )
    weights = [(1 - classical_weight) * w for w in weights]
    weights[own] = classical_weight
    if not matte.any():
        agreement = 0.0
    return Fusion(matte.astype(np.float32), agreement, chance, tuple(weights))


def _agreement(proposal: Proposal) -> float:
    return proposal.confidence if (proposal.matte >= 0.5).any() else 0.0


def _learned_weights(proposals: Sequence[Proposal], learned: list[int]) -> dict[int, float]:
    confidence = {i: max(proposals[i].confidence, 1e-3) for i in learned}
    total = sum(confidence.values())
    return {i: value / total for i, value in confidence.items()}


def _meet(
    learned: NDArray[np.float32],
    learned_confidence: float,
    classical: Proposal,
    classical_matte: NDArray[np.float32],
    background: Background,
) -> tuple[NDArray[np.float32], float]:
    """Fused matte and the classical proposal's weight in it."""
    product = learned >= 0.5
    may_give_way = background.is_plain or not product.any()
    if may_give_way and learned_confidence < _UNSURE and classical.confidence >= _CONSISTENT:
        return classical_matte, 1.0
    if not background.is_clean or not product.any():
        return learned, 0.0
    overlap = soft_iou(product.astype(np.float32), classical_matte)
    covered = float(classical_matte[product].mean())
    if overlap < _SAME and covered >= _WITHIN and classical.confidence >= _CONSISTENT:
        return np.maximum(classical_matte, learned), 1.0
    if overlap >= _SAME:
        holes = enclosed(classical_matte < 0.5, _MIN_HOLE_SHARE)
        return np.where(holes, np.minimum(learned, classical_matte), learned), float(holes.mean())
    return learned, 0.0
