import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.confidence import HARD_TRAITS, Confidence, Factor, combine, of_packshot, of_segmentation

shares = st.floats(0, 1)
trait_sets = st.sets(st.sampled_from([*HARD_TRAITS, "multi_piece"]))

SURE: dict[str, Any] = {
    "expected_iou": 1.0,
    "consistency": 1.0,
    "soft_share": 0.01,
    "background": "scene",
    "proposals": ["alpha"],
    "touches_frame": False,
    "traits": (),
}


def confidence(*, halo: float | None = 0.0, upscale_factor: float = 1.0, **found: Any) -> Confidence:
    return combine((*of_segmentation(**(SURE | found)), *of_packshot(halo=halo, upscale_factor=upscale_factor)))


def test_a_perfect_photo_is_certain() -> None:
    assert confidence().value == pytest.approx(1.0)


def test_every_factor_says_what_it_is() -> None:
    factors = {factor.name: factor.explanation for factor in confidence(traits={"hairy"}, upscale_factor=2.5).factors}
    assert factors["difficulty"] == "hard to cut out: hairy"
    assert factors["resolution"] == "the product was enlarged 2.50 times"
    assert set(factors) == {"overlap", "consistency", "evidence", "edge_certainty", "completeness", "difficulty"} | {
        "clean_edge",
        "resolution",
    }


@pytest.mark.parametrize(
    "worse",
    [
        {"expected_iou": 0.7},
        {"consistency": 0.5},
        {"soft_share": 0.03},
        {"proposals": ["classical"]},
        {"touches_frame": True},
        {"traits": {"transparent"}},
        {"halo": 15.0},
        {"halo": None},
        {"upscale_factor": 3.0},
    ],
    ids=str,
)
def test_each_doubt_alone_lowers_it(worse: dict[str, Any]) -> None:
    assert confidence(**worse).value < 0.98


def test_one_hopeless_factor_pulls_the_whole_down() -> None:
    assert confidence(expected_iou=0.0).value < 0.15


def test_several_hard_traits_count_as_the_hardest() -> None:
    assert confidence(traits={"transparent", "hairy"}).value == confidence(traits={"transparent"}).value


def test_a_value_that_is_not_a_number_is_a_doubt() -> None:
    assert confidence(expected_iou=math.nan).value == pytest.approx(confidence(expected_iou=0.0).value)


@given(shares, st.floats(0, 5), st.booleans(), trait_sets, st.none() | st.floats(0, 200), st.floats(0.01, 100))
def test_it_is_always_a_share(
    expected: float, soft: float, touches: bool, traits: set[str], halo: float | None, upscale: float
) -> None:
    value = confidence(
        expected_iou=expected, soft_share=soft, touches_frame=touches, traits=traits, halo=halo, upscale_factor=upscale
    ).value
    assert 0 < value <= 1


@given(shares, shares)
def test_a_larger_promised_overlap_never_makes_it_less_sure(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert confidence(expected_iou=low).value <= confidence(expected_iou=high).value


def test_colour_alone_in_a_room_is_never_sure_enough_to_publish() -> None:
    assert confidence(proposals=["classical"], background="scene").value < 0.8
    assert confidence(proposals=["classical", "u2netp"], background="scene").value > 0.95


@given(st.sampled_from(["halo", "upscale_factor", "soft_share"]), st.floats(0, 100), st.floats(0, 100))
def test_more_halo_enlargement_or_softness_never_makes_it_surer(name: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert confidence(**{name: high}).value <= confidence(**{name: low}).value


@given(st.lists(st.builds(Factor, st.just("f"), shares, st.floats(0.01, 1), st.just("")), min_size=1))
def test_the_mean_lies_between_its_factors(factors: list[Factor]) -> None:
    values = [max(factor.value, 1e-4) for factor in factors]
    assert min(values) - 1e-9 <= combine(tuple(factors)).value <= max(values) + 1e-9
