"""Photos out of real object stores: moto's S3 server, and GCS's way of asking for an object."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.gateway.sources import Fetcher, SourceError, SourceSettings
from tests.helpers.https_server import http_server
from tests.helpers.s3_server import S3Server
from tests.unit.gateway.sources.test_fetcher import PHOTO

_SETTINGS = SourceSettings(buckets=frozenset({"s3://photos", "gs://photos"}), max_photo_bytes=100_000, attempts=1)


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    s3_server.make_bucket("photos")
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


async def test_a_photo_comes_from_a_bucket_on_the_list(bucket: S3Server) -> None:
    bucket.put("photos", "summer/mug 1.png", PHOTO)
    fetcher = Fetcher(_SETTINGS)

    assert await fetcher.fetch("s3://photos/summer/mug 1.png") == PHOTO
    await fetcher.close()


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("none.png", "SOURCE_NOT_FOUND"),
        ("page.png", "SOURCE_NOT_AN_IMAGE"),
        ("large.png", "SOURCE_TOO_LARGE"),
        ("empty.png", "SOURCE_EMPTY"),
        ("../others/mug.png", "SOURCE_URL_INVALID"),
    ],
)
async def test_what_is_no_usable_object_says_why(key: str, reason: str, bucket: S3Server) -> None:
    bucket.put("photos", "page.png", b"<html>")
    bucket.put("photos", "large.png", PHOTO + bytes(100_000))
    bucket.put("photos", "empty.png", b"")
    fetcher = Fetcher(_SETTINGS)
    with pytest.raises(SourceError) as failed:
        await fetcher.fetch(f"s3://photos/{key}")
    await fetcher.close()

    assert (failed.value.reason, failed.value.is_permanent) == (reason, True)
    assert key not in failed.value.message


async def test_a_store_that_is_away_is_no_permanent_error(bucket: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.2:1")
    fetcher = Fetcher(_SETTINGS)
    with pytest.raises(SourceError) as failed:
        await fetcher.fetch("s3://photos/mug.png")
    await fetcher.close()

    assert (failed.value.reason, failed.value.is_permanent) == ("SOURCE_CONNECTION_FAILED", False)


async def test_a_photo_comes_from_a_bucket_of_google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    async with http_server() as server:
        server.always("/photos/mug%2Epng", 200, PHOTO, Last_Modified="Fri, 20 Nov 2026 12:00:00 GMT", ETag='"1"')
        account = tmp_path / "account.json"
        account.write_text(
            json.dumps(
                {
                    "gcs_base_url": f"http://127.0.0.1:{server.port}",
                    "disable_oauth": True,
                    "client_email": "",
                    "private_key_id": "",
                    "private_key": key.private_bytes(
                        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                    ).decode(),
                }
            )
        )
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
        fetcher = Fetcher(_SETTINGS)
        assert await fetcher.fetch("gs://photos/mug.png") == PHOTO
        with pytest.raises(SourceError) as failed:
            await fetcher.fetch("gs://photos/none.png")
        await fetcher.close()

    assert failed.value.reason == "SOURCE_NOT_FOUND"
