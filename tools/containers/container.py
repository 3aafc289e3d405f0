"""A service of compose.yaml as an OCI container of runc, the runtime below Docker and containerd."""

import json
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

_PERIOD_US: Final = 100_000
_UNITS: Final = {"m": 2**20, "g": 2**30}


@dataclass(frozen=True, slots=True)
class Place:
    """What a container gets from its surroundings.

    Attributes:
        bundles: A folder for bundles and logs.
        root: The image's file system.
        image: The image's configuration.
        network: The network namespace's file.
        hosts: /etc/hosts.
        secrets: The folder with the secrets' files.
    """

    bundles: Path
    root: Path
    image: dict[str, Any]
    network: Path
    hosts: Path
    secrets: Path


@dataclass(slots=True)
class Container:
    """A container from its start to its end."""

    name: str
    place: Place
    compose: dict[str, Any]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _log: IO[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self._bundle / "log").read_text(errors="replace")

    def start(self) -> None:
        """Runs the image's entrypoint, or compose's, with compose's command, environment and limits."""
        self._bundle.mkdir(parents=True)
        (self._bundle / "config.json").write_text(json.dumps(self.runtime_config(), indent=1))
        self._log = (self._bundle / "log").open("wb")
        self._process = subprocess.Popen(
            self._runc("run", "--bundle", str(self._bundle), self.name), stdout=self._log, stderr=self._log
        )

    def runtime_config(self) -> dict[str, Any]:
        """The OCI runtime's config.json."""
        config: dict[str, Any] = json.loads(_output("runc", "spec", "--bundle", str(_fresh(self._bundle / "spec"))))
        image, compose = self.place.image, self.compose
        user, group = (int(part) for part in compose.get("user", image["User"]).split(":"))
        environment = dict(entry.split("=", 1) for entry in image["Env"]) | compose.get("environment", {})
        arguments = [*compose.get("entrypoint", image["Entrypoint"]), *compose.get("command", image["Cmd"] or [])]
        none: list[str] = []
        kinds = ("bounding", "effective", "permitted", "inheritable", "ambient")
        config["process"] |= {
            "terminal": False,
            "user": {"uid": user, "gid": group},
            "args": arguments,
            "env": [f"{name}={value}" for name, value in environment.items()],
            "cwd": image["WorkingDir"],
            "capabilities": dict.fromkeys(kinds, none if compose["cap_drop"] == ["ALL"] else ["CAP_SYS_ADMIN"]),
            "noNewPrivileges": "no-new-privileges:true" in compose["security_opt"],
        }
        config["root"] = {"path": str(self.place.root), "readonly": compose["read_only"]}
        config["mounts"] += [*self._tmpfs(), *self._files()]
        config["linux"]["namespaces"] = [
            *({"type": kind} for kind in ("pid", "ipc", "uts", "mount")),
            {"type": "network", "path": str(self.place.network)},
        ]
        config["linux"]["resources"] = limits(compose["deploy"]["resources"]["limits"])
        return config

    def healthy(self) -> bool:
        """Runs the image's health check in the container."""
        test: list[str] = self.place.image["Healthcheck"]["Test"]
        return self.run(*test[1:]).returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command inside."""
        return subprocess.run(self._runc("exec", self.name, *command), check=False, capture_output=True, text=True)

    def wait(self, timeout_s: float) -> int:
        """Its exit code."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.wait(timeout_s)

    def stop(self, timeout_s: float) -> tuple[int, float]:
        """Sends SIGTERM to its process 1; returns exit code and seconds."""
        began = time.monotonic()
        subprocess.run(self._runc("kill", self.name, signal.SIGTERM.name), check=True)
        return self.wait(timeout_s), time.monotonic() - began

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def remove(self) -> None:
        """Whatever is left of it."""
        subprocess.run(self._runc("delete", "--force", self.name), check=False, stderr=subprocess.DEVNULL)
        if self._process is not None:
            self._process.wait(30)
        if self._log is not None:
            self._log.close()

    def _tmpfs(self) -> list[dict[str, Any]]:
        mounts = (entry.partition(":") for entry in self.compose["tmpfs"])
        return [
            {
                "destination": path,
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "nodev", *options.split(",")],
            }
            for path, _, options in mounts
        ]

    def _files(self) -> list[dict[str, Any]]:
        files = {f"/run/secrets/{name}": self.place.secrets / name for name in self.compose.get("secrets", ())}
        return [
            {"destination": inside, "type": "bind", "source": str(outside), "options": ["bind", "ro"]}
            for inside, outside in {**files, "/etc/hosts": self.place.hosts}.items()
        ]

    @property
    def _bundle(self) -> Path:
        return self.place.bundles / self.name

    def _runc(self, *arguments: str) -> list[str]:
        return ["runc", "--root", str(self.place.bundles / "runc"), *arguments]


def limits(of: dict[str, Any]) -> dict[str, Any]:
    """compose's `limits` as the runtime's `resources`: cpus ("1.5"), memory ("512m", "2g"), pids."""
    return {
        "cpu": {"period": _PERIOD_US, "quota": round(float(of["cpus"]) * _PERIOD_US)},
        "memory": {"limit": int(of["memory"][:-1]) * _UNITS[of["memory"][-1]]},
        "pids": {"limit": of["pids"]},
    }


def _fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _output(*command: str) -> str:
    subprocess.run(command, check=True)
    return (Path(command[-1]) / "config.json").read_text()
