from datetime import UTC, date, datetime

import pytest

from services.common.dates import day_or_today
from services.common.errors import ServiceError


def test_a_day_is_read() -> None:
    assert day_or_today("2026-02-28", "as_of_date") == date(2026, 2, 28)


def test_no_day_is_today() -> None:
    before = datetime.now(UTC).date()
    assert before <= day_or_today("", "as_of_date") <= datetime.now(UTC).date()


@pytest.mark.parametrize("text", ["2026-02-30", "yesterday"])
def test_no_day_of_the_calendar_is_refused_by_field(text: str) -> None:
    with pytest.raises(ServiceError) as caught:
        day_or_today(text, "options.as_of_date")
    assert caught.value.reason == "INVALID_DATE"
    assert [violation.field for violation in caught.value.violations] == ["options.as_of_date"]
