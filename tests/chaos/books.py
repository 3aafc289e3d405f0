"""Reads what a job has come to straight from the database, and checks that it adds up."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select

from packshot.v1 import jobs_pb2 as pb
from services.gateway.state.database import Database
from services.gateway.state.tables import DeadLetter, Item, LedgerEntry, LedgerKind, Result, ResultFile

ITEM_ENDED = frozenset(
    (pb.JOB_EVENT_TYPE_ITEM_SUCCEEDED, pb.JOB_EVENT_TYPE_ITEM_FAILED, pb.JOB_EVENT_TYPE_ITEM_CANCELLED)
)


@dataclass(frozen=True, slots=True)
class Books:
    """All rows of a database that one job has filled."""

    items: list[Item]
    results: list[Result]
    files: list[ResultFile]
    ledger: list[LedgerEntry]
    dead_letters: list[DeadLetter]

    @classmethod
    def read(cls, url: str) -> "Books":
        return asyncio.run(cls._read(url))

    @classmethod
    async def _read(cls, url: str) -> "Books":
        database = Database(url)
        try:
            async with database.read() as session:
                return cls(
                    items=list(await session.scalars(select(Item))),
                    results=list(await session.scalars(select(Result))),
                    files=list(await session.scalars(select(ResultFile))),
                    ledger=list(await session.scalars(select(LedgerEntry))),
                    dead_letters=list(await session.scalars(select(DeadLetter))),
                )
        finally:
            await database.close()

    def check(self) -> None:
        """Every item has ended once, has one result or a reason, and was charged at most once."""
        assert all(item.ended_at is not None and not item.lease for item in self.items)
        succeeded = [item for item in self.items if item.state == "succeeded"]
        failed = [item for item in self.items if item.state == "failed"]
        assert len(succeeded) + len(failed) == len(self.items)
        by_id = {result.id: result for result in self.results}
        assert all(item.result_id in by_id for item in succeeded)
        assert all(item.error_reason and item.result_id is None for item in failed)
        # The photos all differ: as many results as items, each with its files.
        assert len(by_id) == len(succeeded) == len({item.result_id for item in succeeded})
        assert {file.result_id for file in self.files} == set(by_id)

        charges = [entry for entry in self.ledger if entry.kind == LedgerKind.CHARGE]
        assert max(Counter(entry.item_id for entry in charges).values(), default=0) <= 1
        assert max(Counter(entry.result_id for entry in charges).values(), default=0) <= 1
        published = {item.id for item in succeeded if by_id[item.result_id or ""].verdict == "publish"}
        assert {entry.item_id for entry in charges} == published


def check_events(events: list[pb.JobEvent], items: int) -> None:
    """A watcher saw every event once and in order, and the end of every item."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    ends = Counter(event.item.item_key for event in events if event.type in ITEM_ENDED)
    assert len(ends) == items
    assert set(ends.values()) == {1}
    assert events[-1].type == pb.JOB_EVENT_TYPE_COMPLETED
