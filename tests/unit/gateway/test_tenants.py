import asyncio
from pathlib import Path

import pytest

from services.gateway.state import tenants
from services.gateway.state.tenants import Limits
from services.gateway.tenants import main
from tests.helpers.api_keys import new_database, new_key, opened


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = asyncio.run(new_database(tmp_path))
    asyncio.run(new_key(url, "acme"))
    return url


def limits_of(url: str, tenant: str) -> Limits:
    async def read() -> Limits:
        async with opened(url) as database, database.read() as session:
            return await tenants.limits(session, tenant)

    return asyncio.run(read())


def test_limits_are_set_one_by_one_and_taken_back(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert limits_of(url, "acme") == Limits()
    for arguments, expected in (
        (["--photos-per-minute", "60"], Limits(60, None, None)),
        (["--bytes-per-minute", "1000000", "--max-concurrent-photos", "4"], Limits(60, 1_000_000, 4)),
        (["--photos-per-minute", "none"], Limits(None, 1_000_000, 4)),
    ):
        assert main(["set", "--database-url", url, "acme", *arguments]) == 0
        assert limits_of(url, "acme") == expected
    assert main(["list", "--database-url", url]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["acme", "-", "1000000", "4"]


def test_each_tenant_has_a_webhook_secret_of_its_own(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(new_key(url, "zeta"))
    for name in ("acme", "zeta"):
        assert main(["webhook-secret", "--database-url", url, name]) == 0
    acme, zeta = capsys.readouterr().out.split()
    assert acme.startswith("whsec_") and zeta.startswith("whsec_")
    assert acme != zeta


def test_a_tenant_that_is_not_there_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set", "--database-url", url, "zeta", "--photos-per-minute", "60"]) == 2
    assert "there is no tenant zeta" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "many", str(2**31)])
def test_a_limit_is_a_whole_number_or_none(url: str, capsys: pytest.CaptureFixture[str], limit: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["set", "--database-url", url, "acme", f"--photos-per-minute={limit}"])
    assert "a whole number from 1" in capsys.readouterr().err
    assert limits_of(url, "acme") == Limits()
