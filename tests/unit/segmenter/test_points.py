"""Points of a person bring a missed piece in and take a prop out, with the outline on the image's edges."""

import numpy as np
import pytest

from bench.scoring import score_matte
from services.segmenter.classical import ClassicalProposer
from services.segmenter.points import PointError, correct, hold
from services.segmenter.proposal import Point, Proposal, Roi
from services.segmenter.segmentation import Segmentation, segment
from tests.helpers import scenes
from tests.helpers.composites import Draw, Image, Matte, compose, disc, draw_matte, rectangle, texture

BODY = disc(90, (205, 200))
CAP = rectangle(160, 285, 250, 370)  # touches the body
LOOSE = disc(45, (330, 400))
HAND = rectangle(230, 10, 290, 130)  # the body stands in front of it
SKIN, GREEN = (205, 150, 120), (40, 90, 60)
BACKDROPS = pytest.mark.parametrize("backdrop", [scenes.SWEEP, scenes.room()], ids=["sweep", "room"])


def matte_of(*shapes: Draw) -> Matte:
    drawn = [draw_matte(scenes.HEIGHT, scenes.WIDTH, shape, blur_px=0.6) for shape in shapes]
    return np.asarray(np.max(drawn, axis=0), np.float32)


def placed(backdrop: Image, *things: tuple[Draw, tuple[int, int, int]]) -> Image:
    """Things in front of a backdrop, later ones in front of earlier ones."""
    for seed, (shape, color) in enumerate(things):
        paint = texture(scenes.HEIGHT, scenes.WIDTH, color, 6, 5, seed)
        backdrop = compose(matte_of(shape), paint, backdrop, noise=1.2, seed=seed).photo
    return backdrop


class Painter:
    """A proposer that always paints the same."""

    name = "painter"

    def __init__(self, matte: Matte) -> None:
        self._matte = matte

    def propose(self, image: Image, roi: Roi | None = None) -> Proposal:
        return Proposal(self.name, self._matte, 0.9)


def segmented(image: Image, proposed: Matte, *points: Point, roi: Roi | None = None) -> Segmentation:
    return segment(image, roi=roi, points=points, proposers=[Painter(proposed)])


@BACKDROPS
@pytest.mark.parametrize(("shape", "point"), [(CAP, Point(205, 330, True)), (LOOSE, Point(330, 400, True))])
def test_an_include_point_brings_a_missed_piece_in(backdrop: Image, shape: Draw, point: Point) -> None:
    image = placed(backdrop, (BODY, scenes.RED), (shape, GREEN))
    missed = matte_of(BODY)
    truth = matte_of(BODY, shape)
    assert score_matte(segmented(image, missed).matte, truth).iou < 0.85
    score = score_matte(segmented(image, missed, point).matte, truth)
    assert score.iou > 0.98
    assert score.boundary_f > 0.98


@BACKDROPS
@pytest.mark.parametrize(("shape", "point"), [(HAND, Point(260, 60, False)), (LOOSE, Point(330, 400, False))])
def test_an_exclude_point_takes_a_prop_out(backdrop: Image, shape: Draw, point: Point) -> None:
    image = placed(backdrop, (shape, SKIN), (BODY, scenes.RED))
    proposed = matte_of(BODY, shape)
    truth = matte_of(BODY)
    assert score_matte(segmented(image, proposed).matte, truth).iou < 0.85
    score = score_matte(segmented(image, proposed, point).matte, truth)
    assert score.iou > 0.98
    assert score.boundary_f > 0.98


def test_an_include_point_keeps_its_piece_when_another_is_taken_out() -> None:
    image = placed(scenes.GREY, (HAND, SKIN), (BODY, scenes.RED), (LOOSE, SKIN))
    proposed = matte_of(HAND, BODY, LOOSE)
    found = segmented(image, proposed, Point(260, 60, False), Point(330, 400, True))
    assert score_matte(found.matte, matte_of(BODY, LOOSE)).iou > 0.97


def test_the_loose_piece_that_is_taken_out_may_be_the_largest() -> None:
    image = placed(scenes.GREY, (BODY, SKIN), (LOOSE, scenes.RED))
    found = segmented(image, matte_of(BODY, LOOSE), Point(205, 200, False))
    assert score_matte(found.matte, matte_of(LOOSE)).iou > 0.98


def test_the_classical_proposal_is_corrected_too() -> None:
    image = placed(scenes.GREY, (BODY, scenes.RED), (LOOSE, GREEN))
    out = segment(image, points=[Point(330, 400, False)], proposers=[ClassicalProposer()])
    assert score_matte(out.matte, matte_of(BODY)).iou > 0.98


def test_what_the_report_says_follows_the_points() -> None:
    image = placed(scenes.GREY, (BODY, scenes.RED), (LOOSE, GREEN))
    before = segmented(image, matte_of(BODY))
    after = segmented(image, matte_of(BODY), Point(330, 400, True))
    assert (len(before.pieces), len(after.pieces)) == (1, 2)
    assert after.expected_iou == pytest.approx(before.expected_iou, abs=0.05)


def test_points_that_say_what_the_matte_says_change_nothing() -> None:
    image = placed(scenes.room(), (BODY, scenes.RED))
    proposed = matte_of(BODY)
    plain = segmented(image, proposed)
    agreeing = segmented(image, proposed, Point(205, 200, True), Point(20, 20, False))
    assert np.array_equal(plain.matte, agreeing.matte)


def test_the_photo_s_own_alpha_is_corrected_too() -> None:
    image = placed(scenes.WHITE, (BODY, scenes.RED), (LOOSE, GREEN))
    found = segment(image, alpha=matte_of(BODY, LOOSE), points=[Point(330, 400, False)], proposers=[])
    assert score_matte(found.matte, matte_of(BODY)).iou > 0.99


class TestRegionOfInterest:
    def test_what_an_include_point_brings_in_ends_at_the_region(self) -> None:
        image = placed(scenes.GREY, (BODY, scenes.RED), (CAP, GREEN))
        found = segmented(image, matte_of(BODY), Point(205, 310, True), roi=(0, 0, scenes.HEIGHT, 340))
        assert found.matte[205, 330] >= 0.5
        assert not found.matte[:, 340:].any()

    def test_a_point_of_the_product_outside_the_region_is_an_error(self) -> None:
        points = (Point(205, 200, True), Point(330, 400, True))
        with pytest.raises(PointError, match="400, 330 is to be product but lies outside the region") as caught:
            segmented(scenes.GREY, matte_of(BODY), *points, roi=(0, 0, 300, 300))
        assert (caught.value.index, caught.value.reason) == (1, "POINT_OUTSIDE_REGION")

    def test_a_point_of_the_background_may_lie_outside_the_region(self) -> None:
        image = placed(scenes.GREY, (BODY, scenes.RED))
        found = segmented(image, matte_of(BODY), Point(400, 400, False), roi=(0, 0, 320, 320))
        assert score_matte(found.matte, matte_of(BODY)).iou > 0.98


@pytest.mark.parametrize("point", [Point(420, 0, True), Point(0, 480, False), Point(-1, 0, True)])
def test_a_point_outside_the_photo_is_an_error(point: Point) -> None:
    with pytest.raises(PointError, match="outside the upright photo of 480 × 420 px") as caught:
        segmented(scenes.GREY, matte_of(BODY), Point(0, 0, False), point)
    assert (caught.value.index, caught.value.reason) == (1, "POINT_OUTSIDE_PHOTO")


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 300), (40, 30)])
@pytest.mark.parametrize("says", [True, False])
def test_points_hold_in_tiny_photos(size: tuple[int, int], says: bool) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    proposed = np.full(size, not says, np.float32)
    found = segmented(image, proposed, Point(0, 0, says))
    assert (found.matte[0, 0] >= 0.5) == says
    assert np.isfinite(found.matte).all()


def test_neighbouring_points_that_say_otherwise_both_hold() -> None:
    image = placed(scenes.room(), (BODY, scenes.RED))
    points = [Point(205, 200, False), Point(205, 203, True), Point(30, 30, True), Point(30, 31, False)]
    found = segmented(image, matte_of(BODY), *points)
    assert [bool(found.matte[point.row, point.col] >= 0.5) for point in points] == [False, True, True, False]


def test_an_empty_matte_gets_what_a_point_says() -> None:
    image = placed(scenes.GREY, (BODY, scenes.RED))
    found = segmented(image, np.zeros((60, 70), np.float32), Point(205, 200, True))
    assert score_matte(found.matte, matte_of(BODY)).iou > 0.97


def test_without_a_contradiction_the_matte_is_given_back_as_it_is() -> None:
    matte = matte_of(BODY)
    points = [Point(205, 200, True), Point(0, 0, False)]
    assert correct(scenes.GREY, matte, points) is matte
    assert hold(matte, points) is matte
