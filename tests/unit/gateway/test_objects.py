"""The same store in a folder and in a bucket of a real S3 server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.server import StartError
from services.gateway.objects import (
    STREAM_CHUNK_BYTES,
    ObjectKeyError,
    Objects,
    ObjectStoreError,
    check_key,
    digest_of,
    photo_key,
    result_key,
)
from tests.helpers.s3_server import S3Server, s3_server

__all__ = ["s3_server"]

PHOTO: Final = bytes(range(256)) * 5000
KEY: Final = photo_key("acme", digest_of(PHOTO))


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    s3_server.make_bucket("results")
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return "s3://results/some/prefix"


@pytest.fixture(params=["file", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    url = (tmp_path / "a folder").as_uri() if request.param == "file" else request.getfixturevalue("bucket")
    return Objects(url)


async def test_what_is_put_can_be_got(objects: Objects) -> None:
    digest = await objects.put(KEY, PHOTO)

    assert digest == sha256(PHOTO).hexdigest()
    assert await objects.get(KEY, digest) == PHOTO
    assert await objects.exists(KEY)


async def test_putting_again_takes_the_place_of_the_old(objects: Objects) -> None:
    await objects.put(KEY, b"old")
    digest = await objects.put(KEY, b"new")

    assert await objects.get(KEY, digest) == b"new"


async def test_a_stream_is_in_pieces(objects: Objects) -> None:
    digest = await objects.put(KEY, PHOTO)
    chunks = [chunk async for chunk in objects.stream(KEY, digest)]

    assert b"".join(chunks) == PHOTO
    assert len(chunks) > 1
    assert max(map(len, chunks)) < 2 * STREAM_CHUNK_BYTES


async def test_an_empty_object_is_one(objects: Objects) -> None:
    digest = await objects.put(KEY, b"")

    assert await objects.get(KEY, digest) == b""
    assert [chunk async for chunk in objects.stream(KEY, digest)] == []


async def test_other_bytes_than_were_written_are_an_error(objects: Objects) -> None:
    digest = digest_of(PHOTO)
    await objects.put(KEY, b"damaged")
    with pytest.raises(ObjectStoreError) as got:
        await objects.get(KEY, digest)
    with pytest.raises(ObjectStoreError) as streamed:
        async for _ in objects.stream(KEY, digest):
            pass

    assert got.value.reason == streamed.value.reason == "OBJECT_CORRUPT"
    assert got.value.is_permanent


async def test_an_object_that_is_not_there_is_a_permanent_error(objects: Objects) -> None:
    with pytest.raises(ObjectStoreError) as failed:
        await objects.get(KEY, digest_of(PHOTO))

    assert (failed.value.reason, failed.value.is_permanent) == ("OBJECT_NOT_FOUND", True)
    assert not await objects.exists(KEY)


async def test_deleting_twice_is_deleting(objects: Objects) -> None:
    await objects.put(KEY, PHOTO)
    await objects.delete(KEY)
    await objects.delete(KEY)

    assert not await objects.exists(KEY)


async def test_a_listing_is_of_one_tenant(objects: Objects) -> None:
    of_acme = {KEY, result_key("acme", "0f" * 32, "amazon-us", "packshot.jpg")}
    for key in (*of_acme, "acme-2/photos/1", "beta/photos/1"):
        await objects.put(key, b"12345")
    listed = [found async for found in objects.list("acme")]

    assert {found.key for found in listed} == of_acme
    assert {found.size_bytes for found in listed} == {5}
    assert listed[0].modified_at.tzinfo is not None
    assert [found.key async for found in objects.list("acme/photos")] == [KEY]
    assert [found async for found in objects.list("nobody")] == []


async def test_check_leaves_nothing_behind(objects: Objects) -> None:
    await objects.check()

    assert [found async for found in objects.list("packshot-check")] == []


async def test_a_signed_url_of_a_bucket_needs_no_credentials_and_ends(bucket: str) -> None:
    objects = Objects(bucket)
    await objects.put(KEY, PHOTO)
    url = httpx.URL(await objects.signed_url(KEY, 60))

    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).content == PHOTO
    assert url.path == f"/results/some/prefix/{KEY}"
    assert url.params["X-Amz-Expires"] == "60"
    assert url.params["X-Amz-Signature"]


async def test_a_url_of_a_folder_is_the_file_itself(tmp_path: Path) -> None:
    objects = Objects((tmp_path / "a folder").as_uri())
    await objects.put(KEY, PHOTO)

    assert await objects.signed_url(KEY, 60) == (tmp_path / "a folder" / KEY).as_uri()
    assert (tmp_path / "a folder" / KEY).read_bytes() == PHOTO


@pytest.mark.parametrize("expires_s", [0, -1, 7 * 24 * 3600 + 1])
async def test_a_signed_url_lives_for_a_sane_time(expires_s: float, objects: Objects) -> None:
    with pytest.raises(ValueError, match="lives for"):
        await objects.signed_url(KEY, expires_s)


@pytest.mark.parametrize(
    "url", ["", "results", "file://", "file://host/folder", "http://host/", "s3:///prefix", "gs://b"]
)
def test_other_places_are_refused_at_start(url: str) -> None:
    with pytest.raises(StartError, match="file:///FOLDER or s3://BUCKET/PREFIX"):
        Objects(url)


async def test_a_bucket_that_is_not_there_is_found_at_start(bucket: str) -> None:
    with pytest.raises(StartError, match="AWS_ENDPOINT_URL"):
        await Objects("s3://no-such-bucket").check()


def test_a_folder_that_cannot_be_made_is_found_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StartError, match="GATEWAY_OBJECTS_URL"):
        Objects((tmp_path / "file" / "folder").as_uri())


@pytest.mark.parametrize(
    "key",
    [
        "",
        "acme",
        "/acme/photos",
        "acme/",
        "acme//photos",
        "acme/../beta/photos",
        "../acme/photos",
        "acme/.hidden",
        "acme/photo#1",
        "acme/a b",
        "acme/a\n",
        "acme/%2e%2e/beta",
        "acme\\photos",
        "acme/ä",
        "acme/" + "x" * 129,
        "/".join("abcdefghi"),
    ],
)
async def test_other_keys_are_refused(key: str, tmp_path: Path) -> None:
    objects = Objects(tmp_path.as_uri())
    with pytest.raises(ObjectKeyError):
        await objects.put(key, b"")


@given(st.text(alphabet="ab./\\%#~ \0\u2024", max_size=20))
def test_a_key_never_leaves_its_tenant(key: str) -> None:
    try:
        check_key(key)
    except ObjectKeyError:
        return
    tenant, *rest = key.split("/")
    assert tenant and rest
    assert os.path.normpath(f"/objects/{key}") == f"/objects/{key}"


_SEGMENT: Final = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)


@given(_SEGMENT, st.binary(), _SEGMENT)
def test_our_own_keys_are_keys(tenant: str, photo: bytes, marketplace: str) -> None:
    check_key(photo_key(tenant, digest_of(photo)))
    check_key(result_key(tenant, digest_of(photo), marketplace, "packshot.jpg"))


# Runs in a process of its own: limits of a process and users cannot be taken back.
_PUT: Final = """
import asyncio, os, resource, signal, sys
from services.gateway.objects import Objects, ObjectStoreError
url, size, before = sys.argv[1], int(sys.argv[2]), sys.argv[3]
objects = Objects(url)
exec(before)
async def main():
    try:
        await objects.put("acme/photos/1", bytes(size))
    except ObjectStoreError as error:
        print(error.reason, error.is_permanent, error.message)
    else:
        print("done")
asyncio.run(main())
"""


def _put(folder: Path, size_bytes: int, before: str = "") -> str:
    finished = subprocess.run(
        [sys.executable, "-c", _PUT, folder.as_uri(), str(size_bytes), before],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return finished.stdout


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount; the quota's test covers the same code")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_a_full_disk_may_get_room_again(small_disk: Path) -> None:
    assert _put(small_disk, 300_000).startswith("OBJECT_STORE_FULL False")
    assert not [path for path in small_disk.rglob("*") if path.is_file()], "half a file is no file"
    assert _put(small_disk, 100_000).startswith("done")


def test_a_quota_is_a_full_disk(tmp_path: Path) -> None:
    quota = "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"

    assert _put(tmp_path, 2000, quota).startswith("OBJECT_STORE_FULL False")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_of_others_is_denied(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    folder.mkdir(mode=0o555)
    other_user = "os.getuid() or os.setuid(65534)"

    assert _put(folder, 10, other_user).startswith("OBJECT_STORE_DENIED False")


async def test_a_store_that_is_away_may_come_back(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.2:1")
    with pytest.raises(ObjectStoreError) as failed:
        await Objects(bucket).put(KEY, PHOTO)

    assert (failed.value.reason, failed.value.is_permanent) == ("OBJECT_STORE_UNAVAILABLE", False)


async def test_what_a_killed_write_leaves_is_no_object_and_is_removed_in_time(tmp_path: Path) -> None:
    killed = "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    with pytest.raises(subprocess.CalledProcessError):
        _put(tmp_path, 2000, killed)
    objects = Objects(tmp_path.as_uri())
    await objects.put("acme/photos/2", b"whole")
    assert len(list((tmp_path / "acme/photos").iterdir())) == 2
    assert [found.key async for found in objects.list("acme")] == ["acme/photos/2"]

    now = datetime.now(UTC)
    assert await objects.remove_unfinished(now - timedelta(days=1)) == 0
    assert await objects.remove_unfinished(now + timedelta(days=1)) == 1
    assert [path.name for path in (tmp_path / "acme/photos").iterdir()] == ["2"]


async def test_nothing_is_unfinished_in_a_bucket(bucket: str) -> None:
    assert await Objects(bucket).remove_unfinished(datetime.now(UTC)) == 0
