"""How long to wait before the next try."""

import random
from typing import Final

_FACTOR: Final = 2.0
_LONGEST_S: Final = 600.0


def delay_s(failures: int, first_s: float, chance: random.Random, *, factor: float = _FACTOR) -> float:
    """Seconds to wait after that many failures in a row: `first_s` times `factor` for each but the first, ± a third.

    The spread keeps photos that failed together, because one of them broke their stage, from meeting there again.

    Args:
        failures: From 1.
        first_s: The wait after the first, on average.
        chance: For the spread.
        factor: Growth; the longest wait is ten minutes.
    """
    growth = min(first_s * factor ** min(failures - 1, 30), _LONGEST_S)
    return growth * chance.uniform(2 / 3, 4 / 3)
