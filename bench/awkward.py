"""Robustness: every file of a folder through the decoder; only a photo or a PhotoError may come out.

python -m bench.awkward --dir ../shared/awkward [--list PHOTO_CORRUPT]
"""

import argparse
import sys
import time
import traceback
import warnings
from collections import Counter, defaultdict
from pathlib import Path

from services.common.photo import PhotoError, decode_photo

_SLOWEST = 5


def main() -> int:
    """Decode, count outcomes, and return 1 when any file raised something other than PhotoError."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path("../shared/awkward"))
    parser.add_argument("--list", metavar="OUTCOME", help="name the files of this outcome, and what was said of them")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow's remarks on damaged files

    outcomes: Counter[str] = Counter()
    files: defaultdict[str, list[str]] = defaultdict(list)
    times: list[tuple[float, Path]] = []
    crashes: list[str] = []
    for path in sorted(path for path in arguments.dir.rglob("*") if path.is_file()):
        data = path.read_bytes()
        start = time.perf_counter()
        try:
            photo = decode_photo(data)
            found, said = ["OK", *(warning.code for warning in photo.warnings)], f"{photo.format} {photo.color_mode}"
        except PhotoError as error:
            found, said = [error.reason], error.message
        except Exception:
            found, said = ["UNTYPED_EXCEPTION"], traceback.format_exc(limit=-1)
            crashes.append(f"{path}: {said}")
        times.append((time.perf_counter() - start, path))
        for outcome in found:
            outcomes[outcome] += 1
            files[outcome].append(f"{path.relative_to(arguments.dir)}: {said}")

    print(f"{len(times)} files in {sum(seconds for seconds, _ in times):.1f} s")
    for outcome, count in outcomes.most_common():
        print(f"{count:5d}  {outcome}")
    print("slowest:")
    for seconds, path in sorted(times, reverse=True)[:_SLOWEST]:
        print(f"{seconds:7.2f} s  {path.relative_to(arguments.dir)}")
    for line in files.get(arguments.list or "", []):
        print(line)
    for crash in crashes:
        print(crash, file=sys.stderr)
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
