"""What edges are measured on: photos with true alpha, and rendered scenes of which everything is known."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from bench.edges.scores import Image, on_white_in_linear_light, on_white_in_srgb
from bench.peers import PYMATTING, run_peer

_TRIMAP_RADIUS = 2 / 1024  # of the longer side


@dataclass(frozen=True, slots=True)
class Case:
    """A photo with its trimap and everything that is true about it; all are files.

    matte: 8-bit grey. colour: straight sRGB, with or without alpha. white: the product on white.
    """

    name: str
    group: str
    photo: Path
    trimap: Path
    matte: Path
    colour: Path
    white: Path


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases whose truth was laid on white in one way."""

    title: str
    on_white: Callable[[Image], Image]
    cases: tuple[Case, ...]


def read(file: Path, mode: str) -> NDArray[np.uint8]:
    """A picture's pixels in one of Pillow's modes."""
    return np.asarray(PillowImage.open(file).convert(mode))


def photo_cases(folder: Path, work: Path, wanted: Callable[[str], bool], *, peer_python: str) -> Cases:
    """Photos in images/ with alpha/ and trimap/ beside it.

    Their true colour is estimated from photo and true alpha by pymatting's multi-level method and laid on white in
    sRGB; both go to `work`, an existing folder.

    Raises:
        PeerUnavailableError: there is no pymatting.
    """
    photos = [photo for photo in sorted((folder / "images").iterdir()) if wanted(photo.stem)]
    colours, whites = work / "colours", work / "whites"
    colours.mkdir()
    whites.mkdir()
    if photos:
        options = ("--mattes", str(folder / "alpha"))
        run_peer(PYMATTING, photos, colours, python=peer_python, weights=None, options=options)
    cases = []
    for photo in photos:
        name = f"{photo.stem}.png"
        PillowImage.fromarray(on_white_in_srgb(read(colours / name, "RGBA"))).save(whites / name)
        matte, trimap = folder / "alpha" / name, folder / "trimap" / name
        cases.append(Case(photo.stem, "", photo, trimap, matte, colours / name, whites / name))
    return Cases("photos", on_white_in_srgb, tuple(cases))


def scene_cases(folder: Path, work: Path, wanted: Callable[[str], bool]) -> Cases:
    """The scenes of scenes.csv, rendered on white in linear light; their trimaps go to `work`, an existing folder."""
    trimaps = work / "trimaps"
    trimaps.mkdir()
    with (folder / "scenes.csv").open(newline="") as file:
        groups = {row["name"]: row["group"] for row in csv.DictReader(file) if wanted(row["name"])}
    cases = []
    for name, group in groups.items():
        matte, trimap = folder / f"{name}.matte.png", trimaps / f"{name}.png"
        PillowImage.fromarray(exact_trimap(read(matte, "L"))).save(trimap)
        photo, colour, white = (folder / f"{name}.{kind}" for kind in ("jpg", "foreground.png", "white.png"))
        cases.append(Case(name, group, photo, trimap, matte, colour, white))
    return Cases("scenes", on_white_in_linear_light, tuple(cases))


def exact_trimap(matte: Image) -> Image:
    """The trimap (H, W) of 0, 128 and 255 that an exact 8-bit matte (H, W) gives.

    Unknown is what is neither 0 nor 255, both sides of a step from one to the other, and all within 2 px of either (of
    a matte of 1024 px; as much more as it is larger).
    """
    square = np.ones((3, 3), np.uint8)
    step = cv2.dilate((matte == 255).view(np.uint8), square) & cv2.dilate((matte == 0).view(np.uint8), square)
    unknown = ((matte > 0) & (matte < 255)).view(np.uint8) | step
    radius = _trimap_radius_px(matte)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    trimap: Image = np.where(cv2.dilate(unknown, disc) > 0, np.uint8(128), matte)
    return trimap


def outline_trimap(trimap: Image) -> Image:
    """The trimap (H, W) of a see-through product's outline: only what an `exact_trimap` opens along a hard edge."""
    inwards = cv2.distanceTransform((trimap > 0).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outline: Image = np.where(inwards > 2 * _trimap_radius_px(trimap) + 1, np.uint8(255), trimap)
    return outline


def opaque_parts(trimap: Image) -> NDArray[np.bool_]:
    """What of a see-through product an `exact_trimap` (H, W) knows to be opaque: labels and caps, with the margin that
    the trimap keeps from them."""
    side = 2 * _trimap_radius_px(trimap) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate((trimap == 255).view(np.uint8), disc) > 0)


def _trimap_radius_px(picture: Image) -> int:
    radius_px: int = max(1, round(_TRIMAP_RADIUS * max(picture.shape)))
    return radius_px
