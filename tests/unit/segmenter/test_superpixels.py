import numpy as np
import pytest

from services.segmenter.masks import resize, to_lab
from services.segmenter.superpixels import Superpixels, gradient_magnitude, superpixels
from tests.helpers import scenes
from tests.helpers.composites import Image, solid


def of(image: Image, count: int = 200) -> Superpixels:
    return superpixels(to_lab(image), count)


def test_regions_partition_the_image() -> None:
    image = scenes.photograph(scenes.DISC, scenes.room()).photo[::3, ::3]
    regions = of(image)
    assert regions.labels.shape == image.shape[:2]
    assert np.array_equal(np.unique(regions.labels), np.arange(len(regions.sizes)))
    assert np.array_equal(np.bincount(regions.labels.ravel()), regions.sizes)
    assert 150 <= len(regions.sizes) <= 250


def test_regions_follow_edges() -> None:
    """Fewer pixels are on the wrong side of the outline than with squares of the same size."""
    scene = scenes.photograph(scenes.DISC, scenes.GREY)
    size = (140, 160)
    truth = resize(scene.matte, *size) >= 0.5
    regions = of(resize(scene.photo, *size))
    share = regions.share_of(truth)
    wrong_px = np.minimum(share, 1 - share) @ regions.sizes
    rows, cols = np.indices(size) // 11
    square = np.bincount((rows * 20 + cols).ravel(), truth.ravel())
    wrong_px_of_squares = np.minimum(square, 121 - square).clip(0).sum()
    assert wrong_px < 0.6 * wrong_px_of_squares


def test_neighbours_are_symmetric_and_touch() -> None:
    neighbours = of(scenes.room()[::3, ::3]).neighbours
    assert np.array_equal(neighbours, neighbours.T)
    assert not neighbours.diagonal().any()
    assert neighbours.any(axis=0).all()


def test_colours_and_places_are_means() -> None:
    image = solid(60, 60, (200, 30, 40))
    regions = of(image, 9)
    assert regions.colors == pytest.approx(np.tile(to_lab(image)[0, 0], (len(regions.sizes), 1)), abs=0.01)
    assert regions.sizes @ regions.positions / 3600 == pytest.approx(np.array([0.5, 0.5]), abs=1e-4)


def test_paint_gives_every_pixel_its_region_s_value() -> None:
    regions = of(scenes.room()[::3, ::3])
    painted = regions.paint(np.arange(len(regions.sizes), dtype=np.float32))
    assert np.array_equal(painted, regions.labels)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 50)])
def test_tiny_images_have_regions(size: tuple[int, int]) -> None:
    assert of(solid(*size, (1, 2, 3))).sizes.sum() == size[0] * size[1]


def test_the_gradient_of_a_ramp_is_its_slope() -> None:
    lab = np.zeros((20, 40, 3), np.float32)
    lab[..., 0] = np.arange(40) * 2
    assert gradient_magnitude(lab)[5:-5, 5:-5] == pytest.approx(2, abs=1e-3)
