"""Which rules and which model an item is made with just now; asked again every two seconds."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Final, TypeVar

from packshot.v1.rules_pb2 import GetRulePackRequest, RulePack
from services.common.errors import ServiceError
from services.gateway.metrics import CACHE_LOOKUPS
from services.gateway.stages import Call, Stages, renamed_field

T = TypeVar("T")

_FRESH_S: Final = 2.0


class Versions:
    """Of the stages' data. A stage that was restarted with other data is noticed within two seconds."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._known: dict[Any, tuple[float, Any]] = {}

    async def segmenter_digest(self, call: Call) -> str:
        """Raises ServiceError when the segmenter cannot say."""
        described = await self._fresh("segmenter", lambda: self._stages.describe_segmenter(call))
        return described.digest

    async def packs(self, call: Call, marketplaces: Sequence[str], category: str) -> list[RulePack]:
        """One for each marketplace, with the rules of the category.

        Raises:
            ServiceError: INVALID_ARGUMENT when there is no such marketplace or category.
        """
        packs = []
        for index, marketplace in enumerate(marketplaces):
            try:
                packs.append(await self._pack(call, GetRulePackRequest(id=marketplace, category=category)))
            except ServiceError as error:
                names = {"id": f"marketplaces[{index}]"}  # of the item: those of its job were known when it was made
                raise renamed_field(error, names) from None
        return packs

    async def _pack(self, call: Call, wanted: GetRulePackRequest) -> RulePack:
        return await self._fresh((wanted.id, wanted.category), lambda: self._stages.rule_pack(call, wanted))

    async def _fresh(self, name: Any, ask: Callable[[], Awaitable[T]]) -> T:
        asked_at, answer = self._known.get(name, (float("-inf"), None))
        is_fresh = monotonic() - asked_at <= _FRESH_S
        CACHE_LOOKUPS.labels("versions", "hit" if is_fresh else "miss").inc()
        if not is_fresh:
            asked_at = monotonic()
            answer = await ask()
            self._known[name] = asked_at, answer
        found: T = answer
        return found
