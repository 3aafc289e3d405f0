"""A real PostgreSQL."""

from tests.helpers.postgres import postgres

__all__ = ["postgres"]
