"""The segmenter's one question, asked of photos whose answer is known."""

from collections.abc import Sequence

import numpy as np
import pytest

from bench.scoring import score_matte
from services.segmenter.background import BackgroundKind
from services.segmenter.classical import ClassicalProposer
from services.segmenter.proposal import Point, Proposal, Roi
from services.segmenter.segmentation import ProposalScore, RoiError, Segmentation, segment
from services.segmenter.traits import Trait
from tests.helpers import scenes
from tests.helpers.composites import Draw, Image, Matte, disc


def classical(image: Image, roi: Roi | None = None) -> Segmentation:
    return segment(image, roi=roi, proposers=[ClassicalProposer()])


@pytest.mark.parametrize("shape", [scenes.DISC, scenes.RING, scenes.BOX], ids=["disc", "ring", "box"])
@pytest.mark.parametrize("backdrop", [scenes.WHITE, scenes.SWEEP], ids=["white", "sweep"])
def test_a_product_on_a_plain_backdrop(shape: Draw, backdrop: Image) -> None:
    scene = scenes.photograph(shape, backdrop)
    found = classical(scene.photo)
    score = score_matte(found.matte, scene.matte)
    assert score.iou >= 0.99
    assert score.boundary_f >= 0.99
    assert found.matte.dtype == np.float32
    assert found.matte.shape == scene.matte.shape
    assert 0 <= found.matte.min() <= found.matte.max() <= 1
    assert len(found.pieces) == 1
    assert found.agreement >= 0.8
    assert not found.touches_frame
    assert found.warnings == ()
    assert found.proposals == (ProposalScore("classical", found.agreement, 1.0),)


def test_a_photo_s_own_alpha_is_its_matte() -> None:
    scene = scenes.photograph(scenes.RING, scenes.GREY)
    found = segment(scene.photo, alpha=scene.matte, proposers=[])
    assert np.array_equal(found.matte, scene.matte)
    assert found.background.kind is BackgroundKind.TRANSPARENT
    assert found.agreement == 1
    assert found.proposals == (ProposalScore("alpha", 1.0, 1.0),)


def test_a_fully_transparent_photo_holds_no_product() -> None:
    scene = scenes.photograph(scenes.RING, scenes.GREY)
    found = segment(scene.photo, alpha=np.zeros_like(scene.matte), proposers=[])
    assert not found.matte.any()
    assert found.agreement == 0
    assert [warning.code for warning in found.warnings] == ["NO_PRODUCT_FOUND"]


def test_a_blank_photo_holds_no_product() -> None:
    found = classical(scenes.WHITE)
    assert not found.matte.any()
    assert found.pieces == ()
    assert found.agreement == 0
    assert [warning.code for warning in found.warnings] == ["NO_PRODUCT_FOUND"]


def test_several_pieces_are_kept() -> None:
    def pair(layer: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], scale: float) -> None:
        disc(75, (210, 140))(layer, scale)
        disc(60, (210, 340))(layer, scale)

    scene = scenes.photograph(pair, scenes.GREY)
    found = classical(scene.photo)
    boxes = np.array([(p.top, p.left, p.bottom, p.right) for p in found.pieces])
    assert np.abs(boxes - [(135, 65, 285, 215), (150, 280, 270, 400)]).max() <= 3
    assert Trait.MULTI_PIECE in found.traits


def test_a_product_cut_by_the_frame_touches_it() -> None:
    found = classical(scenes.photograph(scenes.CUT_BOX, scenes.GREY).photo)
    assert found.touches_frame


def test_nothing_outside_the_region_of_interest_is_product() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.GREY)
    found = classical(scene.photo, (60, 100, 300, 240))
    assert not found.matte[:, 240:].any()
    assert not found.matte[300:].any()
    assert found.matte[200, 200] == 1


@pytest.mark.parametrize("roi", [(0, 0, 0, 10), (-1, 0, 5, 5), (10, 10, 5, 20), (0, 0, 421, 10), (0, 400, 10, 481)])
def test_a_region_outside_the_photo_is_an_error(roi: Roi) -> None:
    with pytest.raises(RoiError, match="420 rows and 480 columns"):
        classical(scenes.GREY, roi)


def test_without_alpha_and_proposers_there_is_no_answer() -> None:
    with pytest.raises(ValueError, match="at least one proposer"):
        segment(scenes.GREY, proposers=[])


class Painter:
    """A proposer that always paints the same."""

    def __init__(self, name: str, matte: Matte) -> None:
        self.name = name
        self._matte = matte

    def propose(self, image: Image, roi: Roi | None = None) -> Proposal:
        return Proposal(self.name, self._matte, 0.9)


def test_proposals_that_disagree_are_reported() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.room())
    other = scenes.photograph(disc(60, (300, 100)), scenes.room())
    found = segment(scene.photo, proposers=[Painter("one", scene.matte), Painter("other", other.matte)])
    assert found.agreement < 0.3
    assert [warning.code for warning in found.warnings] == ["PROPOSALS_DISAGREE"]


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 300)])
def test_tiny_photos_work(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert classical(image).matte.shape == size


class Knowing:
    """A refiner that knows the truth, and remembers what it was given."""

    name = "sam"

    def __init__(self, matte: Matte) -> None:
        self._matte = matte
        self.prior: Proposal | None = None

    def refine(self, image: Image, prior: Proposal, roi: Roi | None = None, points: Sequence[Point] = ()) -> Proposal:
        self.prior = prior
        self.points = tuple(points)
        return Proposal(self.name, self._matte, 0.99)


def test_a_refiner_gets_what_the_proposers_made_and_is_fused_with_them() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.room())
    left = np.where(np.arange(scene.matte.shape[1]) < 250, scene.matte, np.float32(0))
    refiner = Knowing(scene.matte)
    found = segment(scene.photo, proposers=[Painter("half", left)], refiner=refiner)
    assert refiner.prior is not None
    assert np.array_equal(refiner.prior.matte, left)
    assert [score.name for score in found.proposals] == ["half", "sam"]
    assert found.proposals[1].weight > 0.5
    assert found.agreement == pytest.approx(0.5, abs=0.05)
    assert score_matte(found.matte, scene.matte).iou >= 0.97


def test_a_refiner_gets_a_prior_that_the_points_have_corrected_and_the_points() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.room())
    nothing = np.zeros_like(scene.matte)
    refiner = Knowing(scene.matte)
    points = (Point(205, 245, True),)
    segment(scene.photo, points=points, proposers=[Painter("blind", nothing)], refiner=refiner)
    assert refiner.prior is not None
    assert score_matte(refiner.prior.matte, scene.matte).iou >= 0.97
    assert refiner.points == points
