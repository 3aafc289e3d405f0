"""The compositor's servicer: proto to domain and back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc
import numpy as np
from numpy.typing import NDArray

from packshot.v1 import compositor_pb2_grpc
from packshot.v1.compositor_pb2 import (
    CanvasTarget,
    ComposeImageRequest,
    ComposeImageResponse,
    Composition,
    RenderCutoutRequest,
    RenderCutoutResponse,
)
from packshot.v1.image_pb2 import TRAIT_HAIRY, TRAIT_REFLECTIVE, TRAIT_TRANSPARENT, TRAIT_WORN_OR_HELD, BoundingBox
from packshot.v1.packshot_pb2 import (
    ARRANGEMENT_ARRANGE,
    OUTPUT_JPEG,
    OUTPUT_TRANSPARENT_PNG,
    SHADOW_SOFT,
    DebugImage,
    EncodedImage,
)
from packshot.v1.report_pb2 import RESOLUTION_AUTO_CORRECTED, RESOLUTION_MANUAL, Placement
from packshot.v1.report_pb2 import Finding as FindingMessage
from services.common.errors import invalid_argument, unusable_photo
from services.common.executor import BoundedExecutor
from services.common.photo import (
    Decode,
    PhotoError,
    decode_matte,
    decode_photo,
    encode_jpeg,
    encode_matte,
    encode_png,
)
from services.common.telemetry.steps import step
from services.compositor.canvas import Packshot
from services.compositor.compose import Product, arrange_pieces, place, place_outline, prepare_product
from services.compositor.cutout import make_cutout
from services.compositor.debug import explain_packshot, explain_product
from services.compositor.errors import EmptyMatteError
from services.compositor.findings import Finding
from services.compositor.layout import CanvasSpec, Layout
from services.compositor.refine import EdgeTreatment
from services.compositor.traits import Trait

Image = NDArray[np.uint8]
Matte = NDArray[np.float32]

_TRAITS: Final = {
    TRAIT_TRANSPARENT: Trait.TRANSPARENT,
    TRAIT_HAIRY: Trait.HAIRY,
    TRAIT_REFLECTIVE: Trait.REFLECTIVE,
    TRAIT_WORN_OR_HELD: Trait.WORN_OR_HELD,
}
"""The others change nothing here."""


class CompositorServicer(compositor_pb2_grpc.CompositorServiceServicer):
    """CompositorService over the domain."""

    def __init__(self, executor: BoundedExecutor, decode: Decode = decode_photo) -> None:
        self._executor = executor
        self._decode = decode

    async def ComposeImage(
        self, request: ComposeImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ComposeImageResponse:
        return await self._executor.run(_compose, request, self._decode)

    async def RenderCutout(
        self, request: RenderCutoutRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> RenderCutoutResponse:
        return await self._executor.run(_cut_out, request, self._decode)


def _compose(request: ComposeImageRequest, decode: Decode) -> ComposeImageResponse:
    given, product = _product(request, decode)
    composed = ComposeImageResponse(findings=[_finding(finding) for finding in product.findings])
    if request.debug:
        composed.debug_images.extend(_debug_images(explain_product(given.matte, given.uncertainty, product)))
    for target in request.targets:
        with step("compose"):
            placed = _place(product, target)
        with step("encode"):
            composed.compositions.append(_composition(target, placed))
        if request.debug:
            composed.debug_images.extend(_explained(given.image, product, target, placed))
    return composed


def _cut_out(request: RenderCutoutRequest, decode: Decode) -> RenderCutoutResponse:
    given, product = _product(request, decode)
    cutout = make_cutout(given.image, product.foreground, product.matte, keep_background=request.keep_background)
    with step("encode"):
        png = encode_png(cutout)
    return RenderCutoutResponse(png=png, findings=[_finding(finding) for finding in product.findings])


@dataclass(frozen=True, slots=True)
class _Given:
    """What a request brings, decoded."""

    image: Image
    matte: Matte
    uncertainty: Matte | None


def _product(request: ComposeImageRequest | RenderCutoutRequest, decode: Decode) -> tuple[_Given, Product]:
    """What came, and its refined product."""
    try:
        with step("decode"):
            photo = decode(request.photo)
    except PhotoError as error:
        raise unusable_photo("photo", error) from error
    try:
        with step("decode"):
            matte = decode_matte(request.matte_png)
    except PhotoError as error:
        raise unusable_photo("matte_png", error) from error
    if matte.shape != photo.image.shape[:2]:
        (height, width), (matte_height, matte_width) = photo.image.shape[:2], matte.shape
        raise invalid_argument(
            "matte_png",
            "MATTE_SIZE_MISMATCH",
            f"the matte is {matte_width} × {matte_height} px, the upright photo {width} × {height} px",
        )
    traits = frozenset(_TRAITS[trait] for trait in request.traits if trait in _TRAITS)
    given = _Given(photo.image, matte, _uncertainty(request.uncertainty_png))
    try:
        with step("refine"):
            product = prepare_product(
                photo.image,
                matte,
                EdgeTreatment(tighten_px=request.edge.tighten_px),
                already_cut_out=photo.alpha is not None,
                uncertainty=given.uncertainty,
                traits=traits,
            )
        return given, product
    except EmptyMatteError as error:
        raise invalid_argument("matte_png", error.reason, str(error)) from error


def _uncertainty(png: bytes) -> Matte | None:
    """The segmenter's uncertainty at its own size; None if none came."""
    if not png:
        return None
    try:
        return decode_matte(png)
    except PhotoError as error:
        raise unusable_photo("uncertainty_png", error) from error


@dataclass(frozen=True, slots=True)
class _Placed:
    """A product on its canvas, and what there is to say about that."""

    product: Product
    layout: Layout
    packshot: Packshot
    outline: Matte
    findings: tuple[Finding, ...]


def _place(product: Product, target: CanvasTarget) -> _Placed:
    canvas = _canvas(target)
    findings: tuple[Finding, ...] = ()
    if target.arrangement == ARRANGEMENT_ARRANGE:
        product, findings = arrange_pieces(product, canvas)
    layout, packshot = place(product, canvas, shadow=target.shadow == SHADOW_SOFT)
    return _Placed(product, layout, packshot, place_outline(product, layout, canvas, packshot), findings)


def _canvas(target: CanvasTarget) -> CanvasSpec:
    return CanvasSpec(
        width_px=target.width_px,
        height_px=target.height_px,
        fill_ratio=target.fill_ratio,
        keep_fill_from=target.keep_fill_from,
    )


def _composition(target: CanvasTarget, placed: _Placed) -> Composition:
    packshot = placed.packshot
    size = {"width_px": target.width_px, "height_px": target.height_px}
    jpeg = encode_jpeg(packshot.image, target.jpeg_quality)
    images = [EncodedImage(output=OUTPUT_JPEG, content=jpeg, **size)]
    if target.transparent_png:
        images.append(
            EncodedImage(
                output=OUTPUT_TRANSPARENT_PNG,
                content=encode_png(make_cutout(packshot.image, packshot.foreground, packshot.alpha)),
                **size,
            )
        )
    return Composition(
        target_id=target.target_id,
        images=images,
        matte_png=encode_matte(placed.outline),
        placement=_placement(target, placed.layout),
        findings=[_finding(finding) for finding in placed.findings],
    )


def _explained(image: Image, product: Product, target: CanvasTarget, placed: _Placed) -> list[DebugImage]:
    """The pictures of one canvas; names begin with the target's."""
    if placed.product.is_arranged:
        image = arrange_pieces(replace(product, foreground=image), _canvas(target))[0].foreground
    pictures = explain_packshot(image, placed.product, placed.layout, placed.packshot, placed.outline)
    return _debug_images(pictures, prefix=f"{target.target_id}/")


def _debug_images(pictures: Mapping[str, Image], prefix: str = "") -> list[DebugImage]:
    """Pictures on the wire: grey ones as 8-bit grey PNGs, others as RGB."""
    return [
        DebugImage(
            name=f"{prefix}{name}",
            png=encode_png(picture)
            if picture.ndim == 3
            else encode_matte(picture.astype(np.float32) / np.float32(255)),
        )
        for name, picture in pictures.items()
    ]


def _placement(target: CanvasTarget, layout: Layout) -> Placement:
    box = layout.bbox
    x, y = round(box.left), round(box.top)
    return Placement(
        canvas_width_px=target.width_px,
        canvas_height_px=target.height_px,
        scale=layout.scale,
        upscale_factor=layout.upscale_factor,
        product=BoundingBox(x=x, y=y, width=max(round(box.right) - x, 1), height=max(round(box.bottom) - y, 1)),
    )


def _finding(finding: Finding) -> FindingMessage:
    """A finding on the wire."""
    return FindingMessage(
        code=finding.code,
        resolution=RESOLUTION_AUTO_CORRECTED if finding.is_corrected else RESOLUTION_MANUAL,
        message=finding.message,
        action=finding.action,
    )
