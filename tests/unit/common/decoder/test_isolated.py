"""Photos decoded in processes of their own: the same pixels, and a hostile one ends alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType

import numpy as np
import psutil
import pytest
from PIL import Image

from services.common.decoder.isolated import InProcessDecoder, IsolatedDecoder, create_decoder
from services.common.errors import ServiceError
from services.common.photo import PhotoError, PhotoLimits, decode_photo
from services.common.server import StartError
from services.compositor.settings import CompositorSettings
from tests.helpers import hostile_decoder, icc
from tests.helpers.hostile_photos import endless_jpeg, memory_bomb
from tests.helpers.photos import corners, exif_orientation, gradients, save
from tests.helpers.waiting import ended, wait_until

MUCH_MB = 512
LONG_S = 60
GOOD = save(gradients(), "JPEG", quality=95)


@pytest.fixture(scope="module")
def decoder() -> Iterator[IsolatedDecoder]:
    """One that obeys hostile photos, and has time for all others."""
    decoder = IsolatedDecoder(3, LONG_S, MUCH_MB, hostile_decoder.decode)
    decoder.start()
    yield decoder
    decoder.close()


def reason(decoder: IsolatedDecoder, data: bytes, limits: PhotoLimits = PhotoLimits()) -> str:  # noqa: B008 - frozen
    with pytest.raises(PhotoError) as caught:
        decoder.decode(data, limits)
    assert caught.value.message
    return caught.value.reason


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(save(gradients(), "JPEG", quality=90, icc_profile=icc.display_p3()), id="JPEG with a profile"),
        pytest.param(save(corners(), "PNG", exif=exif_orientation(6)), id="PNG on its side"),
        pytest.param(save(np.dstack([gradients(), gradients()[..., 0]]), "PNG"), id="PNG with alpha"),
        pytest.param(save(Image.new("CMYK", (9, 5), (10, 20, 30, 40)), "TIFF"), id="TIFF with a warning"),
        pytest.param(save(gradients(), "AVIF"), id="AVIF"),
    ],
)
def test_the_photo_is_the_same_as_decoded_here(decoder: IsolatedDecoder, data: bytes) -> None:
    here, there = decode_photo(data), decoder.decode(data)

    np.testing.assert_array_equal(there.image, here.image)
    assert not there.image.flags.writeable
    assert (there.alpha is None) == (here.alpha is None)
    if here.alpha is not None and there.alpha is not None:
        np.testing.assert_array_equal(there.alpha, here.alpha)
        assert there.alpha.dtype == np.float32
    facts = ("format", "color_mode", "has_alpha_channel", "icc_profile", "is_animated", "warnings")
    assert [getattr(there, fact) for fact in facts] == [getattr(here, fact) for fact in facts]


def test_what_is_wrong_with_a_photo_is_said_as_here(decoder: IsolatedDecoder) -> None:
    assert reason(decoder, b"") == "PHOTO_EMPTY"
    assert reason(decoder, b"no photo") == "PHOTO_NOT_AN_IMAGE"
    assert reason(decoder, GOOD[:-600]) == "PHOTO_TRUNCATED"
    with pytest.raises(PhotoError) as caught:
        decoder.decode(GOOD, PhotoLimits(max_pixels=100))
    assert caught.value.reason == "PHOTO_TOO_MANY_PIXELS"
    assert caught.value.metadata["max_pixels"] == "100"


@pytest.mark.parametrize(
    ("photo", "how"),
    [
        (hostile_decoder.SEGFAULT, "SIGSEGV"),
        (hostile_decoder.ABORT, "SIGABRT"),
        (hostile_decoder.EXIT, "exit code 0"),
        (hostile_decoder.RAISES, "KeyError"),
    ],
)
def test_a_photo_that_breaks_its_decoder(decoder: IsolatedDecoder, photo: bytes, how: str) -> None:
    with pytest.raises(PhotoError) as caught:
        decoder.decode(photo)

    assert caught.value.reason == "PHOTO_DECODER_CRASHED"
    assert caught.value.metadata == {"how": how}
    assert decoder.decode(GOOD).image.shape == (40, 64, 3), "the next photo is decoded"


def test_a_photo_that_takes_all_memory(decoder: IsolatedDecoder) -> None:
    assert reason(decoder, hostile_decoder.HUNGRY) == "PHOTO_DECODE_MEMORY"


def test_real_files_that_ruin_a_decoder() -> None:
    """Both are within all limits that can be checked before a pixel is decoded."""
    for data, timeout_s, memory_mb, expected in (
        (memory_bomb(), LONG_S, 160, "PHOTO_DECODE_MEMORY"),
        (endless_jpeg(), 1, MUCH_MB, "PHOTO_DECODE_TIMEOUT"),
    ):
        assert len(data) < 2 * 2**20
        decoder = IsolatedDecoder(1, timeout_s, memory_mb)
        try:
            assert reason(decoder, data) == expected
        finally:
            decoder.close()


def test_others_are_decoded_while_some_are_hostile() -> None:
    hostile = {
        hostile_decoder.SEGFAULT: "PHOTO_DECODER_CRASHED",
        hostile_decoder.ENDLESS: "PHOTO_DECODE_TIMEOUT",
        hostile_decoder.EXIT: "PHOTO_DECODER_CRASHED",
        hostile_decoder.HUNGRY: "PHOTO_DECODE_MEMORY",
    }
    decoder = IsolatedDecoder(3, 5, MUCH_MB, hostile_decoder.decode)

    def outcome(data: bytes) -> str:
        try:
            return decoder.decode(data).format
        except PhotoError as error:
            return error.reason

    try:
        photos = [photo for bad in hostile for photo in (GOOD, bad, GOOD)]
        with ThreadPoolExecutor(6) as callers:
            outcomes = list(callers.map(outcome, photos))
    finally:
        decoder.close()

    assert outcomes == [hostile.get(photo, "JPEG") for photo in photos]


def test_photos_survive_the_end_of_the_zygote(decoder: IsolatedDecoder) -> None:
    """The kernel may end any process when memory runs out; what was decoded is decoded again."""
    slow = endless_jpeg(side_px=4000, scans=200)
    with ThreadPoolExecutor(2) as callers:
        photos = [callers.submit(decoder.decode, slow) for _ in range(2)]
        first = decoder.pid
        assert first is not None
        wait_until(lambda: len(psutil.Process(first).children()) == 2)
        psutil.Process(first).kill()

        assert [photo.result().image.shape for photo in photos] == [(4000, 4000, 3)] * 2
    assert decoder.pid != first


def test_a_photo_that_kills_the_zygote_again_and_again_is_given_up(decoder: IsolatedDecoder) -> None:
    assert reason(decoder, hostile_decoder.KILLS_ZYGOTE) == "PHOTO_DECODER_CRASHED"
    assert decoder.decode(GOOD).format == "JPEG"


def test_a_decoder_sees_nothing_of_the_service(decoder: IsolatedDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSITOR_SECRET", "for the service alone")
    fresh = IsolatedDecoder(1, LONG_S, MUCH_MB, hostile_decoder.decode)
    try:
        seen = {warning.code: warning.message for warning in fresh.decode(hostile_decoder.TELLS).warnings}
    finally:
        fresh.close()

    assert "PYTHONPATH" in seen["VARIABLES"] and "SECRET" not in seen["VARIABLES"]
    assert sum("socket" in name for name in seen["DESCRIPTORS"].split()) == 1, "where it answers"
    assert not {"grpc", "cv2", "pydantic"} & set(seen["MODULES"].split())
    assert seen["CORE_BYTES"] == "0"
    assert seen["OOM_SCORE_ADJ"] == "1000"


def test_nothing_is_left_behind_by_many_photos(decoder: IsolatedDecoder) -> None:
    this = psutil.Process()
    photos = [GOOD, b"no photo", hostile_decoder.EXIT]
    for photo in photos:
        _try(decoder, photo)
    assert decoder.pid is not None
    zygote = psutil.Process(decoder.pid)
    wait_until(lambda: not zygote.children())
    before = (this.num_fds(), zygote.num_fds())

    with ThreadPoolExecutor(3) as callers:
        list(callers.map(lambda photo: _try(decoder, photo), photos * 67))

    wait_until(lambda: not zygote.children())
    wait_until(lambda: (this.num_fds(), zygote.num_fds()) == before)


def test_closing_ends_what_runs() -> None:
    decoder = IsolatedDecoder(1, LONG_S, MUCH_MB, hostile_decoder.decode)
    with ThreadPoolExecutor(1) as caller:
        photo = caller.submit(_try, decoder, hostile_decoder.ENDLESS)
        wait_until(lambda: decoder.pid is not None and bool(psutil.Process(decoder.pid).children()))
        assert decoder.pid is not None
        processes = [decoder.pid, psutil.Process(decoder.pid).children()[0].pid]
        decoder.close()
        wait_until(lambda: all(ended(pid) for pid in processes))

    with pytest.raises(ServiceError, match="the service stops"):
        photo.result()


def _try(decoder: IsolatedDecoder, photo: bytes) -> None:
    try:
        decoder.decode(photo)
    except PhotoError:
        return


def test_a_zygote_that_cannot_start_says_so() -> None:
    missing = FunctionType(decode_photo.__code__, {"__name__": "services.common.nowhere"}, "decode_photo")
    decoder = IsolatedDecoder(1, LONG_S, MUCH_MB, missing)
    try:
        with pytest.raises(StartError, match="ended with code 1"):
            decoder.start()
    finally:
        decoder.close()


def test_a_system_on_which_nothing_can_be_decoded_is_told_at_the_start() -> None:
    decoder = IsolatedDecoder(1, LONG_S, MUCH_MB, hostile_decoder.nothing)
    try:
        with pytest.raises(StartError, match=r"_DECODE_WORKERS=0 .*PermissionError"):
            decoder.start()
    finally:
        decoder.close()


def test_where_photos_are_decoded_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(create_decoder(CompositorSettings()), IsolatedDecoder)
    monkeypatch.setenv("COMPOSITOR_DECODE_WORKERS", "0")
    here = create_decoder(CompositorSettings())
    assert isinstance(here, InProcessDecoder)
    assert here.decode(GOOD).format == "JPEG"
