"""One ProcessImages call and its answers."""

import threading
from queue import SimpleQueue
from typing import Final

import grpc

from packshot.client._requests import Photo, file_of, stream_messages
from packshot.errors import PackshotError, UnavailableError, from_status, no_answer_in_time
from packshot.v1.packshot_pb2 import (
    ProcessImageResponse,
    ProcessImagesRequest,
    ProcessImagesResponse,
    ProcessOptions,
)
from packshot.v1.packshot_pb2_grpc import PackshotServiceStub

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


class Stream:
    """One ProcessImages call, driven by whoever reads its answers: no thread of ours waits anywhere."""

    def __init__(self, stub: PackshotServiceStub, metadata: tuple[tuple[str, str], ...]) -> None:
        self._requests: SimpleQueue[ProcessImagesRequest | None] = SimpleQueue()
        self._call = stub.ProcessImages(iter(self._requests.get, None), metadata=metadata)

    def send(self, item_id: str, options: ProcessOptions, data: bytes) -> None:
        for message in stream_messages(item_id, options, data):
            self._requests.put(message)

    def receive(self, timeout_s: float, address: str) -> ProcessImagesResponse:
        """The next answer.

        Raises:
            grpc.RpcError: The call failed.
            DeadlineExceededError: Nothing came in time; the call is over.
            UnavailableError: The server ended the call although photos are unanswered.
        """
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            self._call.cancel()

        timer = threading.Timer(timeout_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            return next(self._call)
        except StopIteration:
            raise UnavailableError(
                grpc.StatusCode.UNAVAILABLE, "STREAM_ENDED", f"{address} ended the stream before all answers came"
            ) from None
        except grpc.RpcError:
            if timed_out.is_set():
                raise no_answer_in_time() from None
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()
