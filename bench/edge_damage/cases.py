"""The packshots that are measured: which product gets which damage, and in which half it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from zlib import crc32

import numpy as np

from bench.edge_damage.damages import DAMAGES, Damage, Packshot, clean
from bench.edge_damage.products import Product

CLEAN = "clean"
# Files made of every clean packshot, so that false alarms do not hang on one quality.
_CLEAN_FILES = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A packshot to make: damage is a name, or CLEAN; number tells files of the same packshot apart."""

    damage: str
    strength: float
    number: int
    make: Callable[[Product], Packshot]

    def rng(self, product_name: str) -> np.random.Generator:
        """The case's own dice, the same in every run."""
        return np.random.default_rng(crc32(f"{product_name} {self.damage} {self.strength:g} {self.number}".encode()))


def cases_of(order: int, product_name: str) -> Iterator[Case]:
    """Clean files, and of every damage each second strength: neighbours in the list get the others."""
    for number in range(_CLEAN_FILES):
        yield Case(CLEAN, 0.0, number, clean)
    for place, damage in enumerate(DAMAGES):
        first = (order // 2 + place) % 2 if len(damage.strengths) > 1 else 0
        for strength in damage.strengths[first::2]:
            yield Case(damage.name, strength, 0, partial(_damaged, damage, strength, product_name))


def _damaged(damage: Damage, strength: float, product_name: str, product: Product) -> Packshot:
    return damage.make(product, strength, Case(damage.name, strength, 0, clean).rng(product_name))


def half_of(order: int) -> str:
    """Products of a group alternate between the half that thresholds are chosen on and the one that judges them."""
    return "chosen on" if order % 2 == 0 else "judged on"
