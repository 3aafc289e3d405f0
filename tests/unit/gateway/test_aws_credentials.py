"""Credentials in a file: a real S3 server is signed in to with them, and a bad file stops the start."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.common.server import StartError
from services.gateway.aws_credentials import SharedCredentials, shared_credentials
from services.gateway.objects import Objects, digest_of, photo_key
from tests.helpers.s3_server import S3Server, s3_server

__all__ = ["s3_server"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "credentials"
    path.write_text("[default]\naws_access_key_id = FROMTHEFILE\naws_secret_access_key = a%b/c\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return path


async def test_objects_sign_in_with_the_file(file: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_server.make_bucket("results")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    objects = Objects("s3://results/jobs")
    key = photo_key("acme", digest_of(b"photo"))
    await objects.put(key, b"photo")

    assert await objects.get(key, digest_of(b"photo")) == b"photo"
    assert "FROMTHEFILE" in await objects.signed_url(key, 60)


def test_a_file_that_changes_is_read_again_within_minutes(file: Path) -> None:
    credentials = SharedCredentials(file, "default")
    first = credentials()
    assert first["secret_access_key"] == "a%b/c"  # noqa: S105  # of this test alone
    expires_at = first["expires_at"]
    assert expires_at is not None
    assert expires_at - datetime.now(UTC) <= timedelta(minutes=10)

    file.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = n\naws_session_token = t\n")
    second = credentials()
    assert (second["access_key_id"], second["token"]) == ("NEW", "t")


def test_keys_of_the_environment_go_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")

    assert shared_credentials() is None


@pytest.mark.parametrize(
    "content", ["", "[default]\naws_access_key_id = half\n", "no section", "[other]\naws_access_key_id = a\n", None]
)
def test_a_file_without_keys_stops_the_start(content: str | None, file: Path) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(StartError, match=r"AWS_SHARED_CREDENTIALS_FILE: no aws_access_key_id .* of \[default\]"):
        Objects("s3://results/jobs")
