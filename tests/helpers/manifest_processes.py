"""Workloads of rendered manifests as processes of this machine, as a kubelet would run their containers.

Command, arguments, variables, probes and ports are the manifest's own. What differs: names of services and the
containers' ports become free ports of 127.0.0.1, and volumes become folders.
"""

import base64
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.helpers.authority import Authority
from tests.helpers.manifests import Manifest, environment, of_kind
from tests.helpers.waiting import wait_until
from tools.stack import free_port

_OWN_PORT: Final = re.compile(r"((?:0\.0\.0\.0|127\.0\.0\.1):|--[a-z]+-port=)(\d+)")

_STEP_S: Final = 120
"""What a Job, an init container or a command may take here, on a busy machine."""


def _loopback(prefix: str) -> str:
    """What stands before a port: an option stays, an address becomes this machine's."""
    return prefix if prefix.startswith("--") else "127.0.0.1:"


class Pod:
    """One pod of a workload, of one container."""

    def __init__(self, workload: Manifest, folder: Path) -> None:
        self.name: str = workload["metadata"]["name"]
        self.labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
        self.spec: Manifest = workload["spec"]["template"]["spec"]
        (self.container,) = self.spec["containers"]
        self.claims = [claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", ())]
        self.folder = folder
        self._ports: defaultdict[int | str, int] = defaultdict(free_port)
        self.process: subprocess.Popen[bytes] | None = None

    def port(self, number_or_name: int | str) -> int:
        """The port of 127.0.0.1 that stands for one of the container's."""
        named = {port["name"]: port["containerPort"] for port in self.container.get("ports", ())}
        return self._ports[named.get(str(number_or_name), number_or_name)]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


class Cluster:
    """What manifests describe, started piece by piece.

    Args:
        folder: Empty, for volumes and logs.
        given: What whoever installs it makes by hand, or what stands for it here: files by Secret or ConfigMap.
        variables: What the nodes' surroundings add to every container, e.g. where S3 is.
    """

    def __init__(
        self,
        manifests: tuple[Manifest, ...],
        folder: Path,
        given: Mapping[str, Mapping[str, str]],
        variables: Mapping[str, str],
    ) -> None:
        self._manifests = manifests
        self._folder = folder
        self._given = given
        self._variables = variables
        workloads = of_kind(manifests, "Deployment", "StatefulSet", "Job")
        for workload in workloads:
            (folder / workload["metadata"]["name"]).mkdir()
        self.pods = {name: Pod(w, folder / name) for w in workloads if (name := w["metadata"]["name"])}
        self._authority = Authority(folder)
        self._hosts = {
            f"{service['metadata']['name']}:{port['port']}": f"127.0.0.1:{pod.port(port['targetPort'])}"
            for service in of_kind(manifests, "Service")
            for pod in self.pods.values()
            if service["spec"]["selector"].items() <= pod.labels.items() and service["metadata"]["name"] != "postgres"
            for port in service["spec"]["ports"]
        }

    @property
    def ca_file(self) -> Path:
        """Of the authority that plays cert-manager's."""
        return self._authority.ca_file

    def start(self, name: str, *, program: Path | None = None, options: Sequence[str] = ()) -> None:
        """Starts a workload's container; `wait_until_started` says when it is there.

        Args:
            program: In place of the container's.
            options: After the manifest's own arguments.
        """
        pod = self.pods[name]
        pod.process = self._popen(pod, pod.container, program, options)

    def run(self, name: str) -> int:
        """Runs a Job's container to its end; its exit code."""
        self.start(name)
        return self._process(name).wait(_STEP_S)

    def initialize(self, name: str, *, options: Sequence[str] = ()) -> int:
        """Runs a workload's one init container to its end; its exit code."""
        pod = self.pods[name]
        (container,) = pod.spec["initContainers"]
        return self._popen(pod, container, None, options).wait(_STEP_S)

    def execute(self, name: str, *words: str) -> str:
        """What a command prints inside a workload's container, as `kubectl exec` runs it."""
        pod = self.pods[name]
        command = {**pod.container, "command": words}
        return self._popen(pod, command, None, (), subprocess.PIPE).communicate(timeout=_STEP_S)[0].decode()

    def wait_until_started(self, name: str) -> None:
        """Waits for the startup probe as long as the kubelet would; it asks more often.

        Raises:
            AssertionError: The process has ended.
            TimeoutError: The kubelet would have killed it.
        """
        pod = self.pods[name]
        probe = pod.container["startupProbe"]

        def started() -> bool:
            assert self._process(name).poll() is None, pod.log
            return self.probe(name, "startupProbe")

        wait_until(started, probe["periodSeconds"] * probe["failureThreshold"])

    def probe(self, name: str, which: str) -> bool:
        """The answer to one probe."""
        pod = self.pods[name]
        probe = pod.container[which]
        timeout_s = probe.get("timeoutSeconds", 1)
        if "httpGet" in probe:
            url = f"http://127.0.0.1:{pod.port(probe['httpGet']['port'])}{probe['httpGet']['path']}"
            try:
                return httpx.get(url, timeout=timeout_s, trust_env=False).is_success
            except httpx.TransportError:
                return False
        with grpc.insecure_channel(f"127.0.0.1:{pod.port(probe['grpc']['port'])}") as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service=probe["grpc"].get("service", ""))
            try:
                answer = stub.Check(request, timeout=timeout_s)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code, or -9 after the grace period that is left after preStop."""
        pod = self.pods[name]
        process = self._process(name)
        process.terminate()
        pause_s = pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        try:
            return process.wait(pod.spec["terminationGracePeriodSeconds"] - pause_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return -signal.SIGKILL

    def kill(self) -> None:
        """Ends all that runs."""
        for pod in self.pods.values():
            if pod.process is not None and pod.process.poll() is None:
                pod.process.kill()
                pod.process.wait()

    def _popen(
        self, pod: Pod, container: Manifest, program: Path | None, options: Sequence[str], output: int | None = None
    ) -> "subprocess.Popen[bytes]":
        mounts = self._mount(pod, container)
        named, *arguments = (self._here(word, pod, mounts) for word in container["command"])
        variables = {key: self._here(value, pod, mounts) for key, value in environment(container).items()}
        with (pod.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [program or (sys.executable if named == "python" else named), *arguments, *options],
                env={"PATH": os.environ["PATH"], "TMPDIR": str(pod.folder), **self._variables, **variables},
                cwd=pod.folder,
                stdout=log if output is None else output,
                stderr=log,
            )

    def _process(self, name: str) -> "subprocess.Popen[bytes]":
        process = self.pods[name].process
        assert process is not None, f"{name} was not started"
        return process

    def _here(self, text: str, pod: Pod, mounts: Mapping[str, Path]) -> str:
        """A value of the manifest with this machine's ports and folders."""
        text = _OWN_PORT.sub(lambda found: f"{_loopback(found[1])}{pod.port(int(found[2]))}", text)
        for host, address in self._hosts.items():
            text = re.sub(rf"(?<![\w.-]){re.escape(host)}\b", address, text)
        paths = "|".join(map(re.escape, mounts)) or "$^"
        return re.sub(rf"(?<![\w.-])(?:{paths})(?![\w.-])", lambda found: str(mounts[found[0]]), text)

    def _mount(self, pod: Pod, container: Manifest) -> dict[str, Path]:
        """Folder by path in the container, with what the volumes hold."""
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", ())}
        mounts = {}
        for mount in container.get("volumeMounts", ()):
            volume = volumes.get(mount["name"], {})
            if "persistentVolumeClaim" in volume:
                folder = self._folder / volume["persistentVolumeClaim"]["claimName"]
            else:
                folder = pod.folder / mount["name"]
            folder.mkdir(exist_ok=True)
            mounts[mount["mountPath"]] = folder
        for mount in container.get("volumeMounts", ()):
            for file, content in self._files(volumes.get(mount["name"], {})).items():
                # A configuration names ports and folders; what is given or issued is of this machine already.
                here = self._here(content, pod, mounts) if file.endswith(".conf") else content
                (mounts[mount["mountPath"]] / file).write_text(here)
        return mounts

    def _files(self, volume: Manifest) -> Mapping[str, str]:
        if "secret" in volume:
            name = volume["secret"]["secretName"]
        elif "configMap" in volume:
            name = volume["configMap"]["name"]
        else:
            return {}
        for known, files in self._given.items():
            if name == known or re.fullmatch(rf"{known}-[a-z0-9]{{10}}", name):
                return files
        for manifest in self._manifests:
            if manifest["kind"] == "Certificate" and manifest["spec"]["secretName"] == name:
                return self._issue(manifest)
            if manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == name:
                return dict(manifest["data"])
            if manifest["kind"] == "Secret" and manifest["metadata"]["name"] == name:
                return {key: base64.b64decode(value).decode() for key, value in manifest["data"].items()}
        raise AssertionError(f"nobody makes {name}, which {volume['name']} mounts")

    def _issue(self, wanted: Manifest) -> dict[str, str]:
        """What cert-manager would put into the Secret; servers are reached by their address here, too."""
        made = self._authority.certificate(*wanted["spec"]["dnsNames"], "127.0.0.1", file=wanted["metadata"]["name"])
        return {"tls.crt": made.pem.decode(), "tls.key": made.key.decode(), "ca.crt": self._authority.pem.decode()}
