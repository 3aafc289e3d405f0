"""Robustness: every file of a folder; only an answer or a typed error may come out.

python -m bench.awkward --dir ../shared/awkward              # through the decoder
python -m bench.awkward --dir ../shared/awkward --served     # through four real services, 30 s a file
"""

import argparse
import sys
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packshot.client import PackshotClient, PackshotError
from services.common.photo import PhotoError, decode_photo
from tools.stack import SERVICES, is_serving, running_stack

_SLOWEST = 5
_LIMIT_S = 30.0
UNTYPED = "UNTYPED_EXCEPTION"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Codes to count and what was said."""

    codes: tuple[str, ...]
    said: str


def main() -> int:
    """Count outcomes; return 1 when any file raised something untyped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path("../shared/awkward"))
    parser.add_argument("--served", action="store_true", help="send the files to a running stack")
    parser.add_argument("--list", metavar="OUTCOME", help="name the files of this outcome, and what was said of them")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow's remarks on damaged files

    outcomes: Counter[str] = Counter()
    files: defaultdict[str, list[str]] = defaultdict(list)
    times: list[tuple[float, Path]] = []
    with _served() if arguments.served else _decoder() as look_at:
        for path in sorted(path for path in arguments.dir.rglob("*") if path.is_file()):
            data = path.read_bytes()
            start = time.perf_counter()
            outcome = look_at(data)
            times.append((time.perf_counter() - start, path))
            for code in outcome.codes:
                outcomes[code] += 1
                files[code].append(f"{path.relative_to(arguments.dir)}: {outcome.said}")

    print(f"{len(times)} files in {sum(seconds for seconds, _ in times):.1f} s")
    for name, count in outcomes.most_common():
        print(f"{count:5d}  {name}")
    print("slowest:")
    for seconds, path in sorted(times, reverse=True)[:_SLOWEST]:
        print(f"{seconds:7.2f} s  {path.relative_to(arguments.dir)}")
    for line in files.get(arguments.list or "", []):
        print(line)
    for line in files[UNTYPED]:
        print(line, file=sys.stderr)
    return 1 if files[UNTYPED] else 0


@contextmanager
def _decoder() -> Iterator[Callable[[bytes], Outcome]]:
    def look_at(data: bytes) -> Outcome:
        try:
            photo = decode_photo(data)
        except PhotoError as error:
            return Outcome((error.reason,), error.message)
        except Exception:
            return Outcome((UNTYPED,), traceback.format_exc(limit=-1))
        return Outcome(("OK", *(w.code for w in photo.warnings)), f"{photo.format} {photo.color_mode}")

    yield look_at


@contextmanager
def _served() -> Iterator[Callable[[bytes], Outcome]]:
    with running_stack() as stack, PackshotClient(stack.address, timeout_s=_LIMIT_S) as client:

        def look_at(data: bytes) -> Outcome:
            try:
                report = client.process(data).results[0].report
            except PackshotError as error:
                typed = error.code.name == "INVALID_ARGUMENT"
                return Outcome((error.reason if typed else UNTYPED,), f"{error.code.name} {error.reason}: {error}")
            return Outcome(("OK", *(w.code for w in report.warnings)), report.segmentation.model)

        yield look_at
        down = [name for name in SERVICES if not is_serving(stack.addresses[name], 5)]
        print(f"services that do not answer any more: {', '.join(down) or 'none'}")


if __name__ == "__main__":
    sys.exit(main())
