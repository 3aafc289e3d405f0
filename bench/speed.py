"""One photo end to end, embedded and warm: time and peak memory.

python -m bench.speed --side 2048 --proposers classical,u2netp --models-dir ../shared/models
"""

import argparse
import resource
import statistics
import time
from pathlib import Path

from bench.photos import square_photo
from packshot.cli.local import LocalStack
from packshot.client import PackshotClient
from services.segmenter.settings import SegmenterSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048, help="side of the square photo in px")
    parser.add_argument("--proposers", help='e.g. "classical,u2netp"; without it those of the default install')
    parser.add_argument("--models-dir", type=Path, help="folder with the proposers' weights")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--photo", default="mug.jpg", help="one of examples/")
    arguments = parser.parse_args()

    photo = square_photo(arguments.side, arguments.photo)
    proposers = tuple(arguments.proposers.split(",")) if arguments.proposers else SegmenterSettings().proposers
    seconds, stages = [], []
    with LocalStack(proposers, arguments.models_dir) as stack, PackshotClient(stack.address) as client:
        for run in range(arguments.runs + 2):
            started = time.perf_counter()
            answer = client.process(photo)
            if run >= 2:
                seconds.append(time.perf_counter() - started)
                stages.append({t.stage: t.duration_ms for t in answer.results[0].report.timings})
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stage_columns = " | ".join(f"{name} ms" for name in stages[0])
    print(f"| photo | proposals | runs | median s | min s | max s | peak MB | {stage_columns} |")
    print("|---|---|---|---|---|---|---|" + "---|" * len(stages[0]))
    medians = [f"{statistics.median(s[name] for s in stages):.0f}" for name in stages[0]]
    print(
        f"| {arguments.photo} {arguments.side}² | {' + '.join(proposers)} | {len(seconds)} "
        f"| {statistics.median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {peak_mb:.0f} "
        f"| {' | '.join(medians)} |"
    )


if __name__ == "__main__":
    main()
