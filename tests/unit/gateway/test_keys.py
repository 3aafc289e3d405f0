import asyncio
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from services.gateway import keys
from services.gateway.keys import ApiKeys
from services.gateway.state.tenants import ActiveKey, TenantNameError
from tests.helpers.api_keys import new_database, new_key, new_key_with_id, opened, revoke


@pytest.fixture
async def url(tmp_path: Path) -> str:
    return await new_database(tmp_path)


async def test_an_added_key_belongs_to_its_tenant(url: str) -> None:
    acme, zeta = await new_key(url, "acme"), await new_key(url, "zeta", "jobs", "reviews")
    async with opened(url) as database:
        known = ApiKeys(database)
        of_acme, of_zeta = await known.find(acme), await known.find(zeta)
        assert of_acme is not None and of_zeta is not None
        assert (of_acme.tenant, of_acme.scopes) == ("acme", frozenset({"photos", "jobs", "reviews"}))
        assert (of_zeta.tenant, of_zeta.scopes) == ("zeta", frozenset({"jobs", "reviews"}))
        assert await known.find("pk_guessed") is None
        assert await known.find("") is None


async def test_a_tenant_may_have_several_keys_and_each_ends_alone(url: str) -> None:
    (old_id, old), (new_id, new) = await new_key_with_id(url, "acme"), await new_key_with_id(url, "acme")
    assert old != new and old_id != new_id
    await revoke(url, old_id)
    async with opened(url) as database:
        known = ApiKeys(database)
        assert await known.find(old) is None
        assert await known.find(new) is not None


async def test_the_database_holds_no_key(url: str, tmp_path: Path) -> None:
    key = await new_key(url, "acme")
    async with opened(url) as database, database.read() as session:
        (row,) = await session.execute(text("SELECT * FROM api_keys"))
        assert key.removeprefix("pk_") not in repr(row)
        assert hashlib.sha256(key.encode()).hexdigest() in row


@pytest.mark.parametrize("tenant", ["", "Acme", "-acme", "a.b", "a*", "a b", "acme\n", "a" * 64])
async def test_tenants_that_could_not_stand_in_a_subject_are_refused(url: str, tenant: str) -> None:
    async with opened(url) as database:
        with pytest.raises(TenantNameError, match="tenant"):
            await database.write(lambda session: keys.add(session, tenant, ("jobs",), datetime.now(UTC)))


async def test_guesses_do_not_reach_the_database_one_by_one(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await new_key(url, "acme")
    async with opened(url) as database:
        known, reads = ApiKeys(database), 0
        read = database.read

        def counted() -> object:
            nonlocal reads
            reads += 1
            return read()

        monkeypatch.setattr(database, "read", counted)
        assert await known.find(key) is not None
        guesses = [known.find(f"pk_{number}") for number in range(1000)]
        assert await asyncio.gather(*guesses) == [None] * 1000
        assert reads <= 3
        assert await known.find(key) is not None
        assert reads <= 3


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `python -m services.gateway.keys` with the arguments, in this process."""

    def run(*arguments: str) -> Done:
        try:
            code = keys.main(arguments)
        except SystemExit as end:  # argparse's
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return asyncio.run(new_database(tmp_path))


def test_the_commands_add_list_and_revoke(file_url: str, command: Callable[..., Done]) -> None:
    added = command("add", "--database-url", file_url, "--tenant", "acme", "--scopes", "reviews,photos")
    assert added.code == 0, added.stderr
    key, (key_id,) = added.stdout.strip(), re.findall(r"k-[0-9a-f]{16}", added.stderr)

    async def found() -> ActiveKey | None:
        async with opened(file_url) as database:
            return await ApiKeys(database).find(key)

    before = asyncio.run(found())
    assert before is not None and before.id == key_id
    listed = command("list", "--database-url", file_url)
    assert listed.stdout.splitlines()[1].split()[:3] == [key_id, "acme", "photos,reviews"]
    assert key not in listed.stdout
    assert command("revoke", "--database-url", file_url, key_id).code == 0
    assert asyncio.run(found()) is None
    assert command("list", "--database-url", file_url).stdout.splitlines()[1].split()[-1] != "-"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "--tenant", "Acme"], "tenant 'Acme': up to 63 of a-z"),
        (["add", "--tenant", "acme", "--scopes", "photos,all"], "some of photos,jobs,reviews,status"),
        (["revoke", "k-0"], "there is no key k-0"),
    ],
    ids=["tenant", "scope", "key"],
)
def test_the_commands_say_what_is_wrong(
    file_url: str, command: Callable[..., Done], arguments: list[str], says: str
) -> None:
    done = command(arguments[0], "--database-url", file_url, *arguments[1:])
    assert done.code == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("file", "says"), [("empty.db", "services.gateway.state.migrate"), ("no/folder.db", "there is no such folder")]
)
def test_a_database_that_is_no_use_is_named(tmp_path: Path, command: Callable[..., Done], file: str, says: str) -> None:
    done = command("list", "--database-url", f"sqlite+aiosqlite:///{tmp_path}/{file}")
    assert done.code == 2
    assert says in done.stderr and file in done.stderr
