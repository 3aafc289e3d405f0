import asyncio
from pathlib import Path

import pytest

from services.gateway.credits import main
from services.gateway.state.database import Database
from tests.helpers.api_keys import new_database, new_key, opened
from tests.helpers.state import TENANT, finish_next, make_job, new_items, new_result


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = asyncio.run(new_database(tmp_path))
    asyncio.run(new_key(url, TENANT))
    return url


def one_item_done(url: str, verdict: str = "publish") -> tuple[str, str]:
    """A job whose only item came out with a verdict: its id, and the item's key."""

    async def done(database: Database) -> tuple[str, str]:
        job = await make_job(database, items=new_items(1))
        claimed = await finish_next(database, job, new_result(verdict=verdict))
        return job.id, claimed.item.key

    async def opened_and_done() -> tuple[str, str]:
        async with opened(url) as database:
            return await done(database)

    return asyncio.run(opened_and_done())


def run(capsys: pytest.CaptureFixture[str], url: str, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command."""
    code = main([arguments[0], "--database-url", url, *arguments[1:]])
    printed = capsys.readouterr()
    return code, printed.out.strip(), printed.err


def test_grants_less_charges_plus_refunds_are_the_balance(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    job_id, key = one_item_done(url)
    assert run(capsys, url, "balance", TENANT) == (0, "-1", "")
    assert run(capsys, url, "grant", TENANT, "500", "--note", "invoice 17") == (0, "499", "")
    assert run(capsys, url, "refund", TENANT, job_id, key, "--note", "wrong shoe") == (0, "500", "")


def test_what_was_given_back_or_never_charged_is_not_given_back(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    job_id, key = one_item_done(url)
    assert run(capsys, url, "refund", TENANT, job_id, key)[:2] == (0, "0")
    again = run(capsys, url, "refund", TENANT, job_id, key)
    rejected = run(capsys, url, "refund", TENANT, *one_item_done(url, "reject"))
    for code, out, words in (again, rejected):
        assert (code, out) == (2, "")
        assert "is not charged; there is nothing to give back" in words


def test_what_is_not_there_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no tenant zeta" in run(capsys, url, "balance", "zeta")[2]
    assert run(capsys, url, "refund", TENANT, f"job_{'0' * 32}", "mug")[0] == 2


@pytest.mark.parametrize("credits", ["0", "-5", "1.5", "many"])
def test_credits_are_whole_numbers(url: str, capsys: pytest.CaptureFixture[str], credits: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["grant", "--database-url", url, TENANT, credits])
    assert run(capsys, url, "balance", TENANT)[1] == "0"
