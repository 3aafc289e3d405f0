"""The product with transparency, where it is in the photo."""

from io import BytesIO

import numpy as np
from PIL import Image

from packshot.client import PackshotClient, Region
from tests.helpers import product_photos


def pixels(png: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.asarray(Image.open(BytesIO(png)))


def test_the_cutout_has_the_photos_size_and_the_products_matte(client: PackshotClient) -> None:
    cutout = pixels(client.cut_out(product_photos.mug_jpeg()).png)

    truth = product_photos.mug_matte()
    found, true = cutout[..., 3] >= 128, truth >= 0.5
    assert cutout.shape == (*truth.shape, 4)
    assert (found & true).sum() / (found | true).sum() > 0.98
    assert not cutout[320, 470, 3], "the handle's hole is open"
    assert not cutout[~np.asarray(cutout[..., 3], bool)].any()


def test_the_background_can_be_kept_under_the_matte(client: PackshotClient) -> None:
    photo = product_photos.mug_jpeg()
    cutout = pixels(client.cut_out(photo, keep_background=True).png)

    assert (cutout[..., :3] == np.asarray(Image.open(BytesIO(photo)))).all()
    assert cutout[..., 3].min() == 0


def test_outside_the_region_of_interest_is_background(client: PackshotClient) -> None:
    cutout = pixels(client.cut_out(product_photos.mug_jpeg(), region_of_interest=Region(100, 100, 300, 440)).png)

    # The edge's refinement may reach a few pixels over the region's border.
    assert not cutout[:, 408:, 3].any()
    assert cutout[300, 300, 3] == 255
