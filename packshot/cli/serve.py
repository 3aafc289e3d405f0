"""`packshot serve`: NATS and the four services as processes on this machine."""

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Final

import grpc
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from packshot.cli.console import stderr, stdout
from packshot.cli.failures import CommandError
from packshot.cli.processes import Child, Listener

HOST: Final = "127.0.0.1"
NATS_PORT: Final = 4222
STAGES: Final = ("segmenter", "compositor", "validator")

_START_S: Final = 60.0
_GRACE_S: Final = 65.0  # a little more than the services' own
_STYLES: Final = {
    "nats": "blue",
    "gateway": "green",
    "segmenter": "magenta",
    "compositor": "cyan",
    "validator": "yellow",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start and where."""

    gateway_port: int
    stage_ports: dict[str, int]
    nats_port: int | None
    data_dir: Path
    environment: dict[str, str]

    def address(self, name: str) -> str:
        """HOST:PORT of a service."""
        if name == "nats":
            return f"{HOST}:{self.nats_port}"
        return f"{HOST}:{self.gateway_port if name == 'gateway' else self.stage_ports[name]}"

    @property
    def nats_url(self) -> str:
        """Empty without NATS."""
        return f"nats://{self.address('nats')}" if self.nats_port is not None else ""


def serve(
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="The gateway's port; 0 takes any free one.")
    ] = 50051,
    api_keys_file: Annotated[
        Path | None,
        typer.Option(
            "--api-keys-file",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Ask callers for an API key; hashes of the keys are in this file. Without it anybody on this"
            " machine may call.",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="Keep NATS's data here; otherwise it ends with the command."),
    ] = None,
    no_nats: Annotated[bool, typer.Option("--no-nats", help="Start without NATS: no events are published.")] = False,
    log_dir: Annotated[
        Path | None,
        typer.Option("--log-dir", metavar="DIR", help="Write DIR/SERVICE.log instead of showing the logs here."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="A learned model to find products with, e.g. u2netp; repeatable."),
    ] = None,
    models_dir: Annotated[
        Path | None,
        typer.Option("--models-dir", metavar="DIR", envvar="SEGMENTER_MODELS_DIR", help="Where the models' files are."),
    ] = None,
) -> None:
    """Run the whole of Packshot on this machine: NATS, gateway, segmenter, compositor and validator.

    \b
    They listen on 127.0.0.1 only. Ctrl-C stops them in order; photos in work are
    finished first. Settings in the environment, e.g. SEGMENTER_WORKERS, reach the
    services.

    \b
    [bold]Examples[/]
      packshot serve
      packshot serve --port 8000 --model u2netp --models-dir models
      packshot serve --api-keys-file keys --log-dir logs

    \b
    Then, in another terminal:
      packshot fix mug.jpg -o out --server localhost:50051
    """
    _require_services()
    console = stderr()
    with ExitStack() as open_until_end:
        if data_dir is None:
            data_dir = Path(open_until_end.enter_context(tempfile.TemporaryDirectory(prefix="packshot-nats-")))
        listener = open_until_end.enter_context(_listener(console, log_dir))
        plan = _plan(port, no_nats, data_dir, _environment(api_keys_file, model or [], models_dir))
        asyncio.run(_serve(plan, listener, console))


def _require_services() -> None:
    needed = ("services", "grpc_health", "nats", "pydantic_settings", "numpy", "cv2", "onnxruntime", "yaml")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(
            f"the services are not installed (no {', '.join(missing)})", cure="pip install 'packshot[all]'"
        )


def _environment(api_keys_file: Path | None, models: list[str], models_dir: Path | None) -> dict[str, str]:
    environment = dict(os.environ)
    environment.setdefault("GATEWAY_AUTH", "off")
    if api_keys_file is not None:
        environment |= {"GATEWAY_AUTH": "api-key", "GATEWAY_API_KEYS_FILE": str(api_keys_file)}
    if models:
        environment["SEGMENTER_PROPOSERS"] = ",".join(["classical", *models])
    if models_dir is not None:
        environment["SEGMENTER_MODELS_DIR"] = str(models_dir)
    return environment


def _plan(port: int, no_nats: bool, data_dir: Path, environment: dict[str, str]) -> Plan:
    with ExitStack() as held:
        # All are held until all are chosen, so that no port is chosen twice.
        gateway = _hold(port, held)
        if gateway is None:
            raise CommandError(
                f"port {port} is taken", cure="Stop what listens there, or choose another with --port (0: any free)."
            )
        after = gateway + 1 if gateway + len(STAGES) <= 65535 else 0
        stages = {name: _hold_or_any(after and after + i, held) for i, name in enumerate(STAGES)}
        nats = None if no_nats else _hold_or_any(NATS_PORT, held)
    for name in ("gateway", *STAGES):
        environment.setdefault(f"{name.upper()}_LOG_FORMAT", "console")
    for name, stage_port in stages.items():
        environment[f"{name.upper()}_LISTEN"] = environment[f"GATEWAY_{name.upper()}_ADDRESS"] = f"{HOST}:{stage_port}"
    environment["GATEWAY_LISTEN"] = f"{HOST}:{gateway}"
    environment.pop("GATEWAY_NATS_URL", None)
    if nats is not None:
        environment["GATEWAY_NATS_URL"] = f"nats://{HOST}:{nats}"
    return Plan(gateway, stages, nats, data_dir, environment)


def _hold(port: int, held: ExitStack) -> int | None:
    """Binds a port (0: any free one) until `held` is closed; None when it is taken."""
    holder = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    # Connections of an earlier run that linger do not make a port taken; who listens there does.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((HOST, port))
    except OSError:
        return None
    return int(holder.getsockname()[1])


def _hold_or_any(port: int, held: ExitStack) -> int:
    chosen = _hold(port, held) or _hold(0, held)
    if chosen is None:
        raise CommandError("this machine has no free port")
    return chosen


@contextmanager
def _listener(console: Console, log_dir: Path | None) -> Iterator[Listener]:
    """Where the children's lines go: to the terminal with their names, or to files."""
    if log_dir is None:

        def show(name: str, line: str) -> None:
            if name != "nats" or "[INF]" not in line:  # its banner fills a screen
                console.print(Text.assemble((f"{name:<10} │ ", _STYLES.get(name, "")), line), soft_wrap=True)

        yield show
        return
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"cannot make the folder {log_dir}: {error.strerror}") from error
    with ExitStack() as files:
        logs: dict[str, IO[str]] = {}

        def write(name: str, line: str) -> None:
            if name not in logs:
                path = log_dir / f"{name}.log"
                logs[name] = files.enter_context(path.open("a", buffering=1, encoding="utf-8"))
            logs[name].write(line + "\n")

        yield write


async def _serve(plan: Plan, listener: Listener, console: Console) -> None:
    """Runs until a signal comes (returns) or a process ends by itself (raises CommandError)."""
    children: dict[str, Child] = {}
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():  # asked a second time: no more patience
            for child in children.values():
                child.kill()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    running = asyncio.create_task(_run(plan, children, listener, console))
    stop_asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({running, stop_asked}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for task in (running, stop_asked):
            task.cancel()
        await asyncio.gather(running, stop_asked, return_exceptions=True)
        await _stop(children, console)


async def _run(plan: Plan, children: dict[str, Child], listener: Listener, console: Console) -> None:
    """Starts everything, says where it is, and raises CommandError when a part of it ends."""

    async def start(name: str, *command: str) -> None:
        try:
            children[name] = await Child.start(name, command, plan.environment, listener)
        except OSError as error:
            raise CommandError(f"cannot run {command[0]}: {error.strerror}") from error

    with console.status("Starting …") as status:
        if plan.nats_port is not None:
            status.update("Starting NATS …")
            await start("nats", *_nats_command(plan))
            await _until_ready(children["nats"], _nats_answers, plan.address("nats"))
            await _apply_topology(plan, listener)
        for name in (*STAGES, "gateway"):
            await start(name, sys.executable, "-m", f"services.{name}")
        for name in (*STAGES, "gateway"):
            status.update(f"Waiting for {name} …")
            await _until_ready(children[name], _is_serving, plan.address(name))
    _print_addresses(plan)
    ends = {asyncio.create_task(child.wait()): child for child in children.values()}
    try:
        ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ends:
            task.cancel()
    raise _died(ends[ended.pop()])


def _nats_command(plan: Plan) -> list[str]:
    program = shutil.which("nats-server", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise CommandError(
            "nats-server is not installed",
            cure="On Debian and Ubuntu: apt-get install nats-server. Or start without events: --no-nats.",
        )
    where = ["--addr", HOST, "--port", str(plan.nats_port)]
    return [program, *where, "--jetstream", "--store_dir", str(plan.data_dir)]


async def _apply_topology(plan: Plan, listener: Listener) -> None:
    command = (sys.executable, "-m", "services.common.topology", "--nats-url", plan.nats_url)
    topology = await Child.start("topology", command, plan.environment, listener)
    try:
        if await asyncio.wait_for(topology.wait(), _START_S) != 0:
            raise _died(topology)
    except TimeoutError:
        raise CommandError(f"the NATS topology could not be applied within {_START_S:g} s") from None
    finally:
        topology.kill()


async def _until_ready(child: Child, answers: Callable[[str], Awaitable[bool]], address: str) -> None:
    """Raises CommandError when the child ends, or does not answer in time."""
    deadline = asyncio.get_running_loop().time() + _START_S
    while not await answers(address):
        if child.exit_code is not None:
            await child.wait()
            raise _died(child)
        if asyncio.get_running_loop().time() > deadline:
            raise CommandError(f"{child.name} did not become ready within {_START_S:g} s", *_last_words(child))
        await asyncio.sleep(0.1)


async def _nats_answers(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    try:
        return (await asyncio.wait_for(reader.readline(), 1)).startswith(b"INFO")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


async def _is_serving(address: str) -> bool:
    # Part of the services' extras, which a plain client does without.
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    # A new channel each time: a failed one waits longer and longer before it tries again.
    async with grpc.aio.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[attr-defined]  # not in its stubs
                health_pb2.HealthCheckRequest(), timeout=1
            )
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _print_addresses(plan: Plan) -> None:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column("Service")
    table.add_column("Address")
    table.add_column("")
    gateway = "call this one; " + (
        "API key required" if plan.environment["GATEWAY_AUTH"] == "api-key" else "no API key needed"
    )
    table.add_row(Text("gateway", "bold green"), Text(plan.address("gateway"), "bold"), Text(gateway, "dim"))
    for name in STAGES:
        table.add_row(Text(name, _STYLES[name]), plan.address(name))
    if plan.nats_port is None:
        table.add_row(Text("nats", "dim"), Text("off", "dim"), Text("no events are published", "dim"))
    else:
        table.add_row(Text("nats", _STYLES["nats"]), plan.address("nats"), Text("events on packshot.v1.>", "dim"))
    console = stdout()
    console.print(table)
    console.print(
        f"Ready. In another terminal: packshot fix mug.jpg -o out --server {plan.address('gateway')}", soft_wrap=True
    )
    console.print("Ctrl-C stops everything.")


async def _stop(children: dict[str, Child], console: Console) -> None:
    """First who takes photos in, then who works on them, NATS last: nobody loses a service it still needs."""
    if not children:
        return
    with console.status("Stopping …"):
        for names in (("gateway",), STAGES, ("nats",)):
            await asyncio.gather(*(children[name].stop(_GRACE_S) for name in names if name in children))


def _died(child: Child) -> CommandError:
    code = child.exit_code
    how = f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with code {code}"
    return CommandError(f"{child.name} {how}", *_last_words(child))


def _last_words(child: Child) -> list[str]:
    return ["its last lines:\n" + "\n".join(f"    {line}" for line in child.last_lines)] if child.last_lines else []
