"""The background's description, on photos whose background is known."""

import numpy as np
import pytest

from services.segmenter.background import Background, BackgroundKind, describe_background, rim
from services.segmenter.masks import resize, scale_roi, to_lab, working_size
from services.segmenter.proposal import Roi
from tests.helpers import scenes
from tests.helpers.composites import Image, rectangle, solid


def described(image: Image, roi: Roi | None = None) -> Background:
    height, width = image.shape[:2]
    size = working_size(height, width, 192)
    return describe_background(to_lab(resize(image, *size)), rim(*size, scale_roi(roi, (height, width), size)))


@pytest.mark.parametrize(
    ("backdrop", "kind"),
    [
        (scenes.WHITE, BackgroundKind.SOLID),
        (scenes.GREY, BackgroundKind.SOLID),
        (scenes.BLUE, BackgroundKind.SOLID),
        (scenes.SWEEP, BackgroundKind.GRADIENT),
        (scenes.PATTERN, BackgroundKind.PATTERN),
        (scenes.room(), BackgroundKind.SCENE),
    ],
    ids=["white", "grey", "blue", "sweep", "stripes", "room"],
)
def test_the_kind_is_recognised(backdrop: Image, kind: BackgroundKind) -> None:
    background = described(scenes.photograph(scenes.DISC, backdrop).photo)
    assert background.kind is kind
    assert background.is_plain == (kind in (BackgroundKind.SOLID, BackgroundKind.GRADIENT))
    assert background.is_clean == background.is_plain


@pytest.mark.parametrize("color", [(255, 255, 255), (182, 184, 188), (120, 160, 205), (30, 28, 26)])
def test_the_colour_of_a_solid_backdrop_is_found(color: tuple[int, int, int]) -> None:
    backdrop = solid(scenes.HEIGHT, scenes.WIDTH, color)
    found = described(scenes.photograph(scenes.DISC, backdrop, color=(190, 150, 60)).photo).color_rgb
    assert np.abs(np.subtract(found, color)).max() <= 3


def test_the_field_follows_a_gradient_behind_the_product() -> None:
    background = described(scenes.photograph(scenes.DISC, scenes.SWEEP).photo)
    error = np.linalg.norm(background.field(scenes.HEIGHT, scenes.WIDTH) - to_lab(scenes.SWEEP), axis=2)
    assert error.max() < 1.5


def test_a_product_on_the_rim_does_not_bend_the_field() -> None:
    touching = scenes.photograph(rectangle(200, 0, 420, 240), scenes.GREY)
    background = described(touching.photo)
    assert background.kind is BackgroundKind.SOLID
    assert np.abs(np.subtract(background.color_rgb, scenes.GREY[0, 0])).max() <= 3
    assert background.rim_share < 0.8


def test_noise_is_measured() -> None:
    quiet = described(scenes.photograph(scenes.DISC, scenes.GREY, noise=0).photo)
    loud = described(scenes.photograph(scenes.DISC, scenes.GREY, noise=12).photo)
    assert quiet.noise == pytest.approx(0.35)
    assert loud.noise > 2 * quiet.noise


def test_with_a_region_of_interest_all_outside_it_is_rim() -> None:
    mask = rim(100, 80, (20, 30, 60, 70))
    assert not mask[20:60, 30:70].any()
    assert mask[:20].all()
    assert mask[60:].all()
    assert mask[:, :30].all()
    assert mask[:, 70:].all()


def test_a_region_of_the_whole_frame_leaves_a_rim() -> None:
    mask = rim(50, 50, (0, 0, 50, 50))
    assert mask.sum() == 4 * 49


def test_one_pixel_has_a_background() -> None:
    background = describe_background(to_lab(np.full((1, 1, 3), 200, np.uint8)), rim(1, 1))
    assert background.kind is BackgroundKind.SOLID
    assert background.color_rgb == (200, 200, 200)
