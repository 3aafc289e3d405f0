"""The first run: starts the whole stack, sends photos through its gateway, leaves the results to look at.

`make run` calls this with the example photos, `make run PHOTO=my.jpg` with yours.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from tools.contact_sheet import Row, draw
from tools.stack import free_port, is_serving

EXAMPLES = sorted(Path("examples").glob("*.jpg"))
_START_TIMEOUT_S = 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path, help="default: the photos under examples/")
    parser.add_argument("--out", type=Path, default=Path("out"))
    arguments = parser.parse_args()
    photos = arguments.photos or EXAMPLES
    with _stack(arguments.out / "logs") as address:
        fixed = _packshot(
            "fix",
            *photos,
            "-o",
            arguments.out,
            "--force",
            "--server",
            address,
            "--output",
            "jpeg",
            "--output",
            "png",
            "--output",
            "report",
        )
        if fixed.returncode == 2:
            return 2
    rows = [row for photo in photos if (row := _row(photo, arguments.out))]
    sheet = arguments.out / "contact-sheet.jpg"
    draw(rows, columns=1 if len(rows) == 1 else 2).save(sheet, quality=90)
    print(f"\nPackshots, cutouts and reports are in {arguments.out}/; look at {sheet} first.")
    return 0


@contextmanager
def _stack(log_dir: Path) -> Iterator[str]:
    """`packshot serve` on free ports, with NATS; its gateway's address."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    serving = subprocess.Popen(
        [_command(), "serve", "--port", str(port), "--log-dir", str(log_dir)], start_new_session=True
    )
    try:
        _wait_until_ready(address, serving)
        yield address
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(timeout=60)


def _packshot(*arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([_command(), *map(str, arguments)], check=False)


def _row(photo: Path, folder: Path) -> Row | None:
    report_file = folder / f"{photo.stem}.report.json"
    if not report_file.exists():
        return None
    report = json.loads(report_file.read_text())
    packshot = folder / f"{photo.stem}.jpg"
    confidence = report["confidence"]["value"]
    return Row(photo, packshot if packshot.exists() else None, report["verdict"], f"confidence {confidence:.2f}")


def _command() -> str:
    return str(Path(sys.executable).with_name("packshot"))


def _wait_until_ready(address: str, serving: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        if serving.poll() is not None:
            raise SystemExit(2)
        try:
            if is_serving(address, 1):
                return
        except grpc.RpcError:
            time.sleep(0.1)
    raise SystemExit(f"the stack was not ready within {_START_TIMEOUT_S} s")


if __name__ == "__main__":
    sys.exit(main())
