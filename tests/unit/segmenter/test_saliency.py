import pytest

from services.segmenter.background import rim
from services.segmenter.masks import grow, resize, to_lab
from services.segmenter.saliency import saliency
from services.segmenter.superpixels import superpixels
from tests.helpers import scenes
from tests.helpers.composites import Image, Matte, solid

SIZE = (140, 160)


def salient(image: Image) -> Matte:
    regions = superpixels(to_lab(image), 200)
    return regions.paint(saliency(regions, rim(*image.shape[:2])))


@pytest.mark.parametrize(
    ("backdrop", "least"),
    [(scenes.GREY, 0.75), (scenes.SWEEP, 0.75), (scenes.PATTERN, 0.4)],
    ids=["grey", "sweep", "stripes"],
)
def test_the_product_stands_out(backdrop: Image, least: float) -> None:
    scene = scenes.photograph(scenes.DISC, backdrop)
    values = salient(resize(scene.photo, *SIZE))
    product = resize(scene.matte, *SIZE) >= 0.5
    background = ~grow(product, 3)
    assert values[product].mean() > least
    assert values[background].mean() < 0.06
    assert 0 <= values.min() <= values.max() <= 1


def test_in_an_even_image_nothing_does() -> None:
    assert not salient(solid(80, 100, (90, 100, 110))).any()
