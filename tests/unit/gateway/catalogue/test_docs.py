import re
from pathlib import Path

from services.gateway.catalogue.rows import CatalogueErrorReason, RowError

DOCS = Path(__file__).parents[4] / "docs" / "catalogues.md"


def test_every_reason_has_its_cure_in_the_docs_and_no_other_stands_there() -> None:
    told = re.findall(r"^\| `([A-Z_]+)` \|", DOCS.read_text(), re.MULTILINE)
    assert sorted(told) == sorted([*RowError, *CatalogueErrorReason])
