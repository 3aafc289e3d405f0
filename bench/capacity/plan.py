"""From photos an hour to replicas, machines and dollars."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.capacity.demand import VISITS, Demand
from bench.capacity.queueing import mean_wait_s, workers_for

PRICES: Final = Path(__file__).with_name("prices.csv")
LEAST_REPLICAS: Final = 2
"""One can be replaced while the other serves."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One that can be rented.

    Attributes:
        gpu: Its GPU; empty for none.
        gpu_ms: How long one photo's network runs on the GPU: assumed, not measured here.
        usd_per_hour: As the source had it on that day.
    """

    name: str
    vcpus: int
    gpu: str
    gpu_ms: float
    usd_per_hour: float
    as_of: str
    source: str


@dataclass(frozen=True)
class Goal:
    """What is asked for.

    Attributes:
        photos_per_hour: At the busiest.
        longest_wait_s: Mean wait for a worker, at each call of a stage.
        busiest: Share of time a worker may be busy.
        replica_workers: Workers (processor cores) of one replica.
        core_speed: Of the machine's cores, where those of demand.csv are 1.
    """

    photos_per_hour: float
    longest_wait_s: float = 0.5
    busiest: float = 0.7
    replica_workers: int = 2
    core_speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One service's share of a plan."""

    service: str
    cpu_s: float
    workers: int
    replicas: int
    busy: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is needed and what it costs."""

    stages: Sequence[Stage]
    gpus: int
    machines: int
    usd_per_hour: float
    usd_per_thousand: float


def machines() -> dict[str, Machine]:
    """Of prices.csv, by name."""
    with PRICES.open(newline="") as rows:
        return {
            row["name"]: Machine(
                row["name"],
                int(row["vcpus"]),
                row["gpu"],
                float(row["gpu_ms"] or 0),
                float(row["usd_per_hour"]),
                row["as_of"],
                row["source"],
            )
            for row in csv.DictReader(rows)
        }


def plan(goal: Goal, demands: Mapping[str, Demand], processors: Machine, gpus: Machine | None = None) -> Plan:
    """Replicas of each service, on machines of one kind, beside those with GPUs if the network runs there.

    A GPU machine's own processors carry stages too. What databases, NATS and storage need is not in it.
    """
    rate = goal.photos_per_hour / 3600
    stages = [_stage(goal, demand, rate) for demand in demands.values()]
    gpu_machines = 0
    if gpus is not None:
        # The network's run takes the same time for every photo; a photo takes one.
        work_s = gpus.gpu_ms / 1000
        gpu_machines = workers_for(rate, work_s, 0.0, longest_wait_s=goal.longest_wait_s, busiest=goal.busiest)
    vcpus = sum(stage.replicas for stage in stages) * goal.replica_workers
    left = vcpus - gpu_machines * (gpus.vcpus if gpus is not None else 0)
    cpu_machines = max(math.ceil(left / processors.vcpus), 0)
    usd = cpu_machines * processors.usd_per_hour + gpu_machines * (gpus.usd_per_hour if gpus is not None else 0.0)
    return Plan(stages, gpu_machines, cpu_machines + gpu_machines, usd, usd / goal.photos_per_hour * 1000)


def _stage(goal: Goal, demand: Demand, rate: float) -> Stage:
    visits = VISITS[demand.service]
    cpu_s = demand.cpu_s / goal.core_speed
    limits = {"longest_wait_s": goal.longest_wait_s, "busiest": goal.busiest}
    needed = workers_for(rate * visits, cpu_s / visits, demand.cv2, **limits)
    replicas = max(math.ceil(needed / goal.replica_workers), LEAST_REPLICAS)
    workers = replicas * goal.replica_workers
    wait_s = mean_wait_s(rate * visits, cpu_s / visits, workers, demand.cv2)
    return Stage(demand.service, cpu_s, workers, replicas, rate * cpu_s / workers, wait_s)
