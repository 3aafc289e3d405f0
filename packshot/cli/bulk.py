"""`packshot bulk`: a catalogue, or a great many photos, as one job that nothing can lose."""

import hashlib
import json
import secrets
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, cast

import grpc
import typer

from packshot.cli import options, packshot_options
from packshot.cli.bulk_follow import Fetched, Follower
from packshot.cli.bulk_progress import counts_text, showing_progress
from packshot.cli.bulk_record import JobRecord, read_record, write_record
from packshot.cli.bulk_source import Source, find_source
from packshot.cli.connection import Connection, Proof
from packshot.cli.console import plural, print_json, stderr, stdout
from packshot.cli.failures import (
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    CommandError,
    error_to_dict,
    explain,
    print_failures,
    print_problem,
)
from packshot.cli.outputs import make_folder, write_atomically
from packshot.cli.packshot_options import Output, process_arguments
from packshot.client import JobArguments, Jobs, PackshotError, ResultsFormatName
from packshot.report import enum_word, message_to_dict
from packshot.v1.jobs_pb2 import JOB_STATE_FAILED, Job, JobItem, JobState

_RESULTS: Final[dict[str, ResultsFormatName]] = {"results.csv": "csv", "results.jsonl": "json_lines"}
_MAX_FAILURES_SHOWN: Final = 20
_PANEL: Final = "The job"


def bulk(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE", help="A catalogue (.csv, .tsv, .txt), its URL, or photos: files, folders, patterns."
        ),
    ],
    output_dir: options.Folder,
    marketplace: options.Marketplaces = None,
    category: options.Category = "",
    output: packshot_options.Outputs = None,
    recursive: options.Recursive = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Begin a new job in a folder that is not empty; its files may be overwritten."),
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Have the job's failed items done again.")] = False,
    as_json: options.Json = False,
    as_of: options.AsOf = None,
    label: Annotated[
        str, typer.Option("--label", metavar="TEXT", help="Your name for the job.", rich_help_panel=_PANEL)
    ] = "",
    priority: Annotated[
        int, typer.Option("--priority", min=1, max=9, help="1 is worked on before 9.", rich_help_panel=_PANEL)
    ] = 5,
    webhook: Annotated[
        str,
        typer.Option(
            "--webhook",
            metavar="URL",
            help="Told of every item and of the job's end, signed; https.",
            rich_help_panel=_PANEL,
        ),
    ] = "",
    fill: packshot_options.Fill = None,
    margin: packshot_options.Margin = None,
    size: packshot_options.CanvasSize = None,
    quality: packshot_options.Quality = None,
    shadow: packshot_options.ShadowKind = None,
    arrange: packshot_options.Arrange = False,
    server: options.Server = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 120.0,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", "-j", min=1, max=64, metavar="N", help="Files downloaded at a time.", rich_help_panel=_PANEL
        ),
    ] = 4,
    model: options.Model = None,
    models_dir: options.ModelsDir = None,
) -> None:
    """Turn a catalogue of photo URLs, or a great many photos, into main images, as a job that survives everything.

    \b
    The job is kept by the gateway. When this command is stopped, by Ctrl-C or
    worse, the job goes on there; the same command goes on with it here and
    fetches only what is missing. Packshots are fetched as they are finished:
      DIR/SKU.jpg    a photo's packshot; named as by packshot fix
      DIR/results.csv, DIR/results.jsonl    a line for every item

    \b
    A catalogue is a Shopify product export, an Amazon flat file or listing
    report, or has the columns sku,image_url and, if you like, category and
    marketplaces. A bad row is an item that failed, with its line.

    \b
    Without --server all runs here, and is kept in DIR/.packshot.

    \b
    [bold]Examples[/]
      packshot bulk catalogue.csv -o out --server localhost:50051
      packshot bulk https://shop.example/export.csv -o out -m amazon-de
      packshot bulk photos/ -o out --priority 2 --label spring
      packshot bulk catalogue.csv -o out --retry     what failed once more

    \b
    [bold]Exit code[/]
      0  every packshot can be published
      1  an item needs a look, is rejected, failed or was cancelled
      2  the job, a download or the command failed
      130  stopped by Ctrl-C
    """
    asked = process_arguments(
        marketplaces=list(dict.fromkeys(marketplace or ())),
        category=category,
        outputs=list(dict.fromkeys(output or (Output.JPEG,))),
        fill=fill,
        margin=margin,
        size=size,
        quality=quality,
        shadow=shadow,
        arrange=arrange,
        as_of=as_of,
    )
    arguments = cast("JobArguments", {**asked, "label": label, "priority": priority, "webhook_url": webhook})
    with stderr().status("Reading …"):
        found = find_source(source, output_dir, recursive=recursive)
    record = _record(output_dir, _fingerprint(found, arguments), force=force)
    write_record(output_dir, record)
    connection = Connection(
        server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout, tuple(model or ()), models_dir
    )
    with connection.open(jobs_folder=output_dir / ".packshot") as client:
        job = _make(client.jobs, found, arguments, record, retry=retry)
        record = replace(record, job_id=job.job_id, server=server or "")
        write_record(output_dir, record)
        try:
            with showing_progress(job.counts, stderr()) as progress:
                fetched = Follower(client.jobs, job, output_dir, jobs, progress).run(found.photos)
            job = client.jobs.get(job.job_id)
            news = _finish(client.jobs, job, fetched, record, output_dir)
            failed = list(islice(client.jobs.items(job.job_id, states=["failed"]), _MAX_FAILURES_SHOWN))
        except KeyboardInterrupt:
            _say_how_to_go_on(job.job_id, server)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except PackshotError as error:
            explanation = explain(error)
            cure = f"{explanation.cure} The same command goes on where this one stopped.".lstrip()
            raise CommandError(explanation.cause, cure=cure) from error
    if as_json:
        print_json(_document(job, fetched, output_dir))
    else:
        _print(job, fetched, output_dir, server, news=news)
    _print_failures(job, failed, fetched)
    raise typer.Exit(EXIT_FAILURE if fetched.failures else int(job.counts.publish != job.counts.total))


def _fingerprint(source: Source, arguments: JobArguments) -> str:
    """SHA-256 of what the job is made of and of all that is asked for."""
    asked = json.dumps(arguments, sort_keys=True, default=str)
    return hashlib.sha256(f"{source.digest}\n{asked}".encode()).hexdigest()


def _record(folder: Path, fingerprint: str, *, force: bool) -> JobRecord:
    """The folder's record when it goes on, or a new one.

    Raises:
        CommandError: The folder belongs to another job, or to something else, and is not forced to.
    """
    make_folder(folder)
    if force:
        # Another request id: the gateway would answer with the job that is there already.
        return JobRecord(fingerprint, f"bulk-{fingerprint[:40]}-{secrets.token_hex(8)}")
    known = read_record(folder)
    if known is None:
        if any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise CommandError(
                f"{folder} is not empty",
                cure="Choose another folder with -o, or overwrite what is in the way with --force.",
            )
    elif known.fingerprint == fingerprint:
        return known
    elif known.job_id:
        raise CommandError(
            f"{folder} belongs to a job of something else, or with other options: {known.job_id}",
            cure="Choose another folder with -o, or begin a new job here with --force.",
        )
    return JobRecord(fingerprint, f"bulk-{fingerprint[:40]}")


def _make(jobs: Jobs, source: Source, arguments: JobArguments, record: JobRecord, *, retry: bool) -> Job:
    """The record's job, made if it is not there yet: the same request id never makes a second one."""
    job = _known(jobs, record.job_id)
    if job is None:
        arguments["request_id"] = record.request_id
        job = jobs.create(
            catalogue=source.catalogue,
            catalogue_url=source.catalogue_url,
            uploads=() if source.photos is not None else None,
            **arguments,
        )
    return jobs.retry(job.job_id).job if retry else job


def _known(jobs: Jobs, job_id: str) -> Job | None:
    try:
        return jobs.get(job_id) if job_id else None
    except PackshotError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            return None  # another gateway than the last time
        raise


def _finish(jobs: Jobs, job: Job, fetched: Fetched, record: JobRecord, folder: Path) -> bool:
    """Writes the tables; returns whether there was anything new since the last run.

    Raises:
        CommandError: The job failed as a whole, or a table cannot be written.
    """
    if job.state == JOB_STATE_FAILED:
        raise CommandError(f"the job failed: {job.error_message}", cure="Mend it and begin anew with --force.")
    tables_are_there = all((folder / name).exists() for name in _RESULTS)
    if record.finished_at_sequence == job.last_sequence and not fetched.new and tables_are_there:
        return False
    try:
        for name, kind in _RESULTS.items():
            write_atomically(folder / name, b"".join(jobs.results(job.job_id, format=kind)))
        if not fetched.failures:
            write_record(folder, replace(record, finished_at_sequence=job.last_sequence))
    except OSError as error:
        raise CommandError(f"cannot write into {folder}: {(error.strerror or str(error)).lower()}") from error
    return True


def _say_how_to_go_on(job_id: str, server: str | None) -> None:
    if server is None:
        problem, cure = f"stopped, and {job_id} with it", "The same command goes on where it stopped."
    else:
        problem = f"stopped following {job_id}; it goes on at {server}"
        cure = f"The same command goes on here with what is missing; `packshot jobs cancel {job_id}` ends the job."
    print_problem(problem, cure, stderr())


def _print(job: Job, fetched: Fetched, folder: Path, server: str | None, *, news: bool) -> None:
    console = stdout()
    items = f"{plural(job.counts.total, 'item')}: {counts_text(job.counts) or 'none ended'}"
    if not news:
        files = f"its {plural(fetched.kept, 'file')} and tables are in {folder}"
        console.print(f"Nothing to do: {job.job_id} has ended, and {files}", soft_wrap=True)
        console.print(items, soft_wrap=True)
    else:
        before = f" ({fetched.kept} were there before)" if fetched.kept else ""
        written = f"{plural(fetched.new, 'file')} written to {folder}{before}, with {' and '.join(_RESULTS)}"
        console.print(f"{items}; {written}", soft_wrap=True)
    if job.counts.review:
        if server is None:
            console.print(f"To look at what needs it: packshot serve --data-dir {folder / '.packshot'}, and then")
        console.print(f"packshot reviews list --job {job.job_id}")


def _print_failures(job: Job, failed: list[JobItem], fetched: Fetched) -> None:
    console = stderr()
    print_failures(((_name(item), _error(item)) for item in failed), console)
    if job.counts.failed > len(failed):
        console.print(f"… and {job.counts.failed - len(failed)} more that failed: see results.csv")
    if job.counts.failed:
        console.print("With --retry the same command has what failed done again.")
    print_failures(fetched.failures, console)
    if fetched.failures:
        console.print("The same command tries again to download them.")


def _name(item: JobItem) -> str:
    name = item.sku or item.item_key
    return f"line {item.row_number} ({name})" if item.row_number else name


def _error(item: JobItem) -> PackshotError:
    return PackshotError(grpc.StatusCode.UNKNOWN, item.error_reason, item.error_message)


def _document(job: Job, fetched: Fetched, folder: Path) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "label": job.label,
        "state": enum_word(JobState.DESCRIPTOR, job.state),
        "counts": message_to_dict(job.counts),
        "folder": str(folder),
        "results": [str(folder / name) for name in _RESULTS],
        "files": {"downloaded": fetched.new, "there_before": fetched.kept, "failed": len(fetched.failures)},
        "failures": [{"file": name, "error": error_to_dict(error)} for name, error in fetched.failures],
    }
