"""A channel whose certificate changes while calls are running.

gRPC for Python reads a client's certificate once a channel (https://github.com/grpc/grpc/issues/41779), so a new
certificate needs a new channel.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import grpc
import structlog

from services.common.tls import CertificateFiles, Changes, Pem, TlsError

_LOOK_S: Final = 1.0
"""How often the files are looked at."""
_POLL_S: Final = 0.05
"""How often the state of the connection is."""
_CONNECT_S: Final = 10.0
"""What is made of new files must connect within this time, or the last channel stays for now."""
_FINISH_S: Final = 600.0
"""Calls on the last channel may take this long to finish."""

log = structlog.get_logger()


class RenewedChannel(grpc.aio.Channel):
    """Calls go to the newest channel that has been connected; those that run stay on theirs.

    Args:
        open_channel: Makes a channel with certificates.
        address: Where to, for the log.
        files: The certificates.

    Raises:
        TlsError: The files cannot be used.
    """

    def __init__(self, open_channel: Callable[[Pem], grpc.aio.Channel], address: str, files: CertificateFiles) -> None:
        self._open, self._address, self._changes = open_channel, address, Changes(files)
        self._current = open_channel(self._changes.next() or files.read())
        self._following = asyncio.create_task(self._follow())
        self._finishing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "RenewedChannel":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Ends all calls, after the grace period in seconds if there is one."""
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        for task in self._finishing:
            task.cancel()
        await asyncio.gather(*self._finishing, return_exceptions=True)
        await self._current.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._current.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        while self.get_state() is last_observed_state:  # noqa: ASYNC110 - the channel itself may change meanwhile
            await asyncio.sleep(_POLL_S)

    async def channel_ready(self) -> None:
        while self.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        return lambda *call, **about: self._current.unary_unary(*arguments, **options)(*call, **about)

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        return lambda *call, **about: self._current.unary_stream(*arguments, **options)(*call, **about)

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        return lambda *call, **about: self._current.stream_unary(*arguments, **options)(*call, **about)

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        return lambda *call, **about: self._current.stream_stream(*arguments, **options)(*call, **about)

    async def _follow(self) -> None:
        pem: Pem | None = None
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                pem = await asyncio.to_thread(self._changes.next) or pem
            except TlsError as error:
                log.warning("new certificate cannot be used, the last one is kept", error=str(error))
            if pem is not None and await self._renew(pem):
                pem = None

    async def _renew(self, pem: Pem) -> bool:
        """Goes over to a channel of these certificates, if it connects."""
        renewed = self._open(pem)
        try:
            async with asyncio.timeout(_CONNECT_S):
                await renewed.channel_ready()
        except TimeoutError:
            log.warning("nobody answers with the new certificate, trying again", address=self._address)
            await renewed.close()
            return False
        except asyncio.CancelledError:
            await renewed.close()
            raise
        last, self._current = self._current, renewed
        finishing = asyncio.create_task(_finish(last))
        self._finishing.add(finishing)
        finishing.add_done_callback(self._finishing.discard)
        log.info("certificate renewed", address=self._address)
        return True


async def _finish(channel: grpc.aio.Channel) -> None:
    """Closes a channel when its calls have ended."""
    try:
        await asyncio.sleep(_LOOK_S)  # for calls that were begun just now and have not reached it yet
        await channel.close(_FINISH_S)
    except asyncio.CancelledError:
        await channel.close()
        raise
