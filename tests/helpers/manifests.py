"""What deploy/k8s renders to, as documents."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tools.k8s import K8S, render

Manifest = dict[str, Any]


@cache
def rendered(folder: Path) -> tuple[Manifest, ...]:
    """All objects of a kustomization, in the order in which they are applied."""
    return tuple(yaml.load_all(render(folder), yaml.CSafeLoader))


def overlay(name: str) -> tuple[Manifest, ...]:
    return rendered(K8S / "overlays" / name)


def of_kind(manifests: tuple[Manifest, ...], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def find(manifests: tuple[Manifest, ...], kind: str, name: str) -> Manifest:
    (found,) = (manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name)
    return found


def pods(manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest]]:
    """(name of the workload, specification of its pods)."""
    for workload in of_kind(manifests, "Deployment", "StatefulSet", "Job"):
        yield workload["metadata"]["name"], workload["spec"]["template"]["spec"]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def environment(container: Manifest) -> dict[str, str]:
    """Variables as the container sees them; those of its resources in whole numbers, rounded up, as kubelet does."""
    variables = {}
    for variable in container.get("env", ()):
        source = variable.get("valueFrom")
        if source is None:
            variables[variable["name"]] = variable.get("value", "")
        else:
            part, resource = source["resourceFieldRef"]["resource"].split(".")
            variables[variable["name"]] = str(_whole(str(container["resources"][part][resource])))
    return variables


def bytes_of(quantity: str) -> int:
    """E.g. 256Mi."""
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    return int(quantity[:-2]) * units[quantity[-2:]]


def _whole(cpu: str) -> int:
    milli = int(cpu[:-1]) if cpu.endswith("m") else int(cpu) * 1000
    return -(-milli // 1000)
