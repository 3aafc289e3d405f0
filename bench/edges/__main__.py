"""How good edges are, from the photo alone and from a given trimap, beside other tools in the same run.

    python -m bench.scenes.edges --out out/edges
    PEER_PYTHON=PYTHON_WITH_REMBG python -m bench.edges --sheets bench/results
    python -m bench.edges --only GT01 GT05 --scenes ""           two photos
    python -m bench.edges --cost                                 time and memory, and how they grow

Everything is scored inside the unknown band of each case's trimap (`scores`). What a tool refuses is scored as an empty
cutout. Photos are those of a folder with images/, alpha/ and trimap/; scenes are `bench.scenes`' (`cases` says how
each one's truth comes about).
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.edges.cases import Cases, photo_cases, read, scene_cases
from bench.edges.cost import print_cost
from bench.edges.methods import Run, methods
from bench.edges.sheets import SheetRow, draw_sheet
from bench.edges.tables import Score, cutout_of, score_case, tables
from bench.peers import PeerUnavailableError

_ABOUT = """\
Means over the cases, inside the unknown band of the trimap. SAD, gradient and connectivity errors are sums in
thousands. ΔE00 is CIEDE2000 on white against the true product on white, all cutouts laid there as the truth was:
in sRGB for photos, in linear light for scenes. "As drawn" lays each cutout as its own tool does it: Packshot in linear
light, the others in sRGB. Colour ΔE00 is that of the cutout's colours, weighed by true alpha. Seconds are warm; those
from the photo have decoding in them and Packshot's encoding of a PNG, those from the trimap are alpha and colour.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.edges", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", default="../shared/bench/edges", help='folder; "" for none')
    parser.add_argument("--scenes", default="out/edges", help='folder; "" for none')
    parser.add_argument("--only", nargs="+", help="names of photos and scenes, or how they begin")
    parser.add_argument("--sheets", type=Path, help="folder for the scenes' contact sheets")
    parser.add_argument(
        "--peer-python",
        default=os.environ.get("PEER_PYTHON", sys.executable),
        help="the Python that has rembg and pymatting; without it PEER_PYTHON of the environment, or this one",
    )
    parser.add_argument("--peer-weights", type=Path, default=Path("../shared/models"), help="folder with u2netp.onnx")
    parser.add_argument("--cost", action="store_true", help="measure time and memory on examples/ instead")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each, for --cost")
    arguments = parser.parse_args()

    def wanted(name: str) -> bool:
        return not arguments.only or name.startswith(tuple(arguments.only))

    if arguments.cost:
        print_cost(arguments.runs, wanted)
        return
    with tempfile.TemporaryDirectory(prefix="edges-") as folder:
        try:
            for number, given in enumerate(_inputs(arguments, wanted, Path(folder))):
                if number == 0:
                    print(_ABOUT)  # not before the peers are known to be there: bench keeps what is printed
                _measure(given, arguments, Path(folder))
        except PeerUnavailableError as error:
            raise SystemExit(f"a peer is measured in the same run, and cannot: {error}") from error
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{error}\n{error.stderr}") from error


def _inputs(arguments: argparse.Namespace, wanted: Callable[[str], bool], work: Path) -> Iterable[Cases]:
    if arguments.photos and _is_there(Path(arguments.photos) / "images"):
        yield photo_cases(Path(arguments.photos), work, wanted, peer_python=arguments.peer_python)
    if arguments.scenes and _is_there(Path(arguments.scenes) / "scenes.csv"):
        yield scene_cases(Path(arguments.scenes), work, wanted)


def _is_there(needed: Path) -> bool:
    if not needed.exists():
        print(f"left out: there is no {needed}", file=sys.stderr)
    return needed.exists()


def _measure(given: Cases, arguments: argparse.Namespace, work: Path) -> None:
    if not given.cases:
        return
    runs, scores = [], {}
    for number, method in enumerate(methods(peer_python=arguments.peer_python, peer_weights=arguments.peer_weights)):
        print(f"{given.title}: {method.name}", file=sys.stderr, flush=True)
        out = work / f"{given.title}-{number}"
        out.mkdir()
        run = method.run(given.cases, out)
        runs.append(run)
        scores[run.method] = {case.name: score_case(case, run, given.on_white) for case in given.cases}
    print(f"{tables(given, runs, scores)}\n", flush=True)
    if arguments.sheets and any(case.group for case in given.cases):
        for given_trimap, name in ((False, "edges-photo.jpg"), (True, "edges-trimap.jpg")):
            of_this_kind = [run for run in runs if run.given_trimap == given_trimap]
            _draw_worst(given, of_this_kind[0], of_this_kind[-1], scores, arguments.sheets / name)


def _draw_worst(given: Cases, ours: Run, peer: Run, scores: dict[str, dict[str, Score]], file: Path) -> None:
    """Our worst edge of each group."""
    rows = []
    for group in dict.fromkeys(case.group for case in given.cases):
        in_group = [case for case in given.cases if case.group == group]
        case = max(in_group, key=lambda case: scores[ours.method][case.name].worst)
        score, beside = (scores[run.method][case.name] for run in (ours, peer))
        drawn = (run.on_white(cutout_of(case, run)) for run in (ours, peer))
        images = (read(case.photo, "RGB"), *drawn, read(case.white, "RGB"))
        label = f"{case.name} ({group}): mean dE00 as drawn {score.drawn:.1f}, peer {beside.drawn:.1f}"
        rows.append(SheetRow(label, score.worst_at, images))
    draw_sheet(("photo", ours.method, peer.method, "truth on white"), rows, file)


if __name__ == "__main__":
    main()
