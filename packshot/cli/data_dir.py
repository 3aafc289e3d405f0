"""What lies where in a folder that keeps jobs: the same for `packshot serve` and for `packshot bulk` by itself."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataDir:
    """A folder with the gateway's database, the photos and results of its jobs, and NATS's store."""

    path: Path

    @property
    def database_url(self) -> str:
        return f"sqlite+aiosqlite:///{self.path.absolute() / 'packshot.db'}"

    @property
    def objects_url(self) -> str:
        return (self.path.absolute() / "objects").as_uri()

    @property
    def nats_store(self) -> Path:
        return self.path
