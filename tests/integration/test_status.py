"""`packshot status` against a real gateway: what it says of a house in order, and of one where something is off."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from nats.aio.client import Client

from packshot.v1 import status_pb2_grpc
from packshot.v1.status_pb2 import GetStatusRequest
from services.common.errors import internal
from services.common.topology import JOB_WORK
from tests.helpers.api_keys import as_caller, new_key
from tests.helpers.bulk import Caller, House, until
from tests.helpers.gateway import failure
from tests.helpers.nats_server import NatsServer
from tests.helpers.packshot_serve import PACKSHOT

BROKEN = internal("r-1")


@pytest.fixture
async def house(events: Client, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[House]:
    async with House.open(tmp_path, nats_server.url) as house:
        yield house


async def status(server: str, *arguments: str) -> tuple[int, str]:
    """(exit code, what it says); the gateway answers it from this loop meanwhile."""
    command = await asyncio.create_subprocess_exec(
        PACKSHOT, "status", "--server", server, *arguments, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await command.communicate()
    assert command.returncode is not None
    return command.returncode, said.decode()


async def status_json(server: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await status(server, "--json"))[1])
    return found


def address(house: House, role: str = "all") -> str:
    return f"unix:{house.stages.folder}/{role}"


def off(document: dict[str, Any]) -> list[str]:
    return [finding["what"] for finding in document["findings"] if finding["is_off"]]


async def has_worker(caller: Caller) -> None:
    asked = status_pb2_grpc.StatusServiceStub(caller.channel)

    async def works() -> bool:
        backlog = (await asked.GetStatus(GetStatusRequest())).backlog
        return bool(backlog.dispatcher and backlog.workers_with_room)

    await until(works)


async def test_a_house_in_order(house: House) -> None:
    async with house.gateway() as caller:
        await has_worker(caller)
        code, said = await status(address(house))
        document = await status_json(address(house))
    assert code == 0
    assert "✓ all is well" in said
    for words in ("version 0.1.0", "classical", "amazon-us", "items waiting"):
        assert words in said
    assert document["ok"] is True
    assert {part["name"]: part["serving"] for part in document["status"]["components"]} == dict.fromkeys(
        ("gateway", "segmenter", "compositor", "validator", "database", "nats"), True
    )


async def test_a_stage_that_is_away_is_named_with_what_to_do(house: House) -> None:
    async with house.gateway():
        await house.stages.stop("compositor")
        code, said = await status(address(house))
    assert code == 1
    assert "✗ compositor: does not answer" in said
    assert "→ Is a replica running?" in said


async def test_a_house_without_workers_says_how_to_start_one(house: House) -> None:
    async with house.gateway("api") as caller:
        await caller.create([b"one", b"two"])
        document = await status_json(address(house, "api"))
    assert off(document) == ["no worker runs"]
    assert "--role worker" in document["findings"][0]["what_to_do"]
    assert document["status"]["backlog"]["items_waiting"] == 2


async def test_a_lost_work_queue_is_told_with_the_command_that_helps(house: House, events: Client) -> None:
    async with house.gateway("api"):
        await events.jetstream().delete_stream(JOB_WORK.name)
        document = await status_json(address(house, "api"))
    (told,) = off(document)
    assert "services.common.topology" in told
    assert document["status"]["backlog"] is None


async def test_items_given_up_are_worth_knowing_but_nothing_is_off(house: House) -> None:
    house.stages.segmenter.segment.script = [BROKEN]
    async with house.gateway(ITEM_ATTEMPTS="1") as caller:
        await has_worker(caller)
        await caller.watch((await caller.create([b"one"])).job_id)
        code, said = await status(address(house))
    assert code == 0
    assert "! 1 item given up after too many attempts" in said


async def test_it_is_told_to_keys_with_its_scope_only(house: House) -> None:
    url = house.environment["DATABASE_URL"]
    tenants, operators = await new_key(url, "acme"), await new_key(url, "operators", "status")
    async with house.gateway("api", AUTH="api-key") as caller:
        asked = status_pb2_grpc.StatusServiceStub(caller.channel)
        error = await failure(asked.GetStatus(GetStatusRequest(), metadata=as_caller(tenants)))
        assert (error.code, error.metadata) == (grpc.StatusCode.PERMISSION_DENIED, {"scope": "status"})
        answer = await asked.GetStatus(GetStatusRequest(), metadata=as_caller(operators))
        assert answer.components[0].name == "gateway"


async def test_a_gateway_that_is_not_there_is_off(tmp_path: Path) -> None:
    code, said = await status(f"unix:{tmp_path}/nobody", "--json")
    document = json.loads(said)
    assert (code, document["ok"], document["status"]) == (1, False, None)
    assert "Is the gateway running there?" in document["findings"][0]["what_to_do"]
