"""What both clients know about the answers of a stream."""

from typing import Final

import grpc

from packshot.client._requests import Photo, file_of
from packshot.errors import PackshotError, UnavailableError, from_status
from packshot.v1.packshot_pb2 import ProcessImageResponse, ProcessImagesResponse

Answer = ProcessImageResponse | PackshotError
"""What became of one photo of a stream."""

MAX_BREAKS: Final = 3
"""A stream that breaks this often in a row, without an answer in between, is given up."""


def next_try_s(breaks: int) -> float:
    """How long to wait before the stream is opened again."""
    return min(0.25 * 2.0**breaks, 5.0)


def outcome(response: ProcessImagesResponse, photo: Photo) -> Answer:
    """The result, or the error with the photo's file."""
    if response.WhichOneof("outcome") == "error":
        return from_status(response.error, file_of(photo))
    return response.result


def ended_early(address: str) -> UnavailableError:
    """The server closed the stream in good order but owes answers."""
    return UnavailableError(
        grpc.StatusCode.UNAVAILABLE, "STREAM_ENDED", f"{address} ended the stream before all answers came"
    )
