"""The rules of fusion, in the order the module gives them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmenter.background import Background, BackgroundKind
from services.segmenter.fusion import fuse
from services.segmenter.proposal import Proposal
from tests.helpers.composites import Matte

NO_FIELD = np.zeros((6, 3), np.float32)
CLEAN = Background(BackgroundKind.SOLID, (255, 255, 255), 0.4, 1.0, NO_FIELD)
NOISY = Background(BackgroundKind.SOLID, (255, 255, 255), 1.2, 1.0, NO_FIELD)
SCENE = Background(BackgroundKind.SCENE, (120, 110, 90), 9.0, 0.2, NO_FIELD)


def box(top: int, left: int, bottom: int, right: int) -> Matte:
    matte = np.zeros((60, 80), np.float32)
    matte[top:bottom, left:right] = 1
    return matte


WHOLE = box(10, 20, 50, 60)
HALF = box(10, 20, 50, 40)
ELSEWHERE = box(0, 0, 9, 19)
EMPTY = box(0, 0, 0, 0)
WITH_HOLE = WHOLE - box(25, 35, 33, 43)


def test_nothing_to_fuse_is_an_error() -> None:
    with pytest.raises(ValueError, match="configure at least one proposer"):
        fuse([], CLEAN)


@pytest.mark.parametrize("name", ["classical", "u2netp"])
def test_rule_1_a_single_proposal_is_taken_as_it_is(name: str) -> None:
    fused = fuse([Proposal(name, WHOLE, 0.83)], SCENE)
    assert np.array_equal(fused.matte, WHOLE)
    assert fused.agreement == 0.83
    assert fused.weights == (1.0,)


def test_rule_1_a_single_empty_proposal_has_nothing_to_agree_on() -> None:
    assert fuse([Proposal("classical", EMPTY, 0.83)], SCENE).agreement == 0


def test_rule_2_learned_proposals_are_averaged_by_confidence() -> None:
    fused = fuse([Proposal("u2netp", WHOLE, 0.9), Proposal("birefnet", HALF, 0.3)], SCENE)
    assert fused.weights == pytest.approx((0.75, 0.25))
    assert fused.matte == pytest.approx(0.75 * WHOLE + 0.25 * HALF)
    assert fused.agreement == pytest.approx(0.5)


def test_rule_2_their_mean_meets_the_classical_one() -> None:
    proposals = [Proposal("u2netp", WHOLE, 0.9), Proposal("classical", ELSEWHERE, 0.9), Proposal("u2net", HALF, 0.9)]
    fused = fuse(proposals, SCENE)
    assert fused.weights == pytest.approx((0.5, 0, 0.5))
    assert fused.matte == pytest.approx(0.5 * WHOLE + 0.5 * HALF)
    assert fused.agreement == pytest.approx(0.5 / 3)


def test_rule_3_a_learned_proposal_that_contradicts_itself_gives_way() -> None:
    fused = fuse([Proposal("classical", WHOLE, 0.9), Proposal("u2netp", ELSEWHERE, 0.5)], NOISY)
    assert np.array_equal(fused.matte, WHOLE)
    assert fused.weights == (1.0, 0.0)
    assert fused.agreement == 0


def test_rule_3_before_a_scene_only_where_it_sees_nothing() -> None:
    for seen, used in ((ELSEWHERE, ELSEWHERE), (EMPTY, WHOLE)):
        fused = fuse([Proposal("classical", WHOLE, 0.9), Proposal("u2netp", seen, 0.5)], SCENE)
        assert np.array_equal(fused.matte, used)


def test_rule_3_not_to_a_classical_one_that_contradicts_itself_too() -> None:
    fused = fuse([Proposal("classical", WHOLE, 0.6), Proposal("u2netp", ELSEWHERE, 0.5)], SCENE)
    assert np.array_equal(fused.matte, ELSEWHERE)


def test_rule_4_on_a_clean_backdrop_the_classical_one_completes_the_product() -> None:
    fused = fuse([Proposal("classical", WHOLE, 0.9), Proposal("u2netp", HALF, 0.9)], CLEAN)
    assert np.array_equal(fused.matte, WHOLE)
    assert fused.weights == (1.0, 0.0)
    assert fused.agreement == pytest.approx(0.5)


@pytest.mark.parametrize("background", [NOISY, SCENE], ids=["noisy", "scene"])
def test_rule_4_holds_on_clean_backdrops_only(background: Background) -> None:
    fused = fuse([Proposal("classical", WHOLE, 0.9), Proposal("u2netp", HALF, 0.9)], background)
    assert np.array_equal(fused.matte, HALF)
    assert fused.weights == (0.0, 1.0)


def test_rule_5_otherwise_the_learned_proposal_decides() -> None:
    fused = fuse([Proposal("classical", HALF, 0.9), Proposal("u2netp", WHOLE, 0.9)], CLEAN)
    assert np.array_equal(fused.matte, WHOLE)
    assert fused.weights == (0.0, 1.0)


def test_rule_5_holes_that_a_clean_field_sees_through_are_opened() -> None:
    fused = fuse([Proposal("classical", WITH_HOLE, 0.9), Proposal("u2netp", WHOLE, 0.9)], CLEAN)
    assert np.array_equal(fused.matte, WITH_HOLE)
    assert fused.weights[0] == pytest.approx(64 / WHOLE.size)
    in_a_scene = fuse([Proposal("classical", WITH_HOLE, 0.9), Proposal("u2netp", WHOLE, 0.9)], SCENE)
    assert np.array_equal(in_a_scene.matte, WHOLE)


def test_two_empty_proposals_do_not_count_as_agreement() -> None:
    assert fuse([Proposal("classical", EMPTY, 0.0), Proposal("u2netp", EMPTY, 0.0)], SCENE).agreement == 0


def test_proposals_agree_no_more_than_the_learned_one_does_with_itself() -> None:
    fused = fuse([Proposal("classical", WHOLE, 0.9), Proposal("u2netp", WHOLE, 0.75)], SCENE)
    assert fused.agreement == 0.75


def test_proposals_of_different_sizes_are_fused_at_the_largest() -> None:
    small = np.ascontiguousarray(WHOLE[::2, ::2])
    fused = fuse([Proposal("classical", small, 0.9), Proposal("u2netp", WHOLE, 0.99)], SCENE)
    assert fused.matte.shape == WHOLE.shape
    assert fused.agreement > 0.9


cuts = st.tuples(st.integers(0, 30), st.integers(0, 40), st.integers(30, 60), st.integers(40, 80))
unit = st.floats(0, 1, width=32)


@given(
    learned=st.lists(st.tuples(cuts, unit, unit), max_size=3),
    classical=st.tuples(cuts, unit, unit),
    background=st.sampled_from([CLEAN, NOISY, SCENE]),
)
def test_whatever_is_proposed_the_fusion_keeps_its_bounds(
    learned: list[tuple[tuple[int, int, int, int], float, float]],
    classical: tuple[tuple[int, int, int, int], float, float],
    background: Background,
) -> None:
    given_ = [("classical", *classical), *((f"model-{i}", *one) for i, one in enumerate(learned))]
    fused = fuse([Proposal(name, box(*cut) * np.float32(level), sure) for name, cut, level, sure in given_], background)
    assert 0 <= fused.agreement <= 1
    assert sum(fused.weights) == pytest.approx(1)
    assert min(fused.weights) >= 0
    assert fused.matte.dtype == np.float32
    assert 0 <= fused.matte.min() <= fused.matte.max() <= 1 + 1e-6
