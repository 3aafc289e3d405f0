"""Good and bad answers of a real server, over TLS with an authority of its own and through the internal hosts."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

import httpx
import pytest

from services.gateway.sources import Fetcher, SourceError, SourceSettings, pinned_transport
from tests.helpers.authority import Authority
from tests.helpers.dns_server import Names
from tests.helpers.https_server import Exchange, HttpServer, http_server

PHOTO: Final = b"\x89PNG\r\n\x1a\n" + b"pixels" * 500
"""What the fetcher looks at is a PNG's; the rest is the decoder's matter."""
PAGE: Final = b"<!doctype html><html><body>Please sign in</body></html>"


@pytest.fixture
async def shop(authority: Authority, names: Names) -> AsyncIterator[HttpServer]:
    """https://shop.test, which is this machine."""
    names.answers["shop.test"] = [["127.0.0.1"]]
    async with http_server(authority.server_context("shop.test")) as server:
        yield server


@pytest.fixture
def settings(shop: HttpServer, authority: Authority) -> SourceSettings:
    return SourceSettings(
        internal_hosts=frozenset({f"shop.test:{shop.port}"}), ca_file=authority.ca_file, max_photo_bytes=100_000
    )


@asynccontextmanager
async def fetching(settings: SourceSettings, names: Names, **changed: object) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(settings.model_copy(update=changed), names.resolve)
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def reason_of(fetcher: Fetcher, url: str) -> SourceError:
    with pytest.raises(SourceError) as failed:
        await fetcher.fetch(url)
    return failed.value


async def test_a_photo_comes_from_the_host_that_can_prove_its_name(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    shop.always("/mug.png", 200, PHOTO)
    async with fetching(settings, names) as fetcher:
        assert await fetcher.fetch(f"https://shop.test:{shop.port}/mug.png?size=large") == PHOTO

    assert shop.names == ["shop.test"], "TLS asks for the name, not for the address"
    assert shop.exchanges[0].headers["host"] == f"shop.test:{shop.port}"
    assert shop.exchanges[0].path == "/mug.png?size=large"


async def test_a_certificate_of_an_unknown_authority_is_refused(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    async with fetching(settings, names, ca_file=None) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/")

    assert (error.reason, error.is_permanent) == ("SOURCE_CERTIFICATE_INVALID", True)
    assert not shop.exchanges


async def test_a_certificate_of_another_name_is_refused(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    names.answers["other.test"] = [["127.0.0.1"]]
    async with fetching(settings, names, internal_hosts=frozenset({f"other.test:{shop.port}"})) as fetcher:
        error = await reason_of(fetcher, f"https://other.test:{shop.port}/")

    assert error.reason == "SOURCE_CERTIFICATE_INVALID"
    assert not shop.exchanges


async def test_http_is_for_internal_hosts(names: Names) -> None:
    names.answers["files.test"] = [["127.0.0.1"]]
    async with http_server() as server:
        server.always("/mug.png", 200, PHOTO)
        internal = SourceSettings(internal_hosts=frozenset({f"files.test:{server.port}"}))
        async with fetching(internal, names) as fetcher:
            assert await fetcher.fetch(f"http://files.test:{server.port}/mug.png") == PHOTO


async def test_an_internal_host_is_one_port(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    async with fetching(settings, names) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port + 1}/")

    assert error.reason == "SOURCE_PORT_REFUSED"


async def test_redirects_are_followed(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    shop.always("/a/old", 301, Location="../b/newer")
    shop.always("/b/newer", 307, Location=f"//shop.test:{shop.port}/mug.png")
    shop.always("/mug.png", 200, PHOTO)
    async with fetching(settings, names) as fetcher:
        assert await fetcher.fetch(f"https://shop.test:{shop.port}/a/old") == PHOTO


async def test_redirects_end(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    shop.always("/round", 302, Location="/round")
    async with fetching(settings, names, max_redirects=2) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/round")

    assert (error.reason, error.is_permanent) == ("SOURCE_TOO_MANY_REDIRECTS", True)
    assert len(shop.exchanges) == 3


@pytest.mark.parametrize(
    ("status", "reason", "is_permanent"),
    [
        (404, "SOURCE_NOT_FOUND", True),
        (410, "SOURCE_NOT_FOUND", True),
        (401, "SOURCE_FORBIDDEN", True),
        (403, "SOURCE_FORBIDDEN", True),
        (204, "SOURCE_STATUS_UNEXPECTED", True),
        (400, "SOURCE_STATUS_UNEXPECTED", True),
        (302, "SOURCE_STATUS_UNEXPECTED", True),
        (429, "SOURCE_BUSY", False),
        (408, "SOURCE_SERVER_FAILED", False),
        (503, "SOURCE_SERVER_FAILED", False),
    ],
)
async def test_a_status_says_why_and_for_how_long(
    status: int, reason: str, is_permanent: bool, shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    shop.always("/mug.png", status)
    async with fetching(settings, names, attempts=1) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/mug.png?token=secret")

    assert (error.reason, error.is_permanent) == (reason, is_permanent)
    assert "shop.test" in error.message
    assert "secret" not in error.message
    assert "mug" not in error.message


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again_when_it_wants(
    status: int, shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    asked_at: list[float] = []

    async def answer(exchange: Exchange) -> None:
        asked_at.append(time.monotonic())
        if len(asked_at) == 1:
            await exchange.answer(status, Retry_After="1")
        else:
            await exchange.answer(200, PHOTO)

    shop.answers["/mug.png"] = answer
    async with fetching(settings, names) as fetcher:
        assert await fetcher.fetch(f"https://shop.test:{shop.port}/mug.png") == PHOTO

    assert asked_at[1] - asked_at[0] >= 1


async def test_a_server_that_keeps_failing_is_given_up(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    shop.always("/mug.png", 500, Retry_After="0")
    async with fetching(settings, names, attempts=3) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/mug.png")

    assert (error.reason, error.is_permanent) == ("SOURCE_SERVER_FAILED", False)
    assert len(shop.exchanges) == 3


async def test_a_long_break_is_left_to_the_caller(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    shop.always("/seconds", 429, Retry_After="3600")
    shop.always("/date", 503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    shop.always("/neither", 503, Retry_After="soon")
    async with fetching(settings, names) as fetcher:
        seconds = await reason_of(fetcher, f"https://shop.test:{shop.port}/seconds")
        date = await reason_of(fetcher, f"https://shop.test:{shop.port}/date")
        assert len(shop.exchanges) == 2
    async with fetching(settings, names, attempts=1) as fetcher:
        neither = await reason_of(fetcher, f"https://shop.test:{shop.port}/neither")

    assert seconds.retry_after_s == 3600
    assert date.retry_after_s == pytest.approx(3600, abs=30)
    assert neither.retry_after_s is None


async def test_a_broken_connection_is_tried_again(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    async def break_once(exchange: Exchange) -> None:
        if len(shop.exchanges) == 1:
            await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + PHOTO[:2000])
        else:
            await exchange.answer(200, PHOTO)

    shop.answers["/mug.png"] = break_once
    async with fetching(settings, names) as fetcher:
        assert await fetcher.fetch(f"https://shop.test:{shop.port}/mug.png") == PHOTO


async def test_a_server_that_is_away_is_no_permanent_error(names: Names, settings: SourceSettings) -> None:
    (internal,) = settings.internal_hosts
    names.answers["shop.test"] = [["127.0.0.2"]]  # where nothing listens
    async with fetching(settings, names, attempts=2) as fetcher:
        error = await reason_of(fetcher, f"https://{internal}/mug.png")

    assert (error.reason, error.is_permanent) == ("SOURCE_CONNECTION_FAILED", False)
    assert len(names.questions) == 2


async def test_names_that_do_not_exist_are_permanent_and_name_servers_that_fail_are_not(
    names: Names, settings: SourceSettings
) -> None:
    async with fetching(settings, names, attempts=1) as fetcher:
        unknown = await reason_of(fetcher, "https://nowhere.test/mug.png")
        names.broken = True
        broken = await reason_of(fetcher, "https://nowhere.test/mug.png")

    assert (unknown.reason, unknown.is_permanent) == ("SOURCE_HOST_UNKNOWN", True)
    assert (broken.reason, broken.is_permanent) == ("SOURCE_CONNECTION_FAILED", False)


async def test_the_next_address_is_tried(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    names.answers["shop.test"] = [["127.0.0.2", "127.0.0.1"]]
    shop.always("/mug.png", 200, PHOTO)
    async with fetching(settings, names, attempts=1) as fetcher:
        assert await fetcher.fetch(f"https://shop.test:{shop.port}/mug.png") == PHOTO


async def test_a_slow_drip_meets_the_total_limit(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    async def drip(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + PHOTO[:100])
        while True:
            await exchange.send(b".")
            await asyncio.sleep(0.05)

    shop.answers["/mug.png"] = drip
    began = time.monotonic()
    async with fetching(settings, names, timeout_s=1.0, read_timeout_s=0.9) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/mug.png")

    assert (error.reason, error.is_permanent) == ("SOURCE_TIMEOUT", False)
    assert time.monotonic() - began < 10


async def test_a_host_that_never_answers_meets_the_read_limit(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    async def hang(exchange: Exchange) -> None:
        await asyncio.sleep(3600)

    shop.answers["/mug.png"] = hang
    async with fetching(settings, names, read_timeout_s=0.3, attempts=1) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/mug.png")

    assert error.reason == "SOURCE_TIMEOUT"


async def test_a_photo_that_says_it_is_too_large_is_not_read(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    shop.always("/mug.png", 200, PHOTO + bytes(100_000))
    async with fetching(settings, names) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/mug.png")

    assert (error.reason, error.is_permanent) == ("SOURCE_TOO_LARGE", True)
    assert "100000" in error.message


@pytest.mark.parametrize(("start", "reason"), [(PHOTO, "SOURCE_TOO_LARGE"), (PAGE * 40, "SOURCE_NOT_AN_IMAGE")])
async def test_an_endless_answer_is_cut_off(
    start: bytes, reason: str, shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    sent = 0

    async def endless(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + start)
        while True:
            await exchange.send(bytes(65536))
            sent += 65536

    shop.answers["/mug.png"] = endless
    async with fetching(settings, names) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/mug.png")

    assert error.reason == reason
    assert sent < 20 * 2**20  # what the buffers of both sides hold


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        (b"", "SOURCE_EMPTY", "empty"),
        (PAGE, "SOURCE_NOT_AN_IMAGE", "web page"),
        (b"8BPS" + bytes(100), "SOURCE_NOT_AN_IMAGE", "Photoshop"),
        (b"\0", "SOURCE_NOT_AN_IMAGE", "not a picture"),
    ],
)
async def test_bytes_count_and_not_the_content_type(
    body: bytes, reason: str, words: str, shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    shop.always("/mug.png", 200, body, Content_Type="image/png")
    async with fetching(settings, names) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/mug.png")

    assert (error.reason, error.is_permanent) == (reason, True)
    assert words in error.message


async def test_compressed_answers_are_refused(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    shop.always("/mug.png", 200, gzip.compress(bytes(1000)), Content_Encoding="gzip")
    async with fetching(settings, names) as fetcher:
        error = await reason_of(fetcher, f"https://shop.test:{shop.port}/mug.png")

    assert shop.exchanges[0].headers["accept-encoding"] == "identity"
    assert error.reason == "SOURCE_ENCODED"


async def test_a_catalogue_may_be_any_bytes_up_to_its_own_limit(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    shop.always("/items.csv", 200, b"sku,image_url\n")
    async with fetching(settings, names, max_catalogue_bytes=14) as fetcher:
        assert await fetcher.fetch_catalogue(f"https://shop.test:{shop.port}/items.csv") == b"sku,image_url\n"
    async with fetching(settings, names, max_catalogue_bytes=13) as fetcher:
        with pytest.raises(SourceError) as failed:
            await fetcher.fetch_catalogue(f"https://shop.test:{shop.port}/items.csv")

    assert failed.value.reason == "SOURCE_TOO_LARGE"


async def test_a_host_is_asked_for_so_many_photos_at_a_time(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    async def slowly(exchange: Exchange) -> None:
        await asyncio.sleep(0.6)
        await exchange.answer(200, PHOTO)

    shop.answers["/mug.png"] = slowly
    # All eight take four times 0.6 s: those that wait for their turn do not run out of time.
    async with fetching(settings, names, max_connections_per_host=2, timeout_s=2.0) as fetcher:
        photos = await asyncio.gather(*(fetcher.fetch(f"https://shop.test:{shop.port}/mug.png") for _ in range(8)))

    assert photos == [PHOTO] * 8
    assert shop.most_at_once == 2


async def test_one_slow_host_does_not_hold_up_another(
    shop: HttpServer, authority: Authority, names: Names, settings: SourceSettings
) -> None:
    async def hang(exchange: Exchange) -> None:
        await asyncio.sleep(3600)

    shop.answers["/mug.png"] = hang
    names.answers["quick.test"] = [["127.0.0.1"]]
    async with http_server(authority.server_context("quick.test")) as quick:
        quick.always("/mug.png", 200, PHOTO)
        hosts = settings.internal_hosts | {f"quick.test:{quick.port}"}
        async with fetching(settings, names, internal_hosts=hosts, max_connections_per_host=1) as fetcher:
            hanging = [asyncio.create_task(fetcher.fetch(f"https://shop.test:{shop.port}/mug.png")) for _ in range(3)]
            assert await fetcher.fetch(f"https://quick.test:{quick.port}/mug.png") == PHOTO
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)


async def test_nothing_a_host_sets_is_sent_with_the_next_call(
    shop: HttpServer, names: Names, settings: SourceSettings
) -> None:
    shop.always("/mug.png", 200, PHOTO, Set_Cookie="tenant=acme; Path=/")
    async with fetching(settings, names) as fetcher:
        await fetcher.fetch(f"https://shop.test:{shop.port}/mug.png")
        await fetcher.fetch(f"https://shop.test:{shop.port}/mug.png")

    assert "cookie" not in shop.exchanges[1].headers


async def test_the_pinned_transport_serves_any_client(shop: HttpServer, names: Names, settings: SourceSettings) -> None:
    shop.always("/hook", 204)
    async with httpx.AsyncClient(transport=pinned_transport(settings, names.resolve), trust_env=False) as client:
        response = await client.post(f"https://shop.test:{shop.port}/hook", json={"event": "done"})

    assert response.status_code == 204
    assert shop.exchanges[0].body == b'{"event":"done"}'


@pytest.mark.parametrize(
    "wrong", [{"internal_hosts": ["https://shop.test"]}, {"internal_hosts": ["Shop.test"]}, {"buckets": ["photos"]}]
)
def test_settings_that_would_never_match_are_refused(wrong: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="is not"):
        SourceSettings.model_validate(wrong)


async def test_a_handshake_given_up_leaves_no_connection_open(names: Names) -> None:
    """The total limit cancels it, and the other side sees the end while the fetcher lives on."""
    names.answers["shop.test"] = [["127.0.0.1"]]
    begun, ended = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        while await reader.read(4096):
            pass
        ended.set()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    silent = SourceSettings(internal_hosts=frozenset({f"shop.test:{port}"}), timeout_s=0.5, attempts=1)
    async with server, fetching(silent, names) as fetcher:
        while not begun.is_set():  # a busy machine may need longer to get that far
            error = await reason_of(fetcher, f"https://shop.test:{port}/mug.png")
            assert error.reason == "SOURCE_TIMEOUT"
        async with asyncio.timeout(30):
            await ended.wait()
