"""Checks: the named comparisons a rule can make. There are no others, and no expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from services.validator.catalogue import Kind

# A rule's required value: a number, a text, yes, or a list of numbers or texts.
Required = float | str | bool | tuple[float, ...] | tuple[str, ...]


class Check(ABC):
    """A comparison of a measured value with a required one.

    kinds: the measurements it can be used on.
    """

    kinds: ClassVar[tuple[Kind, ...]] = (Kind.NUMBER,)

    @abstractmethod
    def objection(self, required: object) -> str:
        """What is wrong with a rule's required value; empty if nothing is."""

    @abstractmethod
    def passes(self, measured: float | str, required: Required) -> bool:
        """Whether the measured value meets the required one."""

    @abstractmethod
    def describe(self, required: Required) -> str:
        """The requirement as people read it, e.g. "≥ 0.85"."""

    def bounds(self, required: Required) -> tuple[float | None, float | None]:
        """Smallest and largest number that pass, where the check is about a range."""
        return None, None


class AtLeast(Check):
    def objection(self, required: object) -> str:
        return "" if _is_number(required) else "must be a number"

    def passes(self, measured: float | str, required: Required) -> bool:
        return _number(measured) >= _number(required)

    def describe(self, required: Required) -> str:
        return f"≥ {_text(required)}"

    def bounds(self, required: Required) -> tuple[float | None, float | None]:
        return _number(required), None


class AtMost(Check):
    def objection(self, required: object) -> str:
        return "" if _is_number(required) else "must be a number"

    def passes(self, measured: float | str, required: Required) -> bool:
        return _number(measured) <= _number(required)

    def describe(self, required: Required) -> str:
        return f"≤ {_text(required)}"

    def bounds(self, required: Required) -> tuple[float | None, float | None]:
        return None, _number(required)


class Between(Check):
    """Inside a closed range."""

    def objection(self, required: object) -> str:
        if not isinstance(required, tuple) or len(required) != 2 or not all(map(_is_number, required)):
            return "must be a list of two numbers, the lower first"
        low, high = required
        return "" if low <= high else "must have the lower number first"

    def passes(self, measured: float | str, required: Required) -> bool:
        low, high = self.bounds(required)
        return low is not None and high is not None and low <= _number(measured) <= high

    def describe(self, required: Required) -> str:
        low, high = self.bounds(required)
        return f"{_text(low)} to {_text(high)}"

    def bounds(self, required: Required) -> tuple[float | None, float | None]:
        if not isinstance(required, tuple):
            raise TypeError("between needs two numbers")
        low, high = required
        return _number(low), _number(high)


class Equals(Check):
    kinds = (Kind.NUMBER, Kind.TEXT)

    def objection(self, required: object) -> str:
        return "" if _is_number(required) or isinstance(required, str) else "must be a number or a text"

    def passes(self, measured: float | str, required: Required) -> bool:
        return measured == required

    def describe(self, required: Required) -> str:
        return _text(required)

    def bounds(self, required: Required) -> tuple[float | None, float | None]:
        return (required, required) if isinstance(required, int | float) else (None, None)


class OneOf(Check):
    kinds = (Kind.NUMBER, Kind.TEXT)

    def objection(self, required: object) -> str:
        if not isinstance(required, tuple) or not required:
            return "must be a list with at least one entry"
        same = all(map(_is_number, required)) or all(isinstance(entry, str) for entry in required)
        return "" if same else "must be a list of numbers or a list of texts"

    def passes(self, measured: float | str, required: Required) -> bool:
        return isinstance(required, tuple) and measured in required

    def describe(self, required: Required) -> str:
        return " or ".join(map(_text, required)) if isinstance(required, tuple) else _text(required)


class IsTrue(Check):
    """A yes; the rule's value is `true`, which says no more than that the rule is in force."""

    kinds = (Kind.FLAG,)

    def objection(self, required: object) -> str:
        return "" if required is True else "must be true (null ends the rule)"

    def passes(self, measured: float | str, required: Required) -> bool:
        return _number(measured) == 1

    def describe(self, required: Required) -> str:
        return "yes"


class IsFalse(IsTrue):
    """A no; the rule's value is `true`, which says no more than that the rule is in force."""

    def passes(self, measured: float | str, required: Required) -> bool:
        return _number(measured) == 0

    def describe(self, required: Required) -> str:
        return "no"


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "at_least": AtLeast(),
        "at_most": AtMost(),
        "between": Between(),
        "equals": Equals(),
        "one_of": OneOf(),
        "is_true": IsTrue(),
        "is_false": IsFalse(),
    }
)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return value


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
