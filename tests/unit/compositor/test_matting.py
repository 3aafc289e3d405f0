"""Alpha from a trimap, on scenes whose alpha is exact."""

import cv2
import numpy as np
import pytest

from services.compositor.matting import revise, solve
from services.compositor.trimap import BACKGROUND, PRODUCT, UNKNOWN, make_trimap
from tests.helpers.composites import (
    Image,
    Matte,
    coarse,
    compose,
    disc,
    draw_matte,
    frame,
    gradient,
    hairs,
    solid,
    texture,
)

SIDE = 256
CENTRE = (128.3, 127.6)
FOREGROUND = texture(SIDE, SIDE, (170, 60, 40), 10, 6, 1)
BACKGROUND_COLOURS = gradient(SIDE, SIDE, (225, 226, 230), (190, 195, 200))
DISC = draw_matte(SIDE, SIDE, disc(80, CENTRE), blur_px=0.8)
HAIRS = draw_matte(SIDE, SIDE, hairs(60, 45, 60, 1.6, CENTRE), blur_px=0.5)
GRILLE = draw_matte(SIDE, SIDE, frame((40, 40, 216, 216), 6, 6), blur_px=0.6)


def trimap_of(truth: Matte, radius_px: int) -> Image:
    """Unknown within a square of that radius around every pixel that is neither."""
    square = np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8)
    trimap = np.full(truth.shape, UNKNOWN, np.uint8)
    trimap[cv2.erode(truth, square) == 1] = PRODUCT
    trimap[cv2.dilate(truth, square) == 0] = BACKGROUND
    return trimap


@pytest.mark.parametrize(
    ("truth", "radius_px", "bound"),
    [(DISC, 2, 0.035), (DISC, 16, 0.02), (HAIRS, 3, 0.08), (GRILLE, 2, 0.08)],
    ids=["narrow", "wide", "hairs", "grille"],
)
def test_alpha_is_found_within_the_band(truth: Matte, radius_px: int, bound: float) -> None:
    photo = compose(truth, FOREGROUND, BACKGROUND_COLOURS, noise=1.5, seed=2).photo
    trimap = trimap_of(truth, radius_px)
    alpha = solve(photo, trimap)
    assert np.abs(alpha - truth)[trimap == UNKNOWN].mean() < bound


def test_what_the_trimap_knows_is_exact() -> None:
    photo = compose(HAIRS, FOREGROUND, BACKGROUND_COLOURS, noise=1.5).photo
    trimap = trimap_of(HAIRS, 4)
    alpha = solve(photo, trimap)
    assert alpha.dtype == np.float32
    assert np.all(alpha[trimap == BACKGROUND] == 0)
    assert np.all(alpha[trimap == PRODUCT] == 1)


def test_the_frame_around_a_product_does_not_change_it() -> None:
    """Only the band and a patch around it are looked at."""
    photo = compose(DISC, FOREGROUND, BACKGROUND_COLOURS, noise=1.5).photo
    trimap = trimap_of(DISC, 2)
    room = 192  # a multiple of a patch's core: patches fall on the same pixels
    wide_photo = np.pad(photo, ((room, room), (room, room), (0, 0)), mode="edge")
    wide_trimap = np.pad(trimap, room)
    alpha = solve(wide_photo, wide_trimap)[room:-room, room:-room]
    change = np.abs(alpha - solve(photo, trimap))
    assert change.max() < 0.25
    assert change[trimap == UNKNOWN].mean() < 0.02


@pytest.mark.parametrize("side", [BACKGROUND, PRODUCT])
def test_nothing_unknown_nothing_asked(side: int) -> None:
    trimap = np.full((30, 40), side, np.uint8)
    np.testing.assert_array_equal(solve(solid(30, 40, (9, 9, 9)), trimap), np.float32(side == PRODUCT))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2), (129, 127)])
def test_a_frame_that_is_all_unknown(shape: tuple[int, int]) -> None:
    alpha = solve(solid(*shape, (90, 120, 30)), np.full(shape, UNKNOWN, np.uint8))
    assert alpha.shape == shape
    assert np.isfinite(alpha).all()
    assert alpha.min() >= 0
    assert alpha.max() <= 1


def test_the_same_question_twice_has_the_same_answer() -> None:
    photo = compose(HAIRS, FOREGROUND, BACKGROUND_COLOURS, noise=1.5).photo
    trimap = trimap_of(HAIRS, 6)
    np.testing.assert_array_equal(solve(photo, trimap), solve(photo, trimap))


def test_a_right_edge_between_like_colours_is_not_lost() -> None:
    alike = texture(SIDE, SIDE, (168, 62, 44), 10, 6, 5)
    photo = compose(DISC, FOREGROUND, alike, noise=1.5, seed=2).photo
    given = coarse(DISC, 128)
    trimap = make_trimap(given)
    alpha = revise(photo, given, trimap, trimap)
    band = trimap == UNKNOWN
    assert np.abs(alpha - DISC)[band].mean() < 0.72 * np.abs(given - DISC)[band].mean()


def test_doubt_opens_hair_and_no_hard_edge() -> None:
    photo = compose(DISC, FOREGROUND, BACKGROUND_COLOURS, noise=1.5, seed=2).photo
    trimap = make_trimap(DISC)
    np.testing.assert_array_equal(revise(photo, DISC, trimap, trimap_of(DISC, 9)), revise(photo, DISC, trimap, trimap))
    hairy = compose(HAIRS, FOREGROUND, BACKGROUND_COLOURS, noise=1.5, seed=2).photo
    given = coarse(HAIRS, 40)
    narrow = make_trimap(given)
    wide = np.where(trimap_of(HAIRS, 3) == UNKNOWN, np.uint8(UNKNOWN), narrow)
    found = [np.abs(revise(hairy, given, narrow, open_to) - HAIRS).mean() for open_to in (narrow, wide)]
    assert found[1] <= found[0]
