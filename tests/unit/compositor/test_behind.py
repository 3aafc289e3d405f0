"""A tinted pane before a backdrop that is known; what is found behind it is held against that."""

import numpy as np
from numpy.typing import NDArray

from services.compositor.behind import as_far_as_followed, as_shown

Float = NDArray[np.float32]

SIDE = 120
CLEAR = np.zeros((SIDE, SIDE), bool)
CLEAR[10:110, 20:100] = True
GREY = np.full((SIDE, SIDE, 3), 0.4, np.float32)
RED, CLEARER = np.array((0.6, 0.1, 0.1), np.float32), np.array((0.85, 0.85, 0.85), np.float32)
UNEVEN = GREY * np.linspace(0.5, 1.5, SIDE, dtype=np.float32)[None, :, None]


def seen(backdrop: Float, tint: float | Float, shown: Float | None = None) -> Float:
    return np.where(CLEAR[..., None], tint * (backdrop if shown is None else shown), backdrop).astype(np.float32)


def test_a_backdrop_that_the_product_repeats_stays() -> None:
    stripes = GREY * (1 + 0.6 * np.sin(np.arange(SIDE) / 9))[:, None].astype(np.float32)
    np.testing.assert_allclose(as_far_as_followed(stripes, seen(stripes, 0.5), CLEAR), stripes, rtol=0.01)


def test_a_backdrop_that_the_product_does_not_repeat_is_taken_for_even() -> None:
    across = GREY * (1 + 0.6 * np.sin(np.arange(SIDE) / 9))[:, None].astype(np.float32)
    found = as_far_as_followed(across, seen(GREY, 0.5), CLEAR)[CLEAR]
    assert found.std() < 0.2 * across[CLEAR].std()


def test_a_backdrop_that_changes_from_top_to_foot_alone_stays() -> None:
    sweep = GREY * np.linspace(0.5, 1.5, SIDE, dtype=np.float32)[:, None, None]
    np.testing.assert_allclose(as_far_as_followed(sweep, seen(GREY, 0.5), CLEAR), sweep, rtol=0.01)


def test_before_an_even_backdrop_all_that_differs_is_tint() -> None:
    half = np.where(np.arange(SIDE)[:, None, None] < SIDE // 2, RED, CLEARER).astype(np.float32)
    found = as_shown(GREY, seen(GREY, half), CLEAR, ~CLEAR)
    np.testing.assert_allclose(found, GREY, rtol=0.02)


def test_a_backdrop_that_glass_turns_round_is_found_behind_it() -> None:
    turned = np.ascontiguousarray(UNEVEN[:, ::-1])
    found = as_shown(UNEVEN, seen(UNEVEN, 0.8, turned), CLEAR, ~CLEAR)
    before, after = (np.abs(np.log(part / turned))[CLEAR].mean() for part in (UNEVEN, found))
    assert after < 0.6 * before


def test_before_an_uneven_backdrop_another_tint_is_still_another_tint() -> None:
    half = np.where(np.arange(SIDE)[:, None, None] < SIDE // 2, RED, CLEARER).astype(np.float32)
    light = seen(UNEVEN, half)
    ratio = light / as_shown(UNEVEN, light, CLEAR, ~CLEAR)
    np.testing.assert_allclose(np.median(ratio[20:50, 30:90], axis=(0, 1)), RED, atol=0.06)
    np.testing.assert_allclose(np.median(ratio[70:100, 30:90], axis=(0, 1)), CLEARER, atol=0.12)


def test_where_no_backdrop_is_seen_it_stays() -> None:
    nowhere = np.zeros_like(CLEAR)
    np.testing.assert_array_equal(as_shown(GREY, seen(GREY, 0.5), CLEAR, nowhere), GREY)
