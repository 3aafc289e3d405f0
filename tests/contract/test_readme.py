"""The README's example runs as it stands, against the real services."""

import re
import subprocess
import sys
from pathlib import Path

from packshot.cli.local import LocalStack

ROOT = Path(__file__).resolve().parents[2]


def test_the_python_example_works(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with LocalStack(("classical",)) as stack:
        program = example.replace('"127.0.0.1:50051"', repr(stack.address))
        ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert len(example.splitlines()) <= 22
    assert "amazon-us VERDICT_" in ran.stdout
    assert "amazon-de VERDICT_" in ran.stdout
