"""S3 credentials out of the file that AWS_SHARED_CREDENTIALS_FILE names, as every AWS SDK reads it.

    [default]
    aws_access_key_id = …
    aws_secret_access_key = …

obstore itself knows AWS_ACCESS_KEY_ID and its like only, and a secret belongs in a file.
"""

import os
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.common.server import StartError

if TYPE_CHECKING:
    from obstore.store import S3Credential  # obstore has it for type checkers only

_READ_AGAIN_AFTER: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SharedCredentials:
    """obstore's `credential_provider`: asked again when what it gave expires, so a changed file is seen.

    Raises:
        StartError: The file cannot be read or lacks the profile or a key.
    """

    file: Path
    profile: str

    def __call__(self) -> "S3Credential":
        parser = ConfigParser(interpolation=None)
        try:
            with self.file.open(encoding="utf-8") as lines:
                parser.read_file(lines)
            section = parser[self.profile]
            return {
                "access_key_id": section["aws_access_key_id"],
                "secret_access_key": section["aws_secret_access_key"],
                "token": section.get("aws_session_token"),
                # object_store replaces credentials some minutes before they expire.
                "expires_at": datetime.now(UTC) + _READ_AGAIN_AFTER,
            }
        except (OSError, ConfigError, KeyError, UnicodeDecodeError) as error:
            raise StartError(
                f"AWS_SHARED_CREDENTIALS_FILE: no aws_access_key_id and aws_secret_access_key of [{self.profile}]"
                f" in {self.file} ({type(error).__name__})"
            ) from error


def shared_credentials() -> SharedCredentials | None:
    """None where the environment names no such file, or holds the keys itself, which go first.

    Raises:
        StartError: There is a file that holds no keys.
    """
    file = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "")
    if not file or os.environ.get("AWS_ACCESS_KEY_ID"):
        return None
    credentials = SharedCredentials(Path(file), os.environ.get("AWS_PROFILE") or "default")
    credentials()
    return credentials
