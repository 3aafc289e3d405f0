"""What lies where in a folder that keeps jobs: the same for `packshot serve` and for `packshot bulk` by itself."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packshot.cli.failures import CommandError
from packshot.cli.outputs import make_folder


@dataclass(frozen=True, slots=True)
class DataDir:
    """A folder with the gateway's database, the photos and results of its jobs, and NATS's store."""

    path: Path
    option: str = "-o"
    """That chose it."""

    @property
    def database_url(self) -> str:
        return f"sqlite+aiosqlite:///{self.path.absolute() / 'packshot.db'}"

    @property
    def objects_url(self) -> str:
        return (self.path.absolute() / "objects").as_uri()

    @property
    def nats_store(self) -> Path:
        return self.path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Made if it is not there, and ours alone: two nats-servers would spoil one store.

        Raises:
            CommandError: Another command uses it, or it cannot be made.
        """
        make_folder(self.path, self.option)
        with (self.path / "lock").open("w") as lock:
            if sys.platform != "win32":
                import fcntl

                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise CommandError(f"another packshot uses {self.path}", cure="Wait for it, or stop it.") from None
            yield
