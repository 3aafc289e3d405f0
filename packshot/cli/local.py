"""The four services in this process, over unix sockets in a private folder: no ports, same code path.

The one module of `packshot` that imports the services, also for the models' catalogue; it needs
`pip install 'packshot[all]'`.
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import Final, Self

from pydantic import SecretStr

from packshot.cli.data_dir import DataDir
from packshot.cli.nats import HOST, nats_answers, nats_command
from packshot.cli.processes import Child, until_ready
from services.common import topology
from services.common.server import Server, Service, StartError
from services.common.settings import ServerSettings
from services.common.telemetry.logs import configure_logs
from services.compositor import server as compositor
from services.compositor.settings import CompositorSettings
from services.gateway import server as gateway
from services.gateway.settings import GatewaySettings
from services.gateway.state.database import Database
from services.segmenter import server as segmenter
from services.segmenter.fetch import FetchError, fetch, kept_bytes
from services.segmenter.model_files import Presence, Verdict, presence, verify, weights_path
from services.segmenter.registry import CATALOGUE, Checkpoint, ModelSpec, UnknownModelError, published
from services.segmenter.settings import SegmenterSettings
from services.validator import server as validator
from services.validator.settings import ValidatorSettings

__all__ = [
    "CATALOGUE",
    "Checkpoint",
    "FetchError",
    "LocalStack",
    "ModelSpec",
    "Presence",
    "StartError",
    "UnknownModelError",
    "Verdict",
    "fetch",
    "kept_bytes",
    "presence",
    "published",
    "verify",
    "weights_path",
]

_NATS_GRACE_S: Final = 10.0
_WITHOUT_NATS: Final = (
    "Or name a gateway that keeps jobs with --server HOST:PORT; `packshot serve` is one, on a machine that has it."
)


class LocalStack:
    """Runs gateway, segmenter, compositor and validator while entered; `address` is the gateway's.

    Environment variables of the services apply as they do to processes, but for the addresses, and photos are decoded
    in this process: they are the files of the person who runs it, and three more processes would take time to start.

    Args:
        proposers: What proposes mattes, e.g. ("classical", "u2netp"); None means SEGMENTER_PROPOSERS.
        models_dir: Folder with the models' weights; None means SEGMENTER_MODELS_DIR.
        jobs_folder: Keeps jobs and what belongs to them, which needs a nats-server beside this process; None means
            that there are no jobs.

    Raises:
        StartError: On entering, when a service cannot start; the message says what to do.
        CommandError: The same about nats-server.
    """

    def __init__(
        self,
        proposers: Sequence[str] | None = None,
        models_dir: Path | None = None,
        jobs_folder: Path | None = None,
    ) -> None:
        self._proposers = proposers
        self._models_dir = models_dir
        self._data = DataDir(jobs_folder) if jobs_folder is not None else None
        self._nats: Child | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="packshot-")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="packshot-services", daemon=True)
        self._servers: list[Server] = []
        self.address = ""

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    async def _start(self) -> None:
        nats_url = await self._prepare(self._data) if self._data is not None else ""
        segmenter_settings = self._segmenter_settings()
        compositor_settings = CompositorSettings(listen=self._socket("compositor"), decode_workers=0)
        validator_settings = ValidatorSettings(listen=self._socket("validator"), decode_workers=0)
        configure_logs("packshot", CompositorSettings(log_level="error", log_format="console"))
        await self._serve(segmenter.create(segmenter_settings), segmenter_settings)
        await self._serve(compositor.create(compositor_settings), compositor_settings)
        await self._serve(validator.create(validator_settings), validator_settings)
        gateway_settings = GatewaySettings(
            listen=self._socket("gateway"),
            segmenter_address=self._socket("segmenter"),
            compositor_address=self._socket("compositor"),
            validator_address=self._socket("validator"),
            auth="off",
            nats_url=SecretStr(nats_url),
            database_url=SecretStr(self._data.database_url if self._data is not None else ""),
            objects_url=self._data.objects_url if self._data is not None else "",
        )
        await self._serve(gateway.create(gateway_settings), gateway_settings)
        self.address = gateway_settings.listen

    async def _stop(self) -> None:
        while self._servers:
            await self._servers.pop().stop()
        if self._nats is not None:
            await self._nats.stop(_NATS_GRACE_S)

    async def _prepare(self, data: DataDir) -> str:
        """Starts NATS and makes streams and tables; returns NATS's URL."""
        await asyncio.to_thread(data.path.mkdir, parents=True, exist_ok=True)
        with socket() as free:
            free.bind((HOST, 0))
            port: int = free.getsockname()[1]
        command = nats_command(port, data.nats_store, without=_WITHOUT_NATS)
        self._nats = await Child.start("nats-server", command, os.environ, lambda *_: None)
        await until_ready(self._nats, nats_answers, f"{HOST}:{port}")
        await topology.apply(f"nats://{HOST}:{port}")
        database = Database(data.database_url)
        try:
            await database.migrate()
        finally:
            await database.close()
        return f"nats://{HOST}:{port}"

    async def _serve(self, service: Service, settings: ServerSettings) -> None:
        server = Server(service, settings)
        self._servers.append(server)
        await server.start()

    def _segmenter_settings(self) -> SegmenterSettings:
        settings = SegmenterSettings(listen=self._socket("segmenter"), decode_workers=0)
        if self._proposers is not None:
            settings.proposers = tuple(self._proposers)
        if self._models_dir is not None:
            settings.models_dir = self._models_dir
        return settings

    def _socket(self, name: str) -> str:
        return f"unix:{self._folder.name}/{name}"
