import asyncio

import grpc
import pytest

from packshot.v1 import segmenter_pb2_grpc
from packshot.v1.segmenter_pb2 import SegmentImageRequest
from services.common.channel import open_channel
from services.common.errors import ServiceError
from services.common.server import Server, Service
from tests.helpers.dns_server import Names, dns_server
from tests.helpers.gateway import eventually
from tests.helpers.stages import PHOTO, Segmenter, Stages, segmented
from tests.helpers.tiny_service import TinySettings, running_tiny


async def test_a_proxy_for_the_internet_gets_no_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with running_tiny() as tiny, open_channel(tiny.server.address) as channel:
        stub = segmenter_pb2_grpc.SegmenterServiceStub(channel)
        await stub.SegmentImage(SegmentImageRequest(photo=b"hello"))


async def test_large_photos_are_retried_too() -> None:
    """By default gRPC keeps no more than 256 KiB of a call for a retry."""
    async with Stages.running() as stages:
        away = ServiceError(grpc.StatusCode.UNAVAILABLE, "STOPPING", "another replica please")
        stages.segmenter.segment.script = [away, segmented]
        async with open_channel(stages.address("segmenter")) as channel:
            stub = segmenter_pb2_grpc.SegmenterServiceStub(channel)
            await stub.SegmentImage(SegmentImageRequest(photo=PHOTO * 2**20))
        assert [len(call.request.photo) for call in stages.segmenter.segment.calls] == [len(PHOTO) * 2**20] * 2


class Replicas:
    """A service's replicas in this process: 127.0.0.2, .3, … on one port, told by a DNS server."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._port = 0
        self._servers: dict[str, Server] = {}
        self.scripted: dict[str, Segmenter] = {}

    @property
    def address(self) -> str:
        return f"dns://127.0.0.1:{self._names.port}/segmenter.packshot.test:{self._port}"

    async def start(self, ip: str) -> None:
        scripted = self.scripted[ip] = Segmenter()

        def register(server: grpc.aio.Server) -> None:
            segmenter_pb2_grpc.add_SegmenterServiceServicer_to_server(scripted, server)

        async def close() -> None:
            pass

        settings = TinySettings(listen=f"{ip}:{self._port}", max_connection_age_s=1.0)
        server = Server(Service("segmenter", ("packshot.v1.SegmenterService",), register, close), settings)
        await server.start()
        self._port = int(server.address.rsplit(":", 1)[1])
        self._servers[ip] = server
        self._publish()

    async def stop(self, ip: str) -> None:
        server = self._servers.pop(ip)
        self._publish()
        await server.stop()

    def calls(self, ip: str) -> int:
        return len(self.scripted[ip].segment.calls)

    def _publish(self) -> None:
        self._names.answers["segmenter.packshot.test"] = [list(self._servers)]


async def test_replicas_come_and_go_and_no_call_fails() -> None:
    with dns_server() as names:
        replicas = Replicas(names)
        await replicas.start("127.0.0.2")
        async with open_channel(replicas.address) as channel:
            stub = segmenter_pb2_grpc.SegmenterServiceStub(channel)
            done = asyncio.Event()

            async def caller() -> None:
                while not done.is_set():
                    await stub.SegmentImage(SegmentImageRequest(photo=PHOTO), timeout=30)
                    await asyncio.sleep(0.005)

            callers = [asyncio.create_task(caller()) for _ in range(4)]
            await eventually(lambda: replicas.calls("127.0.0.2") >= 20)
            await replicas.start("127.0.0.3")
            await eventually(lambda: replicas.calls("127.0.0.3") >= 20)
            before = {ip: replicas.calls(ip) for ip in replicas.scripted}
            await eventually(lambda: replicas.calls("127.0.0.3") >= before["127.0.0.3"] + 200)
            old, new = (replicas.calls(ip) - calls for ip, calls in before.items())
            assert 0.5 <= old / new <= 2
            await replicas.stop("127.0.0.2")
            await replicas.start("127.0.0.4")
            await eventually(lambda: replicas.calls("127.0.0.4") >= 20)
            await replicas.stop("127.0.0.3")
            await eventually(lambda: replicas.calls("127.0.0.4") >= 60)
            done.set()
            await asyncio.gather(*callers)
        await replicas.stop("127.0.0.4")
