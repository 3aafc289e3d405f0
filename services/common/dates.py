"""Days as they stand in requests."""

from datetime import UTC, date, datetime

from services.common.errors import invalid_argument


def day_or_today(text: str, field: str) -> date:
    """The day an ISO 8601 text names; today (UTC) when it is empty.

    Raises:
        ServiceError: INVALID_ARGUMENT for `field` when the text is not a day of the calendar.
    """
    if not text:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid_argument(
            field, "INVALID_DATE", f"{text!r} is not a day of the calendar, write YYYY-MM-DD"
        ) from None
