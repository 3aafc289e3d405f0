"""`packshot status`: how the house is, for who runs it, and what to do when something is off."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import typer
from rich.table import Table
from rich.text import Text

from packshot.cli import options
from packshot.cli.connection import Connection, Proof
from packshot.cli.console import plural, print_json, stdout
from packshot.cli.failures import explain
from packshot.cli.tables import plain_table
from packshot.errors import UnavailableError
from packshot.report import message_to_dict
from packshot.v1.status_pb2 import Backlog, Component, GetStatusResponse

EXIT_OFF: Final = 1

_STUCK_S: Final = 300
_SLOW_S: Final = 3600
_CURES: Final = {
    "database": "Is it running, and GATEWAY_DATABASE_URL right? Jobs wait for it; single photos need it for API keys.",
    "nats": "Is it running, and GATEWAY_NATS_URL right? Jobs wait for it; single photos do not.",
}
_STAGE_CURE: Final = "Is a replica running? One that cannot start says in its log what is missing. Photos wait for it."
_NO_WORKER_CURE: Final = "Start one: `python -m services.gateway --role worker`, or --role all. Jobs wait meanwhile."


@dataclass(frozen=True, slots=True)
class Finding:
    """What somebody should know. `is_off`: it should not stay like this."""

    what: str
    what_to_do: str
    is_off: bool


def status(
    as_json: options.Json = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 15.0,
) -> None:
    """Show which parts answer, what they work with, and what waits.

    \b
    Needs a key with the scope status:
      python -m services.gateway.keys add --tenant operators --scopes status
    Exit code 0: all is well; 1: something is off, and what to do is said; 2: it could not be asked.
    """
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        answer: GetStatusResponse | None = None
        try:
            answer = client.status()
            found = list(findings(answer))
        except UnavailableError as error:
            explanation = explain(error)
            found = [Finding(explanation.cause, explanation.cure, is_off=True)]
    if as_json:
        is_off = any(finding.is_off for finding in found)
        shown = message_to_dict(answer) if answer is not None else None
        print_json({"ok": not is_off, "findings": [asdict(finding) for finding in found], "status": shown})
    else:
        _print(answer, found)
    if any(finding.is_off for finding in found):
        raise typer.Exit(EXIT_OFF)


def findings(answer: GetStatusResponse) -> Iterator[Finding]:
    """What is off or worth knowing, in the order in which it should be looked at."""
    for component in answer.components:
        if not component.serving:
            cure = _CURES.get(component.name, _STAGE_CURE)
            yield Finding(f"{component.name}: {component.problem}", cure, is_off=True)
    if answer.HasField("backlog"):
        yield from _about_jobs(answer.backlog)


def _about_jobs(backlog: Backlog) -> Iterator[Finding]:
    wait = _duration(backlog.longest_wait_s)
    if not backlog.dispatcher:
        yield Finding("no worker runs", _NO_WORKER_CURE, is_off=True)
    elif backlog.longest_wait_s > _STUCK_S and not backlog.items_running:
        cure = "What they need is away: the worker's log says what it waits for."
        yield Finding(f"items wait, the first for {wait}, and none is in work", cure, is_off=True)
    elif backlog.longest_wait_s > _SLOW_S:
        yield Finding(
            f"an item has waited for {wait}", "More workers, and stages for them, make it faster.", is_off=False
        )
    if backlog.dead_letters:
        cure = (
            "Their tenants see why with `packshot jobs dlq list`, and have them done again with"
            " `packshot jobs dlq requeue`."
        )
        yield Finding(f"{plural(backlog.dead_letters, 'item')} given up after too many attempts", cure, is_off=False)


def _print(answer: GetStatusResponse | None, found: list[Finding]) -> None:
    console = stdout()
    if answer is not None:
        console.print(_parts(answer))
        if answer.HasField("backlog"):
            console.print(_jobs(answer.backlog))
    for finding in found:
        mark = ("✗ ", "bold red") if finding.is_off else ("! ", "bold yellow")
        console.print(Text.assemble(mark, finding.what), soft_wrap=True)
        console.print(Text.assemble(("  → ", "bold"), finding.what_to_do), soft_wrap=True)
    if not found:
        console.print(Text.assemble(("✓ ", "bold green"), "all is well"))


def _parts(answer: GetStatusResponse) -> Table:
    packs = ", ".join(f"{pack.id} {pack.version} ({_short(pack.hash)})" for pack in answer.rule_packs)
    models = f"{', '.join(answer.proposers)} ({_short(answer.segmenter_digest)})" if answer.proposers else ""
    works_with = {"gateway": f"version {answer.version}", "segmenter": models, "validator": packs}
    table = plain_table()
    table.add_column("Part", no_wrap=True)
    table.add_column("State", no_wrap=True)
    table.add_column("Works with", overflow="fold")
    for component in answer.components:
        table.add_row(component.name, _state(component), works_with.get(component.name, ""))
    return table


def _jobs(backlog: Backlog) -> Table:
    table = plain_table()
    table.add_column("Jobs", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    filled_by = f"queue filled by {backlog.dispatcher}" if backlog.dispatcher else ""
    rows = (
        ("items waiting", backlog.items_waiting, f"longest {_duration(backlog.longest_wait_s)}"),
        ("items in work", backlog.items_running, ", ".join(backlog.busy_workers)),
        ("workers with room", backlog.workers_with_room, filled_by),
        ("messages in the queue", backlog.messages_pending, ""),
        ("dead letters", backlog.dead_letters, ""),
        ("webhook calls waiting", backlog.webhooks_waiting, ""),
    )
    for name, count, about in rows:
        table.add_row(name, str(count), about)
    return table


def _state(component: Component) -> Text:
    return Text("serving", "green") if component.serving else Text("off", "bold red")


def _short(digest: str) -> str:
    """The first digits of "sha256:…"."""
    return digest.removeprefix("sha256:")[:8]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{rest} s"
