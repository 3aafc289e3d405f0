import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.repair import Cure, Failure, Treatment, next_attempt

FIRST = Treatment(fill_ratio=0.87, keep_fill_from=0.85, tighten_px=0.0, jpeg_quality=95)


def fill_rule(minimum: float | None = None, maximum: float | None = None) -> Failure:
    return Failure("fill", Cure.RESCALE, minimum, maximum)


HALO = Failure("halo", Cure.TIGHTEN_EDGE, None, 8.0)
FILE_SIZE = Failure("file-size", Cure.LOWER_QUALITY, None, 10_000_000.0)


def test_a_fill_below_its_minimum_is_raised_above_it() -> None:
    attempt = next_attempt(FIRST, [fill_rule(minimum=0.9)])
    assert attempt is not None
    assert attempt.treatment.fill_ratio == pytest.approx(0.91)
    assert attempt.change == "fill 0.87 → 0.91"


def test_a_fill_above_its_maximum_is_lowered_below_it() -> None:
    attempt = next_attempt(FIRST, [fill_rule(maximum=0.85)])
    assert attempt is not None
    assert attempt.treatment.fill_ratio == pytest.approx(0.84)


def test_a_product_that_was_not_rescaled_is_rescaled() -> None:
    """The asked fill is in range; the product fails because it kept the fill of its photo."""
    attempt = next_attempt(FIRST, [fill_rule(minimum=0.85)])
    assert attempt is not None
    assert attempt.treatment.fill_ratio == pytest.approx(0.87)
    assert attempt.treatment.keep_fill_from > 1
    assert attempt.change == "rescaled to fill 0.87"
    assert next_attempt(attempt.treatment, [fill_rule(minimum=0.85)]) is None


def test_a_full_canvas_is_not_made_emptier_to_reach_a_minimum() -> None:
    full = Treatment(fill_ratio=1.0, keep_fill_from=2.0, tighten_px=0.0, jpeg_quality=95)
    assert next_attempt(full, [fill_rule(minimum=0.85)]) is None


def test_a_fill_the_caller_asked_for_stays() -> None:
    assert next_attempt(FIRST, [fill_rule(minimum=0.9)], fixed={Cure.RESCALE}) is None


def test_a_halo_is_cut_off_step_by_step() -> None:
    once = next_attempt(FIRST, [HALO], fixed={Cure.RESCALE})
    assert once is not None
    assert once.treatment.tighten_px == 0.75
    twice = next_attempt(once.treatment, [HALO], fixed={Cure.RESCALE})
    assert twice is not None
    assert twice.treatment.tighten_px == 1.5
    assert twice.change == "edge tightened by 1.5 px"


def test_a_large_file_is_encoded_with_less_quality_but_never_poorly() -> None:
    treatment, qualities = FIRST, []
    while (attempt := next_attempt(treatment, [FILE_SIZE])) is not None:
        treatment = attempt.treatment
        qualities.append(treatment.jpeg_quality)
    assert qualities == [85, 75, 70]


def test_several_failures_are_treated_together() -> None:
    attempt = next_attempt(FIRST, [fill_rule(minimum=0.9), HALO, FILE_SIZE])
    assert attempt is not None
    assert attempt.change == "fill 0.87 → 0.91; edge tightened by 0.75 px; JPEG quality 95 → 85"


def test_nothing_failed_nothing_changes() -> None:
    assert next_attempt(FIRST, []) is None


@given(st.floats(0.1, 1), st.floats(0.1, 0.9), st.floats(0.05, 1))
def test_the_next_fill_lies_inside_all_bounds(fill: float, low: float, width: float) -> None:
    high = min(low + width, 1.0)
    failures = [fill_rule(minimum=low), fill_rule(maximum=high)]
    attempt = next_attempt(Treatment(fill, 0.85, 0.0, 95), failures)
    assert attempt is not None
    assert low <= attempt.treatment.fill_ratio <= high
