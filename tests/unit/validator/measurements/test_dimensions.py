from services.validator.measurements.dimensions import aspect_ratio, longest_side_px


def test_aspect_is_width_over_height() -> None:
    assert aspect_ratio(height_px=400, width_px=300) == 0.75


def test_longest_side() -> None:
    assert longest_side_px(400, 300) == longest_side_px(300, 400) == 400
