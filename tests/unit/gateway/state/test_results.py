from services.gateway.state import jobs, ledger, results
from services.gateway.state.database import Database
from tests.helpers.state import TENANT, finish_next, make_job, new_items, new_result


async def test_results_are_a_tenants_own(database: Database) -> None:
    job = await make_job(database, items=new_items(1))
    await finish_next(database, job, new_result("a photo"))
    key = new_result("a photo").key
    async with database.read() as session:
        found = await results.find(session, TENANT, key)
        assert found is not None
        assert [file.object for file in await results.files(session, found.id)] == [
            f"{TENANT}/results/{key}/amazon-us/jpeg.jpg"
        ]
        assert await results.find(session, "other", key) is None
        assert await results.find(session, TENANT, "unknown") is None


async def test_without_its_files_a_result_is_made_again_and_charged_again(database: Database) -> None:
    job = await make_job(database, items=new_items(2))
    claimed = await finish_next(database, job, new_result("a photo"))
    async with database.read() as session:
        old = await results.find(session, TENANT, new_result("a photo").key)
        assert old is not None
    await database.write(lambda s: results.forget_files(s, [old.id]))
    async with database.read() as session:
        assert await results.find(session, TENANT, new_result("a photo").key) is None
        view = await jobs.get_item(session, TENANT, job.id, claimed.item.key)
        assert view.result is not None
        assert not view.files
    await finish_next(database, job, new_result("a photo"))
    async with database.read() as session:
        assert await ledger.balance(session, TENANT) == -2
