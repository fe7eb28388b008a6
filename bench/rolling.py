"""Two workers are restarted one after the other under load: what is lost, and what is late.

`python -m bench.rolling [--rate 5000] [--seconds 60] [--json]`. Each worker has a `CLV_INSTANCE`,
is sent SIGTERM, started again when it has ended, and waited for until `/readyz` says so; then the
other one. Nothing may be lost or doubled: at the end the input is counted again and compared with
the scores, the changes and Redis, to the event and to the cent (`tests.recount`). Latency is that
of `bench.latency`: from the instant at which an event was due until its score could be read from
Redis, by a client that looks up 200 events a second. Exit status 1 where the recount differs.
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from bench.latency import observed, publish
from bench.pacing import Pace
from bench.purchases import PARTITIONS
from bench.quiet import Others
from streams.embedded.child import free_port
from tests.chaos.run import clv
from tests.chaos.settle import unsettled
from tests.chaos.workers import Slot, command
from tests.recount.compare import compare
from tests.recount.findings import Findings
from tests.recount.judge import Rules
from tests.recount.outputs import read_outputs, read_redis, recount_topics
from tests.servers.kafka import Kafka
from tests.servers.redis import Redis

GROUP: Final = "clv"
WARM_S: Final = 10.0
PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Span:
    """Latency of the events that were due in a span of time.

    Attributes:
        p50_ms: median.
        p99_ms: of a hundred events one took longer.
        max_ms: the latest.
        samples: events looked at.
    """

    p50_ms: float
    p99_ms: float
    max_ms: float
    samples: int

    @classmethod
    def of(cls, seen: list[tuple[float, float]], begin_ms: float, end_ms: float) -> "Span":
        """From (due, seen) pairs."""
        late = np.array([at - due for due, at in seen if begin_ms <= due < end_ms])
        p50, p99 = np.percentile(late, [50, 99], method="higher")
        return cls(float(p50), float(p99), float(late.max()), len(late))


def main() -> int:
    """Measure, and say what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=int, default=5_000, help="events a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load (%(default)s)")
    parser.add_argument("--customers", type=int, default=50_000, help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Kafka() as kafka,
        Redis(aof=True) as redis,
    ):
        spans, down_s, others_cores, found = _measure(arguments, Path(folder), kafka, redis)
    if arguments.json:
        document = {"spans": {name: asdict(span) for name, span in spans.items()}}
        print(
            json.dumps(
                {**document, "unready_s": down_s, "others_cores": others_cores, **found.as_json()}
            )
        )
    else:
        print(f"{'':8}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}{'events':>8}")
        for name, span in spans.items():
            print(f"{name:8}{span.p50_ms:8.0f}{span.p99_ms:8.0f}{span.max_ms:8.0f}{span.samples:8}")
        print(f"other processes used {others_cores:.2f} cores meanwhile")
        print(f"from SIGTERM until ready again: {', '.join(f'{s:.1f} s' for s in down_s)}")
        print(f"{found}\n{'DIFFERENCES' if found else 'nothing lost, nothing doubled'}")
    return int(bool(found))


def _measure(
    arguments: argparse.Namespace, folder: Path, kafka: Kafka, redis: Redis
) -> tuple[dict[str, Span], list[float], float, Findings]:
    env = {
        "CLV_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLV_REDIS_URL": redis.url(),
        "CLV_PARTITIONS": str(PARTITIONS),
        "CLV_GROUP": GROUP,
    }
    clv(env, "topics", "apply")
    slots = [Slot(n, env, folder, command(), port=free_port()) for n in range(2)]
    try:
        for slot in slots:
            slot.start()
        for slot in slots:
            _until(lambda slot=slot: _ready(slot), f"{slot.name} is ready")
        return _restart_under_load(arguments, folder, env, slots)
    finally:
        for slot in slots:
            slot.kill()


def _restart_under_load(
    arguments: argparse.Namespace, folder: Path, env: Mapping[str, str], slots: list[Slot]
) -> tuple[dict[str, Span], list[float], float, Findings]:
    bootstrap, redis_url = env["CLV_KAFKA_BOOTSTRAP"], env["CLV_REDIS_URL"]
    start_ms = round(time.time() * 1000 + 3_000 + arguments.rate * arguments.seconds / 100)
    pace = Pace(bootstrap, arguments.rate, arguments.seconds, arguments.customers, start_ms, 11)
    end_ms = start_ms + arguments.seconds * 1000
    target = folder / "seen"
    down_s = []
    with (
        Others() as others,
        observed(["redis", redis_url, msgspec.json.encode(pace).decode()], target) as observer,
    ):
        with publish(pace):
            time.sleep(max(0.0, start_ms / 1000 - time.time()) + arguments.seconds / 3)
            begun_ms = time.time() * 1000
            down_s += [_restart(slot) for slot in slots]
            done_ms = time.time() * 1000
            assert done_ms < end_ms, "the load ended before the restart: give more --seconds"
        observer.wait(PATIENCE_S)
    _until(lambda: unsettled(bootstrap, GROUP, PARTITIONS, redis_url) is None, "all is processed")
    counted = recount_topics(bootstrap, Rules(partitions=PARTITIONS))
    found = compare(counted, read_outputs(bootstrap, PARTITIONS), read_redis(redis_url))
    published = sum(counted.outcomes.values())
    assert published == round(arguments.rate * arguments.seconds), f"{published} were published"
    seen = msgspec.msgpack.decode(target.read_bytes(), type=list[tuple[float, float]])
    spans = {
        "before": Span.of(seen, start_ms + WARM_S * 1000, begun_ms - 1000),
        "during": Span.of(seen, begun_ms - 1000, done_ms),
        "after": Span.of(seen, done_ms, end_ms),
    }
    return spans, down_s, others.cores, found


def _restart(slot: Slot) -> float:
    """SIGTERM, start again, wait until it is ready: how long that took, in seconds."""
    begun_s = time.monotonic()
    slot.terminate()
    while (status := slot.ended()) is None:
        time.sleep(0.02)
    assert status == 0, slot.last_words()
    slot.start()
    _until(lambda: _ready(slot), f"{slot.name} is ready again")
    return time.monotonic() - begun_s


def _ready(slot: Slot) -> bool:
    assert slot.running, slot.last_words()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{slot.port}/readyz", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


def _until(happened: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline_s, f"in vain waited until {what}"
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
