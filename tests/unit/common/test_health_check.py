"""The health command of the images, run as the container engine runs it."""

import asyncio
import socket
import sys

from tests.helpers.tiny_service import running_tiny


async def _ask(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.common.health_check", *arguments), stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_serving_is_exit_code_0() -> None:
    async with running_tiny() as tiny:
        answers = await asyncio.gather(
            _ask(tiny.server.address),
            _ask(tiny.server.address, "--service", "packshot.v1.SegmenterService"),
            _ask(tiny.server.address, "--service", "packshot.v1.NoService"),
        )

    assert answers[0] == answers[1] == (0, "")
    code, said = answers[2]
    assert code == 1
    assert "does not answer" in said


async def test_where_nothing_answers_is_exit_code_1() -> None:
    with socket.socket() as deaf:  # bound, not listening
        deaf.bind(("127.0.0.1", 0))
        code, said = await _ask(f"127.0.0.1:{deaf.getsockname()[1]}", "--timeout-s", "5")

    assert code == 1
    assert "does not answer" in said
