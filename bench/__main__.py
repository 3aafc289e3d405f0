"""Runs the benchmarks one after the other, each of which ends as a table in bench/results/.

    python -m bench [NAME …]

Quality on photos needs `../shared`; without it those are left out, and it says so.
"""

import subprocess
import sys
from pathlib import Path

SHARED = Path("../shared")
MODELS = ("--models-dir", f"{SHARED}/models")
DEV = ("--photos", f"{SHARED}/bench/dev/images", "--masks", f"{SHARED}/bench/dev/masks")
PLAIN = ("--photos", "out/plain/images", "--masks", "out/plain/masks")
LOW_CONTRAST = ("--photos", "out/plain/low_contrast/images", "--masks", "out/plain/low_contrast/masks")
PEERS = ("--peer-weights", f"{SHARED}/models")
U2NETP = ("--proposers", "classical,u2netp", *MODELS)
RESULTS = Path(__file__).resolve().parent / "results"

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "quality-dev": ("bench.quality", *DEV, *PEERS, "--name", "dev"),
    "quality-dev-u2netp": ("bench.quality", *DEV, *U2NETP, "--peers", "", "--name", "dev-u2netp"),
    "plain": ("bench.plain", "--cutouts", f"{SHARED}/train", "--out", "out/plain"),
    "quality-plain": ("bench.quality", *PLAIN, *PEERS, "--name", "plain"),
    "quality-low-contrast": ("bench.quality", *LOW_CONTRAST, *PEERS, "--name", "low-contrast"),
    "speed": ("bench.speed",),
    "speed-u2netp": ("bench.speed", *U2NETP),
    "overhead": ("bench.overhead",),
    "load": ("bench.load",),
    "awkward": ("bench.awkward", "--dir", f"{SHARED}/awkward", "--served"),
    "compose": ("bench.compose",),
}


def main() -> int:
    """0 when all asked for ran."""
    asked = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in asked if name not in BENCHMARKS]:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    failed = 0
    for name in asked:
        command = BENCHMARKS[name]
        if any(str(SHARED) in part for part in command) and not SHARED.is_dir():
            print(f"{name}: left out, there is no {SHARED}", file=sys.stderr)
            continue
        print(f"{name}: {' '.join(command)}", file=sys.stderr, flush=True)
        ran = subprocess.run([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, check=False)
        failed += ran.returncode != 0
        if ran.stdout:  # bench.quality writes its table itself
            (RESULTS / f"{name}.md").write_text(f"`python -m {' '.join(command)}`\n\n{ran.stdout}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
