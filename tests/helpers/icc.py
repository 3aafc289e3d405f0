"""Small ICC v2 profiles for tests: matrix and curve (RGB), curve (grey), table (CMYK).

Reference: ICC.1:2001-04, clauses 6.1 (header), 6.3 (profile kinds), 6.5 (tag types).
"""

import struct

import numpy as np
from numpy.typing import NDArray

# D50-adapted colorants, rows red, green, blue; XYZ.
_P3_COLORANTS = ((0.515102, 0.241182, -0.001050), (0.291965, 0.692236, 0.041882), (0.157153, 0.066582, 0.784378))
_ADOBE_COLORANTS = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_SRGB_COLORANTS = ((0.436066, 0.222488, 0.013916), (0.385147, 0.716873, 0.097076), (0.143066, 0.060608, 0.714096))
_D50 = (0.9642, 1.0, 0.8249)


def display_p3() -> bytes:
    """Display P3: P3 primaries, D65 white, sRGB curve."""
    return rgb_profile("Display P3", _P3_COLORANTS, _srgb_curve())


def adobe_rgb() -> bytes:
    """Adobe RGB (1998): wide green, gamma 563/256."""
    return rgb_profile("Adobe RGB (1998)", _ADOBE_COLORANTS, _gamma_curve(563 / 256))


def srgb(description: str = "sRGB by another name") -> bytes:
    """sRGB as a camera maker might write it."""
    return rgb_profile(description, _SRGB_COLORANTS, _srgb_curve())


def rgb_profile(description: str, colorants: tuple[tuple[float, float, float], ...], curve: bytes) -> bytes:
    """A display profile of three primaries and one curve for all channels."""
    tags = {b"wtpt": _xyz(_D50)}
    for channel, colorant in zip("rgb", colorants, strict=True):
        tags[f"{channel}XYZ".encode()] = _xyz(colorant)
        tags[f"{channel}TRC".encode()] = curve
    return _profile(b"mntr", b"RGB ", b"XYZ ", description, tags)


def grey_gamma(gamma: float) -> bytes:
    """A grey profile with a power curve."""
    return _profile(
        b"mntr", b"GRAY", b"XYZ ", f"Grey gamma {gamma}", {b"wtpt": _xyz(_D50), b"kTRC": _gamma_curve(gamma)}
    )


def cmyk_press(cyan_rgb: tuple[int, int, int]) -> bytes:
    """A press whose solid cyan is the given sRGB colour; magenta, yellow and black are the textbook inks."""
    inks = np.array([cyan_rgb, (255, 0, 255), (255, 255, 0), (0, 0, 0)]) / 255
    corners = np.array(np.meshgrid(*[(0, 1)] * 4, indexing="ij")).reshape(4, -1).T
    rgb = np.where(corners[:, :, None] == 1, inks[None], 1.0).prod(axis=1)
    lab = _lab(rgb)
    scaled = np.stack([lab[:, 0] * 2.55, lab[:, 1] + 128, lab[:, 2] + 128], axis=1)
    table: bytes = np.clip(np.rint(scaled), 0, 255).astype(np.uint8).tobytes()
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 if index % 4 == 0 else 0 for index in range(9)))
    a_to_b = b"mft1\0\0\0\0" + struct.pack(">4B", 4, 3, 2, 0) + identity + ramp * 4 + table + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", "Test press", {b"wtpt": _xyz(_D50), b"A2B0": a_to_b})


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB in [0, 1], (N, 3), to CIELAB of D50, (N, 3)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    ratio = linear @ np.array(_SRGB_COLORANTS) / np.array(_D50)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def _srgb_curve() -> bytes:
    encoded = np.linspace(0, 1, 1024)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    samples: bytes = np.rint(linear * 65535).astype(">u2").tobytes()
    return b"curv\0\0\0\0" + struct.pack(">I", 1024) + samples


def _gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _text_description(text: str) -> bytes:
    ascii_text = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(ascii_text)) + ascii_text + bytes(8 + 3 + 67)


def _profile(kind: bytes, space: bytes, connection_space: bytes, description: str, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _text_description(description), b"cprt": b"text\0\0\0\0None\0", **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for signature, content in tags.items():
        table += signature + struct.pack(">II", offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIQI3i4s44x",
        offset + len(body), b"\0\0\0\0", 0x02400000, kind, space, connection_space, 2000, 1, 1, 0, 0, 0,
        b"acsp", b"\0\0\0\0", 0, 0, 0, 0, 0, *(round(value * 65536) for value in _D50), b"\0\0\0\0",
    )  # fmt: skip
    return header + table + body
