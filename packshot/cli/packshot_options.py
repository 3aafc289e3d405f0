"""Options about the packshot itself, and what they ask of the gateway."""

import datetime
import enum
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from packshot.cli.failures import CommandError
from packshot.cli.parsing import Size, parse_region, parse_size
from packshot.client import OutputName, ProcessArguments, Region

_PANEL: Final = "The packshot"


class Output(enum.StrEnum):
    """A kind of file to write."""

    JPEG = "jpeg"
    PNG = "png"
    REPORT = "report"


class Shadow(enum.StrEnum):
    """What is drawn beneath the product."""

    NONE = "none"
    SOFT = "soft"


ASKED_AS: Final[dict[Output, OutputName]] = {
    Output.JPEG: "jpeg",
    Output.PNG: "transparent_png",
    Output.REPORT: "report_json",
}

Outputs = Annotated[
    list[Output] | None,
    typer.Option(
        "--output",
        help="What to write, repeatable: the packshot on white (jpeg), the product with transparency on the same"
        " canvas (png), the report as JSON (report).",
        show_default="jpeg",
    ),
]
Fill = Annotated[
    float | None,
    typer.Option(
        "--fill",
        min=0.05,
        max=1,
        metavar="SHARE",
        help="How much of the canvas the product fills along its longer side, e.g. 0.87.",
        rich_help_panel=_PANEL,
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        "--margin",
        min=0,
        max=0.475,
        metavar="SHARE",
        help="The same thing said as the white border on each side, e.g. 0.065.",
        rich_help_panel=_PANEL,
    ),
]
CanvasSize = Annotated[
    Size | None,
    typer.Option(
        "--size", parser=parse_size, metavar="WxH", help="Canvas in pixels, e.g. 2000x2000.", rich_help_panel=_PANEL
    ),
]
Quality = Annotated[
    int | None,
    typer.Option("--quality", min=50, max=100, metavar="N", help="JPEG quality.", rich_help_panel=_PANEL),
]
ShadowKind = Annotated[
    Shadow | None,
    typer.Option(
        "--shadow",
        help="Draw a soft contact shadow beneath a standing product, where the marketplace allows one. No pack that"
        " comes with Packshot does, all being Amazon's: there none is drawn, and the report says so. Never in the"
        " transparent png.",
        show_default="none",
        rich_help_panel=_PANEL,
    ),
]
Arrange = Annotated[
    bool,
    typer.Option(
        "--arrange",
        help="Lay the loose pieces of a set out anew, closer together and all at one scale, where that draws them"
        " larger. Otherwise they lie as in the photo.",
        rich_help_panel=_PANEL,
    ),
]
Roi = Annotated[
    Region | None,
    typer.Option(
        "--roi",
        parser=parse_region,
        metavar="X,Y,W,H",
        help="Where the product is, in pixels of the upright photo; the rest counts as background.",
        rich_help_panel=_PANEL,
    ),
]


def process_arguments(
    *,
    marketplaces: Sequence[str],
    category: str,
    outputs: Sequence[Output],
    fill: float | None,
    margin: float | None,
    size: Size | None,
    quality: int | None,
    shadow: Shadow | None,
    arrange: bool,
    as_of: datetime.date | None,
    roi: Region | None = None,
    debug: bool = False,
) -> ProcessArguments:
    """The options as the client takes them.

    Raises:
        CommandError: They contradict each other.
    """
    if fill is not None and margin is not None:
        raise CommandError("--fill and --margin say the same thing: give one of them")
    return ProcessArguments(
        marketplaces=marketplaces,
        category=category,
        outputs=[ASKED_AS[kind] for kind in outputs],
        region_of_interest=roi,
        fill_ratio=fill,
        margin=margin,
        canvas_px=size,
        jpeg_quality=quality,
        shadow=shadow.value if shadow else None,
        arrangement="arrange" if arrange else None,
        as_of=as_of,
        debug=debug,
    )
