"""How many packshots exceed a threshold, clean ones and damaged ones, for every threshold: a picture in plain SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.edge_damage.measured import MEASURES, Row
from bench.edge_damage.table import JUDGED_ON, TARGETS, VISIBLE, threshold, told, values

_WIDTH, _HEIGHT, _GAP, _LEFT, _TOP = 330, 200, 70, 50, 40
_UNITS = {"halo": "ΔE00", "fringe_width": "px at 2000 px", "jaggedness": "px", "leftover_translucency": "share"}
_LARGEST = {"halo": 16.0, "fringe_width": 14.0, "jaggedness": 1.2, "leftover_translucency": 0.5}
_STYLES = {"bytes": ' stroke-dasharray="5 3"', "matte": ""}
_POINTS = 120


def chart(rows: Sequence[Row]) -> str:
    """An SVG of four panels; damaged: those a measure is there for whose edge differs visibly from the clean one."""
    width, height = 2 * (_WIDTH + _GAP) + _LEFT, 2 * (_HEIGHT + _GAP) + _TOP + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="18">Share of packshots above a threshold. '
        '<tspan fill="#2a6fb0">clean</tspan>, <tspan fill="#c0392b">damaged</tspan>; '
        "solid: with the matte, dashed: from bytes alone; grey line: chosen threshold.</text>",
    ]
    for index, measure in enumerate(MEASURES):
        left = _LEFT + index % 2 * (_WIDTH + _GAP)
        top = _TOP + index // 2 * (_HEIGHT + _GAP)
        parts += _panel(rows, measure, left, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(rows: Sequence[Row], measure: str, left: int, top: int) -> list[str]:
    largest = _LARGEST[measure]
    at = left + _WIDTH * min(1.0, threshold(rows, measure) / largest)
    bottom = top + _HEIGHT
    parts = [
        f'<rect x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999"/>',
        f'<line x1="{at:.1f}" y1="{top}" x2="{at:.1f}" y2="{bottom}" stroke="#999" stroke-width="2"/>',
        f'<text x="{left}" y="{bottom + 32}" font-weight="bold">{measure}, {_UNITS[measure]}</text>',
    ]
    for part in (0, 0.5, 1):
        x, y = left + part * _WIDTH, bottom - part * _HEIGHT
        parts += [
            f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{part:.0%}</text>',
            f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{part * largest:g}</text>',
        ]
    least_seen = 0.0 if measure == "leftover_translucency" else VISIBLE
    for source, style in _STYLES.items():
        clean = told(values(rows, measure, half=JUDGED_ON, source=source))
        damaged = told(
            values(rows, measure, half=JUDGED_ON, source=source, damages=TARGETS[measure], least_seen=least_seen)
        )
        for found, color in ((clean, "#2a6fb0"), (damaged, "#c0392b")):
            if found:
                parts.append(_curve(found, largest, left, bottom, f'stroke="{color}"{style}'))
    return parts


def _curve(found: Sequence[float], largest: float, left: int, bottom: int, style: str) -> str:
    limits = np.linspace(0, largest, _POINTS)
    above = (np.array(found)[:, None] > limits).mean(axis=0)
    points = " ".join(
        f"{left + _WIDTH * limit / largest:.1f},{bottom - _HEIGHT * share:.1f}"
        for limit, share in zip(limits, above, strict=True)
    )
    return f'<polyline points="{points}" fill="none" stroke-width="2" {style}/>'
