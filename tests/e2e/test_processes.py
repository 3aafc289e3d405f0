"""The services as processes: what an operator does to them, and what callers see of it."""

import threading
import time
from collections.abc import Iterator

import pytest

from packshot.client import PackshotClient, PackshotError, UnavailableError
from packshot.v1.packshot_pb2 import ProcessImageResponse
from tests.helpers import product_photos
from tools.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack() as running:
        yield running


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[PackshotClient]:
    with PackshotClient(stack.address, timeout_s=100) as connected:
        yield connected


class Photo(threading.Thread):
    """Sends one photo from another thread."""

    def __init__(self, client: PackshotClient, side_px: int) -> None:
        super().__init__()
        self._client = client
        self._photo = product_photos.mug_jpeg(side_px)
        self.outcome: ProcessImageResponse | PackshotError | None = None

    def run(self) -> None:
        try:
            self.outcome = self._client.process(self._photo)
        except PackshotError as error:
            self.outcome = error


def test_a_stage_down_is_named_and_comes_back_without_a_restart(stack: Stack, client: PackshotClient) -> None:
    stack.terminate("compositor")
    assert stack.join("compositor") == 0
    with pytest.raises(UnavailableError) as caught:
        client.process(product_photos.mug_jpeg())
    assert caught.value.reason == "STAGE_UNAVAILABLE"
    assert caught.value.metadata["stage"] == "compositor"

    stack.start("compositor")
    stack.wait("compositor")
    assert client.process(product_photos.mug_jpeg()).results


@pytest.mark.parametrize("service", ["segmenter", "gateway"])
def test_sigterm_lets_the_photo_finish(stack: Stack, client: PackshotClient, service: str) -> None:
    photo = Photo(client, side_px=1600)
    photo.start()
    time.sleep(0.8)  # it is in work by then
    stack.terminate(service)

    photo.join()
    assert isinstance(photo.outcome, ProcessImageResponse), photo.outcome
    assert stack.join(service) == 0

    stack.start(service)
    stack.wait(service)
    assert client.process(product_photos.mug_jpeg()).results
