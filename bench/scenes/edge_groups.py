"""The sixty scenes of the edge benchmark: six groups of ten, each scene a kind of product, a backdrop and a stance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from numpy.random import Generator

from bench.scenes import clear, hairy, kinds, pieces, shiny
from bench.scenes.scenes import Part
from bench.scenes.strands import Strands

Things = list[Part] | list[Part | Strands]

GROUPS: Final = ("opaque", "hairy", "glass", "tinted", "chrome", "pieces")
# Far from the seeds that training draws from.
_FIRST_SEED: Final = 40_000_000


@dataclass(frozen=True)
class EdgeScene:
    """One scene: its place in the benchmark and what is in it.

    Attributes:
        name: ``group-number-kind``.
        draw: draws the product.
        backdrop: a key of ``backdrops.BACKDROPS``.
        seed: everything random comes from it.
        elevation_deg: lowest and highest view, from 0, level, to 90, from above.
        gloss: share of light that the table mirrors, straight on.
    """

    name: str
    group: str
    draw: Callable[[Generator], Things]
    backdrop: str
    seed: int
    elevation_deg: tuple[float, float]
    gloss: float


_STANDING: Final = (4.0, 18.0)
_BELOW: Final = (16.0, 34.0)
_LYING: Final = (58.0, 86.0)

_Row = tuple[str, Callable[[Generator], Things], str, tuple[float, float], float]

_ROWS: Final[dict[str, list[_Row]]] = {
    "opaque": [
        ("vase", kinds.vase, "white", _STANDING, 0),
        ("mug", kinds.mug, "wood", _BELOW, 0),
        ("carton", kinds.carton, "gradient", _STANDING, 0),
        ("robot", kinds.robot, "room", _STANDING, 0),
        ("teapot", kinds.teapot, "fabric", _BELOW, 0),
        ("speaker", kinds.speaker, "sweep", _STANDING, 0),
        ("bag", kinds.bag, "gradient", _STANDING, 0),
        ("stool", kinds.stool, "sweep", _STANDING, 0),
        ("tube", kinds.squeeze_tube, "white", _STANDING, 0),
        ("clock", kinds.clock, "room", _STANDING, 0),
    ],
    "hairy": [
        ("teddy", hairy.teddy, "sweep", _STANDING, 0),
        ("pompom", hairy.pompom, "wood", _STANDING, 0),
        ("brush", hairy.brush, "gradient", _STANDING, 0),
        ("beanie", hairy.beanie, "white", _STANDING, 0),
        ("cushion", hairy.cushion, "room", _STANDING, 0),
        ("duster", hairy.duster, "fabric", _STANDING, 0),
        ("wig", hairy.wig, "gradient", _STANDING, 0),
        ("pampas", hairy.pampas, "room", _STANDING, 0),
        ("monster", hairy.monster, "white", _STANDING, 0),
        ("slippers", hairy.slipper, "wood", _BELOW, 0),
    ],
    "glass": [
        ("tumbler", clear.tumbler, "gradient", _STANDING, 0),
        ("wine", clear.wine, "sweep", _STANDING, 0),
        ("bottle", clear.bottle, "white", _STANDING, 0),
        ("jar", clear.jar, "wood", _STANDING, 0),
        ("vase", clear.vase, "fabric", _STANDING, 0),
        ("box", clear.packaging, "room", _BELOW, 0),
        ("cloche", clear.cloche, "gradient", _STANDING, 0),
        ("bulb", clear.bulb, "white", _STANDING, 0),
        ("pitcher", clear.pitcher, "wood", _STANDING, 0),
        ("bowl", clear.bowl, "sweep", _BELOW, 0),
    ],
    "tinted": [
        ("beer", clear.beer, "white", _STANDING, 0),
        ("perfume", clear.perfume, "sweep", _STANDING, 0),
        ("juice", clear.juice, "room", _STANDING, 0),
        ("smokebox", clear.smoke_box, "fabric", _BELOW, 0),
        ("soap", clear.soap, "gradient", _STANDING, 0),
        ("sunglasses", clear.sunglasses, "wood", _BELOW, 0),
        ("medicine", clear.medicine, "gradient", _STANDING, 0),
        ("decanter", clear.decanter, "fabric", _STANDING, 0),
        ("cup", clear.cup, "white", _STANDING, 0),
        ("spray", clear.spray, "room", _STANDING, 0),
    ],
    "chrome": [
        ("kettle", shiny.kettle, "sweep", _STANDING, 0.12),
        ("baubles", shiny.baubles, "gradient", _STANDING, 0),
        ("shaker", shiny.shaker, "white", _STANDING, 0.2),
        ("tap", shiny.tap, "room", _STANDING, 0.1),
        ("trophy", shiny.trophy, "wood", _STANDING, 0.1),
        ("ring", shiny.ring_, "fabric", _BELOW, 0),
        ("pan", shiny.pan, "wood", _BELOW, 0),
        ("toaster", shiny.toaster, "white", _STANDING, 0.15),
        ("piano-vase", shiny.piano_vase, "gradient", _STANDING, 0.25),
        ("thermos", shiny.thermos, "room", _STANDING, 0),
    ],
    "pieces": [
        ("chain", pieces.chain, "fabric", _LYING, 0),
        ("laces", pieces.laces, "white", _LYING, 0),
        ("strainer", pieces.strainer, "wood", _BELOW, 0),
        ("clips", pieces.clips, "gradient", _LYING, 0),
        ("keys", pieces.keys, "room", _LYING, 0),
        ("bolts", pieces.bolts, "sweep", _LYING, 0),
        ("hoops", pieces.hoops, "gradient", _LYING, 0),
        ("cable", pieces.cable, "wood", _LYING, 0),
        ("springs", pieces.springs, "white", _LYING, 0),
        ("cutlery", pieces.cutlery, "fabric", _LYING, 0),
    ],
}


def _scenes() -> dict[str, EdgeScene]:
    found = {}
    for place, group in enumerate(GROUPS):
        for number, (kind, draw, backdrop, elevation_deg, gloss) in enumerate(_ROWS[group], start=1):
            name = f"{group}-{number:02d}-{kind}"
            seed = _FIRST_SEED + 1000 * place + number
            found[name] = EdgeScene(name, group, draw, backdrop, seed, elevation_deg, gloss)
    return found


SCENES: Final = _scenes()
# Two of each group on all backdrops, small enough to commit: what the tests read.
SUBSET: Final = (
    "opaque-01-vase",
    "opaque-04-robot",
    "hairy-01-teddy",
    "hairy-07-wig",
    "glass-02-wine",
    "glass-04-jar",
    "tinted-02-perfume",
    "tinted-04-smokebox",
    "chrome-01-kettle",
    "chrome-03-shaker",
    "pieces-01-chain",
    "pieces-03-strainer",
)
