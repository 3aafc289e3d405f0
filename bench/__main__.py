"""Runs the benchmarks one after the other and writes each table to bench/results/.

    python -m bench [NAME …]

Quality on photos needs `../shared`; without it those are left out, and it says so.
"""

import subprocess
import sys
from pathlib import Path

SHARED = Path("../shared")
DEV = ("--photos", f"{SHARED}/bench/dev/images", "--masks", f"{SHARED}/bench/dev/masks")
U2NETP = SHARED / "models" / "u2netp.onnx"
RESULTS = Path(__file__).resolve().parent / "results"

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "quality-classical": ("bench.quality", *DEV),
    "quality-u2netp": ("bench.quality", *DEV, "--weights", str(U2NETP)),
    "speed-classical": ("bench.speed",),
    "speed-u2netp": ("bench.speed", "--weights", str(U2NETP)),
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
        (RESULTS / f"{name}.md").write_text(f"`python -m {' '.join(command)}`\n\n{ran.stdout}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
