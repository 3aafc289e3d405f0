"""Cutouts by pymatting, as RGBA PNGs: run by the Python that has it, so this imports nothing of the project.

    PYTHON bench/peers/pymatting_cutouts.py --trimaps FOLDER --out FOLDER PHOTO …
    PYTHON bench/peers/pymatting_cutouts.py --mattes FOLDER --out FOLDER PHOTO …

Alpha is its closed form given the trimap <stem>.png, or the matte <stem>.png as it is; colours are its multi-level
foreground (Levin et al., PAMI 2008; Germer et al., ICPR 2020). Seconds are those of both, without files. The first
photo is done twice, so that nothing is compiled when the time counts. The last line printed is JSON: version, seconds
and refusals by photo; it refuses trimaps that show one side only.
"""

import argparse
import json
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NOT_INSTALLED = 3


def main() -> int:
    """0, or NOT_INSTALLED with the reason on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--trimaps", type=Path)
    given.add_argument("--mattes", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("photos", type=Path, nargs="+")
    arguments = parser.parse_args()

    try:
        installed = version("pymatting")
    except PackageNotFoundError:
        print("--peer-python has no pymatting", file=sys.stderr)
        return NOT_INSTALLED

    import numpy as np
    from PIL import Image
    from pymatting import (  # type: ignore[import-not-found, unused-ignore]
        estimate_alpha_cf,
        estimate_foreground_ml,
    )

    seconds, refused = {}, {}
    for photo in (arguments.photos[0], *arguments.photos):
        image = np.asarray(Image.open(photo).convert("RGB")) / 255
        beside = (arguments.trimaps or arguments.mattes) / f"{photo.stem}.png"
        alpha = np.asarray(Image.open(beside).convert("L")) / 255
        started = time.perf_counter()
        try:
            if arguments.trimaps:
                alpha = estimate_alpha_cf(image, alpha)
            foreground = estimate_foreground_ml(image, alpha)
        except ValueError as error:
            refused[photo.stem] = str(error)
            continue
        seconds[photo.stem] = time.perf_counter() - started
        cutout = np.dstack([foreground, alpha]).clip(0, 1)
        Image.fromarray(np.rint(cutout * 255).astype(np.uint8)).save(
            arguments.out / f"{photo.stem}.png", compress_level=1
        )
    print(json.dumps({"version": installed, "seconds": seconds, "refused": refused}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
