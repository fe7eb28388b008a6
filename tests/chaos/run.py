"""One fault run from the first server to the verdict."""

import itertools
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.chaos.faults import FAULTS, Fault, fault_name, impossible, inject
from tests.chaos.publisher import Publisher
from tests.chaos.settle import unsettled
from tests.chaos.watch import Reader
from tests.chaos.workers import command
from tests.chaos.workload import HOT, RATES, Workload
from tests.chaos.world import TEMPTATION, World
from tests.recount.compare import compare
from tests.recount.findings import Findings
from tests.recount.judge import Rules
from tests.recount.outputs import read_outputs, read_redis, recount_topics
from tests.servers.kafka import Kafka
from tests.servers.redis import Redis

GROUP = "clv"


@dataclass(frozen=True)
class Plan:
    """What a run is to be.

    Attributes:
        seed: of everything that is left to chance.
        seconds: how long faults are injected.
        rate: records published a second.
        customers: how many there are, beside hot ones.
        partitions: of every keyed topic.
        fault_every_s: mean seconds from one fault to the next.
        settle_s_max: after the last fault all must be worked off within so many seconds.
        clock: `CLV_CLOCK` of the workers.
        worker: the command of a worker; by default `clv worker`.
        env: more settings of the workers.
        faults: which faults, and how often each.
        temptation: how often a worker is killed soon after a moment at which it is fragile.
    """

    seed: int
    seconds: float = 180.0
    rate: int = 800
    customers: int = 3_000
    partitions: int = 8
    fault_every_s: float = 3.5
    settle_s_max: float = 150.0
    clock: str = "events"
    worker: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[Fault, float] = field(default_factory=lambda: FAULTS)
    temptation: Mapping[str, float] = field(default_factory=lambda: TEMPTATION)


@dataclass
class Report:
    """What a run did and found."""

    plan: Plan
    found: Findings
    faults: dict[str, int]
    left_out: dict[str, str]
    exits: dict[str, int]
    timeline: list[tuple[float, str]]
    published: int
    settled_s: float
    state_hash: str
    folder: Path | None

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.plan.seed,
            "seconds": self.plan.seconds,
            "clock": self.plan.clock,
            "ok": not self.found,
            "published": self.published,
            "faults": self.faults,
            "left_out": self.left_out,
            "exits": self.exits,
            "settled_s": round(self.settled_s, 1),
            "state_hash": self.state_hash,
            "artefacts": str(self.folder) if self.folder else None,
            **self.found.as_json(),
        }

    def __str__(self) -> str:
        lines = [f"seed {self.plan.seed}, {self.plan.seconds:.0f} s, clock {self.plan.clock}"]
        lines += [f"{self.published:,} records published, settled in {self.settled_s:.1f} s"]
        lines += [f"state hash {self.state_hash}", ""]
        lines += [f"{count:>5}  {name}" for name, count in sorted(self.faults.items())]
        lines += [f"{sum(self.faults.values()):>5}  faults injected"]
        lines += [f" none  {name}: LEFT OUT, {why}" for name, why in self.left_out.items()]
        lines += [f"{count:>5}  exits, {words}" for words, count in self.exits.items()]
        lines += ["", str(self.found), ""]
        lines += ["DIFFERENCES" if self.found else "nothing lost, nothing doubled"]
        if self.folder:
            lines += [f"logs and timeline: {self.folder}"]
        return "\n".join(lines)


def run(plan: Plan) -> Report:
    """Run a plan. Artefacts stay where something differs."""
    folder = Path(tempfile.mkdtemp(prefix=f"clv-chaos-{plan.seed}-"))
    with (
        Kafka(directory=folder / "kafka") as kafka,
        Redis(aof=True, directory=folder / "redis") as redis,
    ):
        report = _run(plan, folder, kafka, redis)
    # The data are of no use without their servers, and large.
    shutil.rmtree(folder / "kafka" / "data", ignore_errors=True)
    if report.found:
        text = "\n".join(f"{at_s:8.2f}  {what}" for at_s, what in report.timeline)
        (folder / "timeline.txt").write_text(f"{text}\n\n{report}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        report.folder = None
    return report


def settings(plan: Plan, kafka: Kafka, redis: Redis) -> dict[str, str]:
    """Environment of the workers."""
    return {
        "CLV_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLV_REDIS_URL": redis.url(),
        "CLV_PARTITIONS": str(plan.partitions),
        "CLV_GROUP": GROUP,
        "CLV_RATES": ",".join(f"{currency}={rate}" for currency, rate in RATES.items()),
        "CLV_CLOCK": plan.clock,
        **plan.env,
    }


def clv(env: Mapping[str, str], *arguments: str) -> str:
    """Output of a `clv` command.

    Raises:
        RuntimeError: it failed, with what it said.
    """
    done = subprocess.run(
        [command()[0], *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise RuntimeError(f"clv {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _run(plan: Plan, folder: Path, kafka: Kafka, redis: Redis) -> Report:
    env = settings(plan, kafka, redis)
    clv(env, "topics", "apply")
    rng = random.Random(plan.seed)
    world = World(kafka, redis, rng, folder, env, list(plan.worker) or command())
    world.temptation = plan.temptation
    shots = iter(
        Workload(plan.seed, plan.partitions, plan.customers, int(plan.seconds * plan.rate))
    )
    publisher = Publisher(kafka.bootstrap, shots, plan.rate, plan.seed)
    watched = [*HOT, *(f"c-{n}" for n in range(200))]
    reader = Reader(redis.url(), watched, plan.seed)
    try:
        publisher.start()
        reader.start()
        _break_things(plan, world)
        world.say("heals everything")
        world.heal()
        publisher.finish()
        left = unsettled(kafka.bootstrap, GROUP, plan.partitions, redis.url())
        world.say(f"{publisher.acknowledged:,} records are published; {left}")
        settled_s, left = _settle(plan, world, env)
        found = _recount(plan, env)
        world.stop_workers()
        reader.finish()
        state_hash = _state_hash(env)
    finally:
        for slot in world.slots:
            slot.kill()
    if left is not None:
        found.differ("settled", f"after {plan.settle_s_max:.0f} s: {left}")
    found.count("looks at Redis", reader.looks)
    for sentence in reader.went_back:
        found.differ("looks at Redis", sentence)
    for sentence in world.crashes:
        found.differ("crashes", sentence)
    for name, times in publisher.failed.items():
        found.notes[f"records refused by the broker: {name}"] = times
    return Report(
        plan,
        found,
        dict(world.faults),
        {fault_name(fault): why for fault, why in impossible().items() if fault in plan.faults},
        dict(world.exits),
        world.timeline,
        publisher.acknowledged,
        settled_s,
        state_hash,
        folder,
    )


def _break_things(plan: Plan, world: World) -> None:
    for slot in world.slots[: world.rng.randint(1, 3)]:
        slot.wanted = True
    left_out = impossible()
    faults = {fault: share for fault, share in plan.faults.items() if fault not in left_out}
    next_s = world.rng.uniform(3, 6)
    while world.elapsed_s < plan.seconds:
        if faults and world.elapsed_s >= next_s:
            inject(world, faults)
            next_s = world.elapsed_s + world.rng.expovariate(1 / plan.fault_every_s)
        world.turn()


def _settle(plan: Plan, world: World, env: Mapping[str, str]) -> tuple[float, str | None]:
    begun_s = time.monotonic()
    left: str | None = "nothing was looked at"
    for attempt in itertools.count():
        deadline_s = time.monotonic() + (2.0 if attempt else 5.0)
        while time.monotonic() < deadline_s:
            world.turn()
        before, left = (
            left,
            unsettled(env["CLV_KAFKA_BOOTSTRAP"], GROUP, plan.partitions, env["CLV_REDIS_URL"]),
        )
        # Twice in a row: silence may have been about to speak.
        if before is None and left is None:
            break
        world.say(left or "settled")
        if time.monotonic() - begun_s > plan.settle_s_max:
            break
    return time.monotonic() - begun_s, left


def _recount(plan: Plan, env: Mapping[str, str]) -> Findings:
    rules = Rules(
        partitions=plan.partitions, rates={name: Decimal(rate) for name, rate in RATES.items()}
    )
    bootstrap = env["CLV_KAFKA_BOOTSTRAP"]
    counted = recount_topics(bootstrap, rules)
    return compare(
        counted, read_outputs(bootstrap, plan.partitions), read_redis(env["CLV_REDIS_URL"])
    )


def _state_hash(env: Mapping[str, str]) -> str:
    try:
        return str(json.loads(clv(env, "state-hash", "--json"))["hash"])
    except RuntimeError as error:
        return f"unknown: {error}"
