"""Every combination builds, and every object is what its kind's schema says."""

import json
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.cert_manager.v1 import Certificate, Issuer
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule
from jsonschema import Draft202012Validator

from tests.helpers.manifests import rendered
from tools.k8s import FOLDERS, K8S, name_of

# The oldest release that has what we use (a pause before the stop), and the newest whose schema there is.
RELEASES = ("1.30", kubernetes_validate.latest_version())
OPERATORS = {
    (model.__name__, model.model_fields["api_version"].default): model
    for model in (Certificate, Issuer, PodMonitor, PrometheusRule, ScaledObject)
}
GATEWAY_API = yaml.safe_load(Path(__file__).with_name("gateway-api.schema.yaml").read_text())


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_everything_that_is_rendered_is_valid(folder: Path) -> None:
    for manifest in rendered(folder):
        check(json.dumps(manifest))


@cache  # combinations share most of what they render
def check(text: str) -> None:
    """Fails on a field that the kind does not have, lacks or has another type for."""
    manifest = json.loads(text)
    kind, version = manifest["kind"], manifest["apiVersion"]
    model = OPERATORS.get((kind, version))
    if model is not None:
        # A field that the schema does not know is lost on the way.
        read = model.model_validate(manifest)
        kept = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert kept == manifest, f"unknown fields in {text}"
    elif version == "gateway.networking.k8s.io/v1":
        Draft202012Validator(GATEWAY_API["kinds"][kind]).validate(manifest)
    else:
        for release in RELEASES:
            kubernetes_validate.validate(manifest, release, strict=True)


def test_every_component_is_in_a_combination() -> None:
    used = {
        Path(component).name
        for folder in FOLDERS
        for component in yaml.safe_load((folder / "kustomization.yaml").read_text())["components"]
    }
    assert used | {"triton"} == {folder.name for folder in (K8S / "components").iterdir()}


@pytest.mark.parametrize("folder", sorted((K8S / "components").iterdir()), ids=lambda folder: folder.name)
def test_every_component_has_a_readme(folder: Path) -> None:
    assert (folder / "README.md").read_text().startswith("# ")


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "replicaz"), 1),
        ("ScaledObject", ("spec", "maxReplicas"), 1),
        ("Certificate", ("spec", "duration"), 1),
        ("GRPCRoute", ("spec", "hosts"), []),
    ],
)
def test_a_mistake_is_found(kind: str, path: tuple[str, str], value: object) -> None:
    manifest = next(m for m in rendered(K8S / "overlays" / "prod") if m["kind"] == kind)
    section, field = path
    with pytest.raises(Exception, match=field):
        check(json.dumps(manifest | {section: manifest[section] | {field: value}}))
