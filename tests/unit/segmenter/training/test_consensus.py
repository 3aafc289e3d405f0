"""What voters agree on: an orange disc on grey."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.segmenter.training.consensus import consensus
from tests.helpers.training_pack import GREY, ORANGE, disc, even, product_on

SIDE = 128
TRUTH = disc(SIDE, 40)
PHOTO = product_on(even(SIDE, SIDE, GREY), ORANGE, TRUTH)


def opinion(radius: int, blur: float = 0.0) -> NDArray[np.float32]:
    matte = disc(SIDE, radius).astype(np.float32) / 255
    return np.asarray(cv2.GaussianBlur(matte, (0, 0), blur) if blur else matte, np.float32)


def test_the_outline_comes_from_the_photo() -> None:
    label = consensus(PHOTO, [opinion(41, blur=2), opinion(39, blur=2)])
    assert label is not None
    assert np.abs(label - TRUTH / np.float32(255)).mean() < 0.004


def test_opinions_that_do_not_agree_give_no_label() -> None:
    assert consensus(PHOTO, [opinion(40), opinion(40), opinion(34)]) is None


def test_one_opinion_is_enough_but_not_an_empty_one() -> None:
    assert consensus(PHOTO, [opinion(40)]) is not None
    assert consensus(PHOTO, [np.zeros((SIDE, SIDE), np.float32)]) is None


@pytest.mark.parametrize(("thick_px", "is_open"), [(4, False), (12, True)])
def test_a_thick_dispute_is_left_open_and_a_thin_one_settled(thick_px: int, is_open: bool) -> None:
    more = opinion(40)
    more[64 : 64 + thick_px, 100:120] = 1  # beside the disc, as a shadow lies
    label = consensus(PHOTO, [opinion(40), more])
    assert label is not None
    assert (label[65 : 63 + thick_px, 108:116] == 0.5).all() == is_open
