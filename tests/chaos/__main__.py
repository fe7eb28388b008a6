"""`python -m tests.chaos`: breaks things for a while, then recounts; 1 if anything differs."""

import argparse
import json
import shlex
import sys

from tests.chaos.faults import FAULTS, fault_name
from tests.chaos.run import Plan, run

BY_NAME = {fault_name(fault).replace(" ", "-"): fault for fault in FAULTS}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many runs, from SEED upwards")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--rate", type=int, default=800, help="records a second")
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--fault-every", type=float, default=3.5, metavar="SECONDS")
    parser.add_argument("--settle", type=float, default=150.0, metavar="SECONDS")
    parser.add_argument("--clock", choices=["events", "wall"], help="default: by the seed")
    parser.add_argument(
        "--only", nargs="+", choices=BY_NAME, metavar="FAULT", help=f"of {', '.join(BY_NAME)}"
    )
    parser.add_argument("--worker", default="", help="the command of a worker")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    failed = False
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        report = run(
            Plan(
                seed=seed,
                seconds=chosen.seconds,
                rate=chosen.rate,
                customers=chosen.customers,
                fault_every_s=chosen.fault_every,
                settle_s_max=chosen.settle,
                clock=chosen.clock or ("wall" if seed % 2 == 0 else "events"),
                worker=shlex.split(chosen.worker),
                faults={BY_NAME[each]: FAULTS[BY_NAME[each]] for each in chosen.only or BY_NAME},
            )
        )
        print(json.dumps(report.as_json()) if chosen.json else f"\n{report}\n", flush=True)
        failed = failed or bool(report.found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
