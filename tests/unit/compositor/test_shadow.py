import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.color import srgb_to_linear
from services.compositor.canvas import Packshot
from services.compositor.shadow import soft_shadow, with_shadow
from tests.helpers.composites import Draw, Matte, disc, draw_matte, mix, rectangle, ring, solid, star

SIDE = 400
WHITE = (255, 255, 255)


def on_canvas(*drawn: Draw, color: tuple[int, int, int] = (90, 60, 40)) -> Packshot:
    alpha = np.maximum.reduce([draw_matte(SIDE, SIDE, draw) for draw in drawn])
    foreground = solid(SIDE, SIDE, color)
    return Packshot(image=mix(foreground, solid(SIDE, SIDE, WHITE), alpha), alpha=alpha, foreground=foreground)


def shade_of(alpha: Matte) -> Matte:
    return soft_shadow(alpha, alpha)


def with_its_shadow(plain: Packshot) -> Packshot:
    return with_shadow(plain, plain.alpha)


BOX = rectangle(100, 120, 300, 280)


def test_the_ground_is_darkest_right_below_the_product_and_clears_away_from_it() -> None:
    shade = shade_of(on_canvas(BOX).alpha)
    below = shade[300:, 200]
    assert below[0] > 0.4
    assert np.all(np.diff(below) <= 1e-6)
    beside = shade[301, 280:]
    assert np.all(np.diff(beside) <= 1e-6)


def test_a_tight_dark_contact_lies_in_a_wide_faint_penumbra() -> None:
    shade = shade_of(on_canvas(BOX).alpha)
    rows, cols = np.flatnonzero(shade[300:, 200] > 0), np.flatnonzero(shade.any(axis=0))
    assert 10 < rows.size < 40
    assert shade[300, 200] > 3 * shade[308, 200] > 0
    assert 120 - cols[0] == pytest.approx(cols[-1] - 279, abs=1)
    assert 120 - cols[0] > 1.5 * rows.size  # an ellipse


def test_the_background_stays_exactly_white_beyond_it() -> None:
    packshot = with_its_shadow(on_canvas(BOX))
    touched = np.any(packshot.image != on_canvas(BOX).image, axis=2)
    assert touched.any()
    beyond = (shade_of(packshot.alpha) == 0) & (packshot.alpha == 0)
    assert np.all(packshot.image[beyond] == 255)
    assert beyond[:80].all()  # over the product
    assert beyond[[0, -1]].all() and beyond[:, [0, -1]].all()
    assert 0.005 < touched.mean() < 0.1


def test_nothing_is_drawn_over_the_product() -> None:
    plain, shaded = on_canvas(BOX), with_its_shadow(on_canvas(BOX))
    np.testing.assert_array_equal(shaded.image[plain.alpha == 1], plain.image[plain.alpha == 1])
    np.testing.assert_array_equal(shaded.alpha, plain.alpha)
    np.testing.assert_array_equal(shaded.foreground, plain.foreground)


def test_what_is_half_covered_is_shaded_by_half_in_linear_light() -> None:
    plain = on_canvas(BOX)
    alpha = plain.alpha * np.float32(0.75)
    glass = Packshot(mix(plain.foreground, solid(SIDE, SIDE, WHITE), alpha), alpha, plain.foreground)
    taken = srgb_to_linear(glass.image) - srgb_to_linear(with_its_shadow(glass).image)
    at = (298, 200)
    assert taken[at] == pytest.approx(np.full(3, 0.25 * shade_of(alpha)[at]), abs=0.01)


def test_glass_takes_less_light_than_stone() -> None:
    outline = on_canvas(BOX).alpha
    stone, glass = (soft_shadow(alpha, outline) for alpha in (outline, outline * np.float32(0.2)))
    assert glass[300, 200] == pytest.approx(0.2 * stone[300, 200], rel=0.4)


def test_a_shadow_has_no_colour() -> None:
    image = with_its_shadow(on_canvas(BOX, color=(200, 20, 20))).image[300:]
    assert np.ptp(image.astype(int), axis=2).max() == 0


def test_every_loose_piece_stands_on_the_ground_by_itself() -> None:
    one, other = rectangle(80, 40, 200, 120), rectangle(180, 260, 320, 340)
    shade = shade_of(on_canvas(one, other).alpha)
    assert shade[200, 80] > 0.4
    assert shade[320, 300] > 0.4
    assert not shade[340:, 80].any()
    alone = shade_of(on_canvas(one).alpha)
    np.testing.assert_allclose(shade[:, :180], alone[:, :180], atol=1e-6)


def test_what_hangs_clear_of_the_ground_casts_less() -> None:
    table = (rectangle(200, 60, 220, 340), rectangle(200, 60, 300, 80), rectangle(200, 320, 300, 340))
    shade = shade_of(on_canvas(*table).alpha)
    assert shade[300, 70] > 0.3  # a leg
    assert shade[300, 200] < 0.05  # the middle, under the top
    assert shade[221, 200] == 0


def test_a_ball_touches_the_ground_in_one_place() -> None:
    shade = shade_of(on_canvas(disc(120, (180, 200))).alpha)
    assert shade[300:, 200].max() == shade[300:].max()
    assert np.flatnonzero(shade[302] > 0.25).size < 120


def test_crumbs_cast_no_shadow() -> None:
    with_crumb = shade_of(on_canvas(BOX, disc(1.5, (350, 40))).alpha)
    np.testing.assert_array_equal(with_crumb, shade_of(on_canvas(BOX).alpha))


@pytest.mark.parametrize(
    "drawn", [rectangle(0, 0, SIDE, SIDE), rectangle(200, 100, SIDE, 300), rectangle(100, 0, 395, SIDE)]
)
def test_a_product_at_the_frame_leaves_the_frame_white(drawn: Draw) -> None:
    shade = shade_of(on_canvas(drawn).alpha)
    for side in (shade[0], shade[-1], shade[:, 0], shade[:, -1]):
        assert not side.any()


@pytest.mark.parametrize("level", [0.0, 0.49])
def test_without_anything_solid_there_is_none(level: float) -> None:
    assert not shade_of(np.full((50, 60), level, np.float32)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (64, 64)])
def test_a_single_pixel_can_stand(shape: tuple[int, int]) -> None:
    alpha = np.zeros(shape, np.float32)
    alpha[shape[0] // 2, shape[1] // 2] = 1
    shade = shade_of(alpha)
    assert shade.shape == shape
    assert np.all((shade >= 0) & (shade < 1))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["disc", "star", "ring"]), st.integers(5, 90), st.integers(0, 300), st.integers(0, 300)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_stands_there_the_rest_stays_white(drawn: list[tuple[str, int, int, int]]) -> None:
    alpha: Matte = np.zeros((300, 300), np.float32)
    for kind, radius, row, col in drawn:
        draw = {
            "disc": disc(radius, (row, col)),
            "star": star(radius, radius / 2, 5, (row, col)),
            "ring": ring(radius, radius / 2, (row, col)),
        }[kind]
        alpha = np.maximum(alpha, draw_matte(300, 300, draw))
    foreground = solid(300, 300, (30, 90, 40))
    plain = Packshot(mix(foreground, solid(300, 300, WHITE), alpha), alpha, foreground)
    shaded, shade = with_its_shadow(plain), shade_of(alpha)
    np.testing.assert_array_equal(shaded.image[alpha == 1], plain.image[alpha == 1])
    assert np.all(shaded.image[(shade == 0) & (alpha == 0)] == 255)
    assert np.all(shaded.image <= plain.image)
    assert shade.min() >= 0 and shade.max() < 1
    solid_rows = np.flatnonzero((alpha >= 0.5).any(axis=1))
    if solid_rows.size:
        reach = 0.2 * 2 * max(radius for _, radius, _, _ in drawn) + 8
        assert not shade[int(solid_rows[-1] + 1 + reach) :].any()
