"""The servicer: photo and matte in, packshots and what there is to say about them out."""

from collections.abc import AsyncIterator, Iterable
from io import BytesIO
from typing import Any, cast

import grpc
import numpy as np
import pytest
from PIL import Image

from packshot.v1.compositor_pb2 import CanvasTarget, ComposeImageRequest, ComposeImageResponse
from packshot.v1.packshot_pb2 import ARRANGEMENT_ARRANGE, OUTPUT_TRANSPARENT_PNG, SHADOW_SOFT, DebugImage
from packshot.v1.report_pb2 import RESOLUTION_AUTO_CORRECTED
from services.common.executor import BoundedExecutor
from services.common.photo import encode_matte, encode_png
from services.compositor.service import CompositorServicer
from tests.helpers.composites import compose, disc, draw_matte, solid
from tests.helpers.product_photos import mug_jpeg, mug_matte

NO_CONTEXT = cast("grpc.aio.ServicerContext[Any, Any]", None)  # the servicer does not use it


@pytest.fixture
async def servicer() -> AsyncIterator[CompositorServicer]:
    executor = BoundedExecutor(1, 4)
    yield CompositorServicer(executor)
    await executor.close()


def target(name: str, side_px: int = 400, **more: Any) -> CanvasTarget:
    return CanvasTarget(
        target_id=name,
        width_px=side_px,
        height_px=side_px,
        fill_ratio=0.85,
        keep_fill_from=2,
        jpeg_quality=90,
        **more,
    )


async def composed(servicer: CompositorServicer, *targets: CanvasTarget, debug: bool) -> ComposeImageResponse:
    photo, matte = mug_jpeg(), encode_matte(mug_matte())
    request = ComposeImageRequest(photo=photo, matte_png=matte, targets=targets, debug=debug)
    return await servicer.ComposeImage(request, NO_CONTEXT)


def decoded(images: Iterable[DebugImage]) -> dict[str, Image.Image]:
    return {image.name: Image.open(BytesIO(image.png)) for image in images}


class TestDebug:
    async def test_the_products_pictures_come_once_and_each_canvas_has_its_own(
        self, servicer: CompositorServicer
    ) -> None:
        pictures = decoded((await composed(servicer, target("us"), target("de", 700), debug=True)).debug_images)
        assert list(pictures) == [
            *("matte", "trimap", "foreground"),
            *("us/halo", "us/worst-edge", "de/halo", "de/worst-edge"),
        ]
        assert {pictures[name].mode for name in ("matte", "trimap")} == {"L"}
        assert {pictures[name].size for name in ("matte", "trimap", "foreground")} == {(640, 640)}
        assert set(np.unique(np.asarray(pictures["trimap"]))) == {0, 128, 255}
        assert pictures["us/halo"].size != pictures["de/halo"].size

    async def test_nothing_is_drawn_unless_asked_for(self, servicer: CompositorServicer) -> None:
        plain = await composed(servicer, target("us"), debug=False)
        assert not plain.debug_images
        # And drawing changes nothing about the packshot.
        assert plain.compositions == (await composed(servicer, target("us"), debug=True)).compositions

    async def test_pieces_that_were_moved_are_found_in_the_photo(self, servicer: CompositorServicer) -> None:
        """Two discs far apart, each drawn larger: the photo beside the packshot shows the same disc, not the gap."""
        red, blue = (170, 40, 40), (40, 70, 170)
        matte = np.maximum(*(draw_matte(400, 1200, disc(90, (200, col))) for col in (120, 1080)))
        photo = compose(matte, solid(400, 1200, red), solid(400, 1200, blue)).photo
        request = ComposeImageRequest(
            photo=encode_png(photo),
            matte_png=encode_matte(matte),
            targets=[target("us", arrangement=ARRANGEMENT_ARRANGE)],
            debug=True,
        )
        response = await servicer.ComposeImage(request, NO_CONTEXT)
        assert [finding.code for finding in response.compositions[0].findings] == ["PIECES_ARRANGED"]
        sheet = np.asarray(decoded(response.debug_images)["us/worst-edge"])
        photo_panel, packshot_panel = sheet[-428:-28, 28:428], sheet[-428:-28, 444:844]
        is_red = [(panel == red).all(axis=2) for panel in (photo_panel, packshot_panel)]
        assert 0.1 < is_red[1].mean() < 0.9
        assert np.mean(is_red[0] == is_red[1]) > 0.95


class TestShadow:
    async def test_lies_beneath_the_product_on_the_canvas_that_asks_for_it_but_not_in_the_cutout(
        self, servicer: CompositorServicer
    ) -> None:
        plain, soft = (
            await composed(
                servicer,
                target("us", transparent_png=True),
                target("eu", transparent_png=True, shadow=SHADOW_SOFT),
                debug=False,
            )
        ).compositions
        one, other = (np.asarray(Image.open(BytesIO(each.images[0].content))) for each in (plain, soft))
        alpha = np.asarray(Image.open(BytesIO(soft.matte_png)))
        beneath = slice(soft.placement.product.y + soft.placement.product.height + 2, None)
        assert one[beneath].min() > 240
        assert other[beneath].min() < 200
        assert np.all(other[[0, -1]] == 255)
        assert soft.images[1].output == OUTPUT_TRANSPARENT_PNG
        assert soft.images[1:] == plain.images[1:]
        assert soft.matte_png == plain.matte_png
        assert alpha[beneath].max() < 16


class TestArrange:
    async def test_says_what_was_done_and_places_all_pieces(self, servicer: CompositorServicer) -> None:
        matte = np.maximum(*(draw_matte(300, 900, disc(60, (150, col))) for col in (80, 820)))
        cutout = np.dstack([solid(300, 900, (150, 40, 40)), np.rint(matte * 255).astype(np.uint8)])
        request = ComposeImageRequest(
            photo=encode_png(np.ascontiguousarray(cutout)),
            matte_png=encode_matte(matte),
            targets=[target("kept"), target("arranged", arrangement=ARRANGEMENT_ARRANGE)],
        )
        kept, arranged = (await servicer.ComposeImage(request, NO_CONTEXT)).compositions
        assert not kept.findings
        (finding,) = arranged.findings
        assert (finding.code, finding.resolution, finding.action) == ("PIECES_ARRANGED", RESOLUTION_AUTO_CORRECTED, "")
        assert arranged.placement.scale > 2 * kept.placement.scale
        box = arranged.placement.product
        drawn = np.asarray(Image.open(BytesIO(arranged.images[0].content))).min(axis=2) < 128
        rows, cols = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
        found = cols[0], rows[0], np.ptp(cols) + 1, np.ptp(rows) + 1
        assert found == pytest.approx((box.x, box.y, box.width, box.height), abs=2)
