"""Calls with tokens of an identity provider, whose keys come over real HTTP."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from packshot.client import AsyncPackshotClient, PackshotClient
from packshot.v1.packshot_pb2 import ProcessImageRequest, ProcessImagesRequest, StreamItem
from packshot.v1.rules_pb2 import ListRulePacksRequest
from services.gateway.settings import GatewaySettings
from services.gateway.state.tenants import Limits
from tests.helpers.api_keys import as_caller, limit, new_key, opened
from tests.helpers.gateway import Gateway, failure, running_gateway
from tests.helpers.https_server import HttpServer, http_server
from tests.helpers.issuer import AUDIENCE, ISSUER, Issuer, bearer
from tests.helpers.stages import PHOTO, Stages, after, segmented

ANY = ListRulePacksRequest()
ONE_PHOTO = ProcessImageRequest(photo=PHOTO)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def site(issuer: Issuer) -> AsyncIterator[HttpServer]:
    """Where the issuer publishes its keys."""
    async with http_server() as server:
        publish(issuer, server)
        yield server


def publish(issuer: Issuer, site: HttpServer) -> None:
    site.always("/keys", 200, issuer.jwks())


@asynccontextmanager
async def gateway_of(site: HttpServer, stages: Stages, **environment: str) -> AsyncIterator[Gateway]:
    variables = {
        "AUTH": "jwt",
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "JWT_JWKS": f"http://127.0.0.1:{site.port}/keys",
    }
    async with running_gateway(stages, **variables | environment) as gateway:
        yield gateway


@pytest.fixture
async def gateway(site: HttpServer, stages: Stages) -> AsyncIterator[Gateway]:
    async with gateway_of(site, stages) as running:
        yield running


async def refusal(gateway: Gateway, token: str) -> tuple[grpc.StatusCode, str]:
    error = await failure(gateway.stub.ListRulePacks(ANY, metadata=bearer(token)))
    assert not token or token not in error.message
    return error.code, error.reason


class TestWhatOpens:
    @pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
    async def test_a_token_of_the_issuer_opens(self, stages: Stages, tmp_path: Path, algorithm: str) -> None:
        issuer = Issuer(algorithm=algorithm)
        (tmp_path / "jwks.json").write_bytes(issuer.jwks())
        async with http_server() as nowhere, gateway_of(nowhere, stages, JWT_JWKS=f"{tmp_path}/jwks.json") as gateway:
            await gateway.stub.ListRulePacks(ANY, metadata=bearer(issuer.token()))

    async def test_the_tenant_is_the_tokens(
        self, site: HttpServer, stages: Stages, issuer: Issuer, sqlite_url: str
    ) -> None:
        async with opened(sqlite_url) as database:
            await limit(database, "acme", Limits(photos_per_minute=1))
        async with gateway_of(site, stages, DATABASE_URL=sqlite_url) as gateway:
            acme, zeta = issuer.token(), issuer.token(tenant="zeta")
            await gateway.stub.ProcessImage(ONE_PHOTO, metadata=bearer(acme))
            error = await failure(gateway.stub.ProcessImage(ONE_PHOTO, metadata=bearer(acme)))
            assert error.reason == "TENANT_LIMIT"
            for _ in range(2):
                await gateway.stub.ProcessImage(ONE_PHOTO, metadata=bearer(zeta))

    async def test_claims_are_where_settings_say(self, site: HttpServer, stages: Stages, issuer: Issuer) -> None:
        settings = {"JWT_TENANT_CLAIM": "org", "JWT_SCOPE_CLAIM": "roles"}
        async with gateway_of(site, stages, **settings) as gateway:
            token = issuer.token(tenant=None, scope=None, org="acme", roles=["photos"])
            await gateway.stub.ListRulePacks(ANY, metadata=bearer(token))
            assert (await refusal(gateway, issuer.token()))[1] == "TOKEN_INVALID"

    async def test_clocks_may_differ_a_little(self, gateway: Gateway, issuer: Issuer) -> None:
        await gateway.stub.ListRulePacks(ANY, metadata=bearer(issuer.token(lifetime_s=-10)))

    async def test_keys_and_tokens_open_both_but_not_at_once(
        self, site: HttpServer, stages: Stages, issuer: Issuer, sqlite_url: str
    ) -> None:
        key = await new_key(sqlite_url, "acme")
        async with gateway_of(site, stages, AUTH="both", DATABASE_URL=sqlite_url) as gateway:
            for metadata in (as_caller(key), bearer(issuer.token())):
                await gateway.stub.ListRulePacks(ANY, metadata=metadata)
            both = (*as_caller(key), *bearer(issuer.token()))
            error = await failure(gateway.stub.ListRulePacks(ANY, metadata=both))
            assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_AMBIGUOUS")
            missing = await failure(gateway.stub.ListRulePacks(ANY))
            assert "x-api-key or a token as metadata authorization" in missing.message

    async def test_where_only_keys_open_tokens_do_not(
        self, site: HttpServer, stages: Stages, issuer: Issuer, sqlite_url: str
    ) -> None:
        async with gateway_of(site, stages, AUTH="api-key", DATABASE_URL=sqlite_url) as gateway:
            assert (await refusal(gateway, issuer.token()))[1] == "API_KEY_MISSING"
        assert site.exchanges == []


class TestWhatDoesNot:
    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://login.example/others"},
            {"iss": None},
            {"aud": "someone-else"},
            {"aud": None},
            {"exp": None},
            {"sub": None},
            {"tenant": None},
            {"tenant": "../acme"},
            {"tenant": ["acme"]},
            {"nbf": datetime.now(UTC) + timedelta(hours=1)},
        ],
    )
    async def test_a_claim_is_not_as_it_should(self, gateway: Gateway, issuer: Issuer, claims: dict[str, Any]) -> None:
        assert await refusal(gateway, issuer.token(**claims)) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")

    async def test_an_old_token_is_told_so(self, gateway: Gateway, issuer: Issuer) -> None:
        assert await refusal(gateway, issuer.token(lifetime_s=-60)) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "TOKEN_EXPIRED",
        )

    async def test_nobody_signs_for_the_issuer(self, gateway: Gateway, issuer: Issuer) -> None:
        stranger = Issuer("first")  # the same kid, another key
        public = issuer.keys["first"][0].public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        claims = jwt.decode(issuer.token(), options={"verify_signature": False})
        header, payload, signature = issuer.token().split(".")
        forged = {
            "another's key": stranger.token(),
            "an unknown key": Issuer("second").token("second"),
            "no algorithm": jwt.encode(claims, "", "none", {"kid": "first"}),
            # https://auth0.com/blog/critical-vulnerabilities-in-json-web-token-libraries: what is public as the secret
            "the public key as a secret": _signed_with_secret(claims, pem),
            "another payload": f"{header}.{_coded(claims | {'tenant': 'zeta'})}.{signature}",
            "no signature": f"{header}.{payload}.",
            "no token": "hello",
        }
        for what, token in forged.items():
            assert await refusal(gateway, token) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"), what
        assert await refusal(gateway, "") == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")

    async def test_a_token_without_the_services_scope(self, gateway: Gateway, issuer: Issuer) -> None:
        assert await refusal(gateway, issuer.token(scope="jobs photosx")) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "SCOPE_MISSING",
        )


class TestKeys:
    async def test_a_new_key_opens_and_a_withdrawn_one_ends(
        self, site: HttpServer, stages: Stages, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.gateway.jwks._PAUSE_S", 0.0)
        async with gateway_of(site, stages) as gateway:
            old = issuer.token()
            await gateway.stub.ListRulePacks(ANY, metadata=bearer(old))
            issuer.add("second")
            publish(issuer, site)
            await gateway.stub.ListRulePacks(ANY, metadata=bearer(issuer.token("second")))
            del issuer.keys["first"]
            publish(issuer, site)
            monkeypatch.setattr("services.gateway.jwks._FRESH_S", 0.0)
            async with asyncio.timeout(10):
                while await _opens(gateway, old):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await gateway.stub.ListRulePacks(ANY, metadata=bearer(issuer.token("second")))

    async def test_strangers_cannot_make_the_gateway_ask_again_and_again(
        self, gateway: Gateway, site: HttpServer, issuer: Issuer
    ) -> None:
        await gateway.stub.ListRulePacks(ANY, metadata=bearer(issuer.token()))
        stranger = Issuer(*(f"key-{i}" for i in range(20)))
        await asyncio.gather(*(refusal(gateway, stranger.token(key_id)) for key_id in stranger.keys))
        assert len(site.exchanges) == 1

    async def test_keys_that_were_read_last_while_the_issuer_is_away(
        self, gateway: Gateway, site: HttpServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = issuer.token()
        await gateway.stub.ListRulePacks(ANY, metadata=bearer(token))
        site.always("/keys", 503)
        monkeypatch.setattr("services.gateway.jwks._PAUSE_S", 0.0)
        monkeypatch.setattr("services.gateway.jwks._FRESH_S", 0.0)
        for _ in range(3):
            await gateway.stub.ListRulePacks(ANY, metadata=bearer(token))
        monkeypatch.setattr("services.gateway.jwks._USABLE_S", 0.0)
        assert await refusal(gateway, token) == (grpc.StatusCode.UNAVAILABLE, "TOKEN_KEYS_UNAVAILABLE")

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b"x" * (2**20 + 1)])
    async def test_what_is_no_key_set_opens_nothing(
        self, site: HttpServer, stages: Stages, issuer: Issuer, body: bytes
    ) -> None:
        site.always("/keys", 200, body)
        async with gateway_of(site, stages) as gateway:
            assert await refusal(gateway, issuer.token()) == (grpc.StatusCode.UNAVAILABLE, "TOKEN_KEYS_UNAVAILABLE")


async def test_a_stream_ends_with_its_token(site: HttpServer, stages: Stages, issuer: Issuer) -> None:
    stages.segmenter.segment.script = [after(30, segmented)]
    async with gateway_of(site, stages, JWT_LEEWAY_S="0") as gateway:
        stream: Any = gateway.stub.ProcessImages(metadata=bearer(issuer.token(lifetime_s=2)))
        await stream.write(ProcessImagesRequest(item=StreamItem(item_id="a", photo=PHOTO)))
        async with asyncio.timeout(15):
            error = await failure(stream.read())
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")


class TestClient:
    async def test_a_client_asks_for_its_token_before_each_call(self, gateway: Gateway, issuer: Issuer) -> None:
        tokens = iter([issuer.token(), issuer.token(), issuer.token(tenant="?")])
        async with AsyncPackshotClient(gateway.server.address, token=lambda: next(tokens)) as client:
            for _ in range(2):
                await client.list_rule_packs()
            with pytest.raises(Exception, match="no tenant's name"):
                await client.list_rule_packs()

    def test_a_token_never_leaves_the_machine_unencrypted(self) -> None:
        with pytest.raises(ValueError, match="travels only encrypted"):
            PackshotClient("gateway.example:443", token="x")  # noqa: S106
        PackshotClient("gateway.example:443", token="x", tls=True).close()  # noqa: S106


class TestSettings:
    @pytest.mark.parametrize(
        ("jwks", "words"),
        [
            ("", "needs GATEWAY_JWT_JWKS"),
            ("http://login.example/keys", "lets anybody on the way replace the keys"),
            ("ftp://login.example/keys", "use https"),
        ],
    )
    def test_an_issuer_must_be_known_and_safe_to_ask(self, jwks: str, words: str) -> None:
        with pytest.raises(ValidationError, match=words):
            GatewaySettings(auth="jwt", jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks=jwks)


async def _opens(gateway: Gateway, token: str) -> bool:
    try:
        await gateway.stub.ListRulePacks(ANY, metadata=bearer(token))
    except grpc.aio.AioRpcError:
        return False
    return True


def _coded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def _signed_with_secret(claims: dict[str, Any], secret: bytes) -> str:

    signed = f"{_coded({'alg': 'HS256', 'kid': 'first'})}.{_coded(claims)}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
