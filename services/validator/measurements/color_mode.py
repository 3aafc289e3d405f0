"""The colour mode of a file, in the words marketplaces use."""

from __future__ import annotations

_GREY_MODES = ("1", "L", "LA", "La", "I", "F")


def color_mode(file_mode: str) -> str:
    """Fold the decoder's mode into RGB, CMYK or GREY; others (LAB, ...) are returned as they are.

    Transparency is a measurement of its own, so RGBA is RGB here and a palette counts as the RGB it stands for.

    Args:
        file_mode: Pillow's name of the file's mode, e.g. "RGBA", "P", "I;16B".
    """
    base = file_mode.partition(";")[0]
    if base in _GREY_MODES:
        return "GREY"
    if base in ("P", "PA") or base.startswith("RGB"):
        return "RGB"
    return base
