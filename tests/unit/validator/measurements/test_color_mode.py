import pytest

from services.validator.measurements.color_mode import color_mode


@pytest.mark.parametrize(
    ("file_mode", "expected"),
    [
        ("RGB", "RGB"),
        ("RGBA", "RGB"),
        ("P", "RGB"),
        ("CMYK", "CMYK"),
        ("L", "GREY"),
        ("LA", "GREY"),
        ("1", "GREY"),
        ("I;16B", "GREY"),
        ("LAB", "LAB"),
    ],
)
def test_the_files_mode_is_told_in_the_marketplaces_words(file_mode: str, expected: str) -> None:
    assert color_mode(file_mode) == expected
