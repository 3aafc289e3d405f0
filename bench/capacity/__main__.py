"""How many replicas so many photos an hour need, and what they cost.

python -m bench.capacity measure                           # what a photo costs each service, into demand.csv
python -m bench.capacity check                             # the model beside a measured run on this machine
python -m bench.capacity plan --photos-per-hour 1000       # replicas, machines, dollars
python -m bench.capacity scenarios                         # the table of docs/capacity.md
"""

import argparse

from bench.capacity import demand
from bench.capacity.check import check
from bench.capacity.plan import Goal, Machine, Plan, machines, plan
from tools.stack import running_stack

_SIDES = (512, 1024, 2048)
_ROUNDS = 3
_SCENARIOS = (1_000, 10_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("measure")
    checking = commands.add_parser("check")
    checking.add_argument("--side", type=int, default=512, help="side of the square photos in px")
    planning = commands.add_parser("plan")
    planning.add_argument("--photos-per-hour", type=float, required=True)
    for command in (planning, commands.add_parser("scenarios")):
        command.add_argument("--side", type=int, default=2048, choices=_SIDES)
        command.add_argument("--wait-s", type=float, default=Goal.longest_wait_s, help="mean wait at each stage")
        command.add_argument("--busiest", type=float, default=Goal.busiest, help="share of time a worker may be busy")
        command.add_argument("--replica-workers", type=int, default=Goal.replica_workers, help="cores of one replica")
        command.add_argument("--core-speed", type=float, default=Goal.core_speed, help="of a core measured here")
        command.add_argument("--machine", default="c5.2xlarge", choices=machines())
    planning.add_argument("--gpu-machine", choices=[name for name, one in machines().items() if one.gpu])
    arguments = parser.parse_args()
    match arguments.command:
        case "measure":
            _measure()
        case "check":
            _check(arguments.side)
        case "plan":
            _plan(arguments)
        case "scenarios":
            _scenarios(arguments)


def _measure() -> None:
    demands = []
    print("| photo | segmenter s | compositor s | validator s | gateway s | all, processor s | takes s |")
    print("|---|---|---|---|---|---|---|")
    with running_stack() as stack:
        for side in _SIDES:
            found, took_s = demand.measure(stack, side, _ROUNDS)
            demands += found
            each = {one.service: one.cpu_s for one in found}
            costs = " | ".join(f"{each[name]:.2f}" for name in demand.VISITS)
            print(f"| {side}² | {costs} | {sum(each.values()):.2f} | {took_s:.2f} |", flush=True)
    demand.write(demands)


def _check(side_px: int) -> None:
    with running_stack() as stack:
        compared = check(stack, side_px)
    print(f"| photos of {side_px}² | model | measured | measured / model |\n|---|---|---|---|")
    print("\n".join(one.row() for one in compared))


def _plan(arguments: argparse.Namespace) -> None:
    gpus = machines()[arguments.gpu_machine] if arguments.gpu_machine else None
    made = _made(arguments, arguments.photos_per_hour, gpus)
    print("| service | processor s per photo | workers | replicas | busy | mean wait s |\n|---|---|---|---|---|---|")
    for stage in made.stages:
        print(
            f"| {stage.service} | {stage.cpu_s:.2f} | {stage.workers} | {stage.replicas} | {stage.busy:.2f} "
            f"| {stage.wait_s:.2f} |"
        )
    print(
        f"\n{made.machines} machines, {made.gpus} of them with a GPU: {made.usd_per_hour:.2f} USD/h, "
        f"{made.usd_per_thousand:.2f} USD per 1,000 photos"
    )


def _scenarios(arguments: argparse.Namespace) -> None:
    print("| photos/h | network | replicas S / C / V / G | machines | GPUs | USD/h | USD per 1,000 photos |")
    print("|---|---|---|---|---|---|---|")
    for photos_per_hour in _SCENARIOS:
        for gpus in (None, *(one for one in machines().values() if one.gpu)):
            made = _made(arguments, photos_per_hour, gpus)
            replicas = {stage.service: stage.replicas for stage in made.stages}
            each = " / ".join(str(replicas[name]) for name in demand.VISITS)
            where = f"a large one on {gpus.gpu}" if gpus is not None else "ours"
            print(
                f"| {photos_per_hour:,} | {where} | {each} | {made.machines} | {made.gpus} "
                f"| {made.usd_per_hour:.2f} | {made.usd_per_thousand:.2f} |"
            )


def _made(arguments: argparse.Namespace, photos_per_hour: float, gpus: Machine | None) -> Plan:
    goal = Goal(photos_per_hour, arguments.wait_s, arguments.busiest, arguments.replica_workers, arguments.core_speed)
    demands = demand.of_side(demand.read(), arguments.side)
    return plan(goal, demands, machines()[arguments.machine], gpus)


if __name__ == "__main__":
    main()
