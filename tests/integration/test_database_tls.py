"""PostgreSQL whose certificate is checked, and one that would rather not encrypt."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.server import StartError
from services.gateway.state.database import Database
from services.gateway.state.errors import UnavailableError
from tests.helpers.authority import Authority
from tests.helpers.postgres import Postgres, postgres

__all__ = ["postgres"]

DEBIANS_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def encrypting(authority: Authority) -> Iterator[Postgres]:
    if not DEBIANS_PROGRAMS:
        pytest.skip("the PostgreSQL of pgserver cannot encrypt: apt-get install postgresql")
    own = authority.certificate("127.0.0.1")
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        certificate, key = folder / "own.pem", folder / "own.key"
        server = Postgres(DEBIANS_PROGRAMS[-1], folder, ssl="on", ssl_cert_file=str(certificate), ssl_key_file=str(key))
        owner = (folder / "data").stat()
        for source, target in ((own.file, certificate), (own.key_file, key)):
            shutil.copy(source, target)
            shutil.chown(target, owner.st_uid, owner.st_gid)
            target.chmod(0o600)
        server.start()
        yield server
        server.stop()


async def test_the_database_proves_who_it_is(
    encrypting: Postgres, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(authority.ca_file))
    database = Database(f"{encrypting.url('postgres')}?ssl=verify-full")
    await database.migrate()
    await database.check()
    await database.close()


async def test_a_database_of_another_authority_gets_nothing(
    encrypting: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("PGSSLROOTCERT", str(Authority(tmp_path / "other").ca_file))
    database = Database(f"{encrypting.url('postgres')}?ssl=verify-full")
    with pytest.raises(StartError, match="CERTIFICATE_VERIFY_FAILED"):
        await database.check()
    await database.close()


async def test_a_database_that_does_not_encrypt_gets_nothing(
    postgres: Postgres, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(authority.ca_file))
    database = Database(f"{postgres.url('postgres')}?ssl=verify-full")
    with pytest.raises(UnavailableError, match="rejected SSL"):
        await database.migrate()
    await database.close()
