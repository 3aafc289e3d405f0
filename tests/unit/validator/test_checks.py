import pytest

from services.validator.checks import CHECKS, Required


@pytest.mark.parametrize(
    ("name", "required", "passing", "failing", "described"),
    [
        ("at_least", 0.85, 0.85, 0.8499, "≥ 0.85"),
        ("at_most", 10000000, 10000000, 10000001, "≤ 10000000"),
        ("between", (0.75, 0.9), 0.9, 0.901, "0.75 to 0.9"),
        ("equals", 1, 1.0, 2.0, "1"),
        ("equals", "RGB", "RGB", "CMYK", "RGB"),
        ("one_of", ("JPEG", "PNG"), "PNG", "BMP", "JPEG or PNG"),
        ("is_true", True, 1.0, 0.0, "yes"),
        ("is_false", True, 0.0, 1.0, "no"),
    ],
)
def test_each_check_on_both_sides_of_its_line(
    name: str, required: Required, passing: float | str, failing: float | str, described: str
) -> None:
    check = CHECKS[name]
    assert check.objection(required) == ""
    assert check.passes(passing, required)
    assert not check.passes(failing, required)
    assert check.describe(required) == described


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("at_least", "0.85"),
        ("at_least", True),
        ("at_most", (1, 2)),
        ("between", 1),
        ("between", (2, 1)),
        ("between", (1, 2, 3)),
        ("between", ("a", "b")),
        ("equals", (1,)),
        ("one_of", "JPEG"),
        ("one_of", ("JPEG", 1)),
        ("is_true", False),
        ("is_false", 0),
    ],
)
def test_a_required_value_of_the_wrong_form_is_objected_to(name: str, required: object) -> None:
    assert CHECKS[name].objection(required).startswith("must ")


def test_bounds_are_what_a_repair_can_aim_at() -> None:
    assert CHECKS["at_least"].bounds(0.85) == (0.85, None)
    assert CHECKS["at_most"].bounds(8) == (None, 8)
    assert CHECKS["between"].bounds((1, 2)) == (1, 2)
    assert CHECKS["one_of"].bounds(("JPEG",)) == (None, None)
