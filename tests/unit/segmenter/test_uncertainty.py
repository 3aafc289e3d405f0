import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmenter.uncertainty import expected_iou, undecided


def test_a_decided_chance_leaves_nothing_open() -> None:
    chance = np.array([[0.0, 1.0, 0.5, 0.75]], np.float32)
    assert undecided(chance).tolist() == [[0.0, 0.0, 1.0, 0.5]]


def test_a_mask_that_everybody_is_sure_of() -> None:
    product = np.array([[True, False]])
    assert expected_iou(product, product.astype(np.float32)) == 1.0


def test_it_is_expected_intersection_over_expected_union() -> None:
    product = np.array([[True, True, False, False]])
    chance = np.array([[1.0, 0.5, 0.5, 0.0]], np.float32)
    assert expected_iou(product, chance) == pytest.approx(1.5 / 2.5)


def test_nothing_found() -> None:
    assert expected_iou(np.zeros((3, 3), bool), np.ones((3, 3), np.float32)) == 0.0


@given(st.integers(0, 2**32 - 1))
def test_it_is_the_mean_overlap_of_masks_drawn_from_the_chances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.3, 0.3, (24, 24)).astype(np.float32)
    product = chance >= 0.5
    drawn = rng.random((200, 24, 24)) < chance
    overlaps = (drawn & product).sum((1, 2)) / (drawn | product).sum((1, 2))
    assert expected_iou(product, chance) == pytest.approx(float(overlaps.mean()), abs=0.02)
