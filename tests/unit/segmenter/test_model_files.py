import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from services.segmenter import model_files
from services.segmenter.model_files import Presence, Verdict, presence, verify, weights_path
from services.segmenter.registry import Checkpoint

CONTENT = b"weights"
ROW = Checkpoint(
    "tiny", 320, "tiny.onnx", hashlib.sha256(CONTENT).hexdigest(), "https://example.com/tiny.onnx", len(CONTENT), "MIT"
)
OURS = replace(ROW, url=None)


def test_others_weights_lie_in_the_operators_folder_and_ours_beside_the_code(tmp_path: Path) -> None:
    assert weights_path(ROW, tmp_path) == tmp_path / "tiny.onnx"
    assert weights_path(OURS, tmp_path) == model_files.SHIPPED_DIR / "tiny.onnx"


def test_presence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "SHIPPED_DIR", tmp_path)
    assert presence(ROW, tmp_path) is Presence.MISSING
    assert presence(OURS, tmp_path) is Presence.MISSING
    (tmp_path / "tiny.onnx").touch()
    assert presence(ROW, tmp_path) is Presence.PRESENT
    assert presence(OURS, tmp_path) is Presence.SHIPPED


@pytest.mark.parametrize(
    ("content", "verdict"),
    [(CONTENT, Verdict.OK), (b"WEIGHTS", Verdict.WRONG), (b"weigh", Verdict.WRONG), (None, Verdict.MISSING)],
)
def test_verify(tmp_path: Path, content: bytes | None, verdict: Verdict) -> None:
    file = tmp_path / "tiny.onnx"
    if content is not None:
        file.write_bytes(content)
    assert verify(ROW, file) is verdict


def test_without_a_digest_the_size_is_all_there_is(tmp_path: Path) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(b"WEIGHTS")
    assert verify(replace(ROW, sha256=None), file) is Verdict.UNKNOWN_DIGEST
    assert verify(replace(ROW, sha256=None, size_bytes=1), file) is Verdict.WRONG
    assert verify(replace(ROW, size_bytes=None), file) is Verdict.WRONG
