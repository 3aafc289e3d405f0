import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.graph_cut import cut_along, grab_cut


def disc(side: int, radius: float, centre: tuple[float, float]) -> NDArray[np.bool_]:
    rows, cols = np.mgrid[0:side, 0:side]
    return np.asarray(np.hypot(rows - centre[0], cols - centre[1]) <= radius)


def red_disc_on_grey(side: int = 300) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    truth = disc(side, 80, (150, 150))
    image = np.where(truth[..., None], np.array([200, 40, 40]), np.array([150, 150, 150]))
    noise = np.random.default_rng(0).normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), truth


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_an_outline_that_is_a_little_off_comes_to_the_edge() -> None:
    image, truth = red_disc_on_grey()
    off = cv2.GaussianBlur(disc(300, 77, (153, 152)).astype(np.float32), (0, 0), 3)
    assert overlap(off >= 0.5, truth) < 0.94
    assert overlap(cut_along(image, off) >= 0.5, truth) > 0.98


def test_a_small_matte_gets_the_images_detail() -> None:
    image, truth = red_disc_on_grey()
    small = cv2.resize(truth.astype(np.float32), (40, 40), interpolation=cv2.INTER_AREA)
    found = cut_along(image, small)
    assert found.shape == (300, 300)
    assert overlap(found >= 0.5, truth) > 0.98


def test_what_the_matte_leaves_open_is_decided_by_colour() -> None:
    image, truth = red_disc_on_grey()
    left_half = np.arange(300)[None, :] < 150
    open_on_the_right = np.where(truth, np.where(left_half, 1.0, 0.45), 0.0).astype(np.float32)
    assert overlap(cut_along(image, open_on_the_right) >= 0.5, truth) > 0.95


def test_what_is_decided_away_from_the_outline_stays() -> None:
    """A grey patch amid the red disc is the product's, whatever its colour."""
    image, truth = red_disc_on_grey()
    image[140:160, 140:160] = 150
    assert (cut_along(image, truth.astype(np.float32))[145:155, 145:155] == 1.0).all()


def test_an_empty_and_a_full_matte_stay_what_they_are() -> None:
    image, _ = red_disc_on_grey()
    for value in (0.0, 1.0):
        assert (cut_along(image, np.full((30, 30), value, np.float32)) == value).all()


def test_one_pixel() -> None:
    matte = np.ones((1, 1), np.float32)
    assert (cut_along(np.zeros((1, 1, 3), np.uint8), matte) == 1.0).all()


def test_the_same_photo_gives_the_same_answer() -> None:
    image, truth = red_disc_on_grey()
    matte = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 8)
    assert np.array_equal(cut_along(image, matte), cut_along(image, matte))


def test_too_few_seeds_are_the_answer() -> None:
    seeds = np.full((5, 5), cv2.GC_BGD, np.uint8)
    seeds[2, 2] = cv2.GC_FGD
    assert grab_cut(np.zeros((5, 5, 3), np.uint8), seeds, 1).sum() == 1
