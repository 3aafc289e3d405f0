"""`packshot jobs`: what the gateway keeps of bulk work, and what to do about it."""

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from packshot.cli import options
from packshot.cli.connection import Connection, Proof
from packshot.cli.console import plural, print_json, print_json_line, print_table, stdout
from packshot.cli.failures import CommandError
from packshot.cli.job_tables import dead_letters_table, event_text, items_table, jobs_table, time_text
from packshot.cli.outputs import write_atomically
from packshot.cli.parsing import parse_word
from packshot.client import JobItemStateName, JobStateName, ResultsFormatName
from packshot.report import message_to_dict

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id: job_…")]


def list_jobs(
    state: Annotated[
        list[Any] | None,
        typer.Option(
            "--state",
            parser=parse_word(get_args(JobStateName)),
            metavar="STATE",
            help=f"Only jobs in this state, of {', '.join(get_args(JobStateName))}; repeatable.",
        ),
    ] = None,
    limit: options.Limit = 20,
    as_json: options.Json = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """List jobs, newest first."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        jobs = list(islice(client.jobs.list(states=state or ()), limit))
    if as_json:
        print_json({"jobs": [message_to_dict(job) for job in jobs]})
        return
    print_table(jobs_table(jobs), "no jobs")


def show_job(
    job_id: JobId,
    as_json: options.Json = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """Show a job: how far it is, what it is made of, what was charged."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        job = client.jobs.get(job_id)
    if as_json:
        print_json(message_to_dict(job))
        return
    console = stdout()
    console.print(jobs_table([job]))
    facts = {
        "priority": str(job.priority),
        "marketplaces": ", ".join(job.options.marketplaces),
        "category": job.options.category,
        "catalogue": " ".join(filter(None, [job.catalogue_format, job.catalogue_url])),
        "webhook": job.webhook_url,
        "credits": str(job.counts.credits),
        "ended": time_text(job.ended_at),
        "problem": job.error_message,
    }
    for name, value in facts.items():
        if value:
            console.print(f"{name:<12} {value}", soft_wrap=True, markup=False)


def watch_job(
    job_id: JobId,
    after: Annotated[int, typer.Option("--after", min=0, metavar="N", help="Begin after this event; 0 shows all.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """Show a job's events, those of the past first, until it has ended."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        for event in client.jobs.watch(job_id, after_sequence=after):
            if as_json:
                print_json_line(message_to_dict(event))
            else:
                stdout().print(event_text(event), soft_wrap=True, markup=False)


def list_items(
    job_id: JobId,
    state: Annotated[
        list[Any] | None,
        typer.Option(
            "--state",
            parser=parse_word(get_args(JobItemStateName)),
            metavar="STATE",
            help=f"Only items in this state, of {', '.join(get_args(JobItemStateName))}; repeatable.",
        ),
    ] = None,
    limit: options.Limit = 100,
    as_json: options.Json = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """List a job's items in the order of the catalogue.

    \b
    [bold]Examples[/]
      packshot jobs items JOB --state failed
      packshot jobs items JOB --limit 10000 --json
    """
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        items = list(islice(client.jobs.items(job_id, states=state or ()), limit))
    if as_json:
        print_json({"items": [message_to_dict(item) for item in items]})
        return
    print_table(items_table(items), "no items")


def cancel_job(
    job_id: JobId,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """End a job: items not begun are cancelled, those in work are finished."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        job = client.jobs.cancel(job_id)
    stdout().print(f"{plural(job.counts.cancelled, 'item')} cancelled, {job.counts.running} still finishing")


def retry_items(
    job_id: JobId,
    item: Annotated[list[str] | None, typer.Option("--item", metavar="KEY", help="Only this item; repeatable.")] = None,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """Have failed and cancelled items done again."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        answer = client.jobs.retry(job_id, item or ())
    stdout().print(f"{plural(answer.retried, 'item')} queued again")


def get_results(
    job_id: JobId,
    results_format: Annotated[
        ResultsFormatName, typer.Option("--format", help="A table, or one JSON object a line.")
    ] = "csv",
    file: Annotated[
        Path | None, typer.Option("--output-file", "-o", metavar="FILE", help="Write it here, not to stdout.")
    ] = None,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 120.0,
) -> None:
    """Print a job's results: a line for every item."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        chunks = client.jobs.results(job_id, format=results_format)
        if file is None:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            sys.stdout.flush()
            return
        try:
            write_atomically(file, b"".join(chunks))
        except OSError as error:
            raise CommandError(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from error


def list_dead_letters(
    job: options.OfJob = "",
    limit: options.Limit = 100,
    as_json: options.Json = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """List items that were given up after too many attempts, newest first."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        letters = list(islice(client.jobs.dead_letters(job), limit))
    if as_json:
        print_json({"dead_letters": [message_to_dict(letter) for letter in letters]})
        return
    print_table(dead_letters_table(letters), "no dead letters")


def requeue_dead_letters(
    dead_letter: Annotated[list[str] | None, typer.Argument(metavar="ID", help="dl_…; repeatable.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """Queue given-up items again, with all attempts before them."""
    if bool(dead_letter) == everything:
        raise CommandError("say which: ids, or --all", cure="`packshot jobs dlq list` shows them.")
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        count = client.jobs.requeue_dead_letters(dead_letter or ())
    stdout().print(f"{plural(count, 'item')} queued again")
