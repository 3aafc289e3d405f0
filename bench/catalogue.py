"""What the validator says about real catalogue photos on white: false alarms are easy to see here.

python -m bench.catalogue [--images ../shared/bench/catalogue] [--marketplace amazon-us]
    [--output bench/results/catalogue.md]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from datetime import date
from pathlib import Path

from services.common.photo import PhotoError
from services.validator.catalogue import Measurements
from services.validator.evaluate import RuleStatus, evaluate
from services.validator.measure import measure
from services.validator.pack_loader import load_packs

SHOWN = (
    "background_purity",
    "background_purity_tolerant",
    "fill_ratio",
    "bbox_area_share",
    "touches_frame",
    "border_share",
    "piece_count",
    "sharpness",
    "halo",
    "fringe_width",
    "jaggedness",
    "leftover_translucency",
)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif")


def table(images: list[Path], marketplace: str, as_of: date) -> str:
    """Markdown: a row of measurements and broken rules per image, then how often each rule was broken."""
    pack = load_packs(Path("rules")).get(marketplace)
    lines = [f"| image | {' | '.join(SHOWN)} | fails | warns |", f"|{'---|' * (len(SHOWN) + 3)}"]
    broken: Counter[tuple[RuleStatus, str]] = Counter()
    seconds = 0.0
    for file in images:
        data = file.read_bytes()
        started = time.perf_counter()
        try:
            measurements = measure(data)
        except PhotoError as error:
            lines.append(f"| {file.name} | {error.reason} |")
            continue
        seconds += time.perf_counter() - started
        results = evaluate(pack, "", as_of, measurements).results
        fails = [result.rule_id for result in results if result.status is RuleStatus.FAIL]
        warns = [result.rule_id for result in results if result.status is RuleStatus.WARN]
        broken.update((result.status, result.rule_id) for result in results)
        cells = " | ".join(_cell(measurements, name) for name in SHOWN)
        lines.append(f"| {file.name} | {cells} | {', '.join(fails)} | {', '.join(warns)} |")
    lines += ["", f"{len(images)} images, {1000 * seconds / max(1, len(images)):.0f} ms each.", ""]
    lines += ["| rule | fail | warn | pass |", "|---|---|---|---|"]
    for rule in pack.rules_for(""):
        fail, warn, passed = (broken[status, rule.id] for status in (RuleStatus.FAIL, RuleStatus.WARN, RuleStatus.PASS))
        if fail or warn or passed:
            lines.append(f"| {rule.id} | {fail} | {warn} | {passed} |")
    return "\n".join(lines) + "\n"


def _cell(measurements: Measurements, name: str) -> str:
    value = measurements[name].value
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=Path("../shared/bench/catalogue"))
    parser.add_argument("--marketplace", default="amazon-us")
    parser.add_argument("--as-of", type=date.fromisoformat, default=None, help="default: today")
    parser.add_argument("--output", type=Path, help="write the table there as well")
    arguments = parser.parse_args()
    images = sorted(file for file in arguments.images.iterdir() if file.suffix.lower() in SUFFIXES)
    text = table(images, arguments.marketplace, arguments.as_of or date.today())
    print(text)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
