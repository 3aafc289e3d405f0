import cv2
import numpy as np
import pytest

from services.segmenter.gaps import mend_gaps
from tests.helpers.composites import Image, Matte, solid
from tests.helpers.scenes import GREY, HEIGHT, PATTERN, SWEEP, WIDTH

DARK = (40, 42, 46)


def two_boxes(cord_px: int, *, color: tuple[int, int, int] = DARK, backdrop: Image = GREY) -> tuple[Image, Matte]:
    """Two dark boxes 30 px apart and a cord between them; and a matte that has lost the cord's middle."""
    truth = np.zeros((HEIGHT, WIDTH), np.float32)
    truth[150:270, 90:220] = truth[150:270, 250:380] = 1
    cord = np.zeros_like(truth)
    cord[210 : 210 + cord_px, 220:250] = 1
    image = np.where(truth[..., None] > 0, solid(HEIGHT, WIDTH, DARK), backdrop)
    image = np.where(cord[..., None] > 0, solid(HEIGHT, WIDTH, color), image)
    noise = np.random.default_rng(0).normal(0, 1.2, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.6) + noise, 0, 255).astype(np.uint8), truth


def is_joined(matte: Matte) -> bool:
    return bool(cv2.connectedComponents((matte >= 0.5).astype(np.uint8))[0] == 2)


@pytest.mark.parametrize("backdrop", [GREY, SWEEP], ids=["grey", "sweep"])
def test_a_lost_stretch_of_a_cord_is_found_again(backdrop: Image) -> None:
    image, matte = two_boxes(6, backdrop=backdrop)
    assert not is_joined(matte)
    mended = mend_gaps(image, matte)
    assert is_joined(mended)
    assert (mended - matte).sum() < 1.5 * 6 * 30


def test_two_pieces_with_nothing_between_stay_apart() -> None:
    for backdrop in (GREY, SWEEP, PATTERN):
        image, matte = two_boxes(0, backdrop=backdrop)
        assert mend_gaps(image, matte) is matte


def test_a_thing_of_another_colour_or_a_broad_one_joins_nothing() -> None:
    for image, matte in (two_boxes(6, color=(180, 40, 40)), two_boxes(40)):
        assert mend_gaps(image, matte) is matte


def test_a_shadow_between_two_pieces_joins_nothing() -> None:
    image, matte = two_boxes(6, color=(140, 142, 146))
    assert mend_gaps(image, matte) is matte


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_and_a_full_matte_stay_what_they_are(value: float) -> None:
    matte = np.full((30, 30), value, np.float32)
    assert mend_gaps(GREY, matte) is matte


def test_one_pixel() -> None:
    matte = np.ones((1, 1), np.float32)
    assert mend_gaps(np.zeros((1, 1, 3), np.uint8), matte) is matte
