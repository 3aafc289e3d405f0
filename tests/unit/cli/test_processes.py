import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from packshot.cli.processes import Child
from tests.helpers.waiting import ended, wait_until


async def start(program: str, listener_lines: list[tuple[str, str]] | None = None) -> Child:
    lines = [] if listener_lines is None else listener_lines
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return await Child.start("child", command, os.environ, lambda name, line: lines.append((name, line)))


async def test_its_lines_are_heard_and_the_last_are_kept() -> None:
    lines: list[tuple[str, str]] = []
    child = await start("import sys; [print(i) for i in range(30)]; print('grün', file=sys.stderr); sys.exit(3)", lines)
    assert await child.wait() == 3
    assert lines == [*(("child", str(i)) for i in range(30)), ("child", "grün")]
    assert list(child.last_lines) == [*map(str, range(11, 30)), "grün"]


async def test_stop_lets_it_finish() -> None:
    lines: list[tuple[str, str]] = []
    child = await start(
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print("finished"), sys.exit(0)))
        print("ready")
        time.sleep(60)
        """,
        lines,
    )
    await _until(lambda: ("child", "ready") in lines)  # gRPC may remark on the fork before it
    await child.stop(grace_s=10)
    assert child.exit_code == 0
    assert lines[-1] == ("child", "finished")


async def test_stop_ends_what_does_not_listen() -> None:
    lines: list[tuple[str, str]] = []
    child = await start(
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready")
        time.sleep(60)
        """,
        lines,
    )
    await _until(lambda: ("child", "ready") in lines)  # gRPC may remark on the fork before it
    await child.stop(grace_s=0.1)
    assert child.exit_code == -signal.SIGKILL
    assert "killed" in lines[-1][1]


async def test_stop_of_what_has_ended() -> None:
    child = await start("pass")
    await child.wait()
    await child.stop(grace_s=1)
    assert child.exit_code == 0


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such file"):
        await Child.start("child", ["/no/such/program"], {}, lambda name, line: None)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends children with their parent")
async def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    parent = await start(
        f"""
        import asyncio, os, sys
        from packshot.cli.processes import Child
        async def main():
            program = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
            await Child.start("grandchild", [sys.executable, "-c", program], os.environ, print)
            await asyncio.sleep(60)
        asyncio.run(main())
        """
    )
    await _until(lambda: pid_file.exists() and pid_file.read_text() != "")
    grandchild = int(pid_file.read_text())
    parent.kill()
    await parent.wait()
    wait_until(lambda: ended(grandchild))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  another process makes it true
            await asyncio.sleep(0.01)
