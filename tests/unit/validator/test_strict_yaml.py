import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.validator.strict_yaml import PackError, parse_yaml, read_yaml

FILE = Path("pack.yaml")


def test_dates_become_iso_text_as_keys_and_as_values() -> None:
    assert parse_yaml("values: {2026-01-31: 1}\nread: 2026-02-01", FILE) == {
        "values": {"2026-01-31": 1},
        "read": "2026-02-01",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2", "given twice"),
        ("2026-01-01: 1\n'2026-01-01': 2", "given twice"),
        ("on: 1", "must be a text or a date"),
        ("a: &x [1]\nb: *x", "aliases are not allowed"),
        ("a: &x [*x]", "aliases are not allowed"),
        ("a: {<<: {b: 1}}", "merge keys are not allowed"),
        ("a: .nan", "finite"),
        ("a: .inf", "finite"),
        ("a: 2026-01-01 10:00:00", "without a time"),
        ("2026-02-30: 1", "no valid YAML"),
        ("a: !!python/object:os.system x", "no valid YAML"),
        ("a: !!binary aGk=", "must not be a bytes"),
        ("? [1]\n: 2", "no valid YAML"),
        ("- 1", "must hold a mapping"),
        ("", "must hold a mapping"),
        ("a: [", "no valid YAML"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a: " + "[" * 50 + "]" * 50, "nested too deeply"),
        ("a: \x00", "no valid YAML"),
    ],
)
def test_yaml_that_could_be_misread_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PackError, match=reason) as caught:
        parse_yaml(text, FILE)
    assert caught.value.file == FILE


def test_an_error_names_the_place() -> None:
    with pytest.raises(PackError) as caught:
        parse_yaml("rules: [{a: 1}, {b: .nan}]", FILE)
    assert caught.value.path == "rules[1].b"
    assert str(caught.value) == "pack.yaml: rules[1].b: must be a finite number, not nan"


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    for file in (tmp_path / "latin.yaml", tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(PackError, match="cannot be read"):
            read_yaml(file)


@given(st.text(alphabet=st.sampled_from("ab01-:{}[]&*!?|>'\"#%@,. \n\t~<="), max_size=60))
def test_any_text_gives_a_mapping_or_an_error(text: str) -> None:
    with contextlib.suppress(PackError):
        assert isinstance(parse_yaml(text, FILE), dict)
