"""Rounds of mutated seeds against one target."""

from hypothesis import HealthCheck, given, settings

from tests.fuzz.mutations import mutated, seeds
from tests.fuzz.targets import Target


def tried(kind: str, target: Target, examples: int, *, same_every_time: bool = False) -> None:
    """Raises what the target raises, last with the smallest input that makes it."""

    @settings(
        max_examples=examples,
        derandomize=same_every_time,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated([path.read_bytes() for path in seeds(kind)]))
    def one(data: bytes) -> None:
        target(data)

    one()
