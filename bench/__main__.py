"""Runs the benchmarks one after the other, each of which ends as a table in bench/results/.

    python -m bench [NAME …]

Quality on photos needs `../shared`; without it those are left out, and it says so.
"""

import subprocess
import sys
from pathlib import Path

SHARED = Path("../shared")
DEV = (f"{SHARED}/bench/dev/images", f"{SHARED}/bench/dev/masks")
PLAIN = ("out/plain/images", "out/plain/masks")
LOW_CONTRAST = ("out/plain/low_contrast/images", "out/plain/low_contrast/masks")
PEERS = ("--peer-weights", f"{SHARED}/models")
PACKSHOT = Path("services/segmenter/models/packshot.onnx")
U2NETP = ("--proposers", "classical,u2netp", "--models-dir", f"{SHARED}/models")
RESULTS = Path(__file__).resolve().parent / "results"


def quality(name: str, *folders: tuple[str, str]) -> tuple[str, ...]:
    """bench.quality on folders of photos and of masks."""
    photos, masks = zip(*folders, strict=True)
    return ("bench.quality", "--name", name, "--photos", *photos, "--masks", *masks)


BENCHMARKS: dict[str, tuple[str, ...]] = {
    "quality-dev": (*quality("dev", DEV), *PEERS),
    "quality-dev-u2netp": (*quality("dev-u2netp", DEV), *U2NETP, "--peers", ""),
    "plain": ("bench.plain", "--cutouts", f"{SHARED}/train", "--out", "out/plain"),
    "quality-plain": (*quality("plain", PLAIN), *PEERS),
    "quality-low-contrast": (*quality("low-contrast", LOW_CONTRAST), *PEERS),
    "quality-confidence": (*quality("confidence", DEV, PLAIN), "--peers", ""),
    "model-speed": ("bench.model_speed", f"packshot={PACKSHOT}", f"u2netp={SHARED}/models/u2netp.onnx"),
    "speed": ("bench.speed",),
    "speed-u2netp": ("bench.speed", *U2NETP),
    "overhead": ("bench.overhead",),
    "sight": ("bench.sight",),
    "decode": ("bench.decode",),
    "load": ("bench.load",),
    "rolling": ("bench.rolling",),
    "rolling-in-place": ("bench.rolling", "--how", "in-place"),
    "scaling": ("bench.scaling",),
    "capacity-demand": ("bench.capacity", "measure"),
    "capacity-check": ("bench.capacity", "check"),
    "capacity": ("bench.capacity", "scenarios"),
    "read-catalogue": ("bench.read_catalogue",),
    "bulk-throughput": ("bench.bulk", "throughput"),
    "bulk-replicas": ("bench.bulk", "replicas"),
    "bulk-queue": ("bench.bulk", "queue"),
    "awkward": ("bench.awkward", "--dir", f"{SHARED}/awkward", "--served"),
    "compose": ("bench.compose",),
    "edges": ("bench.edges", "--sheets", "bench/results"),
    "edges-cost": ("bench.edges", "--cost"),
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
