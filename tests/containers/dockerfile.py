"""Reads as much of the services' Dockerfiles as the tests need."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SERVICES = ("gateway", "segmenter", "compositor", "validator")


def dockerfile(service: str) -> str:
    """The text, continued lines joined."""
    return (REPOSITORY / "services" / service / "Dockerfile").read_text().replace("\\\n", "")


def instructions(service: str, name: str) -> list[str]:
    """What follows an instruction, e.g. all COPYs, in order."""
    return re.findall(rf"^{name}\s+(.*)$", dockerfile(service), re.MULTILINE)


def dockerfile_environment(service: str) -> dict[str, str]:
    """The last stage's ENV."""
    return dict(pair.split("=", 1) for pair in instructions(service, "ENV")[-1].split())
