from services.gateway.state import jobs, ledger
from services.gateway.state.database import Database
from tests.helpers.state import NOW, TENANT, finish_next, make_job, new_items


async def test_a_charge_is_refunded_once(database: Database) -> None:
    job = await make_job(database, items=new_items(1))
    claimed = await finish_next(database, job)
    async with database.read() as session:
        item = (await jobs.get_item(session, TENANT, job.id, claimed.item.key)).item
        assert await ledger.balance(session, TENANT) == -1
    result_id = item.result_id
    assert result_id is not None
    for expected in (True, False):
        refunded = await database.write(lambda s: ledger.refund(s, TENANT, result_id, "complaint", NOW))
        assert refunded is expected
    async with database.read() as session:
        item = (await jobs.get_item(session, TENANT, job.id, claimed.item.key)).item
        assert (await ledger.balance(session, TENANT), item.credits, ledger.price_tier(item)) == (0, 0, "none")
        assert (await jobs.counts(session, job.id)).credits == 0


async def test_only_the_tenants_own_charge_is_refunded(database: Database) -> None:
    job = await make_job(database, items=new_items(1))
    claimed = await finish_next(database, job)
    async with database.read() as session:
        result = (await jobs.get_item(session, TENANT, job.id, claimed.item.key)).result
    assert result is not None
    assert not await database.write(lambda s: ledger.refund(s, "other", result.id, "", NOW))
    assert not await database.write(lambda s: ledger.refund(s, TENANT, "res_unknown", "", NOW))


async def test_grants_add_up(database: Database) -> None:
    await make_job(database)
    for credits in (100, 50):
        await database.write(lambda s, c=credits: ledger.grant(s, TENANT, c, "bought", NOW))  # type: ignore[misc]
    async with database.read() as session:
        assert await ledger.balance(session, TENANT) == 150
        assert await ledger.balance(session, "other") == 0
