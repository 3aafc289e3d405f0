"""What a request asks for, with its defaults filled in and checked beyond what the protos can say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packshot.v1.compositor_pb2 import CanvasTarget
from packshot.v1.packshot_pb2 import (
    OUTPUT_JPEG,
    OUTPUT_TRANSPARENT_PNG,
    SHADOW_NONE,
    SHADOW_SOFT,
    Output,
    ProcessOptions,
)
from packshot.v1.report_pb2 import RESOLUTION_AUTO_CORRECTED, Finding
from packshot.v1.rules_pb2 import RulePack
from services.common.dates import day_or_today
from services.gateway.repair import RESCALE_ALWAYS, Cure, Treatment


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rules apply. `as_of_date` is an ISO 8601 date."""

    marketplaces: tuple[str, ...]
    category: str
    as_of_date: str


def scope(
    marketplaces: Iterable[str], category: str, as_of_date: str, *, default_marketplace: str, prefix: str
) -> Scope:
    """Fills in the default marketplace and today (UTC).

    Args:
        prefix: Where the fields stand in the request, e.g. "options.", for errors.

    Raises:
        ServiceError: INVALID_ARGUMENT when the date is not one of the calendar.
    """
    day = day_or_today(as_of_date, f"{prefix}as_of_date")
    return Scope(tuple(marketplaces) or (default_marketplace,), category, day.isoformat())


def outputs(options: ProcessOptions) -> Sequence[Output.ValueType]:
    """The outputs asked for, JPEG by default."""
    return tuple(options.outputs) or (OUTPUT_JPEG,)


def fixed(options: ProcessOptions) -> set[Cure]:
    """What the caller has decided: an asked fill or quality is not changed by the repair loop."""
    decided = set()
    if options.layout.WhichOneof("target") is not None:
        decided.add(Cure.RESCALE)
    if options.canvas.jpeg_quality:
        decided.add(Cure.LOWER_QUALITY)
    return decided


def first_treatment(options: ProcessOptions, pack: RulePack) -> Treatment:
    """The pack's treatment with the caller's wishes over it."""
    target, layout = pack.target, options.layout
    asked = layout.WhichOneof("target")
    if asked == "fill_ratio":
        fill, keep_from = layout.fill_ratio, RESCALE_ALWAYS
    elif asked == "margin":
        fill, keep_from = 1 - 2 * layout.margin, RESCALE_ALWAYS
    else:
        fill, keep_from = target.fill_ratio, target.keep_fill_from
    return Treatment(fill, keep_from, 0.0, options.canvas.jpeg_quality or target.jpeg_quality)


def canvas_target(options: ProcessOptions, pack: RulePack, treatment: Treatment) -> CanvasTarget:
    """The canvas to ask the compositor for."""
    return CanvasTarget(
        target_id=pack.id,
        width_px=options.canvas.width_px or pack.target.width_px,
        height_px=options.canvas.height_px or pack.target.height_px,
        fill_ratio=treatment.fill_ratio,
        keep_fill_from=treatment.keep_fill_from,
        jpeg_quality=treatment.jpeg_quality,
        transparent_png=OUTPUT_TRANSPARENT_PNG in outputs(options),
        shadow=SHADOW_NONE if _forbids_shadow(options, pack) else options.shadow,
        arrangement=options.arrangement,
    )


def refusals(options: ProcessOptions, pack: RulePack) -> list[Finding]:
    """What the caller asked for and the marketplace does not allow: it is left out, and said."""
    if not _forbids_shadow(options, pack):
        return []
    message = f"No shadow is drawn: {pack.id} asks for a background that is white right up to the product."
    return [Finding(code="SHADOW_NOT_ALLOWED", resolution=RESOLUTION_AUTO_CORRECTED, message=message)]


def _forbids_shadow(options: ProcessOptions, pack: RulePack) -> bool:
    return options.shadow == SHADOW_SOFT and not pack.target.allows_shadow
