import asyncio
import os
import signal
import subprocess
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
    await _until(child, lambda: ("child", "ready") in lines)
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
    await _until(child, lambda: ("child", "ready") in lines)
    await child.stop(grace_s=0.1)
    assert child.exit_code == -signal.SIGKILL
    assert "killed" in lines[-1][1]


async def test_stop_of_what_has_ended() -> None:
    child = await start("pass")
    await child.wait()
    await child.stop(grace_s=1)
    assert child.exit_code == 0


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program"])
async def test_a_program_that_is_not_there(program: str) -> None:
    with pytest.raises(FileNotFoundError, match="No such file"):
        await Child.start("child", [program], {}, lambda name, line: None)


async def test_a_program_that_may_not_be_run(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no program")
    with pytest.raises(PermissionError, match="Permission denied"):
        await Child.start("child", [str(tmp_path / "notes")], {}, lambda name, line: None)


async def test_a_program_is_looked_for_in_its_own_environments_path(tmp_path: Path) -> None:
    program = tmp_path / "greet"
    program.write_text("#!/bin/sh\necho hello $1")
    program.chmod(0o755)
    child = await Child.start("child", ["greet", "you"], {"PATH": str(tmp_path)}, lambda name, line: None)
    assert await child.wait() == 0
    assert list(child.last_lines) == ["hello you"]


async def test_what_is_no_program_after_all_says_so_and_ends(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/no/such/interpreter")
    program.chmod(0o755)
    try:
        child = await Child.start("child", [str(program)], {}, lambda name, line: None)
    except OSError:
        assert sys.platform != "linux"
    else:
        assert await child.wait() == 126
        assert list(child.last_lines) == [f"cannot run {program}: No such file or directory"]


async def test_nothing_of_this_process_runs_in_the_child() -> None:
    """Not gRPC's threads and locks, above all: a child forked among them may crash before it is the program."""
    forks: list[str] = []
    os.register_at_fork(before=lambda: forks.append("fork"))
    child = await start("pass")
    assert await child.wait() == 0
    assert forks == []


@pytest.mark.skipif(sys.platform != "linux", reason="signal masks are read from /proc")
async def test_it_starts_with_the_signals_of_a_program_started_plainly() -> None:
    program = "print([line for line in open('/proc/self/status') if line.startswith('Sig')])"
    command = [sys.executable, "-c", program]
    child = await start(program)
    await child.wait()
    plain = await asyncio.to_thread(subprocess.check_output, command, text=True)
    assert list(child.last_lines) == plain.splitlines()


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
    await _until(parent, lambda: pid_file.exists() and pid_file.read_text() != "")
    grandchild = int(pid_file.read_text())
    parent.kill()
    await parent.wait()
    wait_until(lambda: ended(grandchild))


async def _until(child: Child, condition: Callable[[], bool]) -> None:
    """Fails when the child has ended, or a minute has passed, and says what was heard of it."""
    give_up_at = asyncio.get_running_loop().time() + 60
    while not condition():
        if child.exit_code is not None or asyncio.get_running_loop().time() > give_up_at:
            child.kill()
            code = await child.wait()
            assert condition(), f"not true before the end with code {code}; its last lines: {[*child.last_lines]}"
        await asyncio.sleep(0.01)
