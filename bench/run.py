"""Every engine on the same Kafka, in turns: `make bench`, or `make bench ARGS="--help"`."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from bench import broker, latency, peers, plot, profiling, purchases, quiet, tables, throughput
from bench.floors import floors as floors_of_steps
from bench.latency import Latency
from bench.lineup import FULL, LINEUP, Engine, Run
from bench.recount import Recount
from bench.throughput import EngineFailed, Throughput
from streams.complaint import Complaint
from tests.servers.kafka import Kafka
from tests.servers.redis import Redis
from tests.servers.server import UnavailableError

BROKER_HEAP_MB: Final = 2048
"""In a small heap, requests of a megabyte are costly to collect."""

SPARE: Final = 0.9
"""An engine is asked to keep up only with rates below this share of its events a second."""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What was typed."""
    names = [engine.name for engine in LINEUP]
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    add = parser.add_argument
    add("--engines", default=",".join(names), help=f"of {', '.join(names)} (default: all)")
    add("--events", type=int, default=1_000_000)
    add("--customers", type=int, default=50_000)
    add("--rounds", type=int, default=3, help="how often the engines take turns")
    add("--seconds-max", type=float, default=120.0, help="for one engine to work off the input")
    add("--rates", default="1000,10000,30000", help="events/s at which latency is measured; or 0")
    add("--latency-seconds", type=float, default=20.0)
    add("--latency-rounds", type=int, default=1)
    add(
        "--patience",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait so long for a quiet machine before each run, and repeat what was disturbed",
    )
    add("--seed", type=int, default=1)
    add("--json", type=Path, metavar="FILE", help="where to write all figures")
    add("--plot", type=Path, metavar="FILE", help="where to draw them")
    add("--profile", type=Path, metavar="FILE", help="only: where our worker's time goes")
    return parser.parse_args(argv)


class Bench:
    """One broker and one Redis, on which engines take turns."""

    def __init__(
        self, kafka: Kafka, redis: Redis, folder: Path, chosen: argparse.Namespace
    ) -> None:
        self.kafka, self.redis, self._folder, self._chosen = kafka, redis, folder, chosen
        self._starts = 0

    def run(self, engine: Engine, goal: str) -> Run:
        """The next start of an engine, with names of its own."""
        self._starts += 1
        name = f"bench-{self._starts}-{engine.name}"
        return Run(
            id=name,
            bootstrap=self.kafka.bootstrap,
            redis_url=self.redis.url(),
            folder=self._folder / name,
            events=self._chosen.events,
            goal="latency" if goal == "latency" else "throughput",
        )

    def fill(self) -> Recount:
        """Publish the input, and count it again from Kafka."""
        chosen, bootstrap = self._chosen, self.kafka.bootstrap
        broker.create(bootstrap, [purchases.TOPIC])
        end_ms = round(time.time() * 1000)
        made = purchases.backlog(chosen.events, chosen.customers, end_ms, chosen.seed)
        broker.publish(bootstrap, purchases.TOPIC, made.lines())
        return Recount(broker.read_partitions(bootstrap, purchases.TOPIC))

    def throughput(self, engines: Sequence[Engine]) -> Iterator[Throughput]:
        """All engines in turns."""
        recount = self.fill()

        def attempt(engine: Engine) -> Throughput:
            run = self.run(engine, "throughput")
            try:
                return throughput.measure(
                    engine,
                    run,
                    recount,
                    broker_pid=self.kafka.child.pid,
                    seconds_max=self._chosen.seconds_max,
                )
            except EngineFailed as failure:
                return Throughput.none(engine.name, str(failure))

        # The broker's own Java compiles in its first minute, at several times the cost: what runs
        # first would pay for it.
        say(f"warms the broker up with {engines[0].name}")
        attempt(engines[0])
        for _ in range(self._chosen.rounds):
            for engine in engines:
                yield quiet.undisturbed(partial(attempt, engine), self._chosen.patience)

    def profile(self, target: Path) -> str:
        """Our worker's steps, as a table; py-spy's samples go to a file."""
        full, read = (next(e for e in LINEUP if e.name == name) for name in (FULL, "read"))
        recount = self.fill()
        sampling: list[profiling.Sampling] = []
        speed = throughput.measure(
            full,
            self.run(full, "throughput"),
            recount,
            broker_pid=self.kafka.child.pid,
            seconds_max=self._chosen.seconds_max,
            on_first=lambda pid: sampling.append(profiling.Sampling(pid, target)),
        )
        say(f"{speed.per_s:,.0f} events/s, others used {speed.others_cores:.2f} cores")
        reading = throughput.measure(
            read, self.run(read, "throughput"), recount, broker_pid=0, seconds_max=60.0
        )
        floors = {profiling.READ: reading.cpu_us, **floors_of_steps()}
        return profiling.table(sampling[0].stop(), speed.warm_cpu_us, floors)

    def latency(
        self, engines: Sequence[Engine], reached: Sequence[Throughput]
    ) -> Iterator[Latency]:
        """All engines in turns, at each rate that they can keep up with."""
        chosen = self._chosen

        def attempt(engine: Engine, rate: int, seed: int) -> Latency:
            run = self.run(engine, "latency")
            try:
                return latency.measure(
                    engine,
                    run,
                    rate=rate,
                    seconds=chosen.latency_seconds,
                    customers=chosen.customers,
                    seed=seed,
                )
            except EngineFailed as failure:
                return Latency.none(engine.name, rate, str(failure))

        def keeps_up(engine: Engine, rate: int) -> bool:
            per_s = tables.middle(reached, engine.name, lambda r: r.warm_per_s)
            return not engine.limit and (not reached or rate <= SPARE * per_s)

        rates = [int(rate) for rate in chosen.rates.split(",") if int(rate)]
        most = max((rate for rate in rates if keeps_up(engines[0], rate)), default=0)
        if most:
            # Many small transactions are other code of the broker's than few large ones.
            say(f"warms the broker up with {engines[0].name} at {most:,}/s")
            attempt(engines[0], most, chosen.seed)
        for rate in rates:
            for number in range(chosen.latency_rounds):
                for engine in engines:
                    if keeps_up(engine, rate):
                        seeded = partial(attempt, engine, rate, chosen.seed + number)
                        yield quiet.undisturbed(seeded, chosen.patience)


@contextmanager
def bench(chosen: argparse.Namespace) -> Iterator[Bench]:
    """Servers of its own, removed at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="clv-bench-", ignore_cleanup_errors=True) as folder,
        Kafka(heap_mb=BROKER_HEAP_MB) as kafka,
        Redis() as redis,
    ):
        yield Bench(kafka, redis, Path(folder), chosen)


def say(text: str) -> None:
    """Tell how far it is; results themselves go to stdout."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")


def machine() -> dict[str, object]:
    """Size and load of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory / (1 << 30)),
        "load": round(os.getloadavg()[0], 1),
    }


def measure(chosen: argparse.Namespace, engines: Sequence[Engine]) -> bool:
    """Measure, show and write; whether all results were right."""
    before = machine()
    speeds: list[Throughput] = []
    delays: list[Latency] = []
    with bench(chosen) as made:
        say(f"{chosen.events:,} events of {chosen.customers:,} customers on Kafka")
        if chosen.rounds:
            for speed in made.throughput(engines):
                speeds.append(speed)
                told = f"{speed.per_s:9,.0f} events/s {speed.cpu_us:6.1f} us"
                others = f"(others: {speed.others_cores:.2f} cores)"
                say(f"{speed.engine:20s} {told} {others}  {speed.complaint}")
        for delay in made.latency(engines, speeds):
            delays.append(delay)
            told = f"p50 {delay.p50_ms:.0f} ms, p99 {delay.p99_ms:.0f} ms at {delay.rate:,}/s"
            others = f"(others: {delay.others_cores:.2f} cores)"
            say(f"{delay.engine:20s} {told} {others}  {delay.complaint}")
    versions = peers.versions()
    if speeds:
        print(tables.throughput(speeds), end="\n\n")
    if delays:
        print(tables.latency(delays), end="\n\n")
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    for engine in engines:
        print(f"{engine.name}: {engine.settings}") if engine.settings else None
    if chosen.json:
        document = {
            "machine": before, "events": chosen.events, "customers": chosen.customers,
            "versions": versions, "settings": {e.name: e.settings for e in engines},
            "throughput": [speed.to_json() for speed in speeds],
            "latency": [delay.to_json() for delay in delays],
        }  # fmt: skip
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(document, indent=1))
    if chosen.plot:
        plot.draw(speeds, delays, chosen.plot)
    return not any([*(s.complaint for s in speeds), *(d.complaint for d in delays)])


def main() -> int:
    """Exit status 1 where an engine's result was wrong or something is missing."""
    chosen = arguments(sys.argv[1:])
    names = chosen.engines.split(",")
    engines = [engine for engine in LINEUP if engine.name in names]
    try:
        if any(not engine.name.startswith("ours") and not engine.limit for engine in engines):
            peers.python_peers()
        if any(engine.name.startswith("streams") for engine in engines):
            peers.kafka_streams()
        if chosen.profile:
            peers.python_peers()
            with bench(chosen) as made:
                print(made.profile(chosen.profile))
            return 0
        return 0 if measure(chosen, engines) else 1
    except (peers.SetUpError, UnavailableError, Complaint) as missing:
        sys.stderr.write(f"bench: {missing}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
