"""What Kubernetes does for the services: whatever ends is started again. And what chaos does to them."""

import random
import threading
import time
from types import TracebackType
from typing import Self

from tools.bulk_stack import BulkStack


class Supervisor(threading.Thread):
    """Starts every process of a stack again that has ended, after a short pause."""

    def __init__(self, stack: BulkStack, pause_s: float = 0.5) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._pause_s = pause_s
        self._over = threading.Event()
        self.restarts: dict[str, int] = dict.fromkeys(stack.names, 0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()
        for name in self._stack.names:
            if self._stack.has_ended(name):
                self._stack.start(name)
            self._stack.wait(name)

    def run(self) -> None:
        while not self._over.wait(self._pause_s):
            for name in self._stack.names:
                if self._stack.has_ended(name):
                    self.restarts[name] += 1
                    self._stack.start(name)


class Killer(threading.Thread):
    """Kills processes at random, each at least `rounds` times; the seed decides whom and when."""

    def __init__(self, stack: BulkStack, seed: int, rounds: int, mean_pause_s: float) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._random = random.Random(seed)
        self._mean_pause_s = mean_pause_s
        self._victims = [name for _ in range(rounds) for name in self._random.sample(stack.names, len(stack.names))]
        self.killed: list[str] = []

    def run(self) -> None:
        for victim in self._victims:
            time.sleep(self._random.uniform(0.5, 1.5) * self._mean_pause_s)
            self._stack.kill(victim)
            self.killed.append(victim)
