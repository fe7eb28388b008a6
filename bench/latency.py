"""How long it takes until an event's score can be read, at a steady rate."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

import msgspec
import numpy as np

from bench import broker
from bench.lineup import Engine, Run
from bench.observing import Seen
from bench.pacing import Pace
from bench.purchases import PARTITIONS, TOPIC, Purchases
from bench.quiet import Others
from bench.recount import Floats, Recount, Scores
from bench.throughput import EngineFailed, last_line, read_scores, started
from streams.embedded.child import Child

WARM_S = 10.0
"""At the rate, before anything is measured: caches fill, and Java compiles."""

READY_S_MAX = 60.0
PUBLISHED_S_MAX = 60.0
SETTLED_S = 2.0
SETTLE_S_MAX = 15.0
OBSERVED_S_MAX = 60.0


@dataclass
class Latency:
    """What one engine gave at one rate.

    Attributes:
        rate: events a second.
        p50_ms: median from the instant at which an event was due until its score could be read.
        p99_ms: of a hundred events one took longer; infinite where scores never came.
        samples: events looked at.
        publisher_late_ms: by how much the publisher was late at most; contained in the above.
        others_cores: what processes that have nothing to do with it used of the machine.
        complaint: what is wrong with the scores; empty where nothing is.
    """

    engine: str
    rate: int
    p50_ms: float
    p99_ms: float
    samples: int
    publisher_late_ms: float
    others_cores: float
    complaint: str

    @classmethod
    def none(cls, engine: str, rate: int, why: str) -> "Latency":
        """Of an engine that failed."""
        return cls(engine, rate, inf, inf, 0, 0.0, 0.0, f"WRONG: {why}")

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


def measure(
    engine: Engine, run: Run, *, rate: int, seconds: float, customers: int, seed: int
) -> Latency:
    """Run an engine on a fresh input topic at a steady rate."""
    broker.delete(run.bootstrap, (TOPIC,))
    broker.create(run.bootstrap, [TOPIC])
    with started(engine, run) as child:
        _wait_until_it_works(engine, run, child, customers)
        total_s = WARM_S + seconds
        events = rate * total_s
        start_ms = round(time.time() * 1000 + 2_000 + events / 100)
        pace = Pace(run.bootstrap, rate, total_s, customers, start_ms, seed)
        target = run.folder / "seen"
        with Others() as others, _observer(engine, run, pace, target) as observer:
            with publish(pace) as published:
                pass
            late_ms = published.late_ms_max
            if engine.full:
                observer.wait(OBSERVED_S_MAX)
            else:
                _settle(engine, run)
        recount = Recount(broker.read_partitions(run.bootstrap, TOPIC))
        complaint = recount.judge(read_scores(engine, run)).complaint(complete=True)
    from_ms = start_ms + WARM_S * 1000
    found = _latencies_ms(engine, target, recount, from_ms)
    return Latency(
        engine=engine.name,
        rate=rate,
        p50_ms=float(np.percentile(found, 50, method="higher")),
        p99_ms=float(np.percentile(found, 99, method="higher")),
        samples=len(found),
        publisher_late_ms=late_ms,
        others_cores=others.cores,
        complaint=complaint,
    )


def _latencies_ms(engine: Engine, target: Path, recount: Recount, from_ms: float) -> Floats:
    if engine.full:
        pairs = msgspec.msgpack.decode(target.read_bytes(), type=list[tuple[float, float]])
        return np.array([seen - due for due, seen in pairs if due >= from_ms])
    seen = msgspec.msgpack.decode(target.read_bytes(), type=Seen)
    scores = Scores.of(
        [(at, key, engine.aggregates(value)) for at, chunk in seen for key, value in chunk]
    )
    return recount.latencies_ms(scores, from_ms, float("inf"))


def _wait_until_it_works(engine: Engine, run: Run, child: Child, customers: int) -> None:
    """Publish a few events now and then, of customers of their own, until a score appears."""
    ends = broker.Ends(run.bootstrap, engine.output(run))
    deadline_s = time.monotonic() + READY_S_MAX
    while not any(ends()):
        if not child.running:
            raise EngineFailed(f"{engine.name} ended by itself: {last_line(child)}")
        if time.monotonic() > deadline_s:
            raise EngineFailed(f"{engine.name} gave no score in {READY_S_MAX:.0f} s")
        now_ms = round(time.time() * 1000)
        few = np.arange(customers, customers + 2 * PARTITIONS)
        few_more = Purchases(few, np.full(len(few), now_ms), np.full(len(few), 100))
        broker.publish(run.bootstrap, TOPIC, few_more.lines(b"ready-%d" % now_ms))
        time.sleep(0.5)
    ends.close()


def _observer(
    engine: Engine, run: Run, pace: Pace, target: Path
) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    what = ["topic", run.bootstrap, engine.output(run)]
    if engine.full:
        what = ["redis", run.redis_url, msgspec.json.encode(pace).decode()]
    return observed(what, target)


@contextmanager
def observed(what: list[str], target: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A reader beside whatever happens meanwhile; `what` is the beginning of its arguments."""
    process = subprocess.Popen([sys.executable, "-m", "bench.observing", *what, str(target)])
    try:
        yield process
        process.terminate()
        process.wait(OBSERVED_S_MAX)
    finally:
        process.kill()
        process.wait()


@dataclass
class Published:
    """What a publisher told at its end.

    Attributes:
        late_ms_max: by how much it was late at most.
    """

    late_ms_max: float = 0.0


@contextmanager
def publish(pace: Pace) -> Iterator[Published]:
    """Publish beside whatever happens meanwhile; wait until all is published."""
    command = [sys.executable, "-m", "bench.pacing", msgspec.json.encode(pace).decode()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    published = Published()
    try:
        yield published
        said, _ = process.communicate(timeout=pace.seconds + PUBLISHED_S_MAX)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, "the publisher failed"
    told = json.loads(said)
    assert told["unpublished"] == 0, "the broker did not take all events"
    published.late_ms_max = float(told["late_ms_max"])


def _settle(engine: Engine, run: Run) -> None:
    """Wait until no more scores come."""
    ends = broker.Ends(run.bootstrap, engine.output(run))
    deadline_s = time.monotonic() + SETTLE_S_MAX
    last, since_s = ends(), time.monotonic()
    while time.monotonic() < min(deadline_s, since_s + SETTLED_S):
        time.sleep(0.1)
        current = ends()
        if current != last:
            last, since_s = current, time.monotonic()
    ends.close()
