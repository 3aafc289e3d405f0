"""`packshot check`: a linter for finished images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from packshot.cli import options
from packshot.cli.concurrency import call_each
from packshot.cli.connection import Connection, Proof
from packshot.cli.console import plural, print_json, stderr, stdout, with_progress
from packshot.cli.failures import EXIT_FAILURE, error_to_dict, print_failures
from packshot.cli.photos import collect_photos
from packshot.cli.tables import check_table, report_table, unchecked_note
from packshot.client import PackshotError
from packshot.report import report_to_dict
from packshot.v1.report_pb2 import Report

Outcome = list[Report] | PackshotError


def check(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Files, folders, or patterns like 'listing/*.jpg'.")
    ],
    marketplace: options.Marketplaces = None,
    category: options.Category = "",
    as_of: options.AsOf = None,
    recursive: options.Recursive = False,
    as_json: options.Json = False,
    server: options.Server = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 120.0,
    jobs: options.Jobs = 4,
) -> None:
    """Check finished images against the marketplace's rules; nothing is changed.

    One image is shown with every rule, several with what is left to do.

    \b
    [bold]Examples[/]
      packshot check mug.jpg
      packshot check listing/ -m amazon-us -m amazon-jp -c electronics
      packshot check mug.jpg --as-of 2027-02-01          by the rules of that day

    \b
    [bold]Exit code[/]
      0  all images are compliant
      1  an image is not
      2  an image could not be checked, or the command was not understood
    """
    files = collect_photos(images, recursive=recursive)
    marketplaces = list(dict.fromkeys(marketplace or ()))
    outcomes: dict[Path, Outcome] = {}
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open() as client:

        def check_one(image: Path) -> list[Report]:
            answer = client.check(image, marketplaces=marketplaces, category=category, as_of=as_of)
            return list(answer.reports)

        for i, outcome in with_progress(call_each(check_one, files, jobs), len(files), "Checking"):
            outcomes[files[i]] = outcome
    in_order = [(str(file), outcomes[file]) for file in files]
    if as_json:
        print_json(_document(in_order))
    else:
        _print(in_order)
    errors = [(name, outcome) for name, outcome in in_order if isinstance(outcome, PackshotError)]
    print_failures(errors, stderr())
    raise typer.Exit(EXIT_FAILURE if errors else int(not all(_compliant(o) for o in outcomes.values())))


def _compliant(outcome: Outcome) -> bool:
    return not isinstance(outcome, PackshotError) and all(report.compliant for report in outcome)


def _print(images: Sequence[tuple[str, Outcome]]) -> None:
    console = stdout()
    failed = sum(isinstance(outcome, PackshotError) for _, outcome in images)
    if len(images) == 1 and not isinstance(images[0][1], PackshotError):
        for report in images[0][1]:
            console.print(report_table(report))
    elif failed < len(images):
        console.print(check_table(images))
        note = unchecked_note(report for _, reports in images if isinstance(reports, list) for report in reports)
        if note is not None:
            console.print(note)
    compliant = sum(_compliant(outcome) for _, outcome in images)
    words = [f"{compliant} compliant", f"{len(images) - compliant - failed} not compliant"]
    console.print(f"{plural(len(images), 'image')}: {', '.join([*words, *[f'{failed} failed'] * bool(failed)])}")


def _document(images: Sequence[tuple[str, Outcome]]) -> dict[str, Any]:
    entries = []
    for name, outcome in images:
        error = outcome if isinstance(outcome, PackshotError) else None
        reports = [] if isinstance(outcome, PackshotError) else [report_to_dict(report) for report in outcome]
        compliant = None if error else _compliant(outcome)
        entries.append({"image": name, "compliant": compliant, "reports": reports, "error": error_to_dict(error)})
    answers = [entry["compliant"] for entry in entries]
    counts = {"compliant": answers.count(True), "not_compliant": answers.count(False), "failed": answers.count(None)}
    return {"images": entries, "summary": counts}
