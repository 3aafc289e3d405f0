import cv2
import numpy as np
import pytest

from services.validator.measurements.halo import halo
from services.validator.measurements.regions import regions_of_matte
from tests.helpers import composites

SIDE = 600
WHITE = composites.solid(SIDE, SIDE, (255, 255, 255))


def scene(fringe: tuple[int, int, int] | None = None, rim_px: float = 1.5) -> tuple[composites.Image, composites.Matte]:
    """A disc on white; with a fringe its outermost pixels take that colour."""
    matte = composites.draw_matte(SIDE, SIDE, composites.disc(220, (SIDE / 2, SIDE / 2)), blur_px=0.6)
    foreground = composites.texture(SIDE, SIDE, (150, 60, 50), 4, 6)
    if fringe is not None:
        distance = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
        inner = np.clip(distance - rim_px + 0.5, 0, 1).astype(np.float32)
        foreground = composites.mix(foreground, composites.solid(SIDE, SIDE, fringe), inner)
    return composites.mix(foreground, WHITE, matte), matte


def test_a_clean_edge_has_little_halo() -> None:
    image, matte = scene()
    product = regions_of_matte(matte).product
    with_matte, without = halo(image, product, matte), halo(image, product)
    assert with_matte is not None and with_matte < 2
    assert without is not None and without < 2


@pytest.mark.parametrize("fringe", [(20, 20, 20), (60, 160, 60)])
def test_a_fringe_is_seen_with_and_without_a_matte(fringe: tuple[int, int, int]) -> None:
    image, matte = scene(fringe)
    product = regions_of_matte(matte).product
    with_matte, without = halo(image, product, matte), halo(image, product)
    assert with_matte is not None and with_matte > 5
    assert without is not None and without > 3


def test_a_pale_rim_is_seen_with_a_matte() -> None:
    image, matte = scene((250, 250, 250))
    result = halo(image, regions_of_matte(matte).product, matte)
    assert result is not None and result > 5


def test_a_wider_fringe_measures_more() -> None:
    results = []
    for rim_px in (0.5, 1.0, 2.0):
        image, matte = scene((20, 20, 20), rim_px)
        results.append(halo(image, regions_of_matte(matte).product, matte))
    assert None not in results
    assert results == sorted(results, key=lambda result: result or 0)


def test_a_rim_that_darkens_as_round_things_do_is_no_halo() -> None:
    _, matte = scene()
    depth = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    darker = np.clip(0.5 + depth / 40, 0, 1).astype(np.float32)
    lit = composites.mix(
        composites.texture(SIDE, SIDE, (150, 60, 50), 4, 6), composites.solid(SIDE, SIDE, (0, 0, 0)), darker
    )
    result = halo(composites.mix(lit, WHITE, matte), regions_of_matte(matte).product, matte)
    assert result is not None and result < 1.5


def test_what_differs_on_either_side_is_no_halo_and_what_is_alike_all_around_is() -> None:
    _, matte = scene()
    inside = composites.texture(SIDE, SIDE, (150, 60, 50), 4, 6)
    inner = composites.draw_matte(SIDE, SIDE, composites.disc(218, (SIDE / 2, SIDE / 2)), blur_px=0.6)

    def measured(*sectors: tuple[int, int, int]) -> float:
        angle = np.arctan2(*(np.mgrid[:SIDE, :SIDE] - SIDE / 2)) % (2 * np.pi)
        rim = np.array(sectors, np.uint8)[(angle / (2 * np.pi) * 12).astype(int) % len(sectors)]
        image = composites.mix(composites.mix(inside, rim, inner), WHITE, matte)
        return halo(image, regions_of_matte(matte).product, matte) or 0.0

    one, other, third = (120, 90, 50), (190, 40, 40), (150, 60, 110)
    assert measured(one, other, third) < 0.5 * min(measured(one), measured(other), measured(third))


def test_a_wire_has_no_inside() -> None:
    matte = composites.draw_matte(SIDE, SIDE, composites.rectangle(100, 299, 500, 301))
    image = composites.mix(composites.solid(SIDE, SIDE, (0, 0, 0)), WHITE, matte)
    assert halo(image, regions_of_matte(matte).product, matte) is None


def test_a_product_that_fills_the_frame_has_no_rim() -> None:
    matte = np.ones((60, 60), np.float32)
    assert halo(composites.solid(60, 60, (9, 9, 9)), regions_of_matte(matte).product, matte) is None


def test_a_product_cut_by_the_frame_has_a_rim_only_where_it_ends() -> None:
    matte = composites.draw_matte(SIDE, SIDE, composites.rectangle(0, 0, SIDE, 300))
    image = composites.mix(composites.texture(SIDE, SIDE, (150, 60, 50), 4, 6), WHITE, matte)
    result = halo(image, regions_of_matte(matte).product, matte)
    assert result is not None and result < 3
