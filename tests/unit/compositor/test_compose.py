import numpy as np
import pytest

from services.common.color import ciede2000, srgb_to_lab
from services.compositor.compose import place, prepare_product
from services.compositor.errors import EmptyMatteError
from services.compositor.layout import CanvasSpec, bounding_box
from services.compositor.refine import EdgeTreatment
from tests.helpers.composites import (
    coarse,
    compose,
    disc,
    draw_matte,
    gradient,
    ring,
    solid,
    texture,
)

SIDE = 400
MATTE = draw_matte(SIDE, SIDE, ring(130, 60, (190.3, 205.8)), blur_px=0.7)
SCENE = compose(
    MATTE, texture(SIDE, SIDE, (60, 70, 120), 8, 6, 1), gradient(SIDE, SIDE, (170, 140, 110), (120, 100, 80)), noise=1.5
)
GIVEN = coarse(MATTE, 100)


def test_from_photo_to_packshot_the_edge_looks_as_if_shot_on_white() -> None:
    """At the photo's own size, so that only matte and colours count."""
    product = prepare_product(SCENE.photo, GIVEN)
    scale_one = max(product.bbox.height, product.bbox.width) / SIDE
    layout, packshot = place(product, CanvasSpec(SIDE, SIDE, scale_one, keep_fill_from=2))
    assert layout.scale == pytest.approx(1)
    down, right = (round(offset) for offset in layout.offset)
    truth = np.roll(SCENE.on_white(), (down, right), (0, 1))
    matte = np.roll(MATTE, (down, right), (0, 1))
    edge = (matte > 0) & (matte < 1)
    difference = ciede2000(srgb_to_lab(packshot.image), srgb_to_lab(truth))
    assert difference[edge].mean() < 5  # up to half a pixel of it is the placement
    assert difference[matte == 0].mean() < 0.05
    assert difference[matte == 1].mean() < 2


def test_one_preparation_serves_many_canvases() -> None:
    product = prepare_product(SCENE.photo, GIVEN)
    before = product.matte.copy()
    for canvas in (CanvasSpec(500, 500), CanvasSpec(300, 700, 0.8)):
        layout, packshot = place(product, canvas)
        assert packshot.image.shape == (canvas.height_px, canvas.width_px, 3)
        assert layout.fill_ratio == pytest.approx(canvas.fill_ratio)
        found = bounding_box(packshot.alpha)
        assert max(found.height / canvas.height_px, found.width / canvas.width_px) == pytest.approx(
            canvas.fill_ratio, abs=0.003
        )
    np.testing.assert_array_equal(product.matte, before)


def test_the_same_photo_twice_gives_the_same_bytes() -> None:
    one, other = (place(prepare_product(SCENE.photo, GIVEN), CanvasSpec(300, 300))[1] for _ in range(2))
    assert one.image.tobytes() == other.image.tobytes()
    assert one.alpha.tobytes() == other.alpha.tobytes()


def test_tightening_shrinks_the_product_and_takes_the_halo_with_it() -> None:
    found, tightened = (prepare_product(SCENE.photo, GIVEN, EdgeTreatment(px)) for px in (0.0, 1.0))
    assert found.bbox.height - tightened.bbox.height == pytest.approx(2, abs=1)


def test_a_photo_with_its_own_alpha_keeps_colours_and_alpha() -> None:
    photo = solid(60, 60, (0, 0, 0))
    matte = draw_matte(60, 60, disc(20, (30, 30)), blur_px=1)
    photo[matte > 0] = (200, 120, 40)
    product = prepare_product(photo, matte, already_cut_out=True)
    np.testing.assert_array_equal(product.foreground, photo)
    np.testing.assert_array_equal(product.matte, matte)


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_a_matte_without_product_is_refused(level: float) -> None:
    with pytest.raises(EmptyMatteError):
        prepare_product(solid(20, 20, (9, 9, 9)), np.full((20, 20), level, np.float32))


def test_a_matte_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="matte is 30x20, image 20x20"):
        prepare_product(solid(20, 20, (9, 9, 9)), np.ones((20, 30), np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (20, 1), (30, 40)])
def test_a_product_that_is_the_whole_photo(shape: tuple[int, int]) -> None:
    product = prepare_product(solid(*shape, (200, 30, 30)), np.ones(shape, np.float32))
    layout, packshot = place(product, CanvasSpec(100, 100))
    assert not layout.rescaled
    assert bounding_box(packshot.alpha).centre == pytest.approx((50, 50), abs=0.5)
    assert np.all(packshot.image[packshot.alpha == 1] == (200, 30, 30))
