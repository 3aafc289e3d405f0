"""A network of network namespaces: a bridge in one, and one for each container, with an address and a name."""

import subprocess
from pathlib import Path
from typing import Final

SUBNET: Final = "10.77.0"
HUB: Final = "packshot-proof"


class Network:
    """Nothing in it reaches the machine's own network, nor the other way round."""

    def __init__(self, folder: Path) -> None:
        self._hosts = folder / "hosts"
        self._addresses: dict[str, str] = {}
        self._namespaces = [HUB]

    def start(self) -> None:
        """Makes the bridge. What runs there besides the containers has the address of `hub`."""
        _ip("netns", "add", HUB)
        _ip("-n", HUB, "link", "add", "bridge", "type", "bridge")
        _ip("-n", HUB, "addr", "add", f"{SUBNET}.1/24", "dev", "bridge")
        _ip("-n", HUB, "link", "set", "bridge", "up")
        _ip("-n", HUB, "link", "set", "lo", "up")

    def add_to_hub(self, *names: str) -> None:
        """Names of what runs in the bridge's own namespace."""
        self._addresses |= dict.fromkeys(names, f"{SUBNET}.1")
        self._write_hosts()

    def add(self, name: str) -> Path:
        """A namespace with its own address, as the file that a runtime joins."""
        number = len(self._namespaces) + 1
        namespace, port = f"{HUB}-{name}", f"port{number}"
        _ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        _ip("link", "add", port, "netns", HUB, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("-n", HUB, "link", "set", port, "master", "bridge", "up")
        _ip("-n", namespace, "addr", "add", f"{SUBNET}.{number}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        self._addresses[name] = f"{SUBNET}.{number}"
        self._write_hosts()
        return Path("/run/netns") / namespace

    def address(self, name: str) -> str:
        return self._addresses[name]

    @property
    def hosts(self) -> Path:
        """For /etc/hosts."""
        return self._hosts

    def inside(self, *command: str) -> list[str]:
        """The command, run in the bridge's namespace."""
        return ["ip", "netns", "exec", HUB, *command]

    def stop(self) -> None:
        """Removes the namespaces, and with them all interfaces."""
        for namespace in self._namespaces:
            subprocess.run(["ip", "netns", "del", namespace], check=False, stderr=subprocess.DEVNULL)

    def _write_hosts(self) -> None:
        lines = [f"{address} {name}" for name, address in self._addresses.items()]
        self._hosts.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
