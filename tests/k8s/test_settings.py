"""What the manifests set is what the services read, and numbers that belong together fit together."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from packshot.v1 import jobs_pb2, packshot_pb2, reviews_pb2
from services.common import topology
from services.common.settings import ServerSettings
from services.compositor.settings import CompositorSettings
from services.gateway.settings import GatewaySettings
from services.segmenter.settings import SegmenterSettings
from services.validator.settings import ValidatorSettings
from tests.helpers.manifests import Manifest, bytes_of, containers, environment, find, of_kind, pods, rendered
from tools.k8s import FOLDERS, K8S, name_of

OVERLAYS = [folder for folder in FOLDERS if folder.parent.name == "overlays"]
SETTINGS: dict[str, type[ServerSettings]] = {
    "gateway-api": GatewaySettings,
    "gateway-worker": GatewaySettings,
    "segmenter": SegmenterSettings,
    "compositor": CompositorSettings,
    "validator": ValidatorSettings,
}
# Read by libraries, not by us.
STANDARD = {"AWS_REGION", "AWS_SHARED_CREDENTIALS_FILE", "OTEL_EXPORTER_OTLP_ENDPOINT", "PGSSLROOTCERT"}


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_every_variable_is_a_setting(folder: Path) -> None:
    manifests = rendered(folder)
    for name, settings_type in SETTINGS.items():
        prefix = settings_type.model_config["env_prefix"]
        known = {f"{prefix}{field}".upper() for field in settings_type.model_fields} | {f"{prefix}SECRETS_DIR"}
        (container,) = find(manifests, "Deployment", name)["spec"]["template"]["spec"]["containers"]
        unknown = set(environment(container)) - known - STANDARD
        assert not unknown, f"{name} sets {sorted(unknown)}, which nobody reads"


@pytest.mark.parametrize("folder", OVERLAYS, ids=name_of)
@pytest.mark.parametrize("name", SETTINGS)
def test_the_services_accept_what_is_set(
    folder: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(rendered(folder), name, tmp_path, monkeypatch)
    pod = find(rendered(folder), "Deployment", name)["spec"]["template"]["spec"]
    pause_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    # The longest photo is done when it is told to stop, what is left is for closing connections.
    assert settings.default_deadline_ms / 1000 <= settings.grace_s
    assert pause_s + settings.grace_s + 20 <= pod["terminationGracePeriodSeconds"]
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
    listening = {
        "grpc": settings.listen,
        "health": settings.health_listen,
        "metrics": settings.metrics_listen,
    }
    assert {f"0.0.0.0:{port}" for port in ports.values()} == {listening[port] for port in ports}


@pytest.mark.parametrize("folder", OVERLAYS, ids=name_of)
def test_workers_of_a_stage_are_its_cores_and_not_its_nodes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("segmenter", "compositor", "validator"):
        (container,) = find(rendered(folder), "Deployment", name)["spec"]["template"]["spec"]["containers"]
        settings: Any = settings_of(rendered(folder), name, tmp_path, monkeypatch)
        assert settings.workers == settings.decode_workers == container["resources"]["limits"]["cpu"]


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_pods_are_restricted(folder: Path) -> None:
    """Pod Security Standards, profile restricted, and what goes beyond it."""
    for name, pod in pods(rendered(folder)):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] and context["runAsUser"] == 65532, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["priorityClassName"] in ("packshot-serving", "packshot-bulk"), name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            for part in ("requests", "limits"):
                assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"][part]), name
        for volume in pod.get("volumes", ()):
            if "emptyDir" in volume:
                assert bytes_of(volume["emptyDir"]["sizeLimit"]) <= bytes_of(
                    containers(pod)[0]["resources"]["limits"]["ephemeral-storage"]
                ), f"{name}: {volume['name']}"


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_what_is_named_is_there(folder: Path) -> None:
    """Services select pods that have their port; autoscalers, budgets and routes name what exists."""
    manifests = rendered(folder)
    workloads = of_kind(manifests, "Deployment", "StatefulSet")
    for service in of_kind(manifests, "Service"):
        (workload,) = (w for w in workloads if selects(service["spec"]["selector"], w))
        ports = {p["name"] for p in workload["spec"]["template"]["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        assert service["spec"]["clusterIP"] == "None"  # callers see every replica and spread their calls
    names = {workload["metadata"]["name"] for workload in workloads}
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        assert target in names
        assert "replicas" not in find(manifests, "Deployment", target)["spec"]  # would undo what it does
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        assert any(selects(budget["spec"]["selector"]["matchLabels"], workload) for workload in workloads)
    for route in of_kind(manifests, "GRPCRoute"):
        (rule,) = route["spec"]["rules"]
        for backend in rule["backendRefs"]:
            ports = {port["port"] for port in find(manifests, "Service", backend["name"])["spec"]["ports"]}
            assert backend["port"] in ports
        served = {
            service.full_name
            for file in (packshot_pb2, jobs_pb2, reviews_pb2)
            for service in file.DESCRIPTOR.services_by_name.values()
        }
        assert {match["method"]["service"] for match in rule["matches"]} == served | {"grpc.health.v1.Health"}


def test_keda_looks_at_the_queue_that_workers_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = rendered(K8S / "overlays" / "prod")
    scaler = find(manifests, "ScaledObject", "gateway-worker")["spec"]
    trigger = scaler["triggers"][0]["metadata"]
    assert (trigger["stream"], trigger["consumer"]) == (topology.WORKERS.stream, topology.WORKERS.name)
    settings: Any = settings_of(manifests, "gateway-worker", tmp_path, monkeypatch)
    assert int(trigger["lagThreshold"]) == settings.worker_concurrency
    # A shorter queue would never call for the last workers.
    assert settings.dispatch_window >= scaler["maxReplicaCount"] * settings.worker_concurrency
    # Workers fill the queue: without any nothing would ever call for one.
    assert scaler["minReplicaCount"] >= 1


def test_keda_asks_prometheus_for_metrics_that_our_containers_have() -> None:
    manifests = rendered(K8S / "overlays" / "prod")
    known = {family.name for family in REGISTRY.collect()}
    names = {container["name"] for _, pod in pods(manifests) for container in containers(pod)}
    queries = [
        trigger["metadata"]["query"]
        for scaler in of_kind(manifests, "ScaledObject")
        for trigger in scaler["spec"]["triggers"]
        if trigger["type"] == "prometheus" and "packshot_" in trigger["metadata"]["query"]
    ]
    assert len(queries) == 4
    for query in queries:
        assert set(re.findall(r"packshot_\w+(?={)", query)) <= known
        assert set(re.findall(r'container="([^"]+)"', query)) <= names


def test_network_policies_name_both_ends_of_every_edge() -> None:
    """Whoever a service is told to call may call it, and it may be called."""
    manifests = rendered(K8S / "tests" / "everything-inside")
    services = {service["metadata"]["name"]: service["spec"] for service in of_kind(manifests, "Service")}
    edges = set()
    for workload in of_kind(manifests, "Deployment", "Job"):
        name = workload["metadata"]["name"]
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        texts = [*environment(container).values(), *container["command"]]
        for host, port in re.findall(r"([a-z][a-z-]*):(\d{4,5})\b", " ".join(texts)):
            if host in services:
                edges.add((name, services[host]["selector"]["app.kubernetes.io/name"], int(port)))
    edges |= {(name, "postgres", 5432) for name in ("gateway-api", "gateway-worker", "migrate")}
    assert ("gateway-worker", "compositor", 50053) in edges
    assert ("segmenter", "triton", 8001) in edges
    policies = [policy["spec"] for policy in of_kind(manifests, "NetworkPolicy")]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
    for source, target, port in edges:
        assert allowed(policies, "egress", "to", source, target, port), f"{source} may not call {target}:{port}"
        assert allowed(policies, "ingress", "from", target, source, port), f"{target}:{port} refuses {source}"
    assert not allowed(policies, "ingress", "from", "validator", "segmenter", 50054)


def allowed(policies: list[Manifest], way: str, peers: str, pod: str, other: str, port: int) -> bool:
    return any(
        matches(policy["podSelector"], pod)
        and any(
            "podSelector" in peer and "namespaceSelector" not in peer and matches(peer["podSelector"], other)
            for peer in rule[peers]
        )
        and port in {entry["port"] for entry in rule["ports"]}
        for policy in policies
        for rule in policy.get(way, ())
    )


def matches(selector: Manifest, name: str) -> bool:
    """Whether a pod of this name is selected; an empty selector takes all."""
    names: list[str] = [value for each in selector.get("matchExpressions", ()) for value in each["values"]]
    names += selector.get("matchLabels", {}).values()
    return name in names or not selector


def selects(selector: dict[str, str], workload: Manifest) -> bool:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return selector.items() <= labels.items()


def settings_of(
    manifests: tuple[Manifest, ...], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ServerSettings:
    """A service's settings, read from the manifest's variables; secrets lie in a folder here."""
    (container,) = find(manifests, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    for variable in [variable for variable in os.environ if variable.startswith(("GATEWAY_", name.upper()))]:
        monkeypatch.delenv(variable)
    for variable, value in environment(container).items():
        monkeypatch.setenv(variable, str(tmp_path) if variable.endswith("SECRETS_DIR") else value)
    (tmp_path / "gateway_database_url").write_text("postgresql+asyncpg://packshot@db.example.com/packshot")
    command = container["command"]
    given = {"role": command[command.index("--role") + 1]} if "--role" in command else {}
    return SETTINGS[name](**given)
