"""Who gets an answer from a service that has certificates, and that these change while it works."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydantic import ValidationError

from packshot.v1 import segmenter_pb2_grpc
from packshot.v1.segmenter_pb2 import SegmentImageRequest
from services.common.channel import open_channel
from services.common.server import LIVENESS, Server, StartError
from services.common.tls import CertificateFiles, Changes, TlsError
from tests.helpers.authority import Authority, Certificate
from tests.helpers.gateway import eventually, failure
from tests.helpers.tiny_service import Tiny, TinySettings, create, running_tiny

GATEWAY = "spiffe://tests/packshot/gateway"
HERE = "127.0.0.1"
ANYTHING = SegmentImageRequest(photo=b"hello")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path / "ours")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return new_authority(tmp_path / "strange")


def new_authority(folder: Path) -> Authority:
    folder.mkdir()
    return Authority(folder)


@asynccontextmanager
async def stage(authority: Authority, **environment: str) -> AsyncIterator[Tiny]:
    """A service only the gateway may call."""
    own = authority.certificate(HERE)
    variables = {
        "TLS_CERT_FILE": str(own.file),
        "TLS_KEY_FILE": str(own.key_file),
        "TLS_CLIENT_CA_FILE": str(authority.ca_file),
        "TLS_ALLOWED_CLIENTS": f"{GATEWAY}, gateway.packshot.svc",
        "HEALTH_LISTEN": "127.0.0.1:0",
        "REFLECTION": "true",
    }
    async with running_tiny(**variables | environment) as tiny:
        yield tiny


@asynccontextmanager
async def connected(tiny: Tiny, trusted: bytes, own: Certificate | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """As a client that connects anew."""
    credentials = grpc.ssl_channel_credentials(
        trusted, own.key if own is not None else None, own.pem if own is not None else None
    )
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(tiny.server.address, credentials, options) as channel:
        yield channel


async def ask(channel: grpc.aio.Channel) -> Any:
    return await segmenter_pb2_grpc.SegmenterServiceStub(channel).SegmentImage(ANYTHING, timeout=30)


async def refusal(channel: grpc.aio.Channel) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(channel)
    return caught.value.code()


async def health(channel: grpc.aio.Channel, service: str = "") -> int:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    response = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
    return int(response.status)


async def services_named(channel: grpc.aio.Channel) -> int:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    return len((await call.read()).list_services_response.service)


async def becomes(answered: bool, tiny: Tiny, trusted: Authority, own: Certificate) -> None:
    """Waits until a client that connects anew is answered, or no longer is."""
    async with asyncio.timeout(30):
        while True:
            async with connected(tiny, trusted.pem, own) as channel:
                try:
                    await ask(channel)
                except grpc.aio.AioRpcError:
                    found = False
                else:
                    found = True
            if found is answered:
                return


@asynccontextmanager
async def under_load(channel: grpc.aio.Channel) -> AsyncIterator[list[float]]:
    """Calls all the while; fails when one of them does. Yields when each was answered."""
    answered: list[float] = []
    stopped = asyncio.Event()

    async def work() -> None:
        while not stopped.is_set():
            await ask(channel)
            answered.append(monotonic())

    async with asyncio.TaskGroup() as workers:
        for _ in range(4):
            workers.create_task(work())
        yield answered
        stopped.set()


def replace(mine: Certificate, newer: Certificate) -> None:
    """One file after the other: for a moment they do not fit together."""
    shutil.copy(newer.file, mine.file)
    shutil.copy(newer.key_file, mine.key_file)


class TestWhoMayCall:
    @pytest.mark.parametrize("name", [GATEWAY, "gateway.packshot.svc"])
    async def test_the_gateway_is_answered(self, authority: Authority, name: str) -> None:
        own = authority.certificate(name, file="gateway")
        async with stage(authority) as tiny, connected(tiny, authority.pem, own) as channel:
            await ask(channel)
            assert await services_named(channel) == 3

    async def test_without_the_right_certificate_there_is_no_connection(
        self, authority: Authority, stranger: Authority
    ) -> None:
        hour = timedelta(hours=1)
        certificates = {
            "none": None,
            "another authority's": stranger.certificate(GATEWAY, file="gateway"),
            "expired": authority.certificate(GATEWAY, file="expired", since=-2 * hour, until=-hour),
            "not valid yet": authority.certificate(GATEWAY, file="early", since=hour, until=2 * hour),
        }
        async with stage(authority) as tiny:
            for what, own in certificates.items():
                async with connected(tiny, authority.pem, own) as channel:
                    assert await refusal(channel) is grpc.StatusCode.UNAVAILABLE, what
            # Nor without TLS.
            assert await refusal(tiny.channel) is grpc.StatusCode.UNAVAILABLE

    async def test_another_identity_of_our_authority_gets_health_and_nothing_else(self, authority: Authority) -> None:
        own = authority.certificate("spiffe://tests/packshot/validator", "gateway.packshot.svc.evil", file="other")
        async with stage(authority) as tiny, connected(tiny, authority.pem, own) as channel:
            error = await failure(segmenter_pb2_grpc.SegmenterServiceStub(channel).SegmentImage(ANYTHING))
            assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "CLIENT_NOT_ALLOWED")
            assert "spiffe://tests/packshot/validator" in error.message
            assert (await failure(services_named(channel))).reason == "CLIENT_NOT_ALLOWED"
            assert await health(channel) == health_pb2.HealthCheckResponse.SERVING

    async def test_a_client_trusts_no_other_service(self, authority: Authority, stranger: Authority) -> None:
        own = authority.certificate(GATEWAY, file="gateway")
        elsewhere = authority.certificate("segmenter.elsewhere")
        async with stage(authority) as tiny, connected(tiny, stranger.pem, own) as channel:
            assert await refusal(channel) is grpc.StatusCode.UNAVAILABLE
        async with (
            stage(authority, TLS_CERT_FILE=str(elsewhere.file), TLS_KEY_FILE=str(elsewhere.key_file)) as tiny,
            connected(tiny, authority.pem, own) as channel,
        ):
            assert await refusal(channel) is grpc.StatusCode.UNAVAILABLE

    async def test_who_connects_and_says_nothing_is_let_go(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.common.server._HANDSHAKE_MS", 200)
        async with stage(authority) as tiny:
            reader, writer = await asyncio.open_connection(HERE, int(tiny.server.address.rpartition(":")[2]))
            async with asyncio.timeout(30):
                assert await reader.read() == b""
            writer.close()


class TestHealthPort:
    async def test_answers_anybody_with_health_and_nothing_else(self, authority: Authority) -> None:
        async with stage(authority) as tiny, grpc.aio.insecure_channel(tiny.server.health_address) as channel:
            for service in ("", "packshot.v1.SegmenterService", LIVENESS):
                assert await health(channel, service) == health_pb2.HealthCheckResponse.SERVING
            assert await refusal(channel) is grpc.StatusCode.UNIMPLEMENTED
            with pytest.raises(grpc.aio.AioRpcError, match="not found"):
                await services_named(channel)

    async def test_a_stopping_service_is_alive_and_not_ready_until_it_ends(self) -> None:
        async with running_tiny(HEALTH_LISTEN="127.0.0.1:0") as tiny:
            call = asyncio.create_task(tiny.ask("wait:3"))
            async with grpc.aio.insecure_channel(tiny.server.health_address) as channel:
                await asyncio.sleep(0.5)  # the call has begun
                stopping = asyncio.create_task(tiny.server.stop())
                status = health_pb2.HealthCheckResponse
                async with asyncio.timeout(30):
                    while await health(channel) != status.NOT_SERVING:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                assert await health(channel, LIVENESS) == status.SERVING
                assert not call.done()
                await call
                await stopping
                with pytest.raises(grpc.aio.AioRpcError):
                    await health(channel, LIVENESS)


class TestChangedFiles:
    async def test_no_call_fails_while_all_certificates_and_their_authority_are_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As certificates are rotated: first both sides trust both authorities, then each gets its new certificate."""
        monkeypatch.setattr("services.common.renewed_channel._LOOK_S", 0.05)
        old, new = new_authority(tmp_path / "old"), new_authority(tmp_path / "new")
        trusted = tmp_path / "ca.pem"
        trusted.write_bytes(old.pem)
        service, gateway = old.certificate(HERE, file="service"), old.certificate(GATEWAY, file="gateway")
        own_of_old = old.certificate(GATEWAY, file="own")
        own_of_new = new.certificate(GATEWAY, file="own")
        async with stage(
            old,
            TLS_CERT_FILE=str(service.file),
            TLS_KEY_FILE=str(service.key_file),
            TLS_CLIENT_CA_FILE=str(trusted),
            MAX_CONNECTION_AGE_S="0.5",
        ) as tiny:
            files = CertificateFiles(gateway.file, gateway.key_file, trusted)
            with structlog.testing.capture_logs() as logs:
                channel = open_channel(tiny.server.address, tls=files)

                async def renewed(times: int) -> None:
                    await eventually(lambda: [log["event"] for log in logs].count("certificate renewed") == times)

                async with under_load(channel) as answered:
                    trusted.write_bytes(old.pem + new.pem)
                    await renewed(1)
                    await becomes(True, tiny, old, own_of_new)
                    replace(service, new.certificate(HERE, file="service"))
                    await becomes(True, tiny, new, own_of_new)
                    replace(gateway, new.certificate(GATEWAY, file="gateway"))
                    await renewed(2)
                    trusted.write_bytes(new.pem)
                    await renewed(3)
                    await becomes(False, tiny, new, own_of_old)
                    await asyncio.sleep(1)  # longer than any connection gets
                    done = len(answered)
                    await eventually(lambda: len(answered) > done + 100)
                await channel.close()

    async def test_files_that_cannot_be_used_change_nothing(self, authority: Authority) -> None:
        service = authority.certificate(HERE)
        own = authority.certificate(GATEWAY, file="gateway")
        async with stage(authority) as tiny:
            service.file.write_text("no certificate")
            async with connected(tiny, authority.pem, own) as channel:
                await ask(channel)
            renewed = authority.certificate(HERE)  # into the same files
            assert renewed == service
            async with connected(tiny, authority.pem, own) as channel:
                await ask(channel)

    def test_a_volume_of_kubernetes_changes_as_a_whole(self, authority: Authority, tmp_path: Path) -> None:
        """Its files are links into a folder, itself a link that is replaced."""
        for version in ("1", "2"):
            own = authority.certificate("a.example", file=version)
            (tmp_path / f"..{version}").mkdir()
            shutil.copy(own.file, tmp_path / f"..{version}/tls.crt")
            shutil.copy(own.key_file, tmp_path / f"..{version}/tls.key")
        (tmp_path / "..data").symlink_to("..1")
        for name in ("tls.crt", "tls.key"):
            (tmp_path / name).symlink_to(f"..data/{name}")
        changes = Changes(CertificateFiles(tmp_path / "tls.crt", tmp_path / "tls.key", None))
        assert changes.next() is not None
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").rename(tmp_path / "..data")
        changed = changes.next()
        assert changed is not None
        assert changed.certificate == (tmp_path / "..2/tls.crt").read_bytes()

    def test_a_change_that_cannot_be_used_is_said_once(self, authority: Authority) -> None:
        own = authority.certificate("a.example")
        changes = Changes(CertificateFiles(own.file, own.key_file, None))
        first = changes.next()
        assert first is not None
        assert first.certificate == own.file.read_bytes()
        assert changes.next() is None
        shutil.copy(authority.certificate("b.example").key_file, own.key_file)
        with pytest.raises(TlsError, match=r"a\.example\.pem and .*a\.example\.key are no certificate and its"):
            changes.next()
        assert changes.next() is None
        authority.certificate("a.example")
        assert changes.next() is not None


class TestSettings:
    @pytest.mark.parametrize(
        ("given", "needed"),
        [
            ("TLS_CERT_FILE", "TINY_TLS_KEY_FILE"),
            ("TLS_KEY_FILE", "TINY_TLS_CERT_FILE"),
            ("TLS_CLIENT_CA_FILE", "TINY_TLS_CERT_FILE"),
            ("TLS_ALLOWED_CLIENTS", "TINY_TLS_CLIENT_CA_FILE"),
        ],
    )
    def test_half_of_tls_is_refused(self, monkeypatch: pytest.MonkeyPatch, given: str, needed: str) -> None:
        monkeypatch.setenv(f"TINY_{given}", "x")
        with pytest.raises(ValidationError, match=f"TINY_{given} needs {needed}"):
            TinySettings()

    def test_empty_variables_are_no_tls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE", "TLS_ALLOWED_CLIENTS"):
            monkeypatch.setenv(f"TINY_{name}", "")
        settings = TinySettings()
        assert (settings.tls_cert_file, settings.tls_allowed_clients) == (None, ())

    @pytest.mark.parametrize(
        ("broken", "words"),
        [("file", "cannot be read: No such file"), ("key_file", "no certificate and its unencrypted key")],
    )
    async def test_a_service_does_not_start_with_files_it_cannot_use(
        self, authority: Authority, broken: str, words: str
    ) -> None:
        own = authority.certificate(HERE)
        if broken == "file":
            own.file.unlink()
        else:
            shutil.copy(authority.certificate("another").key_file, own.key_file)
        settings = TinySettings(tls_cert_file=own.file, tls_key_file=own.key_file)
        server = Server(create(settings), settings)
        with pytest.raises(StartError, match=words) as caught:
            await server.start()
        assert "TINY_TLS_*_FILE" in str(caught.value)
        await server.stop()
