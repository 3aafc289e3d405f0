"""The long run: python -m tests.fuzz --minutes 10 [--kind photos]

Writes what it finds into a folder and goes on; ends with 1 when it found anything.
"""

import argparse
import hashlib
import itertools
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from tests.fuzz.campaign import tried
from tests.fuzz.targets import Target, targets

_ROUND: Final = 500


class _Watch:
    """A target that counts, and remembers the last input that it refused to take."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.count = 0
        self.failed = b""

    def __call__(self, data: bytes) -> None:
        self.count += 1
        try:
            self._target(data)
        except Exception:
            self.failed = data
            raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--kind", action="append", choices=["photos", "catalogues", "messages"], help="all, unless said"
    )
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="where findings go")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    found: set[Path] = set()
    with targets() as known:
        watches = {kind: _Watch(target) for kind, target in known.items() if kind in (arguments.kind or known)}
        for kind, watch in itertools.cycle(watches.items()):
            if time.monotonic() > until:
                break
            try:
                tried(kind, watch, _ROUND)
            except Exception:
                traceback.print_exc()
                found.add(_kept(arguments.out / kind, watch.failed))
    for kind, watch in watches.items():
        print(f"{watch.count:9,d} {kind}")
    print(f"{len(found)} findings", *sorted(found), sep="\n")
    return 1 if found else 0


def _kept(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    sys.exit(main())
