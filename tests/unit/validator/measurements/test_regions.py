import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.validator.measurements.border import Border, find_border
from services.validator.measurements.regions import frame_ring, regions_of_image, regions_of_matte
from tests.helpers import composites

SIDE = 400
NO_BORDER = Border(0, (0, 0, 0, 0))


def disc_on(level: int, color: tuple[int, int, int] = (40, 90, 140)) -> composites.Composite:
    matte = composites.draw_matte(SIDE, SIDE, composites.disc(120, (SIDE / 2, SIDE / 2)))
    foreground = composites.texture(SIDE, SIDE, color, 6, 4)
    return composites.compose(matte, foreground, composites.solid(SIDE, SIDE, (level, level, level)))


def iou(mask: NDArray[np.uint8], matte: composites.Matte) -> float:
    truth = matte > 0.5
    return float(np.count_nonzero((mask > 0) & truth) / np.count_nonzero((mask > 0) | truth))


def test_a_matte_parts_the_canvas_at_five_percent() -> None:
    regions = regions_of_matte(np.array([[0, 0.049, 0.05, 1]], np.float32))
    assert regions.product.tolist() == [[0, 0, 255, 255]]
    assert regions.background.tolist() == [[255, 255, 0, 0]]


@pytest.mark.parametrize("level", [255, 250, 235])
def test_a_product_on_a_light_backdrop_is_found(level: int) -> None:
    scene = disc_on(level)
    regions = regions_of_image(scene.photo, NO_BORDER)
    assert regions is not None
    assert iou(regions.product, scene.matte) > 0.95
    assert not np.any(regions.product & regions.background)
    assert np.all(regions.product | regions.background)


def test_a_soft_shadow_is_background() -> None:
    scene = disc_on(255)
    shadow = cv2.GaussianBlur(np.roll(scene.matte, (25, 25), (0, 1)), (0, 0), 20)
    backdrop = np.rint(255 * (1 - 0.15 * shadow)).astype(np.uint8)
    image = composites.mix(scene.foreground, cv2.merge([backdrop] * 3), scene.matte)
    regions = regions_of_image(image, NO_BORDER)
    assert regions is not None
    assert iou(regions.product, scene.matte) > 0.9


def test_a_white_product_is_no_shadow() -> None:
    scene = disc_on(255, color=(238, 238, 238))
    regions = regions_of_image(scene.photo, NO_BORDER)
    assert regions is not None
    assert iou(regions.product, scene.matte) > 0.95


def test_a_gap_in_a_white_products_outline_is_no_way_in() -> None:
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    cv2.circle(image, (200, 200), 120, (225, 225, 225), -1)
    # A highlight runs over the outline.
    blend = cv2.GaussianBlur(cv2.circle(np.zeros((SIDE, SIDE), np.float32), (200, 82), 8, 1.0, -1), (0, 0), 6)[
        ..., None
    ]
    image = np.rint(image * (1 - blend) + 255 * blend).astype(np.uint8)
    regions = regions_of_image(image, NO_BORDER)
    assert regions is not None
    assert regions.product[200, 200] == 255


def test_a_light_area_enclosed_by_the_product_is_product_but_not_surface() -> None:
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    cv2.circle(image, (200, 200), 100, (20, 20, 20), 30)
    regions = regions_of_image(image, NO_BORDER)
    assert regions is not None
    assert regions.product[200, 200] == 255
    assert regions.surface[200, 200] == 0


def test_specks_are_background() -> None:
    image = disc_on(255).photo.copy()
    image[20:23, 20:23] = 0
    regions = regions_of_image(image, NO_BORDER)
    assert regions is not None
    assert regions.background[21, 21] == 255


@pytest.mark.parametrize("color", [(120, 120, 120), (230, 200, 160), (0, 0, 0)])
def test_without_a_light_background_there_is_no_answer(color: tuple[int, int, int]) -> None:
    assert regions_of_image(composites.solid(64, 64, color), NO_BORDER) is None


def test_all_white_is_all_background() -> None:
    regions = regions_of_image(composites.solid(64, 64, (255, 255, 255)), NO_BORDER)
    assert regions is not None
    assert not regions.product.any()


def test_a_drawn_border_does_not_hide_the_background() -> None:
    image = disc_on(255).photo.copy()
    cv2.rectangle(image, (0, 0), (SIDE - 1, SIDE - 1), (0, 0, 0), 2)
    regions = regions_of_image(image, find_border(image))
    assert regions is not None
    assert regions.background[20, 20] == 255
    assert regions.background[0, 0] == 255
    assert regions.product[200, 200] == 255


def test_the_ring_is_one_percent_and_at_least_one_pixel() -> None:
    assert np.count_nonzero(frame_ring(200, 100)) == 200 * 100 - 196 * 96
    assert np.count_nonzero(frame_ring(3, 3)) == 8
    assert np.count_nonzero(frame_ring(1, 1)) == 1
