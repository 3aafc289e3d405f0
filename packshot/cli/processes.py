"""Child processes that are watched, heard, and never outlive their parent."""

import asyncio
import errno
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Self, cast

from packshot.cli import leash
from packshot.cli.failures import CommandError

START_S: Final = 60.0
"""How long something of ours may take to become ready."""
_LAST_LINES: Final = 20
_MAX_LINE_BYTES: Final = 2**20

Listener = Callable[[str, str], None]
"""Called with a child's name and each line it prints."""


class Child:
    """A process we started.

    It gets its own process group, so that a Ctrl-C in the terminal reaches only us and the children are stopped in
    order. On Linux the kernel ends it when we, or the thread that started it, die without a chance to.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, listener: Listener) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = process
        self._output = cast(asyncio.StreamReader, process.stdout)  # None only when not piped
        self._listener = listener
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str, command: Sequence[str], environment: Mapping[str, str], listener: Listener) -> Self:
        """Raises OSError when there is no such program, or it may not be run."""
        process = await asyncio.create_subprocess_exec(
            *_leashed([_program(command[0], environment), *command[1:]]),
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_MAX_LINE_BYTES,
            process_group=0,
        )
        return cls(name, process, listener)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits for its end and its last words; returns the exit code."""
        await self._process.wait()
        await self._reading
        return self._process.returncode or 0

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after the grace period; returns when it has ended."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self._process.wait()), grace_s)
        except TimeoutError:
            self._listener(self.name, f"not stopped after {grace_s:g} s: killed")
            self.kill()
        await self.wait()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.exit_code is None:
            self._process.kill()

    async def _read(self) -> None:
        while line := await self._output.readline():
            text = line.decode("utf-8", "replace").rstrip()
            self.last_lines.append(text)
            self._listener(self.name, text)


async def until_ready(child: Child, answers: Callable[[str], Awaitable[bool]], address: str) -> None:
    """Raises CommandError when the child ends, or does not answer in time."""
    deadline = asyncio.get_running_loop().time() + START_S
    while not await answers(address):
        if child.exit_code is not None:
            await child.wait()
            raise died(child)
        if asyncio.get_running_loop().time() > deadline:
            raise CommandError(f"{child.name} did not become ready within {START_S:g} s", *_last_words(child))
        await asyncio.sleep(0.1)


def died(child: Child) -> CommandError:
    """How a child ended that should not have, with its last words."""
    code = child.exit_code
    how = f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with code {code}"
    return CommandError(f"{child.name} {how}", *_last_words(child))


def _last_words(child: Child) -> list[str]:
    return ["its last lines:\n" + "\n".join(f"    {line}" for line in child.last_lines)] if child.last_lines else []


def _program(name: str, environment: Mapping[str, str]) -> str:
    """The path of a program, found as a shell would."""
    path = shutil.which(name, path=environment.get("PATH", os.defpath))
    if path is None:
        reason = errno.EACCES if os.sep in name and os.access(name, os.F_OK) else errno.ENOENT
        raise OSError(reason, os.strerror(reason), name)
    return path


def _leashed(command: Sequence[str]) -> list[str]:
    if sys.platform != "linux":
        return [*command]
    return [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command]
