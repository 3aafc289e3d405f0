"""The measured packshots as a table, and the thresholds that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from bench.edge_damage.cases import CLEAN
from bench.edge_damage.damages import DAMAGES
from bench.edge_damage.measured import MEASURES, SOURCES, Row

CHOSEN_ON, JUDGED_ON = "chosen on", "judged on"
# Of the clean packshots this share may be above a threshold.
_FALSE_ALARMS = 0.02
# What a damage changes along the edge is seen from about this ΔE00 on.
VISIBLE = 2.0
# Damages each measure is there for.
TARGETS = {
    "halo": ("dark fringe", "light fringe", "colour fringe", "dilated"),
    "fringe_width": ("blurred", "coarse"),
    "jaggedness": ("steps", "binary", "coarse"),
    "leftover_translucency": ("haze", "washed"),
}


def damage_of(row: Row) -> str:
    return row.damage.partition("#")[0]


def values(
    rows: Iterable[Row],
    measure: str,
    *,
    half: str = "",
    source: str = "",
    damages: Sequence[str] = (CLEAN,),
    strength: float | None = None,
    least_seen: float = 0.0,
) -> list[float | None]:
    """A measure's values over the rows that fit; None where it could not be told."""
    return [
        row.values[measure]
        for row in rows
        if (not half or row.half == half)
        and (not source or row.source == source)
        and damage_of(row) in damages
        and (strength is None or row.strength == strength)
        and (row.seen >= least_seen or damage_of(row) == CLEAN)
    ]


def told(found: Iterable[float | None]) -> list[float]:
    return [value for value in found if value is not None]


def auroc(damaged: Sequence[float], clean: Sequence[float]) -> float | None:
    """Chance that a damaged packshot measures more than a clean one (Mann and Whitney); None without either."""
    if not damaged or not clean:
        return None
    bad, good = np.array(damaged)[:, None], np.array(clean)
    return float(np.mean(bad > good) + 0.5 * np.mean(bad == good))


def threshold(rows: Sequence[Row], measure: str) -> float:
    """Smallest value that at most 2 % of the clean packshots of the choosing half exceed, from bytes and with matte."""
    clean = told(values(rows, measure, half=CHOSEN_ON))
    return float(np.quantile(clean, 1 - _FALSE_ALARMS, method="higher")) if clean else float("nan")


def table(rows: Sequence[Row]) -> str:
    """Markdown: the clean ones, all damages together, and every damage by strength."""
    products = {row.product: row.group for row in rows}
    groups = ", ".join(
        f"{group} {sum(g == group for g in products.values())}" for group in sorted({*products.values()})
    )
    lines = [
        f"{len(products)} products ({groups}), {len(rows) // 2} packshots. Thresholds are chosen on one half of the",
        "products, all else is told of the other half. Values and shares are of those that could be measured.",
        "",
        "## Clean packshots",
        "",
        "| measure | from | chosen threshold | median | 95 % | largest | false alarms | not told |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for measure in MEASURES:
        limit = threshold(rows, measure)
        for source in SOURCES:
            found = values(rows, measure, half=JUDGED_ON, source=source)
            clean = told(found)
            middle, high, top = np.quantile(clean, (0.5, 0.95, 1)) if clean else (np.nan,) * 3
            alarms = np.mean(np.array(clean) > limit) if clean else np.nan
            absent = 1 - len(clean) / max(1, len(found))
            spread = f"{middle:.3g} | {high:.3g} | {top:.3g}"
            lines.append(f"| {measure} | {source} | {limit:.3g} | {spread} | {alarms:.0%} | {absent:.0%} |")
    lines += [
        "",
        "## All damages a measure is there for",
        "",
        f"Visible: the edge differs from the clean one by {VISIBLE:g} ΔE00 or more (haze and washed holes: all).",
        "",
        "| measure | damages | from | AUROC, all strengths | AUROC, visible | found at the threshold, visible |",
        "|---|---|---|---|---|---|",
    ]
    for measure, damages in TARGETS.items():
        for source in SOURCES:
            clean = told(values(rows, measure, half=JUDGED_ON, source=source))
            everything = told(values(rows, measure, half=JUDGED_ON, source=source, damages=damages))
            seen = everything
            if measure != "leftover_translucency":
                seen = told(values(rows, measure, half=JUDGED_ON, source=source, damages=damages, least_seen=VISIBLE))
            found_share = np.mean(np.array(seen) > threshold(rows, measure)) if seen else np.nan
            lines.append(
                f"| {measure} | {', '.join(damages)} | {source} | {_text(auroc(everything, clean))} "
                f"| {_text(auroc(seen, clean))} | {found_share:.0%} |"
            )
    lines += [
        "",
        "## Every damage",
        "",
        "AUROC against the clean packshots, bytes / matte; bold where the measure is there for it. ΔE00: how much the",
        "damage changes the edge, median.",
        "",
        f"| damage | strength | packshots | ΔE00 | {' | '.join(MEASURES)} |",
        f"|{'---|' * (4 + len(MEASURES))}",
    ]
    for damage in DAMAGES:
        for strength in damage.strengths:
            hit = [
                row
                for row in rows
                if row.half == JUDGED_ON and damage_of(row) == damage.name and row.strength == strength
            ]
            if not hit:
                continue
            cells = []
            for measure in MEASURES:
                pair = " / ".join(
                    _text(
                        auroc(
                            told(row.values[measure] for row in hit if row.source == source),
                            told(values(rows, measure, half=JUDGED_ON, source=source)),
                        )
                    )
                    for source in SOURCES
                )
                cells.append(f"**{pair}**" if damage.name in TARGETS[measure] else pair)
            seen_by = float(np.median([row.seen for row in hit]))
            graded = f"{strength:g} {damage.unit}".strip()
            lines.append(f"| {damage.name} | {graded} | {len(hit) // 2} | {seen_by:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
