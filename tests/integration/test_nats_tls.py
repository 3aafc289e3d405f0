"""NATS with a password and a certificate, as in a cluster."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import topology
from services.common.bus import Bus
from services.common.server import StartError
from services.common.topology import IMAGE_EVENTS, image_subject
from tests.helpers.authority import Authority
from tests.helpers.nats_server import NatsServer

HOST = "127.0.0.1"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """NATS is given up after two seconds of trying."""
    monkeypatch.setattr("services.common.nats_access.CONNECT_TIMEOUT_S", 2.0)


@pytest.fixture
def nats(authority: Authority, tmp_path: Path) -> Iterator[NatsServer]:
    """Encrypts, and asks for a password."""
    own = authority.certificate(HOST)
    store = tmp_path / "nats"
    store.mkdir()
    tls = ("--tls", "--tlscert", str(own.file), "--tlskey", str(own.key_file))
    server = NatsServer(store, *tls, "--user", "packshot", "--pass", "correct-horse")
    server.start()
    yield server
    server.stop()


def url_of(nats: NatsServer, password: str = "correct-horse") -> str:  # noqa: S107
    return nats.url.replace("nats://", f"nats://packshot:{password}@")


async def test_events_go_encrypted_to_who_proves_itself(nats: NatsServer, authority: Authority) -> None:
    await topology.apply(url_of(nats), authority.ca_file)
    bus = Bus(url_of(nats), IMAGE_EVENTS, ca_file=authority.ca_file)
    await bus.connect()
    bus.publish(image_subject("received", "acme"), b"hello", "1")
    await bus.close()
    assert bus.dropped == 0


@pytest.mark.usefixtures("impatient")
async def test_a_wrong_password_is_told(nats: NatsServer, authority: Authority) -> None:
    with pytest.raises(StartError, match="Authorization Violation") as caught:
        await Bus(url_of(nats, "wrong-horse"), IMAGE_EVENTS, ca_file=authority.ca_file).connect()
    assert "wrong-horse" not in str(caught.value)


@pytest.mark.usefixtures("impatient")
async def test_a_server_of_another_authority_gets_nothing(nats: NatsServer, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(StartError, match="CERTIFICATE_VERIFY_FAILED"):
        await Bus(url_of(nats), IMAGE_EVENTS, ca_file=Authority(tmp_path / "other").ca_file).connect()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_a_server_that_does_not_encrypt_is_not_told_the_password(authority: Authority, scheme: str) -> None:
    """As somebody on the way would do it."""
    heard = bytearray()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.9.10","max_payload":1048576,"tls_required":false}\r\n')
        heard.extend(await reader.read())
        writer.close()

    async with await asyncio.start_server(pretend, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        ca_file = authority.ca_file if scheme == "nats" else None
        with pytest.raises(StartError, match="does not encrypt, but must"):
            await Bus(f"{scheme}://packshot:correct-horse@{HOST}:{port}", IMAGE_EVENTS, ca_file=ca_file).connect()
    assert b"correct-horse" not in heard
