"""Every measurement's name, unit and meaning: the one list that measuring and rules share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Kind(Enum):
    """What a measurement's value is."""

    NUMBER = "number"
    FLAG = "flag"  # a number that is 0 (no) or 1 (yes)
    TEXT = "text"


class Origin(Enum):
    """Who can make a measurement."""

    IMAGE = "image"  # this service, from the finished file
    KNOWN = "known"  # an earlier stage, which hands it in
    PERSON = "person"  # nobody yet: a person has to look


@dataclass(frozen=True, slots=True)
class Quantity:
    """A thing that can be measured.

    `unit` is empty for texts, flags and plain ratios' names say what they are a share of.
    `meaning` is one sentence; for `Origin.PERSON` it is what the person has to look for.
    """

    name: str
    unit: str
    kind: Kind
    origin: Origin
    meaning: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A named value, or the reason why there is none: exactly one of `value` and `why_not` is given."""

    name: str
    value: float | str | None
    unit: str
    why_not: str = ""


Measurements = Mapping[str, Measurement]


def _quantities() -> tuple[Quantity, ...]:
    number, flag, text = Kind.NUMBER, Kind.FLAG, Kind.TEXT
    image, known, person = Origin.IMAGE, Origin.KNOWN, Origin.PERSON
    return (
        Quantity("width_px", "px", number, image, "Width of the upright image."),
        Quantity("height_px", "px", number, image, "Height of the upright image."),
        Quantity("longest_side_px", "px", number, image, "The larger of width and height."),
        Quantity("aspect_ratio", "ratio", number, image, "Width over height of the image."),
        Quantity("format", "", text, image, "File format, e.g. JPEG."),
        Quantity("color_mode", "", text, image, "Colour mode of the file: RGB, CMYK or GREY."),
        Quantity("has_transparency", "", flag, image, "Some pixel is not fully opaque."),
        Quantity("is_animated", "", flag, image, "The file holds more than one frame."),
        Quantity("file_size_bytes", "bytes", number, image, "Size of the file."),
        Quantity("background_purity", "share", number, image, "Background pixels that are exactly (255, 255, 255)."),
        Quantity(
            "background_purity_clear",
            "share",
            number,
            image,
            "The same, without the background next to the product, where edges are soft and lossy formats ring.",
        ),
        Quantity(
            "background_purity_unshaded",
            "share",
            number,
            image,
            "The same, without a soft shadow: grey that begins at the product and fades into white.",
        ),
        Quantity(
            "background_purity_tolerant",
            "share",
            number,
            image,
            "Background pixels whose channels are all 250 or more.",
        ),
        Quantity("fill_ratio", "ratio", number, image, "Larger of bounding box width/canvas width and height/height."),
        Quantity("bbox_area_share", "share", number, image, "The bounding box's area as a share of the canvas."),
        Quantity("matte_area_share", "share", number, image, "The product's own area as a share of the canvas."),
        Quantity("touches_frame", "", flag, image, "The product reaches the canvas edge."),
        Quantity("border_share", "share", number, image, "Canvas perimeter along which a straight line is drawn."),
        Quantity("piece_count", "pieces", number, image, "Separate parts of the product."),
        Quantity("sharpness", "score", number, image, "4/(4 + s²), s the product's edge blur in px at a 1000 px view."),
        Quantity("halo", "ΔE00", number, image, "Colour difference of the rim and the inside it continues."),
        Quantity(
            "fringe_width",
            "px",
            number,
            image,
            "Width of the way from product to white beyond the product's own blur, on a canvas of 2000 px.",
        ),
        Quantity("jaggedness", "px", number, image, "How far the outline strays from its own smoothed curve."),
        Quantity(
            "leftover_translucency",
            "share",
            number,
            image,
            "Haze beside the product and, seen with its matte only, holes washed into it, over the product's area.",
        ),
        Quantity("upscale_factor", "factor", number, known, "How much the product was enlarged for the canvas."),
        Quantity("source_touches_frame", "", flag, known, "The product was cut by the edge of the photo that came in."),
        Quantity("has_text_overlay", "", flag, person, "text, logos or graphics laid over the photo"),
        Quantity("has_watermark", "", flag, person, "watermarks"),
        Quantity("has_placeholder", "", flag, person, "a placeholder or drawing in place of the product"),
        Quantity("has_props", "", flag, person, "props, accessories that are not included, or a styled scene"),
        Quantity("has_packaging", "", flag, person, "packaging that is not a feature of the product"),
        Quantity("unit_count", "units", number, person, "how many units of the product are shown"),
        Quantity("has_loose_cord", "", flag, person, "cords that are not part of the product"),
        Quantity("has_mannequin", "", flag, person, "a visible mannequin or hanger, clear ones included"),
        Quantity("has_person", "", flag, person, "a model or part of a person"),
        Quantity("is_front_view", "", flag, person, "whether the product is seen from the front"),
        Quantity("has_cast_shadow", "", flag, person, "shadows at the frame's edges or cast on the product"),
        Quantity("has_added_outline", "", flag, person, "an outline or artefact added by editing"),
        Quantity("has_lifestyle_element", "", flag, person, "lifestyle elements that compete with the product"),
        Quantity(
            "lacks_synthetic_mark", "", flag, person, "a generated person without contains-synthetic-performer in XMP"
        ),
    )


CATALOGUE: Mapping[str, Quantity] = MappingProxyType({quantity.name: quantity for quantity in _quantities()})
