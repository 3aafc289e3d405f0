import numpy as np
import pytest

from bench.scoring import iou
from services.segmenter.background import rim
from services.segmenter.color_model import palette, separate
from services.segmenter.masks import resize, to_lab
from services.segmenter.superpixels import superpixels
from tests.helpers import scenes
from tests.helpers.composites import Image, solid


def test_a_palette_holds_the_colours_of_the_image() -> None:
    image = solid(20, 40, (200, 30, 40))
    image[:, 20:] = (40, 60, 200)
    lab = to_lab(image)
    found = palette(lab)
    assert len(found.colors) == 2
    assert found.colors[found.indices] == pytest.approx(lab, abs=0.01)


def test_a_palette_is_small_and_its_smoothing_loses_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    found = palette(to_lab(noise))
    assert 1 <= len(found.colors) <= 80
    assert found.smoothing.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert found.histogram(np.ones((80, 80), np.bool_)).sum() == pytest.approx(1, abs=1e-5)
    assert found.histogram(np.zeros((80, 80), np.bool_)).sum() == pytest.approx(1, abs=1e-5)


def test_one_pixel_has_a_palette() -> None:
    assert palette(to_lab(solid(1, 1, (1, 2, 3)))).indices.tolist() == [[0]]


@pytest.mark.parametrize("backdrop", [scenes.GREY, scenes.BLUE, scenes.room()], ids=["grey", "blue", "room"])
def test_colour_models_complete_a_half_known_product(backdrop: Image) -> None:
    scene = scenes.photograph(scenes.DISC, backdrop)
    size = (140, 160)
    lab = to_lab(resize(scene.photo, *size))
    truth = resize(scene.matte, *size) >= 0.5
    known = truth.copy()
    known[:, round(scenes.CENTRE[1] / 3) :] = False
    regions = superpixels(lab, 200)
    start = (0.1 + 0.8 * regions.share_of(known)).astype(np.float32)
    no_prior = np.zeros_like(start)
    product = separate(regions, palette(lab), lab, start, no_prior, regions.share_of(rim(*size)) > 0.25)
    assert product.dtype == np.float32
    assert iou(known, truth) < 0.52
    assert iou(regions.paint(product) >= 0.5, truth) > 0.9
