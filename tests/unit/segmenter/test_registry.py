import pytest

from services.segmenter.registry import (
    CATALOGUE,
    CHECKPOINTS,
    MODELS,
    Activation,
    Checkpoint,
    ModelSpec,
    Scaling,
    UnknownModelError,
    model_spec,
    published,
)

KNOWN = {"birefnet", "birefnet-lite", "isnet-general-use", "rmbg-1.4", "rmbg-2.0", "u2net", "u2netp"}


def test_the_known_models() -> None:
    assert set(MODELS) >= KNOWN
    assert set(CHECKPOINTS) == {"sam-vit-b", "sam-vit-l", "sam-vit-h"}
    assert not set(MODELS) & set(CHECKPOINTS)


@pytest.mark.parametrize(
    ("name", "side_px", "scaling", "activation"),
    [
        ("u2netp", 320, Scaling.IMAGE_MAX, Activation.NONE),
        ("u2net", 320, Scaling.IMAGE_MAX, Activation.NONE),
        ("isnet-general-use", 1024, Scaling.BYTE, Activation.NONE),
        ("birefnet", 1024, Scaling.BYTE, Activation.SIGMOID),
        ("birefnet-lite", 1024, Scaling.BYTE, Activation.SIGMOID),
        ("rmbg-1.4", 1024, Scaling.BYTE, Activation.NONE),
        ("rmbg-2.0", 1024, Scaling.BYTE, Activation.NONE),
    ],
)
def test_how_each_is_fed(name: str, side_px: int, scaling: Scaling, activation: Activation) -> None:
    spec = model_spec(name)
    assert (spec.name, spec.input_side_px, spec.scaling, spec.activation) == (name, side_px, scaling, activation)
    assert spec.weights_file.endswith(".onnx")
    assert spec.sha256 is not None
    assert len(bytes.fromhex(spec.sha256)) == 32


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=lambda row: row.name)
def test_what_is_published_elsewhere_says_where_how_large_and_under_which_licence(row: ModelSpec | Checkpoint) -> None:
    if row.url is None:  # ships with the project
        return
    assert row.url.startswith("https://")
    assert row.size_bytes is not None
    assert row.size_bytes > 2**20
    assert row.licence


def test_only_bria_s_models_are_not_for_trade() -> None:
    assert {row.name for row in CATALOGUE.values() if not row.commercial_use} == {"rmbg-1.4", "rmbg-2.0"}


def test_no_two_share_a_file() -> None:
    assert len({row.weights_file for row in CATALOGUE.values()}) == len(CATALOGUE)
    digests = [row.sha256 for row in CATALOGUE.values() if row.sha256 is not None]
    assert len(set(digests)) == len(digests)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match=r"unknown model 'u2nett'; known models: .*u2net, u2netp$") as caught:
        model_spec("u2nett")
    assert caught.value.name_given == "u2nett"
    with pytest.raises(UnknownModelError, match=r"known models: .*sam-vit-b"):
        published("u2nett")


def test_a_checkpoint_is_published_but_no_model_to_run() -> None:
    assert published("sam-vit-b").weights_file == "sam_vit_b_01ec64.pth"
    with pytest.raises(UnknownModelError):
        model_spec("sam-vit-b")
