"""Rule packs: a marketplace's rules with versions and dates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from services.validator.checks import Check, Required


class Severity(Enum):
    """What breaking a rule means."""

    ERROR = "error"  # the image is not compliant
    WARNING = "warning"  # a recommendation is not met


class Cure(Enum):
    """A treatment that can make a failed rule pass."""

    RESCALE = "RESCALE"  # lay the product out at another size
    TIGHTEN_EDGE = "TIGHTEN_EDGE"  # pull the edge inwards
    LOWER_QUALITY = "LOWER_QUALITY"  # encode with a lower JPEG quality


class Mark(Enum):
    """How far a source can be trusted."""

    PRIMARY = "P"  # read on the owner's own page
    SECOND_HAND = "S"
    UNVERIFIED = "U"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from; `read` is the day it was read, if known."""

    id: str
    title: str
    mark: Mark
    url: str = ""
    read: date | None = None

    def __str__(self) -> str:
        """E.g. "[S] Product image guide G1881, read 2026-09-01"."""
        parts = [f"[{self.mark.value}] {self.title}", self.url, f"read {self.read}" if self.read else ""]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class DatedValue:
    """A value and the day it comes into force; without a value the rule ends on that day."""

    effective_from: date
    required: Required | None
    sources: tuple[Source, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a pack.

    measurement: name in the catalogue. check: how its value is compared. values: by date, oldest first.
    categories: the ones the rule is limited to; empty means all. by_category: values that replace `values` there.
    message: what is wrong when it fails. action: what to do then. cure: what can repair it without a person.
    """

    id: str
    title: str
    measurement: str
    check_name: str
    check: Check
    severity: Severity
    categories: tuple[str, ...]
    values: tuple[DatedValue, ...]
    by_category: Mapping[str, tuple[DatedValue, ...]]
    message: str
    action: str
    cure: Cure | None = None

    def applies_to(self, category: str) -> bool:
        """Whether the rule is asked of a category; "" (unspecified) gets the rules common to all."""
        return not self.categories or category in self.categories

    def values_for(self, category: str) -> tuple[DatedValue, ...]:
        return self.by_category.get(category, self.values)

    def value_on(self, day: date, category: str) -> DatedValue | None:
        """The newest value whose day has come, or None before the first one."""
        begun = [value for value in self.values_for(category) if value.effective_from <= day]
        return begun[-1] if begun else None


@dataclass(frozen=True, slots=True)
class CanvasTarget:
    """The canvas this marketplace's packshots are made for, and whether a soft shadow may be drawn on it."""

    width_px: int
    height_px: int
    format: str
    quality: int
    fill_ratio: float
    keep_fill_from: float
    allows_shadow: bool = False


@dataclass(frozen=True, slots=True)
class VerdictThresholds:
    """Where the verdict's lines are drawn, on confidence in [0, 1]."""

    publish_at: float
    reject_below: float


@dataclass(frozen=True, slots=True)
class RulePack:
    """A marketplace's rules; `hash` is "sha256:" and the hash of the whole content, inherited parts included."""

    id: str
    title: str
    marketplace: str
    jurisdiction: str
    version: str
    hash: str
    categories: tuple[str, ...]
    target: CanvasTarget
    verdict: VerdictThresholds
    rules: tuple[Rule, ...]

    def rules_for(self, category: str) -> tuple[Rule, ...]:
        """The rules asked of a category, in the pack's order; "" stands for unspecified.

        Raises:
            UnknownCategoryError: the pack has no such category.
        """
        if category and category not in self.categories:
            raise UnknownCategoryError(category, self)
        return tuple(rule for rule in self.rules if rule.applies_to(category))


class UnknownPackError(KeyError):
    """There is no such pack."""

    def __init__(self, pack_id: str, known: Iterable[str]) -> None:
        self.pack_id = pack_id
        self.known = tuple(known)
        super().__init__(f"unknown marketplace {pack_id!r}; known are {', '.join(self.known)}")

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownCategoryError(KeyError):
    """The pack has no such category."""

    def __init__(self, category: str, pack: RulePack) -> None:
        self.category = category
        self.known = pack.categories
        super().__init__(f"unknown category {category!r}; {pack.id} knows {', '.join(self.known)}")

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class PackRegistry:
    """All packs by id; iterates over them in the order of their ids."""

    _packs: Mapping[str, RulePack] = field(repr=False)

    def get(self, pack_id: str) -> RulePack:
        """The pack of that id.

        Raises:
            UnknownPackError: there is none.
        """
        try:
            return self._packs[pack_id]
        except KeyError:
            raise UnknownPackError(pack_id, self.ids) from None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._packs))

    def __iter__(self) -> Iterator[RulePack]:
        return (self._packs[pack_id] for pack_id in self.ids)

    def __len__(self) -> int:
        return len(self._packs)
