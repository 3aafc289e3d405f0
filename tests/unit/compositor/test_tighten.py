import numpy as np
import pytest

from services.compositor.tighten import tighten_matte
from tests.helpers.composites import disc, draw_matte, rectangle


@pytest.mark.parametrize("by_px", [0.25, 0.5, 1.0, 2.5])
def test_a_disc_loses_the_distance_from_its_radius(by_px: float) -> None:
    matte = draw_matte(160, 160, disc(60, (80, 80)), blur_px=0.7)
    radius = np.sqrt(tighten_matte(matte, by_px).sum() / np.pi)
    assert radius == pytest.approx(np.sqrt(matte.sum() / np.pi) - by_px, abs=0.08)


def test_no_distance_changes_nothing() -> None:
    matte = draw_matte(50, 50, disc(15, (25, 25)), blur_px=0.7)
    np.testing.assert_array_equal(tighten_matte(matte, 0), matte)


def test_nothing_grows_and_the_inside_stays_solid() -> None:
    matte = draw_matte(160, 160, disc(60, (80, 80)), blur_px=0.7)
    tightened = tighten_matte(matte, 1.5)
    assert np.all(tightened <= matte)
    assert np.all(tightened[45:115, 45:115] == 1)


@pytest.mark.parametrize("by_px", [0.5, 1.0])
def test_a_hair_is_not_tightened_away(by_px: float) -> None:
    hair = draw_matte(40, 40, rectangle(0, 19, 40, 20.5), blur_px=0.5)
    assert tighten_matte(hair, by_px).sum() > 0.7 * hair.sum()
