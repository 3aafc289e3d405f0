"""Refinement on scenes whose matte is exact, from mattes as segmenters give them."""

import numpy as np
import pytest

from services.compositor.refine import EdgeTreatment, refine_matte
from services.compositor.trimap import UNKNOWN, make_trimap
from tests.helpers.composites import (
    Composite,
    Image,
    Matte,
    coarse,
    compose,
    disc,
    draw_matte,
    frame,
    gradient,
    hairs,
    rectangle,
    ring,
    solid,
    texture,
)

SIDE = 320
CENTRE = (160.3, 159.8)
RED_ON_GREY = (texture(SIDE, SIDE, (170, 50, 40), 10, 6, 1), gradient(SIDE, SIDE, (235, 235, 236), (205, 205, 208)))
DARK_ON_WOOD = (texture(SIDE, SIDE, (45, 45, 55), 8, 3, 2), texture(SIDE, SIDE, (165, 125, 90), 12, 5, 4))


def scene(matte: Matte, colours: tuple[Image, Image] = RED_ON_GREY) -> Composite:
    return compose(matte, *colours, noise=1.5, seed=3)


def error(alpha: Matte, truth: Matte, given: Matte) -> float:
    """Mean absolute error over the band that the given matte leaves open."""
    band = make_trimap(given) == UNKNOWN
    return float(np.abs(alpha - truth)[band].mean())


DISC = draw_matte(SIDE, SIDE, disc(110, CENTRE), blur_px=0.7)
RING = draw_matte(SIDE, SIDE, ring(120, 70, CENTRE), blur_px=0.7)
GRILLE = draw_matte(SIDE, SIDE, frame((40, 40, 280, 280), 6, 6), blur_px=0.6)
HAIRS = draw_matte(SIDE, SIDE, hairs(80, 60, 60, 1.6, CENTRE), blur_px=0.5)


@pytest.mark.parametrize(
    ("truth", "colours", "bound"),
    [
        (DISC, RED_ON_GREY, 0.02),
        (DISC, DARK_ON_WOOD, 0.03),
        (RING, RED_ON_GREY, 0.02),
        (GRILLE, RED_ON_GREY, 0.02),
        (GRILLE, DARK_ON_WOOD, 0.04),
        (HAIRS, RED_ON_GREY, 0.06),
        (HAIRS, DARK_ON_WOOD, 0.08),
    ],
    ids=["disc", "disc-wood", "ring", "grille", "grille-wood", "hairs", "hairs-wood"],
)
def test_an_enlarged_matte_gets_its_true_edge(truth: Matte, colours: tuple[Image, Image], bound: float) -> None:
    photo = scene(truth, colours).photo
    given = coarse(truth, 100)
    refined = refine_matte(photo, given)
    assert error(refined, truth, given) < bound
    assert error(refined, truth, given) < 0.5 * error(given, truth, given)


@pytest.mark.parametrize("truth", [DISC, RING, GRILLE], ids=["disc", "ring", "grille"])
@pytest.mark.parametrize("colours", [RED_ON_GREY, DARK_ON_WOOD], ids=["grey", "wood"])
def test_an_exact_matte_is_hardly_changed(truth: Matte, colours: tuple[Image, Image]) -> None:
    refined = refine_matte(scene(truth, colours).photo, truth)
    assert error(refined, truth, truth) < 0.045


def test_a_binary_matte_gets_a_soft_edge() -> None:
    binary = (DISC >= 0.5).astype(np.float32)
    refined = refine_matte(scene(DISC).photo, binary)
    assert error(refined, DISC, binary) < 0.4 * error(binary, DISC, binary)


def test_a_matte_beside_the_edge_is_moved_onto_it() -> None:
    given = coarse(np.roll(DISC, (2, -2), (0, 1)), 100)
    refined = refine_matte(scene(DISC).photo, given)
    assert error(refined, DISC, given) < 0.25 * error(given, DISC, given)


@pytest.mark.parametrize("given", [DISC, coarse(DISC, 100), np.float32(RING > 0.5)], ids=["exact", "coarse", "hard"])
def test_outside_of_the_band_alpha_is_exactly_0_or_1(given: Matte) -> None:
    refined = refine_matte(scene(DISC).photo, given)
    trimap = make_trimap(given)
    assert refined.dtype == np.float32
    assert refined.min() == 0
    assert refined.max() == 1
    assert np.all(np.isin(refined[trimap != UNKNOWN], (0, 1)))
    faint = refined[(refined > 0) & (refined < 1)]
    assert faint.min() >= 1 / 255
    assert faint.max() <= 1 - 1 / 255


def test_solids_stay_solid_and_holes_stay_open() -> None:
    refined = refine_matte(scene(RING).photo, coarse(RING, 100))
    deep_inside = draw_matte(SIDE, SIDE, ring(115, 75, CENTRE)) == 1
    hole = draw_matte(SIDE, SIDE, disc(65, CENTRE)) == 1
    assert np.all(refined[deep_inside] > 0.97)
    assert np.all(refined[hole] < 0.03)


def test_where_colours_say_nothing_the_given_matte_stands() -> None:
    photo = solid(SIDE, SIDE, (128, 128, 128))
    given = coarse(DISC, 100)
    assert np.abs(refine_matte(photo, given) - given)[(given > 0) & (given < 1)].mean() < 0.12


def test_glass_keeps_its_level() -> None:
    glass = draw_matte(SIDE, SIDE, disc(110, CENTRE)) * np.float32(0.6)
    glass[150:170, 60:260] = 1
    refined = refine_matte(scene(glass).photo, glass)
    pane = draw_matte(SIDE, SIDE, disc(95, CENTRE)) == 1
    pane[140:180] = False
    assert np.abs(refined[pane] - 0.6).mean() < 0.11


@pytest.mark.parametrize("level", [0.0, 1.0, 0.5])
def test_a_matte_with_one_side_only_is_left_alone(level: float) -> None:
    given: Matte = np.full((40, 60), level, np.float32)
    np.testing.assert_array_equal(refine_matte(solid(40, 60, (90, 120, 30)), given), given)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 2)])
def test_tiny_photos_are_refined_too(shape: tuple[int, int]) -> None:
    given: Matte = np.zeros(shape, np.float32)
    given[shape[0] // 2, shape[1] // 2] = 1
    assert refine_matte(solid(*shape, (90, 120, 30)), given).shape == shape


def test_a_single_pixel_of_another_colour_survives() -> None:
    photo = solid(40, 40, (230, 230, 230))
    photo[20, 20] = (150, 20, 20)
    given = np.zeros((40, 40), np.float32)
    given[20, 20] = 1
    refined = refine_matte(photo, given)
    assert refined[20, 20] > 0.9
    assert np.delete(refined.ravel(), 20 * 40 + 20).max() < 0.1


def test_a_product_touching_the_frame_is_refined_up_to_it() -> None:
    truth = draw_matte(SIDE, SIDE, rectangle(-10, 100.5, 200.3, 400), blur_px=0.7)
    given = coarse(truth, 100)
    refined = refine_matte(scene(truth).photo, given)
    assert error(refined, truth, given) < 0.02
    assert np.all(refined[:190, -1] > 0.97)


def test_tightening_is_applied_after_refinement() -> None:
    photo = scene(DISC).photo
    found, tightened = (refine_matte(photo, DISC, EdgeTreatment(px)) for px in (0.0, 1.0))
    radii = [np.sqrt(alpha.sum() / np.pi) for alpha in (found, tightened)]
    assert radii[0] - radii[1] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("px", [-0.1, 17.0, float("nan")])
def test_tightening_out_of_range_is_refused(px: float) -> None:
    with pytest.raises(ValueError, match="tighten_px"):
        EdgeTreatment(px)


def test_the_same_photo_twice_gives_the_same_matte() -> None:
    photo, given = scene(HAIRS).photo, coarse(HAIRS, 100)
    np.testing.assert_array_equal(refine_matte(photo, given), refine_matte(photo, given))


def test_large_photos_show_no_seams_between_blocks() -> None:
    """Upright edges are as good where they cross from block to block, at rows 384 and 768, as elsewhere."""
    side = 900
    truth = draw_matte(side, side, rectangle(50, 250.5, 850, 650.25), blur_px=0.7)
    photo = compose(truth, solid(side, side, (150, 60, 50)), solid(side, side, (215, 215, 220)), noise=1.5).photo
    given = coarse(truth, 300)
    refined = refine_matte(photo, given)
    off = np.abs(refined - truth)
    assert error(refined, truth, given) < 0.02
    for border in (384, 768):
        assert off[border - 3 : border + 3].mean() < 1.5 * off[100:800].mean() + 1e-5


def test_the_frame_around_a_product_does_not_change_it() -> None:
    photo = scene(DISC).photo
    given, doubt = coarse(DISC, 48), np.zeros((SIDE, SIDE), np.float32)
    doubt[100:140, 40:80] = 1

    def framed(room: int) -> Matte:
        place = ((room, room), (room + 40, room))
        wide = np.pad(photo, (*place, (0, 0)), mode="edge")
        refined = refine_matte(wide, np.pad(given, place), uncertainty=np.pad(doubt, place))
        return refined[room : room + SIDE, room + 40 : room + 40 + SIDE]

    np.testing.assert_array_equal(framed(300), framed(420))


def test_an_empty_matte_stays_empty() -> None:
    nothing = np.zeros((30, 40), np.float32)
    refined = refine_matte(solid(30, 40, (90, 120, 30)), nothing, uncertainty=np.ones((10, 12), np.float32))
    np.testing.assert_array_equal(refined, nothing)
