"""One engine works off the whole input; how fast, at what cost, and whether it is right."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final, Self

import numpy as np
import orjson
from redis import Redis

from bench import broker
from bench.lineup import CLV, OUR_SCORES, Engine, Run, full_settings
from bench.metering import Meter
from bench.purchases import TOPIC
from bench.quiet import Others
from bench.recount import Recount, Scores
from streams.embedded.child import Child

WARM_SHARE = 0.2
"""Of the events: after them an engine counts as warm."""

QUIET_S = 3.0
"""An output that has not grown for so long may be complete."""

VAIN_MAX = 5
"""Looks at an output that stands still and does not cover the input: then events are lost."""

LOOK_S = 0.05


class EngineFailed(Exception):
    """An engine ended by itself, or gave nothing; the message says which, with its last words."""


@dataclass
class Throughput:
    """What one run of one engine gave.

    Attributes:
        events: that the engine's scores cover at the end.
        seconds: from the start of its process until the last of them was there.
        warm_per_s: events a second after the first fifth.
        cpu_us: CPU of the engine's process and its children, microseconds an event.
        warm_cpu_us: the same after the first fifth.
        broker_cpu_us: the broker's meanwhile.
        peak_mb: most memory held.
        others_cores: what processes that have nothing to do with it used of the machine.
        complete: whether the engine was given the time for all of the input.
        complaint: what is wrong with its result; empty where nothing is.
    """

    engine: str
    events: int
    seconds: float
    warm_per_s: float
    cpu_us: float
    warm_cpu_us: float
    broker_cpu_us: float
    peak_mb: float
    others_cores: float
    complete: bool
    complaint: str

    @property
    def per_s(self) -> float:
        """Events a second from the start of the process on."""
        return self.events / self.seconds if self.seconds else 0.0

    @classmethod
    def none(cls, engine: str, why: str) -> "Throughput":
        """Of an engine that failed."""
        return cls(engine, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False, f"WRONG: {why}")

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {**asdict(self), "per_s": self.per_s}


@contextmanager
def started(engine: Engine, run: Run) -> Iterator[Child]:
    """An engine's process, its topics made before and removed afterwards."""
    run.folder.mkdir(parents=True, exist_ok=True)
    _make_topics(engine, run)
    command, env = engine.launch(run)
    wrapped = ["/usr/bin/env", *(f"{name}={value}" for name, value in env.items()), *command]
    child = Child(engine.name, wrapped, run.folder / "log")
    try:
        yield child
    finally:
        child.stop(10.0)
        broker.delete(run.bootstrap, _prefixes(run), keep=[TOPIC])


def _prefixes(run: Run) -> tuple[str, ...]:
    return (run.id, f"changelog__{run.id}", "clv.")


def _make_topics(engine: Engine, run: Run) -> None:
    if engine.full:
        Redis.from_url(run.redis_url).flushall()
        compacted = {"cleanup.policy": "compact", **broker.LARGE_BATCHES}
        broker.create(run.bootstrap, [OUR_SCORES], compacted | broker.STAMPED_BY_BROKER)
        env = [f"{name}={value}" for name, value in full_settings(run).items()]
        apply = ["/usr/bin/env", *env, CLV, "topics", "apply"]
        subprocess.run(apply, check=True, stdout=subprocess.DEVNULL)
    elif not engine.limit:
        broker.create(run.bootstrap, [engine.output(run)], broker.STAMPED_BY_BROKER)
        if engine.name.startswith("ours"):
            broker.create(run.bootstrap, [f"{run.id}-changelog"], broker.LARGE_BATCHES)


def measure(
    engine: Engine,
    run: Run,
    recount: Recount,
    *,
    broker_pid: int,
    seconds_max: float,
    on_first: Callable[[int], None] = lambda _pid: None,
) -> Throughput:
    """Run an engine on the input that is in Kafka already.

    Args:
        engine: which one.
        run: this start of it.
        recount: of the input.
        broker_pid: process of the broker.
        seconds_max: after so long the engine is stopped, and judged by what it did until then.
        on_first: called with the engine's process id when its first scores are there.
    """
    if engine.limit:
        return _measure_limit(engine, run)
    with started(engine, run) as child:
        begun_s = time.time()
        with Others() as others, Meter(child.pid) as meter, Meter(broker_pid) as brokers:
            followed = _Following(engine, run, recount, on_first).until(
                child, begun_s + seconds_max
            )
        scores, readable_s = followed.scores, followed.readable_s
    verdict = recount.judge(scores)
    at_ms, covered = recount.progress(scores)
    if not verdict.processed:
        raise EngineFailed(f"{engine.name} published nothing in {seconds_max:.0f} s")

    def reached_s(events: float) -> float:
        return float(at_ms[np.searchsorted(covered, events)]) / 1000

    warm_s = reached_s(WARM_SHARE * verdict.processed)
    end_s = max(reached_s(verdict.processed), readable_s)
    warm_events = verdict.processed * (1 - WARM_SHARE)
    return Throughput(
        engine=engine.name,
        events=verdict.processed,
        seconds=end_s - begun_s,
        warm_per_s=warm_events / (end_s - warm_s),
        cpu_us=meter.between(begun_s, end_s) / verdict.processed * 1e6,
        warm_cpu_us=meter.between(warm_s, end_s) / warm_events * 1e6,
        broker_cpu_us=brokers.between(begun_s, end_s) / verdict.processed * 1e6,
        peak_mb=meter.peak / (1 << 20),
        others_cores=others.cores,
        complete=followed.complete,
        complaint=verdict.complaint(complete=followed.complete),
    )


class _Following:
    """Waits for an engine's scores without taking its time: only ends are asked for."""

    def __init__(
        self, engine: Engine, run: Run, recount: Recount, on_first: Callable[[int], None]
    ) -> None:
        self._on_first: Callable[[int], None] | None = on_first
        self._engine, self._run, self._recount = engine, run, recount
        self._waits_for = dict(recount.lasts) if engine.full else {}
        self._redis = Redis.from_url(run.redis_url)
        self.scores = Scores.of([])
        self.readable_s = 0.0
        self.complete = False

    def until(self, child: Child, deadline_s: float) -> Self:
        """Until the scores cover the input, stand still in vain, or the time is up."""
        ends = broker.Ends(self._run.bootstrap, self._engine.output(self._run))
        last, since_s, vain = ends(), time.time(), 0
        while vain < VAIN_MAX and not self.complete and time.time() < deadline_s:
            time.sleep(LOOK_S)
            if not child.running:
                raise EngineFailed(f"{self._engine.name} ended by itself: {last_line(child)}")
            self._look_into_redis()
            current = ends()
            if any(current) and self._on_first is not None:
                self._on_first(child.pid)
                self._on_first = None
            if current != last or not any(current):
                last, since_s = current, time.time()
            elif time.time() - since_s > QUIET_S and not self._waits_for:
                self._read()
                since_s, vain = time.time(), vain + 1
        ends.close()
        if not self.complete:
            self._read()
        self.complete = self.complete or vain == VAIN_MAX
        return self

    def _read(self) -> None:
        self.scores = read_scores(self._engine, self._run)
        self.complete = self._recount.judge(self.scores).processed >= self._recount.events

    def _look_into_redis(self) -> None:
        """Whether each partition's last event can be read there: what is before it can, too."""
        for key, orders in list(self._waits_for.items()):
            value = self._redis.get(b"clv:score:" + key)
            if value is not None and orjson.loads(value)["orders"] >= orders:
                del self._waits_for[key]
                self.readable_s = time.time()


def last_line(child: Child) -> str:
    """What an engine said last."""
    lines = [line for line in child.tail().splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or ["nothing"])[-1]


_ERROR: Final = re.compile(r"(\w+\.)*\w*(Error|Exception|Fenced)\b|.*\bERROR\b")


def read_scores(engine: Engine, run: Run) -> Scores:
    """All scores that an engine has published."""
    return Scores.of(
        [
            (message.timestamp()[1], message.key(), engine.aggregates(message.value()))
            for message in broker.read_all(run.bootstrap, engine.output(run))
        ]
    )


def _measure_limit(engine: Engine, run: Run) -> Throughput:
    command, env = engine.launch(run)
    run.folder.mkdir(parents=True, exist_ok=True)
    wrapped = ["/usr/bin/env", *(f"{name}={value}" for name, value in env.items()), *command]
    with Others() as others:
        done = subprocess.run(wrapped, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    cpu_us = told["cpu_s"] / told["events"] * 1e6
    return Throughput(
        engine=engine.name,
        events=told["events"],
        seconds=told["seconds"],
        warm_per_s=told["events"] / told["seconds"],
        cpu_us=cpu_us,
        warm_cpu_us=cpu_us,
        broker_cpu_us=0.0,
        peak_mb=0.0,
        others_cores=others.cores,
        complete=True,
        complaint="",
    )
