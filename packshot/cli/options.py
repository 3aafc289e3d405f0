"""Options several commands share."""

import datetime
from pathlib import Path
from typing import Annotated

import typer

from packshot.cli.parsing import parse_date

Marketplaces = Annotated[
    list[str] | None,
    typer.Option(
        "--marketplace",
        "-m",
        metavar="ID",
        help="Whose rules count, e.g. amazon-us; repeat it for several. `packshot rules list` shows all.",
    ),
]
Category = Annotated[
    str,
    typer.Option(
        "--category",
        "-c",
        metavar="NAME",
        help="What is sold, e.g. electronics. Without it only the rules common to all categories apply.",
    ),
]
AsOf = Annotated[
    datetime.date | None,
    typer.Option(
        "--as-of", metavar="YYYY-MM-DD", parser=parse_date, help="The day whose rules apply; today if left out."
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Also look into the folders of folders.")]
Folder = Annotated[
    Path, typer.Option("--output-dir", "-o", metavar="DIR", help="Folder for the results; made if it is not there.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files (never the photos themselves).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else there.")]

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="Show at most so many.")]
OfJob = Annotated[str, typer.Option("--job", metavar="JOB", help="Only those of this job.")]

_PANEL = "Where the work is done"

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="HOST:PORT",
        envvar="PACKSHOT_SERVER",
        help="A gateway to send the photos to. Without it they are processed here, in this process.",
        rich_help_panel=_PANEL,
    ),
]
Gateway = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="HOST:PORT",
        envvar="PACKSHOT_SERVER",
        help="The gateway that keeps the jobs.",
        rich_help_panel=_PANEL,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        metavar="KEY",
        envvar="PACKSHOT_API_KEY",
        help="The gateway's API key; better kept in the variable, where no process list shows it.",
        rich_help_panel=_PANEL,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="JWT",
        envvar="PACKSHOT_TOKEN",
        help="A token in place of the API key; better kept in the variable.",
        rich_help_panel=_PANEL,
    ),
]
Tls = Annotated[bool, typer.Option("--tls", help="Encrypt the connection to the gateway.", rich_help_panel=_PANEL)]
TlsCa = Annotated[
    Path | None,
    typer.Option(
        "--tls-ca",
        metavar="FILE",
        envvar="PACKSHOT_TLS_CA_FILE",
        help="Encrypt, and trust a gateway whose certificate these authorities signed.",
        rich_help_panel=_PANEL,
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        "--tls-cert",
        metavar="FILE",
        envvar="PACKSHOT_TLS_CERT_FILE",
        help="Encrypt, and show the gateway this certificate.",
        rich_help_panel=_PANEL,
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(
        "--tls-key",
        metavar="FILE",
        envvar="PACKSHOT_TLS_KEY_FILE",
        help="The certificate's key, where it is not in the same file.",
        rich_help_panel=_PANEL,
    ),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", min=0.001, help="Longest wait for an answer.", rich_help_panel=_PANEL),
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", "-j", min=1, max=64, metavar="N", help="Photos in work at a time.", rich_help_panel=_PANEL),
]
Model = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Without --server: a learned model in place of our own, e.g. u2netp; see `packshot models list`.",
        rich_help_panel=_PANEL,
    ),
]
ModelsDir = Annotated[
    Path | None,
    typer.Option(
        "--models-dir",
        metavar="DIR",
        envvar="SEGMENTER_MODELS_DIR",
        help="Where the models' files are.",
        rich_help_panel=_PANEL,
    ),
]
