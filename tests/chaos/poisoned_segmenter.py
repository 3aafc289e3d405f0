"""The real segmenter, but one photo kills it, as a bug in a decoder would.

python -m tests.chaos.poisoned_segmenter
"""

import os
import sys
from typing import Any, Final

from packshot.v1.segmenter_pb2 import SegmentImageRequest, SegmentImageResponse
from services.common.server import run
from services.segmenter import server
from services.segmenter.service import SegmenterServicer
from services.segmenter.settings import SegmenterSettings

POISON: Final = b"a photo that kills its stage"


class Poisoned(SegmenterServicer):
    async def SegmentImage(self, request: SegmentImageRequest, context: Any) -> SegmentImageResponse:  # noqa: N802
        if POISON in request.photo:
            os._exit(139)
        return await super().SegmentImage(request, context)


if __name__ == "__main__":
    setattr(server, "SegmenterServicer", Poisoned)  # noqa: B010  # mypy: a type is not assigned to
    sys.exit(run(server.create, SegmenterSettings))
