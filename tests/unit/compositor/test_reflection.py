import numpy as np
import pytest

from services.common.color import ciede2000, srgb_to_lab
from services.compositor.reflection import (
    CAST_LEFT,
    CAST_REMOVED,
    LEFT,
    REMOVED,
    find_floor_reflection,
    remove_cast,
    remove_floor_reflection,
)
from tests.helpers.composites import Image, compose, disc, draw_matte, gradient, solid, stripes, texture
from tests.helpers.floors import CONTACT_ROW, SIDE, standing

PRINTED = texture(SIDE, SIDE, (150, 60, 50), 25, 12, 1)
CHROME = stripes(SIDE, SIDE, (230, 230, 232), (50, 50, 55), 31)
RED = solid(SIDE, SIDE, (160, 50, 45))


class TestFloorReflection:
    @pytest.mark.parametrize("product", [PRINTED, CHROME, RED], ids=["printed", "chrome", "red"])
    @pytest.mark.parametrize("strength", [0.5, 0.25])
    @pytest.mark.parametrize("sag_px", [0, 9])
    def test_the_mirror_image_goes_and_the_product_stays(self, product: Image, strength: float, sag_px: float) -> None:
        floor = standing(product, strength=strength, sag_px=sag_px)
        cut, findings = remove_floor_reflection(floor.photo, floor.with_image)
        assert findings == (REMOVED,)
        mirrored = np.abs(floor.with_image - floor.matte).sum()
        assert np.abs(cut - floor.matte).sum() < 0.06 * mirrored  # up to two rows of its own photo

    @pytest.mark.parametrize("product", [PRINTED, CHROME, RED], ids=["printed", "chrome", "red"])
    def test_a_product_that_is_not_mirrored_is_not_touched(self, product: Image) -> None:
        floor = standing(product, strength=0)
        cut, findings = remove_floor_reflection(floor.photo, floor.matte)
        np.testing.assert_array_equal(cut, floor.matte)
        assert findings == ()

    def test_a_mirror_image_outside_of_the_matte_is_no_matter(self) -> None:
        floor = standing(PRINTED, strength=0.4)
        assert find_floor_reflection(floor.photo, floor.matte) is None

    def test_a_paler_foot_is_left_and_said(self) -> None:
        """One colour, and below it that colour mixed evenly with the table's: a mirror image, or the product's foot."""
        floor = standing(RED, strength=0.5, depth_px=100_000)
        cut, findings = remove_floor_reflection(floor.photo, floor.with_image)
        if findings:
            assert findings == (LEFT,)
        np.testing.assert_array_equal(cut, floor.with_image)

    def test_a_symmetric_product_keeps_its_lower_half(self) -> None:
        """As many rows below the middle as above, mirrored, of the same strength."""
        half = texture(SIDE // 2, SIDE, (70, 90, 150), 25, 10, 4)
        whole = np.vstack([half, half[::-1]])
        scene = compose(
            draw_matte(SIDE, SIDE, disc(100, (SIDE / 2, SIDE / 2)), blur_px=0.6),
            whole,
            gradient(SIDE, SIDE, (200, 200, 200), (180, 180, 180)),
            noise=1,
        )
        assert remove_floor_reflection(scene.photo, scene.matte)[1] == ()

    @pytest.mark.parametrize("shape", [(1, 1), (3, 40), (40, 3), (9, 9)])
    def test_a_product_that_is_tiny_or_the_whole_photo(self, shape: tuple[int, int]) -> None:
        assert remove_floor_reflection(solid(*shape, (90, 90, 90)), np.ones(shape, np.float32))[1] == ()

    def test_the_line_is_found_to_a_hundredth_of_the_product(self) -> None:
        floor = standing(CHROME, strength=0.4)
        found = find_floor_reflection(floor.photo, floor.with_image)
        assert found is not None
        assert found.contact[SIDE // 2] == pytest.approx(CONTACT_ROW, abs=2.5)


MATTE = draw_matte(SIDE, SIDE, disc(110, (160.3, 158.7)), blur_px=0.7)
DEPTH = np.clip((110 - np.hypot(*(np.mgrid[0:SIDE, 0:SIDE] - 159.5))) / 110, 0, 1)[..., None]
BLUE = solid(SIDE, SIDE, (90, 120, 190))


def mirroring(metal: Image, backdrop: Image, *, reach: float, most: float) -> Image:
    """Metal whose rim, `reach` of its radius wide, shows up to `most` of the backdrop."""
    share = most * np.clip(1 - DEPTH / reach, 0, 1)
    mixed: Image = np.rint((1 - share) * metal + share * backdrop).astype(np.uint8)
    return mixed


class TestCast:
    def test_a_grey_metals_rim_loses_the_backdrops_hue(self) -> None:
        metal = stripes(SIDE, SIDE, (220, 220, 222), (120, 120, 122), 60)
        scene = compose(MATTE, mirroring(metal, BLUE, reach=0.12, most=0.5), BLUE, noise=1)
        cleaned, findings = remove_cast(scene.photo, MATTE, scene.foreground)
        assert findings == (CAST_REMOVED,)
        rim = (MATTE == 1) & (DEPTH[..., 0] < 0.04)
        before, after = (np.hypot(*np.moveaxis(srgb_to_lab(c)[rim][:, 1:], -1, 0)) for c in (scene.foreground, cleaned))
        assert after.mean() < 0.4 * before.mean()
        lightness = np.abs(srgb_to_lab(cleaned)[..., 0] - srgb_to_lab(scene.foreground)[..., 0])
        assert lightness[MATTE > 0].max() < 1.5

    def test_what_the_metal_mirrors_inside_is_left_and_said(self) -> None:
        metal = solid(SIDE, SIDE, (190, 190, 192))
        scene = compose(MATTE, mirroring(metal, BLUE, reach=0.5, most=0.6), BLUE, noise=1)
        cleaned, findings = remove_cast(scene.photo, MATTE, scene.foreground)
        assert findings == (CAST_LEFT,)
        deep = DEPTH[..., 0] > 0.2
        np.testing.assert_array_equal(cleaned[deep], scene.foreground[deep])

    @pytest.mark.parametrize(
        ("product", "backdrop"),
        [
            (texture(SIDE, SIDE, (170, 35, 35), 10, 15), solid(SIDE, SIDE, (190, 50, 50))),
            (texture(SIDE, SIDE, (120, 135, 180), 10, 15), BLUE),
            (texture(SIDE, SIDE, (205, 170, 80), 10, 15), solid(SIDE, SIDE, (200, 170, 120))),
        ],
        ids=["red lacquer on red", "bluish on blue", "gold on wood"],
    )
    def test_a_coloured_product_is_not_recoloured(self, product: Image, backdrop: Image) -> None:
        scene = compose(MATTE, product, backdrop, noise=1)
        cleaned, _ = remove_cast(scene.photo, MATTE, scene.foreground)
        np.testing.assert_array_equal(cleaned, scene.foreground)

    def test_a_red_handle_on_chrome_keeps_its_colour_before_red(self) -> None:
        product = stripes(SIDE, SIDE, (220, 220, 222), (90, 90, 92), 50)
        product[:, 200:] = (170, 40, 40)
        scene = compose(MATTE, product, solid(SIDE, SIDE, (180, 90, 90)), noise=1)
        cleaned, _ = remove_cast(scene.photo, MATTE, scene.foreground)
        handle = (MATTE == 1) & (np.arange(SIDE) >= 202)
        difference = ciede2000(srgb_to_lab(cleaned[handle]), srgb_to_lab(scene.foreground[handle]))
        assert difference.max() < 1

    @pytest.mark.parametrize("backdrop", [(255, 255, 255), (170, 170, 172), (30, 30, 30)])
    def test_a_grey_backdrop_leaves_no_cast(self, backdrop: tuple[int, int, int]) -> None:
        scene = compose(MATTE, solid(SIDE, SIDE, (190, 190, 192)), solid(SIDE, SIDE, backdrop), noise=1)
        cleaned, findings = remove_cast(scene.photo, MATTE, scene.foreground)
        assert cleaned is scene.foreground
        assert findings == ()

    def test_a_product_without_any_backdrop(self) -> None:
        photo = solid(30, 40, (120, 130, 160))
        assert remove_cast(photo, np.ones((30, 40), np.float32), photo)[1] == ()
