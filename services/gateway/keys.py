"""API keys: who may call, stored only as hashes.

The file is JSON: {"keys": [{"id": "k-3f2a", "tenant": "acme", "sha256": "…"}]}. A key is 256 random bits, so a
plain SHA-256 of it cannot be reversed or guessed.

    python -m services.gateway.keys add --file keys.json --tenant acme
"""

import argparse
import hashlib
import json
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

TENANT_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class KeysError(Exception):
    """The keys file cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Which tenant a key belongs to, by the key's SHA-256 in hex."""

    tenant_by_hash: dict[str, str]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises KeysError when the file is missing or not in the form above."""
        entries = _read(path)
        return cls({entry["sha256"]: entry["tenant"] for entry in entries})

    def tenant(self, key: str) -> str | None:
        """The key's tenant; None for an unknown key. Looks up the hash, so its time says nothing about keys."""
        return self.tenant_by_hash.get(_hash(key))


def add(path: Path, tenant: str) -> str:
    """Adds a new key for `tenant` to the file, which is made when missing; returns the key, which is stored nowhere.

    Raises:
        KeysError: The tenant's name or the file is not usable.
    """
    if not TENANT_PATTERN.fullmatch(tenant):
        raise KeysError(f"tenant {tenant!r}: up to 63 of a-z, 0-9 and -, not starting with -")
    entries = _read(path) if path.exists() else []
    key = f"pk_{secrets.token_urlsafe(32)}"
    entries.append({"id": f"k-{secrets.token_hex(4)}", "tenant": tenant, "sha256": _hash(key)})
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(json.dumps({"keys": entries}, indent=2) + "\n")
        new.replace(path)
    except OSError as error:
        raise KeysError(f"cannot write {path}: {error.strerror}") from error
    return key


def _read(path: Path) -> list[dict[str, str]]:
    try:
        document: Any = json.loads(path.read_text())
    except OSError as error:
        raise KeysError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise KeysError(f"{path} is not JSON: {error}") from error
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise KeysError(f'{path}: the document must be {{"keys": [...]}}')
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in ("tenant", "sha256")):
            raise KeysError(f"{path}: keys[{index}] needs the texts tenant and sha256")
        if not TENANT_PATTERN.fullmatch(entry["tenant"]):
            raise KeysError(f"{path}: keys[{index}].tenant may have up to 63 of a-z, 0-9 and -")
        if not re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]):
            raise KeysError(f"{path}: keys[{index}].sha256 must be 64 hex digits")
    if len({entry["sha256"] for entry in entries}) < len(entries):
        raise KeysError(f"{path}: the same sha256 is there twice; whose key is it?")
    return entries


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def main() -> int:
    """Prints a new key on stdout; 0 when done, 2 when the file or tenant is not usable."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway.keys", description="Manage API keys.")
    commands = parser.add_subparsers(required=True)
    adding = commands.add_parser("add", help="add a key and print it, once")
    adding.add_argument("--file", type=Path, required=True, help="the keys file; made when missing")
    adding.add_argument("--tenant", required=True, help="who the key belongs to")
    arguments = parser.parse_args()
    try:
        key = add(arguments.file, arguments.tenant)
    except KeysError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    print(key)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
