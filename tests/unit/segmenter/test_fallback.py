"""Who answers when a model's server does not."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from services.segmenter.fallback import FallbackProposer, FallbackRefiner
from services.segmenter.model import ModelDeadlineError, ModelError, ModelUnavailableError, WeightsMismatchError
from services.segmenter.proposal import Point, Proposal, Roi
from tests.helpers.composites import solid

PHOTO = solid(2, 3, (0, 0, 0))
REGION = (0, 0, 1, 2)


class Sure:
    """Everything in the region of interest is product, with the confidence given."""

    name = "tiny"

    def __init__(self, confidence: float) -> None:
        self._confidence = confidence

    def propose(self, image: NDArray[np.uint8], roi: Roi | None = None) -> Proposal:
        matte = np.zeros(image.shape[:2], np.float32)
        top, left, bottom, right = roi or (0, 0, *image.shape[:2])
        matte[top:bottom, left:right] = 1
        return Proposal(self.name, matte, self._confidence)


class Failing(Sure):
    def __init__(self, error: ModelError) -> None:
        super().__init__(0)
        self._error = error

    def propose(self, image: NDArray[np.uint8], roi: Roi | None = None) -> Proposal:
        raise self._error


def test_the_first_answers_when_it_can() -> None:
    proposal = FallbackProposer(Sure(0.9), Sure(0.1)).propose(PHOTO, REGION)
    assert proposal.confidence == 0.9
    assert proposal.warnings == ()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ModelUnavailableError("tiny: refused"), "the model server could not be reached; tiny ran inside"),
        (ModelDeadlineError("tiny: late"), "the model server did not answer in time; tiny ran inside"),
    ],
)
def test_the_second_answers_for_a_server_that_does_not_and_the_answer_says_so(error: ModelError, says: str) -> None:
    proposal = FallbackProposer(Failing(error), Sure(0.1)).propose(PHOTO, REGION)
    assert proposal.confidence == 0.1
    assert proposal.matte.sum() == 2  # the region was passed on
    assert [warning.code for warning in proposal.warnings] == ["MODEL_FALLBACK_LOCAL"]
    assert says in proposal.warnings[0].message


def test_a_wrong_model_is_not_papered_over() -> None:
    with pytest.raises(WeightsMismatchError):
        FallbackProposer(Failing(WeightsMismatchError("tiny: another model")), Sure(0.1)).propose(PHOTO)


class Refining:
    """Answers the prior with a confidence of its own, or fails."""

    name = "sam"

    def __init__(self, confidence: float, error: ModelError | None = None) -> None:
        self._confidence = confidence
        self._error = error

    def refine(
        self, image: NDArray[np.uint8], prior: Proposal, roi: Roi | None = None, points: Sequence[Point] = ()
    ) -> Proposal:
        self.points = tuple(points)
        if self._error is not None:
            raise self._error
        return Proposal(self.name, prior.matte, self._confidence)


PRIOR = Proposal("fused", np.ones((2, 3), np.float32), 0.5)


def test_a_refiner_is_stood_in_for_the_same_way() -> None:
    late = Refining(0, ModelDeadlineError("sam-encoder: late"))
    assert FallbackRefiner(Refining(0.9), Refining(0.1)).refine(PHOTO, PRIOR).confidence == 0.9
    refined = FallbackRefiner(late, Refining(0.1)).refine(PHOTO, PRIOR)
    assert refined.confidence == 0.1
    assert [warning.code for warning in refined.warnings] == ["MODEL_FALLBACK_LOCAL"]
    assert "did not answer in time; sam ran inside" in refined.warnings[0].message


def test_points_reach_whoever_refines() -> None:
    points = (Point(0, 1, True),)
    late, second = Refining(0, ModelDeadlineError("sam-encoder: late")), Refining(0.1)
    FallbackRefiner(late, second).refine(PHOTO, PRIOR, None, points)
    assert late.points == second.points == points


def test_a_refiner_that_serves_something_else_is_not_stood_in_for() -> None:
    wrong = Refining(0, WeightsMismatchError("sam-encoder: another model"))
    with pytest.raises(WeightsMismatchError):
        FallbackRefiner(wrong, Refining(0.1)).refine(PHOTO, PRIOR)
