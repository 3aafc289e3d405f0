"""Waiting for one of several workers.

The Allen-Cunneen approximation for G/G/c (A. O. Allen, "Probability, Statistics, and Queueing Theory", 2nd ed., 1990):
exact for M/M/c, where it is the Erlang C formula.
"""

import math


def waiting_share(workers: int, load: float) -> float:
    """Erlang C: the share of arrivals that find every worker busy, in [0, 1].

    Args:
        workers: c, at least 1.
        load: Work that arrives per second of work one worker does (λ/μ), below c.
    """
    blocked = 1.0  # Erlang B, by its recursion over the workers
    for busy in range(1, workers + 1):
        blocked = load * blocked / (busy + load * blocked)
    return workers * blocked / (workers - load * (1 - blocked))


def mean_wait_s(rate: float, work_s: float, workers: int, work_cv2: float = 1.0) -> float:
    """How long an arrival waits for a worker on average; inf when they cannot keep up.

    Args:
        rate: Arrivals per second, at random (Poisson).
        work_s: Mean work of one.
        workers: Who do it, one each at a time.
        work_cv2: Squared coefficient of variation of the work: 0 constant, 1 exponential.
    """
    load = rate * work_s
    if load >= workers:
        return math.inf
    return waiting_share(workers, load) * work_s / (workers - load) * (1 + work_cv2) / 2


def workers_for(rate: float, work_s: float, work_cv2: float, *, longest_wait_s: float, busiest: float) -> int:
    """The fewest workers that keep the mean wait and their own share of busy time at most this high."""
    workers = max(math.ceil(rate * work_s / busiest), 1)
    while mean_wait_s(rate, work_s, workers, work_cv2) > longest_wait_s:
        workers += 1
    return workers
