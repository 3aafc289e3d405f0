"""What is generated from the protos is checked in as generated."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("generator", ["tools.protos", "tools.report_schema"])
def test_checked_in_files_are_up_to_date(generator: str) -> None:
    check = subprocess.run([sys.executable, "-m", generator, "--check"], capture_output=True, text=True, check=False)

    assert check.returncode == 0, check.stderr
