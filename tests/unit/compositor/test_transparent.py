import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.color import ciede2000, srgb_to_lab, srgb_to_linear
from services.compositor.foreground import estimate_foreground
from services.compositor.transparent import FAINT, LEFT, SeenThrough, fill_outline, see_through
from tests.helpers.composites import (
    Image,
    compose,
    disc,
    draw_matte,
    gradient,
    ring,
    solid,
    texture,
    to_srgb_bytes,
)
from tests.helpers.glass import Glass, vessel

SIDE = 256
SWEEP = gradient(SIDE, SIDE, (205, 205, 208), (150, 150, 153))
COLOURED = gradient(SIDE, SIDE, (120, 160, 205), (205, 170, 140))
WHITE = solid(SIDE, SIDE, (250, 250, 250))
CLOTH = texture(SIDE, SIDE, (150, 150, 160), 8, 2, 2)
CLEAR, BROWN, BLUE = (0.96, 0.97, 0.96), (0.55, 0.25, 0.06), (0.5, 0.7, 0.95)
GREEN = (0.06, 0.85, 0.3)


def look(glass: Glass) -> SeenThrough:
    return see_through(glass.photo, glass.silhouette, estimate_foreground(glass.photo, glass.silhouette))


def on_white(seen: SeenThrough) -> Image:
    return to_srgb_bytes(1 - seen.alpha[..., None] * (1 - srgb_to_linear(seen.foreground)))


def off_truth(seen: SeenThrough, glass: Glass) -> NDArray[np.float32]:
    return ciede2000(srgb_to_lab(on_white(seen)), srgb_to_lab(glass.on_white))


@pytest.mark.parametrize(
    ("backdrop", "tint", "bound"),
    [
        (WHITE, CLEAR, 1.5),
        (WHITE, BROWN, 1.5),
        (SWEEP, CLEAR, 2.5),
        (SWEEP, BROWN, 4.5),
        (SWEEP, BLUE, 3.5),
        (COLOURED, CLEAR, 2.5),
        (COLOURED, BROWN, 5),
        (COLOURED, BLUE, 4),
        (CLOTH, CLEAR, 5),
        (CLOTH, BROWN, 8),
    ],
)
def test_on_white_it_looks_as_if_shot_on_white(backdrop: Image, tint: tuple[float, float, float], bound: float) -> None:
    glass = vessel(backdrop, tint=tint)
    seen = look(glass)
    inside = glass.silhouette > 0
    assert off_truth(seen, glass)[inside].mean() < bound
    assert seen.findings == ()


def test_the_old_backdrops_colour_is_gone_from_clear_glass() -> None:
    glass = vessel(COLOURED)
    lab = srgb_to_lab(on_white(look(glass)))[(glass.silhouette == 1) & ~glass.opaque]
    assert np.percentile(np.hypot(lab[:, 1], lab[:, 2]), 95) < 5


def test_brown_glass_stays_brown_and_lets_light_through() -> None:
    glass = vessel(SWEEP, tint=BROWN)
    seen = look(glass)
    clear = (glass.silhouette == 1) & ~glass.opaque
    of_truth = srgb_to_lab(glass.on_white)[clear].mean(axis=0)
    found = srgb_to_lab(on_white(seen))[clear].mean(axis=0)
    assert np.degrees(np.abs(np.arctan2(*found[:0:-1]) - np.arctan2(*of_truth[:0:-1]))) < 8
    assert np.hypot(*found[1:]) == pytest.approx(np.hypot(*of_truth[1:]), rel=0.2)
    assert 0.3 < seen.alpha[clear].mean() < 0.95


def test_label_and_cap_stay_solid_with_their_own_colours() -> None:
    glass = vessel(SWEEP)
    seen = look(glass)
    core = cv2.erode(glass.opaque.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.percentile(seen.alpha[core], 3) > 0.99
    assert off_truth(seen, glass)[core].mean() < 1.5


def test_the_edges_of_the_glass_are_seen_on_white() -> None:
    """Along the outline the darkest of the outer pixels is at least 5 L* darker than the white ground, as in truth."""
    glass = vessel(SWEEP, label=None)
    lightness = srgb_to_lab(on_white(look(glass)))[..., 0]
    band = (glass.silhouette > 0) & ~glass.opaque
    darkest = np.where(band, lightness, 100).min(axis=1)[round(0.24 * SIDE) : round(0.88 * SIDE)]
    assert np.percentile(darkest, 90) < 95


def test_an_outline_that_nobody_sees_on_white_is_said_and_not_invented() -> None:
    matte = draw_matte(SIDE, SIDE, disc(80, (130.3, 125.8)), blur_px=0.6)
    photo = to_srgb_bytes(srgb_to_linear(WHITE) * (1 - 0.015 * matte[..., None]))
    seen = see_through(photo, matte, photo)
    assert seen.findings == (FAINT,)


def test_what_is_known_to_be_opaque_stays_solid() -> None:
    glass = vessel(SWEEP, label=(150, 150, 152))  # a label that looks like glass
    foreground = estimate_foreground(glass.photo, glass.silhouette)
    seen = see_through(glass.photo, glass.silhouette, foreground, glass.opaque)
    core = cv2.erode(glass.opaque.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert seen.alpha[core].min() > 0.99
    assert off_truth(seen, glass)[core].mean() < 1.5


def test_a_silhouette_that_is_a_little_too_wide_brings_no_fringe() -> None:
    glass = vessel(SWEEP, tint=BROWN)
    wide = cv2.dilate(glass.silhouette, np.ones((3, 3), np.uint8))
    seen = see_through(glass.photo, wide, estimate_foreground(glass.photo, wide))
    fringe = (wide > 0) & (glass.silhouette == 0)
    assert off_truth(seen, glass)[fringe].mean() < 3


def test_highlights_stay_bright() -> None:
    glass = vessel(SWEEP, tint=BROWN)
    brightest = glass.surface.min(axis=2) > 0.7
    assert brightest.any()
    assert srgb_to_lab(on_white(look(glass)))[brightest & ~glass.opaque][:, 0].min() > 90


def test_alpha_and_colour_are_exact_on_white_wherever_alpha_is() -> None:
    """The same product on white twice: what is laid on white is not changed by being separated again."""
    first = vessel(WHITE, noise=0)
    seen = look(first)
    assert off_truth(seen, first)[first.silhouette > 0].mean() < 1.5


@pytest.mark.parametrize("color", [(240, 240, 238), (225, 224, 222), (20, 20, 22)])
def test_an_opaque_white_or_black_product_does_not_become_translucent(color: tuple[int, int, int]) -> None:
    matte = draw_matte(SIDE, SIDE, disc(80, (130.3, 125.8)), blur_px=0.6)
    shaded = texture(SIDE, SIDE, color, 4, 30)
    scene = compose(matte, shaded, gradient(SIDE, SIDE, (190, 190, 194), (170, 170, 174)), noise=1)
    foreground = estimate_foreground(scene.photo, matte)
    seen = see_through(scene.photo, matte, foreground)
    assert seen.alpha[matte == 1].min() > 0.97
    difference = ciede2000(srgb_to_lab(on_white(seen)), srgb_to_lab(scene.on_white()))
    assert difference[matte > 0].mean() < 2


def test_a_busy_backdrop_is_said_to_be_left() -> None:
    busy = texture(SIDE, SIDE, (130, 120, 110), 60, 9, 3)
    assert look(vessel(busy)).findings == (LEFT,)


def test_a_black_backdrop_is_said_to_be_left() -> None:
    assert look(vessel(solid(SIDE, SIDE, (12, 12, 12)))).findings == (LEFT, FAINT)


@pytest.mark.parametrize(("tint", "bound"), [(CLEAR, 9), (GREEN, 9)])
def test_before_a_saturated_backdrop_its_colour_is_found_nearly_and_that_is_said(
    tint: tuple[float, float, float], bound: float
) -> None:
    glass = vessel(solid(SIDE, SIDE, (180, 30, 85)), tint=tint, label=None, cap=None)
    seen = look(glass)
    assert seen.findings == (LEFT,)
    assert off_truth(seen, glass)[glass.silhouette > 0].mean() < bound


def test_before_a_backdrop_without_any_light_in_a_channel_it_stays_solid_and_that_is_said() -> None:
    glass = vessel(solid(SIDE, SIDE, (210, 70, 0)))
    seen = look(glass)
    assert seen.findings == (LEFT,)
    np.testing.assert_array_equal(seen.alpha, glass.silhouette)


def test_a_gradient_of_many_colours_is_taken_out_as_far_as_it_goes_and_that_is_said() -> None:
    glass = vessel(gradient(SIDE, SIDE, (190, 60, 230), (70, 220, 110)))
    seen = look(glass)
    assert seen.findings == (LEFT,)
    assert off_truth(seen, glass)[glass.silhouette > 0].mean() < 6


def test_without_any_backdrop_it_stays_as_it_came_and_says_so() -> None:
    photo = solid(40, 50, (90, 120, 100))
    matte = np.ones((40, 50), np.float32)
    seen = see_through(photo, matte, photo)
    np.testing.assert_array_equal(seen.alpha, matte)
    assert seen.findings == (LEFT,)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 3), (5, 40)])
def test_tiny_pictures(shape: tuple[int, int]) -> None:
    matte = np.zeros(shape, np.float32)
    matte[0, 0] = 1
    photo = solid(*shape, (120, 130, 140))
    seen = see_through(photo, matte, photo)
    assert seen.alpha.shape == shape
    assert np.isfinite(seen.alpha).all()


def test_nothing_outside_of_the_silhouette_is_touched() -> None:
    glass = vessel(SWEEP)
    foreground = estimate_foreground(glass.photo, glass.silhouette)
    seen = see_through(glass.photo, glass.silhouette, foreground)
    assert not seen.alpha[glass.silhouette == 0].any()


def test_the_same_photo_twice_gives_the_same_bytes() -> None:
    glass = vessel(CLOTH)
    assert look(glass).foreground.tobytes() == look(glass).foreground.tobytes()


def test_an_outline_is_filled_and_keeps_its_edge() -> None:
    hollow = draw_matte(100, 100, ring(40, 25, (50, 50)), blur_px=0.7)
    whole = draw_matte(100, 100, disc(40, (50, 50)), blur_px=0.7)
    np.testing.assert_allclose(fill_outline(hollow), whole, atol=0.35)
    far = np.hypot(*(np.mgrid[0:100, 0:100] - 49.5)) < 37
    assert fill_outline(hollow)[far].min() == 1
    assert not fill_outline(np.zeros((5, 5), np.float32)).any()
