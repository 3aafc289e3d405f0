import cv2
import numpy as np
import pytest

from services.common.color import ciede2000, srgb_to_lab
from services.compositor.compose import Product, arrange_pieces, place, place_outline, prepare_product
from services.compositor.errors import EmptyMatteError
from services.compositor.layout import CanvasSpec, bounding_box
from services.compositor.refine import EdgeTreatment
from services.compositor.traits import Trait
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
from tests.helpers.floors import standing
from tests.helpers.glass import vessel

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


class TestArrange:
    COLORS = ((180, 40, 40), (40, 140, 60), (40, 60, 180))

    def three_far_apart(self) -> Product:
        photo = solid(300, 900, (255, 255, 255))
        matte = np.zeros((300, 900), np.float32)
        for color, col in zip(self.COLORS, (60, 450, 840), strict=True):
            piece = draw_matte(300, 900, disc(50, (150, col)), blur_px=0.7)
            photo[piece > 0] = color
            matte = np.maximum(matte, piece)
        return prepare_product(photo, matte, already_cut_out=True)

    def test_loose_pieces_are_drawn_larger_all_at_one_scale_and_reach_the_fill(self) -> None:
        product, canvas = self.three_far_apart(), CanvasSpec(600, 600)
        kept, _ = place(product, canvas)
        moved, findings = arrange_pieces(product, canvas)
        layout, packshot = place(moved, canvas)
        assert layout.scale > 2 * kept.scale
        assert layout.fill_ratio == pytest.approx(0.87)
        areas = [(np.abs(packshot.image.astype(int) - color).max(axis=2) < 105).sum() for color in self.COLORS]
        assert areas == pytest.approx([np.pi * (50 * layout.scale) ** 2] * 3, rel=0.03)
        assert [(finding.code, finding.is_corrected) for finding in findings] == [("PIECES_ARRANGED", True)]
        assert f"{layout.scale / kept.scale:.2f} times" in findings[0].message

    def test_the_fill_the_photo_had_is_not_kept(self) -> None:
        """The product fills 92 % of the photo's width, its pieces do not."""
        product, canvas = self.three_far_apart(), CanvasSpec(600, 200, keep_fill_from=0.85)
        assert not place(product, canvas)[0].rescaled
        moved, _ = arrange_pieces(product, canvas)
        layout, _ = place(moved, canvas)
        assert layout.rescaled
        assert layout.fill_ratio == pytest.approx(0.87)

    def test_pieces_that_would_not_grow_stay_and_that_is_said(self) -> None:
        matte = np.maximum(*(draw_matte(200, 400, disc(90, (100, col))) for col in (100, 300)))
        product = prepare_product(solid(200, 400, (90, 20, 20)), matte, already_cut_out=True)
        same, findings = arrange_pieces(product, CanvasSpec(400, 200))
        assert same is product
        assert [(finding.code, finding.is_corrected) for finding in findings] == [("PIECES_KEPT", True)]

    def test_a_product_of_one_piece_stays_and_nothing_is_said(self) -> None:
        matte = draw_matte(200, 400, disc(50, (100, 100)))
        product = prepare_product(solid(200, 400, (90, 20, 20)), matte, already_cut_out=True)
        assert arrange_pieces(product, CanvasSpec(400, 400)) == (product, ())


def test_a_shadow_is_drawn_only_when_asked_for_and_never_in_the_cutout() -> None:
    matte = draw_matte(300, 300, disc(100, (150, 150)))
    product = prepare_product(solid(300, 300, (40, 60, 90)), matte, already_cut_out=True)
    (_, plain), (_, shaded) = (place(product, CanvasSpec(400, 400), shadow=shadow) for shadow in (False, True))
    assert np.all(plain.image[plain.alpha == 0] == 255)
    assert np.any(shaded.image[shaded.alpha == 0] < 250)
    np.testing.assert_array_equal(shaded.alpha, plain.alpha)
    np.testing.assert_array_equal(shaded.foreground, plain.foreground)


class TestWhatItIsMadeOf:
    def test_glass_is_seen_through_and_placed_by_its_outline(self) -> None:
        """Its matte is nearly empty; where it ends is what layout and validator go by, whatever was seen through it."""
        glass = vessel(gradient(256, 256, (205, 205, 208), (150, 150, 153)))
        holey = np.where(glass.opaque | (cv2.erode(glass.silhouette, np.ones((9, 9))) < 1), glass.silhouette, 0.1)
        product = prepare_product(glass.photo, np.asarray(holey, np.float32), traits=frozenset({Trait.TRANSPARENT}))
        clear = (glass.silhouette == 1) & ~glass.opaque
        assert product.matte[clear].mean() < 0.5
        assert product.outline[clear].mean() > 0.98
        truth = bounding_box(glass.silhouette)
        assert (product.bbox.height, product.bbox.width) == pytest.approx((truth.height, truth.width), abs=4)
        canvas = CanvasSpec(300, 300)
        layout, packshot = place(product, canvas)
        outline = place_outline(product, layout, canvas, packshot)
        assert bounding_box(outline).height / 300 == pytest.approx(canvas.fill_ratio, abs=0.01)

    def test_an_opaque_products_outline_is_its_matte(self) -> None:
        product = prepare_product(SCENE.photo, GIVEN)
        assert product.outline is product.matte
        assert product.findings == ()

    def test_a_mirror_image_on_the_table_is_cut_off_and_said(self) -> None:
        floor = standing(texture(320, 320, (150, 60, 50), 25, 12, 1), strength=0.4)
        product = prepare_product(floor.photo, floor.with_image)
        assert [finding.code for finding in product.findings] == ["FLOOR_REFLECTION_REMOVED"]
        assert product.bbox.bottom == pytest.approx(bounding_box(floor.matte).bottom, abs=4)
