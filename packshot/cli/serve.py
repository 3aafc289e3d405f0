"""`packshot serve`: NATS and the four services as processes on this machine."""

import asyncio
import importlib.util
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
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
from packshot.cli.data_dir import DataDir
from packshot.cli.failures import CommandError
from packshot.cli.nats import HOST, nats_answers, nats_command
from packshot.cli.processes import START_S, Child, Listener, died, until_ready

NATS_PORT: Final = 4222
STAGES: Final = ("segmenter", "compositor", "validator")

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
    data: DataDir
    keeps_data: bool
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
    api_keys: Annotated[
        bool,
        typer.Option(
            "--api-keys",
            help="Ask callers for an API key; `python -m services.gateway.keys add` makes one. Without it anybody on"
            " this machine may call.",
        ),
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            metavar="DIR",
            help="Keep jobs, their photos and results, and API keys here; otherwise they end with the command.",
        ),
    ] = None,
    no_nats: Annotated[
        bool, typer.Option("--no-nats", help="Start without NATS: no events are published, and there are no jobs.")
    ] = False,
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
      packshot serve --data-dir data --api-keys --log-dir logs

    \b
    Then, in another terminal:
      packshot fix mug.jpg -o out --server localhost:50051
    """
    _require_services()
    console = stderr()
    with ExitStack() as open_until_end:
        folder = data_dir or Path(open_until_end.enter_context(tempfile.TemporaryDirectory(prefix="packshot-")))
        data = DataDir(folder, "--data-dir")
        open_until_end.enter_context(data.held())
        listener = open_until_end.enter_context(_listener(console, log_dir))
        environment = _environment(api_keys, model or [], models_dir)
        plan = _plan(port, no_nats, data, data_dir is not None, environment)
        asyncio.run(_serve(plan, listener, console))


def _require_services() -> None:
    needed = (
        "services",
        "grpc_health",
        "nats",
        "sqlalchemy",
        "obstore",
        "pydantic_settings",
        "numpy",
        "cv2",
        "onnxruntime",
        "yaml",
    )
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(
            f"the services are not installed (no {', '.join(missing)})", cure="pip install 'packshot[all]'"
        )


def _environment(api_keys: bool, models: list[str], models_dir: Path | None) -> dict[str, str]:
    environment = dict(os.environ)
    environment.setdefault("GATEWAY_AUTH", "off")
    if api_keys:
        environment["GATEWAY_AUTH"] = "api-key"
    if models:
        environment["SEGMENTER_PROPOSERS"] = ",".join(["classical", *models])
    if models_dir is not None:
        environment["SEGMENTER_MODELS_DIR"] = str(models_dir)
    return environment


def _plan(port: int, no_nats: bool, data: DataDir, keeps_data: bool, environment: dict[str, str]) -> Plan:
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
    environment.setdefault("GATEWAY_DATABASE_URL", data.database_url)
    if nats is not None:
        environment["GATEWAY_NATS_URL"] = f"nats://{HOST}:{nats}"
        environment.setdefault("GATEWAY_OBJECTS_URL", data.objects_url)
    else:
        environment.pop("GATEWAY_OBJECTS_URL", None)  # jobs need a work queue
    return Plan(gateway, stages, nats, data, keeps_data, environment)


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
            without = "Or start without events and jobs: --no-nats."
            await start("nats", *nats_command(plan.nats_port, plan.data.nats_store, without=without))
            await until_ready(children["nats"], nats_answers, plan.address("nats"))
            status.update("Making streams and consumers …")
            await _run_once("topology", plan, listener, "services.common.topology")
        status.update("Making tables …")
        await _run_once("tables", plan, listener, "services.gateway.state.migrate")
        for name in (*STAGES, "gateway"):
            await start(name, sys.executable, "-m", f"services.{name}")
        for name in (*STAGES, "gateway"):
            status.update(f"Waiting for {name} …")
            await until_ready(children[name], _is_serving, plan.address(name))
    _print_addresses(plan)
    ends = {asyncio.create_task(child.wait()): child for child in children.values()}
    try:
        ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ends:
            task.cancel()
    raise died(ends[ended.pop()])


async def _run_once(name: str, plan: Plan, listener: Listener, *command: str) -> None:
    """Runs a command of ours to its end; raises CommandError when it fails."""
    child = await Child.start(name, (sys.executable, "-m", *command), plan.environment, listener)
    try:
        if await asyncio.wait_for(child.wait(), START_S) != 0:
            raise died(child)
    except TimeoutError:
        raise CommandError(f"the {name} did not end within {START_S:g} s") from None
    finally:
        child.kill()


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
    kept = "Jobs and API keys are kept in" if plan.nats_port is not None else "API keys are kept in"
    until = "" if plan.keeps_data else " until this ends; for longer: --data-dir DIR"
    console.print(f"{kept} {plan.data.path}{until}", soft_wrap=True)
    if plan.environment["GATEWAY_AUTH"] == "api-key":
        url = plan.environment["GATEWAY_DATABASE_URL"]
        console.print(
            f"For a key: python -m services.gateway.keys add --database-url {url} --tenant NAME", soft_wrap=True
        )
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
