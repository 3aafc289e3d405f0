"""The seeds and some mutations of them; `make fuzz` tries more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.campaign import tried
from tests.fuzz.make_corpus import corpus
from tests.fuzz.mutations import CORPUS, seeds
from tests.fuzz.targets import Target, targets

EXAMPLES = {"photos": 150, "catalogues": 150, "messages": 60}
ALL = [path for kind in EXAMPLES for path in seeds(kind)]


@pytest.fixture(scope="module")
def readers() -> Iterator[dict[str, Target]]:
    with targets() as found:
        yield found


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(CORPUS)))
def test_a_seed(readers: dict[str, Target], path: Path) -> None:
    readers[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("kind", EXAMPLES)
def test_mutations_of_seeds(readers: dict[str, Target], kind: str) -> None:
    tried(kind, readers[kind], EXAMPLES[kind], same_every_time=True)


def test_the_corpus_is_what_its_script_makes() -> None:
    """Photos' bytes change with their encoders; their names do not."""
    assert {path.relative_to(CORPUS).as_posix() for path in ALL} >= set(corpus())
