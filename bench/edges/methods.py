"""What is compared: Packshot from the photo alone and from a given trimap, and other tools.

Each runs in a process of its own, does the first case twice and is timed the second time.
"""

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from bench.edges.cases import Case, opaque_parts, outline_trimap, read
from bench.edges.scores import Image, Matte, beyond_touched_blocks, on_white_in_linear_light, on_white_in_srgb
from bench.memory import peak_mb
from bench.peers import PEERS, PYMATTING, Peer, run_peer
from packshot.cli.local import LocalStack
from packshot.client import PackshotClient, PackshotError
from services.compositor.foreground import estimate_foreground
from services.compositor.refine import refine_trimap
from services.compositor.transparent import see_through

FROM_PHOTO, FROM_TRIMAP = "Packshot, from the photo", "Packshot, from the trimap"
_TRANSPARENT = {"glass", "tinted"}


@dataclass(frozen=True, slots=True)
class Run:
    """What a method did to the cases: its cutouts in `folder` as <name>.png, and what it needed for them.

    on_white: how the tool itself lays a cutout on white.
    seconds, refused: by name of case; a case is in one of them.
    exactly_white: share of the finished JPEG's background by name, where a method makes one.
    """

    method: str
    given_trimap: bool
    on_white: Callable[[Image], Image]
    folder: Path
    seconds: Mapping[str, float]
    refused: Mapping[str, str]
    peak_mb: float
    exactly_white: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Method:
    """A name, and how to run it on cases with a folder for its cutouts."""

    name: str
    run: Callable[[Sequence[Case], Path], Run]


def methods(*, peer_python: str, peer_weights: Path) -> tuple[Method, ...]:
    """All that are compared. Running a peer may raise what `bench.peers.run_peer` does."""

    def run(peer: Peer, cases: Sequence[Case], out: Path, options: Sequence[str] = ()) -> Run:
        photos = [case.photo for case in cases]
        ran = run_peer(peer, photos, out, python=peer_python, weights=peer_weights, options=options)
        label = f"{peer.label} ({ran.version})"
        return Run(label, bool(options), on_white_in_srgb, out, ran.seconds, ran.refused, ran.peak_mb)

    def from_photo(peer: Peer) -> Method:
        return Method(peer.label, lambda cases, out: run(peer, cases, out))

    def from_trimap(peer: Peer) -> Method:
        return Method(peer.label, lambda cases, out: run(peer, cases, out, ("--trimaps", str(cases[0].trimap.parent))))

    return (
        Method(FROM_PHOTO, lambda cases, out: _apart(_from_photos, cases, out)),
        *(from_photo(peer) for peer in PEERS.values()),
        Method(FROM_TRIMAP, lambda cases, out: _apart(_from_trimaps, cases, out)),
        from_trimap(PYMATTING),
    )


def _apart(method: Callable[[Sequence[Case], Path], Run], cases: Sequence[Case], out: Path) -> Run:
    """In a process of its own, whose memory is nobody else's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(method, (cases, out))


def _from_photos(cases: Sequence[Case], out: Path) -> Run:
    """The default install, all four services in this process; seconds are those of CutOutImage, PNG and all."""
    seconds, refused, exactly_white = {}, {}, {}
    with LocalStack() as stack, PackshotClient(stack.address, timeout_s=120) as client:
        for case in (cases[0], *cases):
            started = time.perf_counter()
            try:
                png = client.cut_out(case.photo).png
            except PackshotError as error:
                refused[case.name] = str(error)
                continue
            seconds[case.name] = time.perf_counter() - started
            (out / f"{case.name}.png").write_bytes(png)
        most_mb = peak_mb()
        for case in cases:
            if case.name not in refused:
                exactly_white[case.name] = _exactly_white(client, case.photo)
    return Run(FROM_PHOTO, False, on_white_in_linear_light, out, seconds, refused, most_mb, exactly_white)


def _exactly_white(client: PackshotClient, photo: Path) -> float:
    """Share of the finished JPEG that is exactly white, of what lies beyond the blocks that touch the product."""
    images = client.process(photo, outputs=["jpeg", "transparent_png"]).results[0].images
    jpeg, transparent = (np.asarray(PillowImage.open(BytesIO(image.content))) for image in images)
    background = beyond_touched_blocks(transparent[..., 3] > 0)
    return float((jpeg[background] == 255).all(axis=1).mean()) if background.any() else 1.0


def _from_trimaps(cases: Sequence[Case], out: Path) -> Run:
    """The compositor's domain functions; seconds are those of alpha and colour, without files."""
    seconds = {}
    for case in (cases[0], *cases):
        image, trimap = read(case.photo, "RGB"), read(case.trimap, "L")
        started = time.perf_counter()
        matte, foreground = _matting(image, trimap, transparent=case.group in _TRANSPARENT)
        seconds[case.name] = time.perf_counter() - started
        cutout = np.dstack([foreground, np.rint(matte * 255).astype(np.uint8)])
        PillowImage.fromarray(cutout).save(out / f"{case.name}.png", compress_level=1)
    return Run(FROM_TRIMAP, True, on_white_in_linear_light, out, seconds, {}, peak_mb())


def _matting(image: Image, trimap: Image, *, transparent: bool) -> tuple[Matte, Image]:
    """Matte and straight foreground colour, given the trimap and the trait that goes with it from the segmenter."""
    matte = refine_trimap(image, outline_trimap(trimap) if transparent else trimap)
    foreground = estimate_foreground(image, matte)
    if not transparent:
        return matte, foreground
    seen = see_through(image, matte, foreground, opaque_parts(trimap))
    return seen.alpha, seen.foreground
