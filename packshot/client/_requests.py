"""Requests out of plain Python values."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypedDict, TypeVar

import grpc

from packshot.errors import InvalidArgumentError
from packshot.v1.image_pb2 import BoundingBox
from packshot.v1.packshot_pb2 import (
    ARRANGEMENT_ARRANGE,
    ARRANGEMENT_UNSPECIFIED,
    OUTPUT_JPEG,
    OUTPUT_REPORT_JSON,
    OUTPUT_TRANSPARENT_PNG,
    SHADOW_SOFT,
    SHADOW_UNSPECIFIED,
    CanvasOptions,
    LayoutOptions,
    PhotoChunk,
    ProcessImagesRequest,
    ProcessOptions,
    StreamItem,
)

T = TypeVar("T")

Photo = bytes | Path
"""A photo's bytes, or the file that holds them."""

OutputName = Literal["jpeg", "transparent_png", "report_json"]
ShadowName = Literal["none", "soft"]
ArrangementName = Literal["keep", "arrange"]

MAX_UNARY_BYTES: Final = 20 * 2**20
"""Larger photos travel in chunks."""
CHUNK_BYTES: Final = 128 * 2**10

_OUTPUTS: Final = {
    "jpeg": OUTPUT_JPEG,
    "transparent_png": OUTPUT_TRANSPARENT_PNG,
    "report_json": OUTPUT_REPORT_JSON,
}
_SHADOWS: Final = {"none": SHADOW_UNSPECIFIED, "soft": SHADOW_SOFT}
_ARRANGEMENTS: Final = {"keep": ARRANGEMENT_UNSPECIFIED, "arrange": ARRANGEMENT_ARRANGE}


class Region(NamedTuple):
    """A rectangle in pixels of the upright photo, origin top left."""

    x: int
    y: int
    width: int
    height: int


class ProcessArguments(TypedDict, total=False):
    """What can be asked for beside the photo; everything left out is up to the marketplace's pack.

    marketplaces: Rule pack ids, e.g. "amazon-us": one packshot and one report each.
    category: E.g. "electronics"; left out, only the rules common to all categories apply.
    outputs: "jpeg" (when left out), "transparent_png", "report_json".
    region_of_interest: Where the product is; everything outside is background.
    fill_ratio: Share of the canvas's dominant axis the product fills, in [0.05, 1]. Or:
    margin: White border on each side of that axis, in [0, 0.475].
    canvas_px: (width, height) of the packshot, each in [64, 10000].
    jpeg_quality: In [50, 100].
    shadow: "none" (when left out), or "soft": a contact shadow beneath the product in the JPEG, for marketplaces whose
        pack allows one; for others none, and the report's findings say so.
    arrangement: "keep" (when left out): the pieces lie as in the photo; or "arrange": loose pieces are laid out anew,
        all at one scale, where that draws them larger.
    as_of: The day whose rules apply; today (UTC) when left out.
    debug: Also return pictures that explain each result, in `debug_images`: "matte", "trimap", "foreground", "halo",
        "worst-edge".
    """

    marketplaces: Sequence[str]
    category: str
    outputs: Sequence[OutputName]
    region_of_interest: Region | None
    fill_ratio: float | None
    margin: float | None
    canvas_px: tuple[int, int] | None
    jpeg_quality: int | None
    shadow: ShadowName | None
    arrangement: ArrangementName | None
    as_of: datetime.date | None
    debug: bool


def process_options(arguments: ProcessArguments) -> ProcessOptions:
    """The options as a message.

    Raises:
        ValueError: `fill_ratio` and `margin` are both given, or an output, shadow or arrangement is unknown.
    """
    fill_ratio, margin = arguments.get("fill_ratio"), arguments.get("margin")
    if fill_ratio is not None and margin is not None:
        raise ValueError("give fill_ratio or margin, not both: fill_ratio = 1 - 2 * margin")
    outputs = arguments.get("outputs", ())
    shadow, arrangement = arguments.get("shadow"), arguments.get("arrangement")
    layout = None
    if fill_ratio is not None:
        layout = LayoutOptions(fill_ratio=fill_ratio)
    elif margin is not None:
        layout = LayoutOptions(margin=margin)
    canvas_px, quality = arguments.get("canvas_px"), arguments.get("jpeg_quality")
    canvas = None
    if canvas_px is not None or quality is not None:
        width_px, height_px = canvas_px or (0, 0)
        canvas = CanvasOptions(width_px=width_px, height_px=height_px, jpeg_quality=quality or 0)
    region = arguments.get("region_of_interest")
    return ProcessOptions(
        marketplaces=arguments.get("marketplaces", ()),
        category=arguments.get("category", ""),
        outputs=[_number("output", name, _OUTPUTS) for name in outputs],
        region_of_interest=bounding_box(region),
        layout=layout,
        canvas=canvas,
        as_of_date=iso_date(arguments.get("as_of")),
        shadow=_number("shadow", shadow or "none", _SHADOWS),
        arrangement=_number("arrangement", arrangement or "keep", _ARRANGEMENTS),
        debug=arguments.get("debug", False),
    )


def _number(what: str, name: str, numbers: Mapping[str, T]) -> T:
    """The number of an enum's value by its name.

    Raises:
        ValueError: There is no such name.
    """
    if name not in numbers:
        raise ValueError(f"unknown {what} {name!r}: choose from {', '.join(numbers)}")
    return numbers[name]


def bounding_box(region: Region | None) -> BoundingBox | None:
    """A region as a message."""
    if region is None:
        return None
    x, y, width, height = region
    return BoundingBox(x=x, y=y, width=width, height=height)


def iso_date(day: datetime.date | None) -> str:
    """ISO 8601, empty for None."""
    return day.isoformat() if day else ""


def file_of(photo: Photo) -> str | None:
    """What an error calls the photo."""
    return str(photo) if isinstance(photo, Path) else None


def read_photo(photo: Photo, *, max_bytes: int | None = None, may_be_empty: bool = False) -> bytes:
    """The photo's bytes.

    Raises:
        InvalidArgumentError: PHOTO_UNREADABLE for a file that cannot be read, PHOTO_EMPTY, or
            PHOTO_TOO_LARGE above `max_bytes`.
    """
    try:
        data = photo.read_bytes() if isinstance(photo, Path) else photo
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _bad_photo("PHOTO_UNREADABLE", f"cannot be read: {reason}", photo) from error
    if not data and not may_be_empty:
        raise _bad_photo("PHOTO_EMPTY", "holds no bytes", photo)
    if max_bytes is not None and len(data) > max_bytes:
        size, limit = f"{len(data) / 2**20:.1f} MiB", f"{max_bytes / 2**20:g} MiB"
        raise _bad_photo("PHOTO_TOO_LARGE", f"is {size} large, the limit here is {limit}", photo)
    return data


def stream_messages(item_id: str, options: ProcessOptions, data: bytes) -> Iterator[ProcessImagesRequest]:
    """One item of a stream: whole, or followed by its chunks when it is large."""
    if len(data) <= MAX_UNARY_BYTES:
        yield ProcessImagesRequest(item=StreamItem(item_id=item_id, options=options, photo=data))
        return
    yield ProcessImagesRequest(item=StreamItem(item_id=item_id, options=options))
    for start in range(0, len(data), CHUNK_BYTES):
        piece = data[start : start + CHUNK_BYTES]
        last = start + CHUNK_BYTES >= len(data)
        yield ProcessImagesRequest(chunk=PhotoChunk(item_id=item_id, data=piece, last=last))


def _bad_photo(reason: str, message: str, photo: Photo) -> InvalidArgumentError:
    # Without a file's name the sentence needs another subject.
    file = file_of(photo)
    text = message if file else f"the photo {message}"
    return InvalidArgumentError(grpc.StatusCode.INVALID_ARGUMENT, reason, text, file=file)
