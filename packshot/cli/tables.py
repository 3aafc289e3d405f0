"""Reports as tables people like to read."""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from packshot.errors import PackshotError
from packshot.report import enum_word
from packshot.v1.image_pb2 import BackgroundClass, Trait
from packshot.v1.packshot_pb2 import CutOutImageResponse
from packshot.v1.report_pb2 import (
    RESOLUTION_AUTO_CORRECTED,
    RESOLUTION_MANUAL,
    RULE_STATUS_FAIL,
    RULE_STATUS_NOT_EVALUATED,
    RULE_STATUS_PASS,
    RULE_STATUS_WARN,
    VERDICT_PUBLISH,
    VERDICT_REJECT,
    VERDICT_REVIEW,
    Finding,
    Report,
    RuleResult,
    Verdict,
)
from packshot.v1.rules_pb2 import DatedValue, Rule, RulePack

_MAX_LINES: Final = 3
_SHOWN_UNITS: Final = ("px", "bytes", "pieces", "units", "ΔE00")  # shares, ratios and scores read well without

_VERDICTS: Final = {
    VERDICT_PUBLISH: ("✓ publish", "bold green"),
    VERDICT_REVIEW: ("● review", "bold yellow"),
    VERDICT_REJECT: ("✗ reject", "bold red"),
}
_STATUSES: Final = {
    RULE_STATUS_PASS: ("✓", "green"),
    RULE_STATUS_FAIL: ("✗", "bold red"),
    RULE_STATUS_WARN: ("!", "yellow"),
    RULE_STATUS_NOT_EVALUATED: ("–", "dim"),
}

_STATES: Final = {
    "shipped": "green",
    "present": "green",
    "ok": "green",
    "missing": "dim",
    "unknown digest": "yellow",
    "wrong": "bold red",
}

Outcome = Sequence[Report] | PackshotError
"""What became of one photo: a report per marketplace, or why there is none."""


def verdict_text(verdict: "Verdict.ValueType") -> Text:
    """ "✓ publish" in its colour."""
    return Text(*_VERDICTS.get(verdict, ("–", "dim")))


def fix_table(outcomes: Iterable[tuple[str, Outcome]]) -> Table:
    """A row per photo and marketplace: verdict, confidence, compliance and what is left to do."""
    rows = list(outcomes)
    several = _several_marketplaces(rows)
    table = plain_table()
    table.add_column("Photo", overflow="fold", ratio=2)
    if several:
        table.add_column("Marketplace", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Confidence", no_wrap=True, justify="right")
    table.add_column("Compliant", no_wrap=True)
    table.add_column("What to do", overflow="fold", ratio=5)
    for photo, outcome in rows:
        if isinstance(outcome, PackshotError):
            table.add_row(photo, *[""] * several, *_failed(outcome, blanks=2))
            continue
        for report in outcome:
            table.add_row(
                photo if report is outcome[0] else "",
                *[report.marketplace] * several,
                verdict_text(report.verdict),
                f"{report.confidence.value:.2f}" if report.HasField("confidence") else "–",
                _compliance(report),
                _to_do(report),
            )
    return table


def cutout_table(outcomes: Iterable[tuple[str, CutOutImageResponse | PackshotError]]) -> Table:
    """A row per photo: confidence, what the photo is like, warnings, what was noticed about the product."""
    table = plain_table()
    table.add_column("Photo", overflow="fold", ratio=2)
    table.add_column("Cutout", no_wrap=True)
    table.add_column("Confidence", no_wrap=True, justify="right")
    table.add_column("Size", no_wrap=True)
    table.add_column("Found", overflow="fold", ratio=4)
    for photo, outcome in outcomes:
        if isinstance(outcome, PackshotError):
            table.add_row(photo, *_failed(outcome, blanks=2))
            continue
        found = outcome.segmentation
        background = enum_word(BackgroundClass.DESCRIPTOR, found.background_class) or "unknown"
        traits = [enum_word(Trait.DESCRIPTOR, trait) or "" for trait in found.traits]
        words = ", ".join([f"{background} background", *(trait.replace("_", " ") for trait in traits)])
        table.add_row(
            photo,
            Text("✓ done", "bold green"),
            f"{outcome.confidence.value:.2f}" if outcome.HasField("confidence") else "–",
            f"{found.width_px} × {found.height_px}",
            Text("\n").join(
                [
                    Text(words),
                    *(Text(f"! {w.message}", "yellow") for w in outcome.warnings),
                    *(_noticed(finding) for finding in outcome.findings),
                ]
            ),
        )
    return table


def check_table(outcomes: Iterable[tuple[str, Outcome]]) -> Table:
    """A row per image and marketplace: compliance and what to do."""
    rows = list(outcomes)
    several = _several_marketplaces(rows)
    table = plain_table()
    table.add_column("Image", overflow="fold", ratio=2)
    if several:
        table.add_column("Marketplace", no_wrap=True)
    table.add_column("Compliant", no_wrap=True)
    table.add_column("What to do", overflow="fold", ratio=5)
    for image, outcome in rows:
        if isinstance(outcome, PackshotError):
            table.add_row(image, *[""] * several, *_failed(outcome, blanks=0))
            continue
        for report in outcome:
            name = image if report is outcome[0] else ""
            table.add_row(name, *[report.marketplace] * several, _compliance(report), _to_do(report))
    return table


def report_table(report: Report) -> RenderableType:
    """Every rule with what was measured and what is required."""
    category = report.category or "any category"
    heading = Text.assemble(
        (report.marketplace, "bold"),
        (f"  {category}, rules of {report.as_of_date}, pack {report.pack.version}", "dim"),
    )
    table = plain_table()
    table.add_column("", no_wrap=True, width=1)
    table.add_column("Rule", overflow="fold", ratio=3)
    table.add_column("Measured", overflow="fold", ratio=2)
    table.add_column("Required", overflow="fold", ratio=2)
    table.add_column("What to do", overflow="fold", ratio=4)
    for rule in sorted(report.rules, key=_urgency):
        quiet = "dim" if rule.status == RULE_STATUS_NOT_EVALUATED else ""
        table.add_row(
            Text(*_STATUSES.get(rule.status, ("?", "dim"))),
            Text(rule.title or rule.rule_id, quiet),
            Text(_with_unit(rule.measured, rule.unit) or "–", quiet),
            Text(_with_unit(rule.required, rule.unit) or "–", quiet),
            Text(_advice(rule), quiet),
        )
    return Group(heading, table)


def unchecked_note(reports: Iterable[Report]) -> Text | None:
    """How many rules no machine has looked at; None when there are none."""
    count = max((report.not_evaluated_count for report in reports), default=0)
    if not count:
        return None
    rules = "1 more rule needs" if count == 1 else f"{count} more rules need"
    return Text(f"{rules} a person's eye, e.g. for props and text; `packshot check IMAGE` lists them", "dim")


def packs_table(packs: Iterable[RulePack]) -> Table:
    """A row per rule pack."""
    table = plain_table()
    for name in ("Marketplace", "Title", "Canvas", "Fill", "Categories", "Pack"):
        table.add_column(name, no_wrap=name in ("Marketplace", "Canvas", "Fill", "Pack"), overflow="fold")
    for pack in packs:
        table.add_row(
            Text(pack.id, "bold"),
            pack.title,
            f"{pack.target.width_px} × {pack.target.height_px}",
            f"{pack.target.fill_ratio:.0%}",
            ", ".join(pack.categories),
            Text(pack.version, "dim"),
        )
    return table


def pack_table(pack: RulePack, as_of: datetime.date) -> RenderableType:
    """A pack's rules with the values in force on a day, and those announced for later."""
    target = pack.target
    heading = Text.assemble(
        (pack.title or pack.id, "bold"),
        (f"  {pack.id}, pack {pack.version}, rules of {as_of.isoformat()}\n", "dim"),
        f"Packshots: {target.width_px} × {target.height_px} px, JPEG quality {target.jpeg_quality},"
        f" the product fills {target.fill_ratio:.0%},"
        f" {'a soft shadow on request' if target.allows_shadow else 'no shadow'}",
    )
    if pack.categories:
        heading.append(f"\nCategories: {', '.join(pack.categories)}")
    table = plain_table()
    table.add_column("Rule", overflow="fold", ratio=4)
    table.add_column("Required", overflow="fold", ratio=3)
    table.add_column("If broken", no_wrap=True)
    table.add_column("Categories", overflow="fold", ratio=2)
    table.add_column("Source", overflow="fold", ratio=4)
    for rule in pack.rules:
        value = value_in_force(rule, as_of)
        consequence = ("not compliant", "red") if rule.severity == 1 else ("warning", "yellow")
        table.add_row(
            Text.assemble(rule.title, (f"\n{rule.rule_id}", "dim")),
            _required(rule, as_of),
            Text(*consequence),
            ", ".join(rule.categories) or Text("all", "dim"),
            Text("\n".join(value.references) if value is not None else "", "dim"),
        )
    return Group(heading, table)


def value_in_force(rule: Rule, as_of: datetime.date) -> DatedValue | None:
    """The last value that came into force by that day; None before the first and after the end."""
    begun = [value for value in rule.values if value.effective_from <= as_of.isoformat()]
    latest = max(begun, key=lambda value: value.effective_from, default=None)
    return None if latest is None or latest.ended else latest


def models_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """A row per learned model, from the entries of `packshot models list --json`."""
    table = plain_table()
    for name in ("Model", "Licence", "Size", "Input", "State"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("Size", "Input") else "left")
    table.add_column("File", overflow="fold")
    for row in rows:
        side = row["input_side_px"]
        table.add_row(
            Text(row["name"], "bold"),
            row["licence"] if row["commercial_use"] else Text(f"{row['licence']} *", "yellow"),
            decimal(row["size_bytes"]) if row["size_bytes"] is not None else "–",
            f"{side} × {side}",
            Text(row["state"], _STATES[row["state"]]),
            Text(row["file"], "dim"),
        )
    return table


def _required(rule: Rule, as_of: datetime.date) -> Text:
    now = value_in_force(rule, as_of)
    text = Text(now.required) if now is not None else Text("not in force", "dim")
    for value in sorted(rule.values, key=lambda value: value.effective_from):
        if value.effective_from > as_of.isoformat():
            what = "ends" if value.ended else value.required
            text.append(f"\nfrom {value.effective_from}: {what}", "cyan")
    return text


def plain_table() -> Table:
    """An empty table as all of ours look."""
    return Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1), collapse_padding=True)


def _several_marketplaces(rows: Iterable[tuple[str, Outcome]]) -> bool:
    return any(not isinstance(outcome, PackshotError) and len(outcome) > 1 for _, outcome in rows)


def _failed(error: PackshotError, *, blanks: int) -> list[Text]:
    why = error.reason.replace("_", " ").lower()
    return [Text("✗ failed", "bold red"), *[Text("–", "dim")] * blanks, Text(f"{why} (see below)", "dim")]


def _compliance(report: Report) -> Text:
    failed = sum(rule.status == RULE_STATUS_FAIL for rule in report.rules)
    if not report.compliant:
        return Text(f"no ({failed} rule{'s' * (failed != 1)})", "red")
    fixed = sum(rule.resolution == RESOLUTION_AUTO_CORRECTED for rule in report.rules)
    return Text.assemble(("yes", "green"), (f" ({fixed} fixed)" if fixed else "", "dim"))


def _to_do(report: Report) -> Text:
    """What a person has to act on, most urgent first, then what was corrected; the whole list is in the report."""
    broken = [
        rule for rule in sorted(report.rules, key=_urgency) if rule.status in (RULE_STATUS_FAIL, RULE_STATUS_WARN)
    ]
    lines = [_noticed(finding) for finding in report.findings if finding.resolution == RESOLUTION_MANUAL]
    lines += [Text.assemble(_STATUSES[rule.status], f" {rule.title}: {_advice(rule)}") for rule in broken]
    if report.verdict != VERDICT_PUBLISH:
        # Reasons that only say that a rule is broken, or what was noticed, are there already.
        noticed = {finding.message for finding in report.findings}
        reasons = [
            why
            for why in report.verdict_reasons
            if why not in noticed and not any(rule.title in why for rule in broken)
        ]
        lines = [Text(f"● {reason}") for reason in reasons] + lines
    lines += [_noticed(finding) for finding in report.findings if finding.resolution == RESOLUTION_AUTO_CORRECTED]
    if len(lines) > _MAX_LINES:
        more = len(lines) - _MAX_LINES + 1
        lines[_MAX_LINES - 1 :] = [Text(f"… and {more} more in the report", "dim")]
    return Text("\n").join(lines) if lines else Text("–", "dim")


def _noticed(finding: Finding) -> Text:
    if finding.resolution == RESOLUTION_AUTO_CORRECTED:
        return Text(f"✓ {finding.message}", "dim")
    return Text.assemble(("!", "yellow"), f" {finding.message}", f": {finding.action}" if finding.action else "")


def _advice(rule: RuleResult) -> str:
    if rule.status == RULE_STATUS_PASS:
        if rule.resolution == RESOLUTION_AUTO_CORRECTED:
            before = f" (the photo: {_with_unit(rule.measured_on_photo, rule.unit)})" if rule.measured_on_photo else ""
            return f"fixed{before}"
        return ""
    if rule.status == RULE_STATUS_NOT_EVALUATED:
        return rule.why
    return rule.action or rule.why or rule.title


def _with_unit(value: str, unit: str) -> str:
    """ "≤ 10,000,000 bytes" for "≤ 10000000" and "bytes"."""
    grouped = re.sub(r"(?<![\d.])\d{5,}", lambda digits: f"{int(digits[0]):,}", value)
    return f"{grouped} {unit}" if value and unit in _SHOWN_UNITS else grouped


def _urgency(rule: RuleResult) -> int:
    order = (RULE_STATUS_FAIL, RULE_STATUS_WARN, RULE_STATUS_PASS, RULE_STATUS_NOT_EVALUATED)
    return order.index(rule.status) if rule.status in order else len(order)
