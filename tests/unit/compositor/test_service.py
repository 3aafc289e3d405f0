"""The servicer: photo and matte in, packshots and what there is to say about them out."""

from collections.abc import AsyncIterator, Iterable
from io import BytesIO
from typing import Any, cast

import grpc
import numpy as np
import pytest
from PIL import Image

from packshot.v1.compositor_pb2 import CanvasTarget, ComposeImageRequest, ComposeImageResponse
from packshot.v1.packshot_pb2 import ARRANGEMENT_ARRANGE, DebugImage
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
