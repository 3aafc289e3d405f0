"""Hostile URLs, given directly and as the target of a redirect: none reaches a listener of this machine.

The listener counts TCP connections on all addresses of the machine, and its port is an allowed one, so nothing but the
checks of URL and address stands between it and the URLs. Connections to other machines are seen by an audit hook: none
is even tried.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import httpx
import pytest

from services.gateway.sources import Fetcher, RefusedError, SourceError, SourceSettings, pinned_transport
from tests.helpers.authority import Authority
from tests.helpers.dns_server import Names
from tests.helpers.https_server import HttpServer, http_server

_ADDRESS, _URL = "SOURCE_ADDRESS_REFUSED", "SOURCE_URL_INVALID"
_SCHEME, _USERINFO = "SOURCE_SCHEME_REFUSED", "SOURCE_USERINFO_REFUSED"

# {port} is the listener's.
HOSTILE: Final = {
    # this machine, written in every way inet_aton knows
    "https://127.0.0.1:{port}/": _ADDRESS,
    "https://127.1:{port}/": _ADDRESS,
    "https://127.0.1:{port}/": _ADDRESS,
    "https://127.255.255.254:{port}/": _ADDRESS,
    "https://2130706433:{port}/": _ADDRESS,
    "https://2130706433.:{port}/": _ADDRESS,
    "https://0x7f000001:{port}/": _ADDRESS,
    "https://0x7f.0x0.0x0.0x1:{port}/": _ADDRESS,
    "https://0x7F.1:{port}/": _ADDRESS,
    "https://0177.0.0.1:{port}/": f"{_ADDRESS} or {_URL}",
    "https://017700000001:{port}/": _ADDRESS,
    "https://0177.0x0.0.1:{port}/": f"{_ADDRESS} or {_URL}",
    "https://127.0.0.01:{port}/": f"{_ADDRESS} or {_URL}",
    "https://127.0.0.1.:{port}/": _ADDRESS,
    "https://0:{port}/": _ADDRESS,
    "https://0.0.0.0:{port}/": _ADDRESS,
    # … and in IPv6, alone or with an IPv4 address inside
    "https://[::1]:{port}/": _ADDRESS,
    "https://[0:0:0:0:0:0:0:1]:{port}/": _ADDRESS,
    "https://[::]:{port}/": _ADDRESS,
    "https://[::ffff:127.0.0.1]:{port}/": _ADDRESS,
    "https://[::ffff:7f00:1]:{port}/": _ADDRESS,
    "https://[::127.0.0.1]:{port}/": _ADDRESS,
    "https://[::ffff:0:127.0.0.1]:{port}/": _ADDRESS,
    "https://[64:ff9b::127.0.0.1]:{port}/": _ADDRESS,
    "https://[64:ff9b:1::7f00:1]:{port}/": _ADDRESS,
    "https://[2002:7f00:1::]:{port}/": _ADDRESS,
    "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/": _ADDRESS,
    "https://[fe80::1]:{port}/": _ADDRESS,
    "https://[fe80::1%25lo]:{port}/": _URL,
    "https://[::1%lo]:{port}/": _URL,
    # our neighbours
    "https://10.0.0.1:{port}/": _ADDRESS,
    "https://172.16.0.1:{port}/": _ADDRESS,
    "https://192.168.0.1:{port}/": _ADDRESS,
    "https://100.64.0.1:{port}/": _ADDRESS,
    "https://198.18.0.1:{port}/": _ADDRESS,
    "https://[fc00::1]:{port}/": _ADDRESS,
    "https://[fec0::1]:{port}/": _ADDRESS,
    "https://224.0.0.1:{port}/": _ADDRESS,
    "https://[ff02::1]:{port}/": _ADDRESS,
    "https://255.255.255.255:{port}/": _ADDRESS,
    # clouds' credentials
    "https://169.254.169.254/latest/meta-data/iam/security-credentials/": _ADDRESS,
    "http://169.254.169.254/latest/meta-data/": _SCHEME,
    "https://2852039166/latest/meta-data/": _ADDRESS,
    "https://[::ffff:169.254.169.254]/": _ADDRESS,
    "https://[fd00:ec2::254]/latest/meta-data/": _ADDRESS,
    "https://100.100.100.200/": _ADDRESS,
    "https://168.63.129.16/": _ADDRESS,
    # names of this machine
    "https://localhost:{port}/": _ADDRESS,
    "https://LOCALHOST:{port}/": _ADDRESS,
    "https://localhost.:{port}/": f"{_ADDRESS} or SOURCE_HOST_UNKNOWN",
    "https://shop.localhost:{port}/": f"{_ADDRESS} or SOURCE_HOST_UNKNOWN",
    # other schemes
    "http://127.0.0.1:{port}/": _SCHEME,
    "http://localhost:{port}/": _SCHEME,
    "http://[::1]:{port}/": _SCHEME,
    "file:///etc/passwd": _SCHEME,
    "file://localhost/etc/passwd": _SCHEME,
    "gopher://127.0.0.1:{port}/_GET%20/": _SCHEME,
    "ftp://127.0.0.1:{port}/": _SCHEME,
    "dict://127.0.0.1:{port}/info": _SCHEME,
    "ldap://127.0.0.1:{port}/": _SCHEME,
    "unix:///var/run/docker.sock": _SCHEME,
    "ws://127.0.0.1:{port}/": _SCHEME,
    "data:image/png;base64,iVBORw0KGgo=": _SCHEME,
    "javascript:alert(1)": _SCHEME,
    # a user who is not one
    "https://user:secret@127.0.0.1:{port}/": _USERINFO,
    "https://shop.example@127.0.0.1:{port}/": _USERINFO,
    "https://shop.example:443@127.0.0.1:{port}/": _USERINFO,
    "https://127.0.0.1:{port}@shop.example/": _USERINFO,
    "https://shop.example%2f@127.0.0.1:{port}/": _USERINFO,
    "https://shop.example\\@127.0.0.1:{port}/": f"{_USERINFO} or {_URL}",
    # line breaks and other bytes that divide programs about where a URL ends
    "https://127.0.0.1:{port}/\r\nHost: shop.example": _URL,
    "https://127.0.0.1:{port}/%0d%0aHost:%20shop.example": _ADDRESS,
    "https://shop.example\r\n@127.0.0.1:{port}/": _URL,
    "https://127.0.0.1\t:{port}/": _URL,
    "https://127.0.0.1\x00.shop.example:{port}/": _URL,
    "https://127.0.0.1%00.shop.example:{port}/": _URL,
    "https://127.0.0.1\\.shop.example:{port}/": _URL,
    "https://%31%32%37.0.0.1:{port}/": _URL,
    "https://127.0.0.1:{port}#@shop.example/": _ADDRESS,
    "https://127.0.0.1:{port}?@shop.example/": _ADDRESS,
    # other scripts' digits, letters and full stops
    "https://１２７.０.０.１:{port}/": _URL,
    "https://①②⑦.⓪.⓪.①:{port}/": _URL,
    "https://١٢٧.٠.٠.١:{port}/": f"{_URL} or SOURCE_HOST_UNKNOWN",
    "https://127。0。0。1:{port}/": f"{_ADDRESS} or {_URL}",
    "https://ｌｏｃａｌｈｏｓｔ:{port}/": _URL,
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/": _URL,
    # ports of other services
    "https://8.8.8.8:22/": "SOURCE_PORT_REFUSED",
    "https://8.8.8.8:6379/": "SOURCE_PORT_REFUSED",
}

# What a redirect cannot say: fragments go nowhere, and a Location of other bytes than Latin-1 is no header.
REDIRECTS: Final = tuple(
    url for url in HOSTILE if not set("\r\n\x00").intersection(url) and all(ord(letter) < 256 for letter in url)
)


@dataclass
class Listener:
    """Counts connections to this machine, and tries of others."""

    port: int
    connections: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    tried: list[object] = field(default_factory=list)


_listening: list[Listener] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and _listening:
        _listening[0].tried.append(arguments[1])


sys.addaudithook(_watch)  # cannot be taken back; does nothing but while a listener listens


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        found.reached.set()
        writer.close()

    sockets = [socket.socket(), socket.socket(socket.AF_INET6)]
    sockets[0].bind(("0.0.0.0", 0))  # noqa: S104  # that is what may not be reached
    port = sockets[0].getsockname()[1]
    sockets[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sockets[1].bind(("::", port))
    found = Listener(port)
    servers = [await asyncio.start_server(count, sock=bound) for bound in sockets]
    _listening.append(found)
    try:
        yield found
    finally:
        _listening.clear()
        for server in servers:
            server.close()
            await server.wait_closed()


@pytest.fixture
def settings(listener: Listener) -> SourceSettings:
    return SourceSettings(
        ports=frozenset({443, listener.port}), attempts=1, connect_timeout_s=5, read_timeout_s=5, timeout_s=20
    )


@pytest.fixture
async def fetcher(settings: SourceSettings) -> AsyncIterator[Fetcher]:
    made = Fetcher(settings)
    yield made
    await made.close()


def test_the_suite_is_as_large_as_promised() -> None:
    assert len(HOSTILE) >= 40
    assert len(REDIRECTS) >= 40


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_url_reaches_nothing(url: str, fetcher: Fetcher, listener: Listener) -> None:
    with pytest.raises(SourceError) as refused:
        await fetcher.fetch(url.format(port=listener.port))

    assert refused.value.reason in HOSTILE[url].split(" or ")
    assert refused.value.is_permanent
    assert "secret" not in refused.value.message
    assert listener.connections == 0
    assert listener.tried == []


async def test_a_catalogue_is_fetched_with_the_same_care(fetcher: Fetcher, listener: Listener) -> None:
    with pytest.raises(SourceError, match="loopback"):
        await fetcher.fetch_catalogue(f"https://127.0.0.1:{listener.port}/")

    assert listener.connections == 0


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "::1", "::ffff:7f00:1", "localhost"],
)
async def test_without_the_checks_the_listener_is_reached(host: str, listener: Listener) -> None:
    _, writer = await asyncio.open_connection(host, listener.port)
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(10):
        await listener.reached.wait()


@dataclass
class Shop:
    """A good host under a name, with a certificate, that the operator vouches for."""

    server: HttpServer
    settings: SourceSettings

    @property
    def url(self) -> str:
        return f"https://shop.test:{self.server.port}"


@pytest.fixture
async def shop(authority: Authority, names: Names, settings: SourceSettings) -> AsyncIterator[Shop]:
    names.answers["shop.test"] = [["127.0.0.1"]]
    async with http_server(authority.server_context("shop.test")) as server:
        yield Shop(
            server,
            settings.model_copy(
                update={"internal_hosts": frozenset({f"shop.test:{server.port}"}), "ca_file": authority.ca_file}
            ),
        )


@pytest.mark.parametrize("url", REDIRECTS)
async def test_a_redirect_to_a_hostile_url_reaches_nothing(
    url: str, shop: Shop, names: Names, listener: Listener
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if host == "shop.test":
            return await names.resolve(host, port)
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]

    shop.server.always("/mug.jpg", 302, Location=url.format(port=listener.port))
    fetcher = Fetcher(shop.settings, resolve)
    with pytest.raises(SourceError) as refused:
        await fetcher.fetch(f"{shop.url}/mug.jpg")
    await fetcher.close()

    assert len(shop.server.exchanges) == 1
    assert refused.value.reason in (*HOSTILE[url].split(" or "), "SOURCE_REDIRECT_INVALID")
    assert refused.value.is_permanent
    assert listener.connections == 0
    tried_elsewhere = [address for address in listener.tried if address != ("127.0.0.1", shop.server.port)]
    assert not any(isinstance(address, tuple) and address[1] == listener.port for address in tried_elsewhere)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["0.0.0.0"],  # noqa: S104  # an answer, not a socket
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["fd00:ec2::254"],
        ["192.175.48.1", "127.0.0.1"],
        ["192.175.48.1", "::1"],
    ],
    ids=" ".join,
)
async def test_a_good_name_of_a_bad_address_reaches_nothing(
    addresses: list[str], names: Names, settings: SourceSettings, listener: Listener
) -> None:
    names.answers["cdn.test"] = [addresses]
    fetcher = Fetcher(settings, names.resolve)
    with pytest.raises(SourceError) as refused:
        await fetcher.fetch(f"https://cdn.test:{listener.port}/mug.jpg")
    await fetcher.close()

    assert refused.value.reason == _ADDRESS
    assert listener.connections == 0
    assert _tried(listener, names) == []


# AS112's sink for junk (RFC 7535): public, and nobody's.
_PUBLIC: Final = "192.175.48.1"


async def test_a_name_that_changes_between_check_and_call_reaches_nothing(
    names: Names, settings: SourceSettings, listener: Listener
) -> None:
    names.answers["rebind.test"] = [[_PUBLIC], ["127.0.0.1"]]
    fetcher = Fetcher(settings.model_copy(update={"connect_timeout_s": 1}), names.resolve)
    with pytest.raises(SourceError) as failed:
        await fetcher.fetch(f"https://rebind.test:{listener.port}/mug.jpg")
    await fetcher.close()

    assert failed.value.reason in ("SOURCE_CONNECTION_FAILED", "SOURCE_TIMEOUT")
    assert names.questions == ["rebind.test"], "asked once: what was checked is what was called"
    assert {address[0] for address in _tried(listener, names)} == {_PUBLIC}
    assert listener.connections == 0


async def test_a_name_that_changes_between_two_attempts_is_checked_again(
    names: Names, settings: SourceSettings, listener: Listener
) -> None:
    names.answers["rebind.test"] = [[_PUBLIC], ["127.0.0.1"]]
    fetcher = Fetcher(settings.model_copy(update={"attempts": 2, "connect_timeout_s": 1}), names.resolve)
    with pytest.raises(SourceError) as refused:
        await fetcher.fetch(f"https://rebind.test:{listener.port}/mug.jpg")
    await fetcher.close()

    assert refused.value.reason == _ADDRESS
    assert len(names.questions) == 2
    assert listener.connections == 0


async def test_a_redirect_to_a_name_that_changed_is_checked_again(shop: Shop, names: Names, listener: Listener) -> None:
    names.answers["rebind.test"] = [["127.0.0.1"]]
    shop.server.always("/mug.jpg", 302, Location=f"https://rebind.test:{listener.port}/")
    fetcher = Fetcher(shop.settings, names.resolve)
    with pytest.raises(SourceError) as refused:
        await fetcher.fetch(f"{shop.url}/mug.jpg")
    await fetcher.close()

    assert refused.value.reason == _ADDRESS
    assert listener.connections == 0


async def test_even_an_internal_host_never_leads_to_credentials(
    names: Names, settings: SourceSettings, listener: Listener
) -> None:
    names.answers["images.test"] = [["169.254.169.254"]]
    fetcher = Fetcher(settings.model_copy(update={"internal_hosts": frozenset({"images.test"})}), names.resolve)
    with pytest.raises(SourceError, match="cloud metadata"):
        await fetcher.fetch("http://images.test/latest/meta-data/")
    await fetcher.close()

    assert _tried(listener, names) == []


@pytest.mark.parametrize(
    "url",
    [
        "s3://secrets/key",
        "S3://secrets/key",
        "gs://secrets/key",
        "s3://photos@secrets/key",
        "s3://photos:80/key",
        "s3://photos\\@secrets/key",
        "s3://PHOTOS/key",
        "gs://photos/key",
    ],
)
async def test_a_bucket_that_is_not_on_the_list_is_not_talked_to(
    url: str, settings: SourceSettings, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.port}")
    fetcher = Fetcher(settings.model_copy(update={"buckets": frozenset({"s3://photos"})}))
    with pytest.raises(SourceError) as refused:
        await fetcher.fetch(url)
    await fetcher.close()

    assert refused.value.reason == "SOURCE_BUCKET_REFUSED"
    assert listener.connections == 0


async def test_a_proxy_of_the_environment_is_no_way_around(
    settings: SourceSettings, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    async with httpx.AsyncClient(transport=pinned_transport(settings)) as client:
        with pytest.raises(RefusedError):
            await client.post(f"https://127.0.0.1:{listener.port}/", content=b"{}")

    assert listener.connections == 0


def _tried(listener: Listener, names: Names) -> list[tuple[str, int]]:
    """Addresses that were connected to, but for the name server's."""
    found = [(address[0], address[1]) for address in listener.tried if isinstance(address, tuple)]
    return [address for address in found if address != ("127.0.0.1", names.port)]
