import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.validator.measurements.border import find_border


def canvas(side: int = 300) -> NDArray[np.uint8]:
    image = np.full((side, side, 3), 255, np.uint8)
    cv2.circle(image, (side // 2, side // 2), side // 3, (40, 80, 160), -1)
    return image


@pytest.mark.parametrize("thickness_px", [1, 2, 4])
@pytest.mark.parametrize("inset_px", [0, 5])
def test_a_line_around_the_canvas_is_found(thickness_px: int, inset_px: int) -> None:
    image = canvas()
    outer, inner = inset_px, inset_px + thickness_px
    framed = image.copy()
    framed[outer : 300 - outer, outer : 300 - outer] = (0, 0, 0)
    framed[inner : 300 - inner, inner : 300 - inner] = image[inner : 300 - inner, inner : 300 - inner]
    border = find_border(framed)
    assert border.share == pytest.approx(1)
    assert all(inner <= inset <= inner + 1 for inset in border.inset)


def test_a_line_on_one_side_of_an_oblong_is_its_share_of_the_perimeter() -> None:
    image = np.full((100, 300, 3), 255, np.uint8)
    image[:2] = (200, 0, 0)
    assert find_border(image).share == pytest.approx(300 / 800)


def test_a_line_survives_jpeg() -> None:
    image = canvas()
    image[:, 2:4] = (120, 120, 120)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])
    decoded: NDArray[np.uint8] = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    assert find_border(decoded).share == pytest.approx(0.25, abs=0.01)


def test_no_line_no_border() -> None:
    assert find_border(canvas()).share == 0
    assert find_border(canvas()).inset == (0, 0, 0, 0)


@pytest.mark.parametrize("level", [0, 128, 200, 255])
def test_a_plain_image_has_no_border(level: int) -> None:
    assert find_border(np.full((200, 200, 3), level, np.uint8)).share == 0


def test_a_table_top_at_the_lower_edge_is_no_border() -> None:
    image = canvas()
    image[270:] = (90, 60, 30)
    assert find_border(image).share == 0


def test_a_product_across_the_edge_is_no_border() -> None:
    image = canvas()
    image[:, :8][100:200] = 0
    assert find_border(image).share == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (4, 500), (500, 4)])
def test_tiny_images_are_answered(shape: tuple[int, int]) -> None:
    assert find_border(np.zeros((*shape, 3), np.uint8)).share == 0
