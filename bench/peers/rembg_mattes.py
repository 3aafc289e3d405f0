"""Mattes by rembg, as grey PNGs: run by the Python that has rembg, so this imports nothing of the project.

    PYTHON bench/peers/rembg_mattes.py --model u2netp --out FOLDER [--alpha-matting] PHOTO …

Weights are read from U2NET_HOME only; nothing is downloaded. The last line printed is rembg's version.
"""

import argparse
import os
import sys
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
    for photo in arguments.photos:
        cutout = remove(Image.open(photo), session=session, alpha_matting=arguments.alpha_matting)
        cutout.getchannel("A").save(arguments.out / f"{photo.stem}.png")
    print(installed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
