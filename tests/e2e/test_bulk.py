"""`packshot bulk` as a person runs it, before a whole Packshot: stopped in the middle, the rest is done and no more."""

import csv
import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from packshot.client import PackshotClient
from services.common.photo import encode_jpeg
from tests.helpers import product_photos
from tests.helpers.packshot_serve import PACKSHOT, Served, packshot_serve
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # several starts of the whole stack

QUICK = {"SEGMENTER_PROPOSERS": "classical", "OMP_NUM_THREADS": "1"}
COLORS = {"red": (130, 40, 40), "green": (40, 120, 50), "blue": (30, 90, 130), "plum": (90, 60, 130)}


def mug(color: str) -> bytes:
    return encode_jpeg(product_photos.mug_image(256, COLORS[color]), 92)


class Shop:
    """Serves photos of mugs at /COLOR.jpg; those that are held wait until they are let go."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.held: set[str] = set()
        self.let_go = threading.Event()
        self.port = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                color = self.path.strip("/").removesuffix(".jpg")
                shop.asked[color] += 1
                if color in shop.held:
                    shop.let_go.wait(60)
                if color not in COLORS:
                    self.send_error(404)
                    return
                photo = mug(color)
                self.send_response(200)
                self.send_header("Content-Length", str(len(photo)))
                self.end_headers()
                self.wfile.write(photo)

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            self.let_go.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def row(self, sku: str) -> str:
        return f"{sku},http://127.0.0.1:{self.port}/{sku}.jpg"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop()
    with shop.open():
        yield shop


@pytest.fixture(scope="module")
def served(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    allowed = json.dumps([f"127.0.0.1:{shop.port}"])
    with packshot_serve(
        folder, "--data-dir", str(folder / "data"), **QUICK, GATEWAY_SOURCES__INTERNAL_HOSTS=allowed
    ) as served:
        yield served


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: Shop) -> Path:
    monkeypatch.chdir(tmp_path)
    shop.asked.clear()
    return tmp_path


def catalogue(*rows: str) -> None:
    Path("catalogue.csv").write_text("\n".join(["sku,image_url", *rows]) + "\n")


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [str(PACKSHOT), "bulk", *arguments, "-o", "out"]
    return subprocess.Popen(command, env=os.environ | QUICK, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    process = start(*arguments)
    stdout, stderr = process.communicate(timeout=100)
    return process.returncode, stdout, stderr


def packshots() -> dict[str, int]:
    """When each was written."""
    return {path.stem: path.stat().st_mtime_ns for path in Path("out").glob("*.jpg")}


def results() -> list[dict[str, Any]]:
    with Path("out/results.csv").open(encoding="utf-8-sig", newline="") as table:
        return list(csv.DictReader(table))


def test_a_catalogue_with_rows_that_cannot_be(served: Served, shop: Shop) -> None:
    catalogue(shop.row("red"), "nowhere,", shop.row("green"), shop.row("white"))
    exit_code, stdout, stderr = run("catalogue.csv", "--server", served.gateway, "--label", "mugs")
    assert exit_code == 1, stderr
    assert "4 items: 2 publish, 2 failed" in stdout
    assert "line 3 (nowhere): " in stderr
    assert "line 5 (white): " in stderr
    assert set(packshots()) == {"red", "green"}
    assert Image.open(BytesIO(Path("out/red.jpg").read_bytes())).getpixel((0, 0)) == (255, 255, 255)
    assert [(row["row_number"], row["sku"], row["status"]) for row in results()] == [
        ("2", "red", "succeeded"),
        ("3", "nowhere", "failed"),
        ("4", "green", "succeeded"),
        ("5", "white", "failed"),
    ]
    lines = Path("out/results.jsonl").read_text().splitlines()
    assert [json.loads(line)["sku"] for line in lines] == ["red", "nowhere", "green", "white"]


def test_killed_at_half_and_the_same_command_does_only_the_rest(served: Served, shop: Shop) -> None:
    catalogue(*(shop.row(color) for color in COLORS))
    shop.held = {"blue", "plum"}
    process = start("catalogue.csv", "--server", served.gateway)
    wait_until(lambda: len(packshots()) == 2, 100)
    process.kill()
    process.communicate()
    before = packshots()
    assert set(before) == {"red", "green"}
    shop.let_go.set()

    exit_code, stdout, stderr = run("catalogue.csv", "--server", served.gateway)
    assert exit_code == 0, stderr
    assert "2 files written to out (2 were there before)" in stdout
    after = packshots()
    assert set(after) == set(COLORS)
    assert {name: after[name] for name in before} == before
    assert shop.asked == dict.fromkeys(COLORS, 1)
    with PackshotClient(served.gateway) as client:
        jobs = [job for job in client.jobs.list() if job.counts.total == len(COLORS) and not job.label]
        assert len(jobs) == 1
        # Two of the mugs were made, and charged, for the catalogue before.
        assert jobs[0].counts.succeeded == len(COLORS)

    exit_code, stdout, _ = run("catalogue.csv", "--server", served.gateway)
    assert (exit_code, packshots()) == (0, after)
    assert "Nothing to do: " in stdout


def test_what_needs_a_look_is_decided_and_done_again(served: Served) -> None:
    Path("photos").mkdir()
    Path("photos/cut-off.jpg").write_bytes(
        encode_jpeg(np.ascontiguousarray(product_photos.mug_image(320)[:, 110:]), 92)
    )
    Path("photos/grey.jpg").write_bytes(encode_jpeg(product_photos.mug_image(320, (180, 180, 180)), 92))
    exit_code, stdout, stderr = run("photos", "--server", served.gateway)
    assert exit_code == 1, stderr
    assert "2 items: 2 review" in stdout
    before = packshots()

    def reviews(*arguments: str) -> str:
        command = [str(PACKSHOT), "reviews", *arguments, "--server", served.gateway]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    waiting = {
        review["item"]["sku"]: review["review_id"] for review in json.loads(reviews("list", "--json"))["reviews"]
    }
    assert set(waiting) == {"cut-off", "grey"}
    assert f"reviews/{waiting['cut-off']}.amazon-us.jpg" in reviews("show", waiting["cut-off"])
    assert Path(f"reviews/{waiting['cut-off']}.amazon-us.jpg").read_bytes() == Path("out/cut-off.jpg").read_bytes()
    assert reviews("approve", waiting["cut-off"]) == "cut-off: approved\n"
    hints = ["--region", "60,60,230,200", "--include", "150,160", "--exclude", "5,5"]
    assert reviews("redo", waiting["grey"], *hints) == "grey: redone\n"

    exit_code, stdout, stderr = run("photos", "--server", served.gateway)
    assert "1 file written to out (1 were there before)" in stdout, stderr
    assert packshots()["cut-off"] == before["cut-off"]
    by_sku = {row["sku"]: row for row in results()}
    assert (by_sku["cut-off"]["verdict"], by_sku["cut-off"]["credits"]) == ("publish", "1")


def test_a_folder_without_a_server_stopped_and_gone_on_with() -> None:
    Path("photos").mkdir()
    for color in COLORS:
        Path(f"photos/{color}.jpg").write_bytes(mug(color))
    process = start("photos")
    wait_until(lambda: len(packshots()) >= 1, 100)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "The same command goes on where it stopped." in stderr
    assert "Traceback" not in stderr
    before = packshots()

    exit_code, stdout, stderr = run("photos")
    assert exit_code == 0, stderr
    assert f"{len(COLORS) - len(before)} files written to out ({len(before)} were there before)" in stdout
    assert {name: packshots()[name] for name in before} == before
    assert {row["credits"] for row in results()} == {"1"}
