"""What SAM is asked about products whose mattes are known."""

import numpy as np
import pytest

from services.segmenter.proposal import Point
from services.segmenter.sam.letterbox import Letterbox
from services.segmenter.sam.prompts import (
    BACKGROUND,
    BOX_BOTTOM_RIGHT,
    BOX_TOP_LEFT,
    PRODUCT,
    Prompt,
    make_prompts,
    mask_logits,
    spread_points,
)
from tests.helpers.composites import Draw, Matte, disc, draw_matte, rectangle, ring

HEIGHT, WIDTH = 768, 1024
LETTERBOX = Letterbox.of(HEIGHT, WIDTH, 1024)


def ask(*shapes: Draw) -> tuple[Prompt, ...]:
    return make_prompts(LETTERBOX.to_grid(matte_of(*shapes)), LETTERBOX)


def matte_of(*shapes: Draw) -> Matte:
    matte = np.zeros((HEIGHT, WIDTH), np.float32)
    for shape in shapes:
        matte = np.maximum(matte, draw_matte(HEIGHT, WIDTH, shape))
    return matte


def points(prompt: Prompt, label: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(prompt.points[prompt.labels == label])


def distances(places: np.ndarray[tuple[int, ...], np.dtype[np.float32]], to: tuple[float, float]) -> list[float]:
    return [float(distance) for distance in np.hypot(places[:, 0] - to[0], places[:, 1] - to[1])]


def test_points_lie_inside_and_beside_the_product() -> None:
    (prompt,) = ask(disc(200, (380, 500)))
    inside, beside = points(prompt, PRODUCT), points(prompt, BACKGROUND)
    assert len(inside) == len(beside) == 5
    assert max(distances(inside, (380, 500))) < 190
    assert distances(inside[:1], (380, 500))[0] < 6  # the deepest comes first
    assert min(distances(beside, (380, 500))) > 205
    assert max(distances(beside, (380, 500))) < 500  # near enough to say something about this product


def test_points_are_spread() -> None:
    (prompt,) = ask(rectangle(300, 100, 400, 900))
    cols = np.sort(points(prompt, PRODUCT)[:, 1])
    assert np.diff(cols).min() > 60
    assert cols[-1] - cols[0] > 500


def test_the_box_holds_the_product_with_a_margin() -> None:
    (prompt,) = ask(rectangle(200, 300, 600, 500))
    assert points(prompt, BOX_TOP_LEFT)[0] == pytest.approx((200 - 20, 300 - 20), abs=4)
    assert points(prompt, BOX_BOTTOM_RIGHT)[0] == pytest.approx((600 + 20, 500 + 20), abs=4)
    assert prompt.labels[-2:].tolist() == [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]


def test_a_hole_gets_a_background_point() -> None:
    (prompt,) = ask(ring(260, 150, (384, 512)))
    assert min(distances(points(prompt, BACKGROUND), (384, 512))) < 8
    assert min(distances(points(prompt, PRODUCT), (384, 512))) > 150


def test_every_piece_is_asked_about_largest_first() -> None:
    small, large = ask(disc(60, (384, 850)), disc(150, (384, 300)))[::-1]
    assert large.piece.sum() > small.piece.sum()
    assert max(distances(points(small, PRODUCT), (384, 850))) < 60
    assert max(distances(points(large, PRODUCT), (384, 300))) < 150
    assert small.piece[96, 75] == 0 < large.piece[96, 75]
    assert small.elsewhere[96, 75]
    assert not small.elsewhere[96, 212]


def test_no_background_point_lies_on_another_piece() -> None:
    for prompt in ask(rectangle(300, 200, 500, 480), rectangle(300, 520, 500, 800)):
        for row, col in points(prompt, BACKGROUND):
            assert not (300 <= row <= 500 and (200 <= col <= 480 or 520 <= col <= 800))


def test_crumbs_are_not_asked_about() -> None:
    assert len(ask(disc(200, (380, 400)), disc(12, (380, 900)))) == 1


def test_a_product_that_leaves_the_frame_is_asked_about_inside_the_image() -> None:
    (prompt,) = ask(rectangle(300, 600, HEIGHT, WIDTH))
    assert (prompt.points >= 0).all()
    assert points(prompt, BOX_BOTTOM_RIGHT)[0].tolist() == [HEIGHT - 1, WIDTH - 1]
    assert (prompt.points[:, 0] < HEIGHT).all()


def test_a_product_that_fills_the_frame_has_no_background_point() -> None:
    (prompt,) = ask(rectangle(0, 0, HEIGHT, WIDTH))
    assert BACKGROUND not in prompt.labels
    assert points(prompt, BOX_TOP_LEFT)[0].tolist() == [0, 0]


def test_a_thread_still_gets_its_one_point() -> None:
    (prompt,) = ask(rectangle(380, 100, 386, 900))
    (point,) = points(prompt, PRODUCT)
    assert point[0] == pytest.approx(383, abs=4)


def test_where_nothing_is_product_nothing_is_asked() -> None:
    assert make_prompts(np.full((256, 256), 0.49, np.float32), LETTERBOX) == ()


def test_an_undecided_product_gets_points_all_the_same() -> None:
    matte = matte_of(disc(200, (380, 500))) * np.float32(0.6)
    (prompt,) = make_prompts(LETTERBOX.to_grid(matte), LETTERBOX)
    assert PRODUCT in prompt.labels


def test_the_mask_prompt_is_the_log_odds_of_the_matte() -> None:
    logits = mask_logits(np.array([[0, 0.5, 0.731059, 1]], np.float32))
    assert logits.dtype == np.float32
    assert logits[0] == pytest.approx([-8, 0, 1, 8], abs=1e-4)


def test_spread_points_of_nothing_are_none() -> None:
    assert spread_points(np.zeros((9, 9), bool), 3, always_one=True).shape == (0, 2)


def test_one_pixel_has_a_point_only_when_one_must_be() -> None:
    region = np.zeros((9, 9), bool)
    region[4, 6] = True
    assert spread_points(region, 3, always_one=True).tolist() == [[4, 6]]
    assert spread_points(region, 3, always_one=False).tolist() == []


def test_a_person_s_points_come_before_sam_s_own() -> None:
    matte = LETTERBOX.to_grid(matte_of(disc(200, (380, 300)), disc(80, (380, 800))))
    told = [LETTERBOX.point_to_grid(Point(*at), (HEIGHT, WIDTH)) for at in ((300, 250, True), (380, 800, True))]
    told.append(LETTERBOX.point_to_grid(Point(380, 505, False), (HEIGHT, WIDTH)))
    large, small = make_prompts(matte, LETTERBOX, told)
    assert distances(points(large, PRODUCT)[:1], (300, 250))[0] < 4
    assert distances(points(large, BACKGROUND)[:1], (380, 505))[0] < 4
    assert distances(points(small, PRODUCT)[:1], (380, 800))[0] < 4
    assert min(distances(points(small, BACKGROUND), (380, 505))) > 100  # too far from it to say anything
