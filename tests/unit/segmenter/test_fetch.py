"""Fetching weights from a real HTTP server on this machine."""

import hashlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.segmenter.fetch import FetchError, fetch, kept_bytes
from services.segmenter.registry import Checkpoint
from tests.helpers.file_server import FileServer

CONTENT = random.Random(1).randbytes(3 * 2**20 + 17)
OTHER = random.Random(2).randbytes(len(CONTENT))
CUT = 2**20 + 5


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = FileServer(CONTENT)
    with server.running():
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "models" / "model.onnx"


def row(server: FileServer, content: bytes = CONTENT) -> Checkpoint:
    digest = hashlib.sha256(content).hexdigest()
    return Checkpoint("tiny", 320, "model.onnx", digest, server.url, len(content), "MIT")


def get(server: FileServer, file: Path, content: bytes = CONTENT) -> list[tuple[int, int | None]]:
    """The progress reported."""
    heard: list[tuple[int, int | None]] = []
    fetch(row(server, content), file, lambda done, total: heard.append((done, total)))
    return heard


def cut_off(server: FileServer, file: Path) -> FetchError:
    """What a fetch ends with whose connection breaks after CUT bytes."""
    server.cut_after = CUT
    with pytest.raises(FetchError) as caught:
        get(server, file)
    return caught.value


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_comes_whole_and_leaves_nothing_beside_it(server: FileServer, file: Path) -> None:
    heard = get(server, file)
    assert file.read_bytes() == CONTENT
    assert files(file.parent) == {"model.onnx"}
    assert heard[0] == (0, len(CONTENT))
    assert heard[-1] == (len(CONTENT), len(CONTENT))


def test_a_cut_connection_is_said_and_what_came_is_kept(server: FileServer, file: Path) -> None:
    error = cut_off(server, file)
    assert "the connection broke" in error.cause
    assert f"{CUT} bytes are kept" in error.cause
    assert "goes on from there" in error.cure
    assert not file.exists()
    assert kept_bytes(file) == CUT


def test_the_next_call_asks_for_the_rest_only(server: FileServer, file: Path) -> None:
    cut_off(server, file)
    heard = get(server, file)
    assert file.read_bytes() == CONTENT
    assert server.requests[1]["Range"] == f"bytes={CUT}-"
    assert server.requests[1]["If-Range"] == '"1"'
    assert server.bodies == [CUT, len(CONTENT) - CUT]
    assert heard[0] == (CUT, len(CONTENT))
    assert files(file.parent) == {"model.onnx"}


def test_a_file_that_has_changed_meanwhile_begins_anew(server: FileServer, file: Path) -> None:
    cut_off(server, file)
    server.content, server.etag = OTHER, '"2"'
    get(server, file, OTHER)
    assert file.read_bytes() == OTHER
    assert server.bodies == [CUT, len(OTHER)]


def test_a_server_that_sends_the_rest_of_a_changed_file_is_not_believed(server: FileServer, file: Path) -> None:
    cut_off(server, file)
    server.content, server.etag, server.ignores_if_range = OTHER, '"2"', True
    get(server, file, OTHER)
    assert file.read_bytes() == OTHER


def test_a_server_that_continues_elsewhere_is_not_believed(server: FileServer, file: Path) -> None:
    cut_off(server, file)
    server.range_shift = 10
    get(server, file)
    assert file.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server: FileServer, file: Path) -> None:
    cut_off(server, file)
    server.ranges = False
    get(server, file)
    assert file.read_bytes() == CONTENT
    assert server.bodies == [CUT, len(CONTENT)]


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_without_a_strong_etag_nothing_is_continued(server: FileServer, file: Path, etag: str | None) -> None:
    server.etag = etag
    cut_off(server, file)
    get(server, file)
    assert "Range" not in server.requests[1]
    assert file.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server: FileServer, file: Path) -> None:
    cut_off(server, file)
    file.with_name("model.onnx.part").write_bytes(CONTENT + b"more")
    get(server, file)
    assert file.read_bytes() == CONTENT


def test_a_part_that_is_whole_needs_no_network(server: FileServer, file: Path) -> None:
    file.parent.mkdir()
    file.with_name("model.onnx.part").write_bytes(CONTENT)
    get(server, file)
    assert file.read_bytes() == CONTENT
    assert server.requests == []


def test_other_bytes_than_published_are_deleted(server: FileServer, file: Path) -> None:
    server.content = OTHER
    with pytest.raises(FetchError, match="not the published file") as caught:
        get(server, file)
    assert "do not use it" in caught.value.cure
    assert files(file.parent) == set()


def test_a_file_of_another_size_is_not_even_fetched(server: FileServer, file: Path) -> None:
    server.content = b"<html>Please log in</html>"
    with pytest.raises(FetchError, match=f"has 26 bytes, the published file {len(CONTENT)}"):
        get(server, file)
    assert not file.exists()
    assert kept_bytes(file) == 0


def test_an_old_file_stays_until_the_new_one_is_whole(server: FileServer, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"old")
    cut_off(server, file)
    assert file.read_bytes() == b"old"
    get(server, file)
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "cause", "cure"),
    [
        (404, "no such file (404)", "packshot models verify tiny"),
        (401, "a login or a consent (401)", "in a browser"),
        (503, "cannot answer now (503 Service Unavailable)", "later"),
    ],
)
def test_a_refusal_names_cause_and_cure(server: FileServer, file: Path, status: int, cause: str, cure: str) -> None:
    server.status = status
    with pytest.raises(FetchError) as caught:
        get(server, file)
    assert cause in caught.value.cause
    assert server.url in caught.value.cause
    assert cure in caught.value.cure


def test_nobody_there(server: FileServer, file: Path) -> None:
    gone = FileServer(CONTENT)
    with gone.running():
        pass
    with pytest.raises(FetchError, match=r"tiny: 127\.0\.0\.1 cannot be reached") as caught:
        get(gone, file)
    assert "online?" in caught.value.cure
    assert f"save it as {file}" in caught.value.cure


def test_too_little_room_is_said_before_anything_comes(
    server: FileServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(FetchError, match="the disk with"):
        get(server, file)
    assert kept_bytes(file) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's disk that is always full")
def test_a_disk_that_fills_up_is_said(server: FileServer, file: Path) -> None:
    file.parent.mkdir()
    file.with_name("model.onnx.part").symlink_to("/dev/full")
    with pytest.raises(FetchError, match="is full") as caught:
        get(server, file)
    assert "--models-dir" in caught.value.cure


def test_a_folder_that_is_a_file(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(FetchError, match="cannot write"):
        get(server, tmp_path / "models" / "model.onnx")


def test_what_ships_with_the_project_is_not_fetched(file: Path) -> None:
    shipped = Checkpoint("ours", 320, "model.onnx", None, None, None, "Apache-2.0")
    with pytest.raises(ValueError, match="ours ships with the project"):
        fetch(shipped, file, lambda done, total: None)
