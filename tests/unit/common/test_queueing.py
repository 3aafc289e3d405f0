import asyncio

from services.common.queueing import WAITED_KEY
from tests.helpers.tiny_service import Tiny, running_tiny


async def waited_ms(tiny: Tiny, word: str) -> float:
    """What the answer says of how long its call has waited."""
    call = tiny.call(word)
    await call
    (waited,) = [value for key, value in await call.trailing_metadata() if key == WAITED_KEY]
    return float(waited)


async def test_an_answer_says_how_long_its_call_waited_for_a_worker() -> None:
    async with running_tiny(WORKERS="1") as tiny:
        assert await waited_ms(tiny, "at once") == 0
        waits = await asyncio.gather(*(waited_ms(tiny, "sleep:0.3") for _ in range(3)))
    first, second, third = sorted(waits)
    assert first < 250 <= second
    assert third >= 500
