"""The digest by which kept results are known to be out of date."""

from pathlib import Path

from services.segmenter.description import code_digest, describe

WEIGHTS = {"classical": "", "packshot": "47ad"}


def test_the_same_segmenter_has_the_same_digest() -> None:
    description = describe(WEIGHTS)
    assert description.proposers == ("classical", "packshot")
    assert description.digest == describe(dict(WEIGHTS)).digest
    assert len(description.digest.removeprefix("sha256:")) == 64


def test_other_weights_another_proposer_or_another_order_are_another_segmenter() -> None:
    others = [
        {"classical": "", "packshot": "47ae"},
        {"classical": ""},
        {"classical": "", "u2netp": "47ad"},
        {"packshot": "47ad", "classical": ""},
    ]
    assert len({describe(weights).digest for weights in (WEIGHTS, *others)}) == 5


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_changed_algorithm_is_another_segmenter(tmp_path: Path) -> None:
    files = {"fusion.py": "mean", "sam/prompts.py": "box", "README.md": "words", "training/train.py": "one"}
    original = code_digest(write(tmp_path / "original", files))
    assert code_digest(write(tmp_path / "copy", files)) == original
    assert code_digest(write(tmp_path / "words", files | {"README.md": "other"})) == original
    assert code_digest(write(tmp_path / "trainer", files | {"training/train.py": "two"})) == original
    assert code_digest(write(tmp_path / "changed", files | {"sam/prompts.py": "points"})) != original
    assert code_digest(write(tmp_path / "more", files | {"points.py": ""})) != original
    assert code_digest(write(tmp_path / "moved", {"sam/fusion.py": "mean", "prompts.py": "box"})) != original
