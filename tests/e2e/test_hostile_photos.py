"""Hostile photos among others, through real processes: they fail with their reason, and nothing else does."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from packshot.client import InvalidArgumentError, JobPhoto, PackshotClient, PackshotError
from tests.helpers import hostile_decoder, product_photos
from tests.helpers.hostile_photos import memory_bomb
from tests.helpers.packshot_serve import packshot_serve
from tests.helpers.waiting import ended, wait_until
from tools.stack import SERVICES, Stack, is_serving

pytestmark = pytest.mark.timeout(300)  # starts of the whole stack

MUG = product_photos.mug_jpeg(320)
HOSTILE = {
    "segfault": (hostile_decoder.SEGFAULT, "PHOTO_DECODER_CRASHED"),
    "abort": (hostile_decoder.ABORT, "PHOTO_DECODER_CRASHED"),
    "exit": (hostile_decoder.EXIT, "PHOTO_DECODER_CRASHED"),
    "endless": (hostile_decoder.ENDLESS, "PHOTO_DECODE_TIMEOUT"),
    "hungry": (hostile_decoder.HUNGRY, "PHOTO_DECODE_MEMORY"),
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Segmenter and validator obey hostile photos."""
    limits = {"DECODE_WORKERS": "2", "DECODE_TIMEOUT_S": "6", "DECODE_MEMORY_MB": "512"}
    environment = {f"{stage}_{name}": value for stage in ("SEGMENTER", "VALIDATOR") for name, value in limits.items()}
    stack = Stack(environment | {"SEGMENTER_PROPOSERS": "classical", "SEGMENTER_WORKERS": "4"})
    for name in ("segmenter", "validator"):
        stack.run(name, [sys.executable, "-m", "tests.helpers.hostile_stage", name], stack.environment)
    for name in ("compositor", "gateway"):
        stack.start(name)
    for name in SERVICES:
        stack.wait(name)
    yield stack
    for name in SERVICES:
        stack.terminate(name)
    assert [stack.join(name) for name in SERVICES] == [0] * len(SERVICES)


def zygote_of(stack: Stack, name: str) -> psutil.Process:
    (zygote,) = psutil.Process(stack.pid(name)).children()
    return zygote


def test_no_other_photo_is_lost(stack: Stack) -> None:
    photos = [
        photo
        for name, (data, _) in HOSTILE.items()
        for photo in ((f"before {name}", MUG), (name, data), (f"after {name}", MUG))
    ]
    with PackshotClient(stack.address, timeout_s=200) as client:
        outcomes = dict(client.process_many(photos, concurrency=6))
        reasons = {name: answer.reason for name, answer in outcomes.items() if isinstance(answer, PackshotError)}

    assert reasons == {name: reason for name, (_, reason) in HOSTILE.items()}
    assert all(isinstance(outcomes[name], InvalidArgumentError) for name in HOSTILE), "no other try ends otherwise"
    assert len(outcomes) == len(photos)
    for name in SERVICES:
        assert not stack.has_ended(name)
        assert is_serving(stack.addresses[name], 5)


def test_the_field_is_named_whoever_decodes(stack: Stack) -> None:
    with PackshotClient(stack.address, timeout_s=100) as client:
        with pytest.raises(InvalidArgumentError) as caught:
            client.check(hostile_decoder.SEGFAULT)
        assert (caught.value.reason, caught.value.field_violations[0].field) == ("PHOTO_DECODER_CRASHED", "image")
        assert client.check(product_photos.blank_jpeg(side_px=64), marketplaces=["amazon-us"]).reports


def test_decoders_end_with_their_service_however_it_ends(stack: Stack) -> None:
    zygote = zygote_of(stack, "segmenter")
    with PackshotClient(stack.address, timeout_s=100) as client, ThreadPoolExecutor(1) as caller:
        call = caller.submit(client.process, hostile_decoder.ENDLESS)
        wait_until(lambda: bool(zygote.children()))
        decoders = [zygote, *zygote.children()]
        stack.kill("segmenter")
        wait_until(lambda: all(ended(process.pid) for process in decoders))
        with pytest.raises(PackshotError):
            call.result()

        stack.run("segmenter", [sys.executable, "-m", "tests.helpers.hostile_stage", "segmenter"], stack.environment)
        stack.wait("segmenter")
        assert client.process(MUG).results


def test_a_bulk_item_ends_with_its_reason(tmp_path: Path) -> None:
    limits = {"SEGMENTER_DECODE_MEMORY_MB": "160", "SEGMENTER_PROPOSERS": "classical"}
    with (
        packshot_serve(tmp_path, "--data-dir", str(tmp_path / "data"), **limits) as served,
        PackshotClient(served.gateway, timeout_s=100) as client,
    ):
        job = client.jobs.create(uploads=[JobPhoto("mug", MUG), JobPhoto("bomb", memory_bomb())])
        for _ in client.jobs.watch(job.job_id):
            pass
        items = {item.item_key: item for item in client.jobs.items(job.job_id)}

    assert (items["bomb"].error_reason, items["bomb"].attempts) == ("PHOTO_DECODE_MEMORY", 1)
    assert items["mug"].files
