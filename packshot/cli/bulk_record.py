"""Which job a folder of results belongs to, so that the same command goes on with it: DIR/.packshot-job.json."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from packshot.cli.failures import CommandError
from packshot.cli.outputs import write_atomically

_NAME: Final = ".packshot-job.json"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is known of the job in between two runs.

    Attributes:
        fingerprint: SHA-256 of what the job is made of and all that is asked for.
        request_id: What it is asked for by; known before there is a job.
        job_id: Empty until the gateway has told it.
        server: Where it was made; empty for the local mode.
        finished_at_sequence: The job's last event when everything was here; 0 before that.
    """

    fingerprint: str
    request_id: str
    job_id: str = ""
    server: str = ""
    finished_at_sequence: int = 0


def read_record(folder: Path) -> JobRecord | None:
    """The folder's; None when no job was begun in it.

    Raises:
        CommandError: The file cannot be read or is none of ours.
    """
    file = folder / _NAME
    try:
        return JobRecord(**json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(
            f"{file} does not say which job this folder belongs to ({error})", cure="Begin anew with --force."
        ) from error


def write_record(folder: Path, record: JobRecord) -> None:
    """Replaces the folder's."""
    write_atomically(folder / _NAME, json.dumps(asdict(record), indent=2).encode() + b"\n")
