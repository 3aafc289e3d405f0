"""The proposal without weights, on scenes whose matte is exact; test_segmentation has what becomes of it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bench.scoring import iou
from services.segmenter.classical import ClassicalProposer
from services.segmenter.masks import resize
from services.segmenter.proposal import Proposal
from tests.helpers import scenes
from tests.helpers.composites import Composite, Draw, Image, disc

PROPOSER = ClassicalProposer()


def overlap(proposal: Proposal, scene: Composite) -> float:
    """IoU with the true matte at the photo's size."""
    return iou(resize(proposal.matte, *scene.matte.shape) >= 0.5, scene.matte >= 0.5)


@pytest.mark.parametrize("shape", [scenes.DISC, scenes.RING, scenes.BOX], ids=["disc", "ring", "box"])
@pytest.mark.parametrize("backdrop", [scenes.WHITE, scenes.BLUE], ids=["white", "blue"])
def test_a_product_on_a_plain_backdrop_is_found(shape: Draw, backdrop: Image) -> None:
    scene = scenes.photograph(shape, backdrop)
    proposal = PROPOSER.propose(scene.photo)
    # At the working size of 320 px one pixel along a ring's two outlines is 5 % of its area.
    assert overlap(proposal, scene) >= (0.95 if shape is scenes.RING else 0.97)
    assert proposal.confidence >= 0.8


@pytest.mark.parametrize("backdrop", [scenes.PATTERN, scenes.room()], ids=["stripes", "room"])
def test_a_product_of_its_own_colour_is_found_anywhere(backdrop: Image) -> None:
    scene = scenes.photograph(scenes.DISC, backdrop)
    assert overlap(PROPOSER.propose(scene.photo), scene) >= 0.95


def test_the_hole_of_a_ring_is_open() -> None:
    scene = scenes.photograph(scenes.RING, scenes.GREY)
    matte = resize(PROPOSER.propose(scene.photo).matte, scenes.HEIGHT, scenes.WIDTH)
    hole = scenes.photograph(disc(56, scenes.CENTRE), scenes.GREY).matte == 1
    assert matte[hole].max() == 0


def test_a_contact_shadow_is_no_product() -> None:
    scene = scenes.photograph(scenes.BOX, scenes.GREY, shadow=0.3)
    proposal = PROPOSER.propose(scene.photo)
    below = resize(proposal.matte, scenes.HEIGHT, scenes.WIDTH)[322:380]
    assert below.max() == 0
    assert overlap(proposal, scene) >= 0.975


def test_a_product_that_leaves_the_frame_is_found_down_to_the_frame() -> None:
    scene = scenes.photograph(scenes.CUT_BOX, scenes.GREY)
    assert overlap(PROPOSER.propose(scene.photo), scene) >= 0.95


def test_nothing_outside_the_region_of_interest_is_product() -> None:
    two = scenes.photograph(_pair, scenes.GREY)
    matte = resize(PROPOSER.propose(two.photo, (100, 20, 320, 235)).matte, scenes.HEIGHT, scenes.WIDTH)
    assert matte[:, 240:].max() == 0
    left = two.matte.copy()
    left[:, 240:] = 0
    assert iou(matte >= 0.5, left >= 0.5) >= 0.95


def test_the_same_photo_gives_the_same_bytes_also_in_threads() -> None:
    photos = [scenes.photograph(scenes.DISC, scenes.room()).photo, scenes.photograph(scenes.RING, scenes.PATTERN).photo]
    alone = [PROPOSER.propose(photo).matte.tobytes() for photo in photos]
    with ThreadPoolExecutor(2) as pool:
        together = [proposal.matte.tobytes() for proposal in pool.map(PROPOSER.propose, photos)]
    assert together == alone


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_photo_holds_nothing(value: int) -> None:
    proposal = PROPOSER.propose(np.full((300, 400, 3), value, np.uint8))
    assert not proposal.matte.any()
    assert proposal.confidence == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 500), (500, 2)])
def test_tiny_and_thin_photos_work(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    proposal = PROPOSER.propose(image)
    assert 0 <= proposal.matte.min() <= proposal.matte.max() <= 1
    assert 0 <= proposal.confidence <= 1


def _pair(layer: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], scale: float) -> None:
    disc(75, (210, 130))(layer, scale)
    disc(75, (210, 350))(layer, scale)
