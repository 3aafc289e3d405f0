from pathlib import Path

import pytest

from bench.capacity.demand import Demand, of_side, read, write
from bench.capacity.plan import LEAST_REPLICAS, Goal, Machine, machines, plan

DEMANDS = {
    name: Demand(name, 1024, 15, cpu_s, 0.1)
    for name, cpu_s in (("segmenter", 0.8), ("compositor", 1.5), ("validator", 0.7), ("gateway", 0.01))
}
BOX = Machine("box", 8, "", 0, 0.40, "2026-11", "a catalogue")
GPU_BOX = Machine("gpu-box", 4, "L4", 100, 1.00, "2026-11", "a catalogue")


def test_little_to_do_needs_what_a_replacement_needs() -> None:
    made = plan(Goal(photos_per_hour=10), DEMANDS, BOX)
    assert [stage.replicas for stage in made.stages] == [LEAST_REPLICAS] * 4
    assert made.machines == 2  # 4 services × 2 replicas × 2 workers on 8 processors each
    assert made.usd_per_hour == pytest.approx(0.80)
    assert made.usd_per_thousand == pytest.approx(80.0)


def test_workers_are_busy_but_not_too_busy() -> None:
    made = plan(Goal(photos_per_hour=36_000), DEMANDS, BOX)  # 10 a second
    by_service = {stage.service: stage for stage in made.stages}
    assert by_service["compositor"].workers >= 15 / 0.7
    assert all(stage.busy <= 0.7 and stage.wait_s <= 0.5 for stage in made.stages)
    assert made.usd_per_thousand == pytest.approx(made.machines * 0.40 / 36)


def test_faster_cores_need_fewer_machines() -> None:
    slow, fast = (plan(Goal(36_000, core_speed=speed), DEMANDS, BOX) for speed in (1.0, 2.0))
    assert fast.machines < slow.machines


def test_a_gpu_machines_own_processors_carry_stages_too() -> None:
    made = plan(Goal(photos_per_hour=36_000), DEMANDS, BOX, GPU_BOX)
    without = plan(Goal(photos_per_hour=36_000), DEMANDS, BOX)
    assert made.gpus == 2  # one would be busy all the time
    assert made.machines == without.machines + 2 - 1
    assert made.usd_per_hour == pytest.approx((made.machines - 2) * 0.40 + 2 * 1.00)


def test_demands_are_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "demand.csv"
    write(DEMANDS.values(), file)
    assert of_side(read(file), 1024) == DEMANDS
    with pytest.raises(ValueError, match="photos of 300 px were not measured; there are 1024"):
        of_side(read(file), 300)


def test_every_price_says_when_and_where_it_was_seen() -> None:
    assert all(machine.as_of and machine.source and machine.usd_per_hour > 0 for machine in machines().values())
    assert {machine.gpu for machine in machines().values()} == {"", "A10G", "L4", "H200"}
