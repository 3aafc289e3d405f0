"""A proposer that steps in when another's model cannot be reached, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import structlog
from numpy.typing import NDArray

from services.segmenter.model import ModelDeadlineError, ModelUnavailableError
from services.segmenter.proposal import Point, Proposal, Proposer, Refiner, Roi, SegmentationWarning

log = structlog.get_logger()


class FallbackProposer:
    """The first proposer's answer; where its model cannot be reached, the second's, warning MODEL_FALLBACK_LOCAL.

    Args:
        first: asked for every photo; its model runs elsewhere.
        second: the same model in this process.
    """

    def __init__(self, first: Proposer, second: Proposer) -> None:
        self._first = first
        self._second = second

    @property
    def name(self) -> str:
        return self._first.name

    def propose(self, image: NDArray[np.uint8], roi: Roi | None = None) -> Proposal:
        try:
            return self._first.propose(image, roi)
        except (ModelUnavailableError, ModelDeadlineError) as error:
            return _said(self._second.propose(image, roi), error)


class FallbackRefiner:
    """The same for what refines a proposal; see `FallbackProposer`."""

    def __init__(self, first: Refiner, second: Refiner) -> None:
        self._first = first
        self._second = second

    @property
    def name(self) -> str:
        return self._first.name

    def refine(
        self, image: NDArray[np.uint8], prior: Proposal, roi: Roi | None = None, points: Sequence[Point] = ()
    ) -> Proposal:
        try:
            return self._first.refine(image, prior, roi, points)
        except (ModelUnavailableError, ModelDeadlineError) as error:
            return _said(self._second.refine(image, prior, roi, points), error)


def _said(proposal: Proposal, error: ModelUnavailableError | ModelDeadlineError) -> Proposal:
    """The proposal of the model in this process, with a warning that it is."""
    log.warning("model fallback", model=proposal.name, to="local", reason=type(error).__name__, error=str(error))
    reason = "could not be reached" if isinstance(error, ModelUnavailableError) else "did not answer in time"
    warning = SegmentationWarning(
        "MODEL_FALLBACK_LOCAL", f"the model server {reason}; {proposal.name} ran inside the segmenter instead"
    )
    return replace(proposal, warnings=(warning,))
