"""Cutouts by rembg, as RGBA PNGs: run by the Python that has rembg, so this imports nothing of the project.

    PYTHON bench/peers/rembg_cutouts.py --model u2netp --out FOLDER [--alpha-matting] PHOTO …

Weights are read from U2NET_HOME only; nothing is downloaded. The first photo is done twice and the second time counts.
The last line printed is JSON: version, seconds and refusals by photo.
"""

import argparse
import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NOT_INSTALLED = 3
NO_WEIGHTS = 4


def main() -> int:
    """0, or NOT_INSTALLED, or NO_WEIGHTS with the reason on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--alpha-matting", action="store_true")
    parser.add_argument("photos", type=Path, nargs="+")
    arguments = parser.parse_args()

    try:
        installed = version("rembg")
    except PackageNotFoundError:
        print("--peer-python has no rembg", file=sys.stderr)
        return NOT_INSTALLED
    weights = Path(os.environ.get("U2NET_HOME", "")) / f"{arguments.model}.onnx"
    if not weights.is_file():
        print(f"no {weights.name} in U2NET_HOME", file=sys.stderr)
        return NO_WEIGHTS

    from PIL import Image
    from rembg import new_session, remove  # type: ignore[import-not-found, unused-ignore]

    session = new_session(arguments.model)
    seconds = {}
    for photo in (arguments.photos[0], *arguments.photos):
        started = time.perf_counter()
        cutout = remove(Image.open(photo), session=session, alpha_matting=arguments.alpha_matting)
        seconds[photo.stem] = time.perf_counter() - started
        cutout.save(arguments.out / f"{photo.stem}.png", compress_level=1)
    print(json.dumps({"version": installed, "seconds": seconds, "refused": {}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
