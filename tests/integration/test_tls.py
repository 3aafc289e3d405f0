"""From the client over the gateway to a stage, every step encrypted, with certificates of the tests' own authority."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from packshot.cli.main import app
from packshot.client import AsyncPackshotClient, PackshotError, tls_credentials
from services.common.server import Server
from services.gateway.server import create as create_gateway
from services.gateway.settings import GatewaySettings
from services.validator.server import create as create_validator
from services.validator.settings import ValidatorSettings
from tests.helpers.authority import Authority

GATEWAY = "spiffe://tests/packshot/gateway"
HERE = "127.0.0.1"


@pytest.fixture
def inside(tmp_path: Path) -> Authority:
    """Signs for gateway and stages among themselves."""
    folder = tmp_path / "inside"
    folder.mkdir()
    return Authority(folder)


@pytest.fixture
def outside(tmp_path: Path) -> Authority:
    """Signs for the gateway to its callers."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return Authority(folder)


@asynccontextmanager
async def stack(
    inside: Authority, outside: Authority, *, gateway_is: str = GATEWAY, edge_is: str = HERE
) -> AsyncIterator[str]:
    """A validator that answers the gateway alone, and a gateway; yields the gateway's address.

    Args:
        gateway_is: The gateway's name towards stages.
        edge_is: Its name towards callers.
    """
    validator_own, gateway_own, edge = (
        inside.certificate(HERE, file="validator"),
        inside.certificate(gateway_is, file="gateway"),
        outside.certificate(edge_is, file="edge"),
    )
    validator_settings = ValidatorSettings(
        listen=f"{HERE}:0",
        tls_cert_file=validator_own.file,
        tls_key_file=validator_own.key_file,
        tls_client_ca_file=inside.ca_file,
        tls_allowed_clients=(GATEWAY,),
    )
    validator = Server(create_validator(validator_settings), validator_settings)
    await validator.start()
    gateway_settings = GatewaySettings(
        listen=f"{HERE}:0",
        auth="off",
        validator_address=validator.address,
        tls_cert_file=edge.file,
        tls_key_file=edge.key_file,
        stage_tls_ca_file=inside.ca_file,
        stage_tls_cert_file=gateway_own.file,
        stage_tls_key_file=gateway_own.key_file,
    )
    gateway = Server(create_gateway(gateway_settings), gateway_settings)
    await gateway.start()
    try:
        yield gateway.address
    finally:
        await gateway.stop()
        await validator.stop()


async def test_a_question_goes_all_the_way(inside: Authority, outside: Authority) -> None:
    async with (
        stack(inside, outside) as address,
        AsyncPackshotClient(address, credentials=tls_credentials(outside.ca_file)) as client,
    ):
        assert "amazon-us" in [pack.id for pack in await client.list_rule_packs()]


async def test_a_gateway_with_anothers_certificate_gets_nothing_from_a_stage(
    inside: Authority, outside: Authority
) -> None:
    async with (
        stack(inside, outside, gateway_is="spiffe://tests/packshot/compositor") as address,
        AsyncPackshotClient(address, credentials=tls_credentials(outside.ca_file)) as client,
    ):
        with pytest.raises(PackshotError) as caught:
            await client.list_rule_packs()
        assert caught.value.reason == "CLIENT_NOT_ALLOWED"


class TestWhatGoesWrongIsNamed:
    @pytest.fixture
    async def address(self, inside: Authority, outside: Authority) -> AsyncIterator[str]:
        async with stack(inside, outside) as address:
            yield address

    async def test_an_authority_the_caller_does_not_know(self, inside: Authority, address: str) -> None:
        async with AsyncPackshotClient(address, credentials=tls_credentials(inside.ca_file)) as client:
            with pytest.raises(PackshotError) as caught:
                await client.list_rule_packs()
        assert caught.value.reason == "SERVER_NOT_TRUSTED"
        assert "unable to get local issuer certificate" in caught.value.message

    async def test_another_name_than_the_certificates(self, inside: Authority, outside: Authority) -> None:
        async with (
            stack(inside, outside, edge_is="gateway.example") as address,
            AsyncPackshotClient(address, credentials=tls_credentials(outside.ca_file)) as client,
        ):
            with pytest.raises(PackshotError) as caught:
                await client.list_rule_packs()
        assert caught.value.reason == "SERVER_NOT_TRUSTED"
        assert "its certificate is for another name" in caught.value.message

    async def test_a_gateway_that_does_not_encrypt(self, outside: Authority) -> None:
        settings = GatewaySettings(listen=f"{HERE}:0", auth="off")
        gateway = Server(create_gateway(settings), settings)
        await gateway.start()
        async with AsyncPackshotClient(gateway.address, credentials=tls_credentials(outside.ca_file)) as client:
            with pytest.raises(PackshotError) as caught:
                await client.list_rule_packs()
        await gateway.stop()
        assert caught.value.reason == "SERVER_WITHOUT_TLS"

    async def test_the_command_says_what_to_do(self, outside: Authority, address: str) -> None:
        listed = await command(address, "--tls-ca", str(outside.ca_file))
        assert (listed.exit_code, "amazon-us" in listed.stdout) == (0, True)
        untrusted = await command(address, "--tls")
        assert untrusted.exit_code == 2
        assert "--tls-ca FILE" in untrusted.stderr
        plain = await command(address)
        assert plain.exit_code == 2
        assert "add --tls" in plain.stderr
        half = await command(address, "--tls-key", "mine.key")
        assert half.exit_code == 2
        assert "is of no use without its certificate" in half.stderr


async def command(address: str, *options: str) -> Any:
    return await asyncio.to_thread(
        CliRunner().invoke, app, ["rules", "list", "--server", address, *options], env={"COLUMNS": "200"}
    )
