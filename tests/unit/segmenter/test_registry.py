import pytest

from services.segmenter.registry import MODELS, Activation, Scaling, UnknownModelError, model_spec


def test_the_known_models() -> None:
    assert sorted(MODELS) == ["birefnet", "birefnet-lite", "isnet-general-use", "u2net", "u2netp"]


@pytest.mark.parametrize(
    ("name", "side_px", "scaling", "activation"),
    [
        ("u2netp", 320, Scaling.IMAGE_MAX, Activation.NONE),
        ("u2net", 320, Scaling.IMAGE_MAX, Activation.NONE),
        ("isnet-general-use", 1024, Scaling.BYTE, Activation.NONE),
        ("birefnet", 1024, Scaling.BYTE, Activation.SIGMOID),
        ("birefnet-lite", 1024, Scaling.BYTE, Activation.SIGMOID),
    ],
)
def test_how_each_is_fed(name: str, side_px: int, scaling: Scaling, activation: Activation) -> None:
    spec = model_spec(name)
    assert (spec.name, spec.input_side_px, spec.scaling, spec.activation) == (name, side_px, scaling, activation)
    assert spec.weights_file.endswith(".onnx")
    assert spec.sha256 is not None
    assert len(bytes.fromhex(spec.sha256)) == 32


def test_no_two_models_share_a_file() -> None:
    assert len({spec.weights_file for spec in MODELS.values()}) == len({s.sha256 for s in MODELS.values()}) == 5


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModelError) as caught:
        model_spec("u2nett")
    assert str(caught.value) == (
        "unknown model 'u2nett'; known models: birefnet, birefnet-lite, isnet-general-use, u2net, u2netp"
    )
    assert caught.value.name_given == "u2nett"
