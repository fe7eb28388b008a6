"""The engines: how each is started, with which settings, and how its scores are read."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import orjson

from bench import peers
from bench.purchases import PARTITIONS, TOPIC
from bench.recount import NOT_TOLD, Aggregates
from tests.servers.kafka import java

ENGINES: Final = Path(__file__).parent / "engines"
HEAP: Final = "1g"

FULL: Final = "ours-full"
FULL_TWICE: Final = "ours-full-two"
SMALL: Final = "ours-small"
OUR_SCORES: Final = "clv.scores"
CLV: Final = str(Path(sys.executable).parent / "clv")


@dataclass(frozen=True)
class Run:
    """One start of one engine.

    Attributes:
        id: consumer group, and the beginning of the names of its topics.
        bootstrap: the broker.
        redis_url: for our worker.
        folder: for what the engine keeps on disk, and its log.
        events: of the input.
        goal: what is measured; where an engine's own defaults or its documentation's advice
            differ for the two, its settings do.
    """

    id: str
    bootstrap: str
    redis_url: str
    folder: Path
    events: int
    goal: Literal["throughput", "latency"]

    def environment(self) -> dict[str, str]:
        """What every engine's script is told."""
        return {
            "PYTHONPATH": "",
            "BENCH_BOOTSTRAP": self.bootstrap,
            "BENCH_GROUP": self.id,
            "BENCH_INPUT": TOPIC,
            "BENCH_OUTPUT": f"{self.id}-scores",
            "BENCH_PARTITIONS": str(PARTITIONS),
            "BENCH_DATA": str(self.folder),
            "BENCH_EVENTS": str(self.events),
        }


Launch = Callable[[Run], tuple[list[str], dict[str, str]]]


def _small(value: bytes) -> Aggregates:
    score = orjson.loads(value)
    return Aggregates(*(score[name] for name in Aggregates._fields))


def _full(value: bytes) -> Aggregates:
    score = orjson.loads(value)
    first, last = score["first_purchase_at"], score["last_purchase_at"]
    return Aggregates(score["orders"], _ms(first), _ms(last), score["historic_clv_minor"], NOT_TOLD)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@dataclass(frozen=True)
class Engine:
    """One line of the table.

    Attributes:
        name: what is typed to choose it.
        title: what the table calls it.
        settings: what was set, and why, in a few words.
        launch: command and environment of a run.
        aggregates: what a score says.
        limit: it publishes nothing; it reads or decodes, and tells itself how long it took.
    """

    name: str
    title: str
    settings: str
    launch: Launch
    aggregates: Callable[[bytes], Aggregates] = _small
    limit: bool = False

    @property
    def full(self) -> bool:
        """Whether it is our worker as it is, with Redis."""
        return self.name in {FULL, FULL_TWICE}

    def output(self, run: Run) -> str:
        """The topic that its scores go to."""
        return OUR_SCORES if self.full else f"{run.id}-scores"


def _ours_full(run: Run) -> tuple[list[str], dict[str, str]]:
    return [CLV, "worker"], full_settings(run)


def _ours_full_twice(run: Run) -> tuple[list[str], dict[str, str]]:
    # The partitions are halved between them. Both end when the shell is told to.
    script = """trap 'kill $a $b' TERM; "$0" worker & a=$!; "$0" worker & b=$!; wait; wait"""
    return ["/bin/sh", "-c", script, CLV], full_settings(run)


def full_settings(run: Run) -> dict[str, str]:
    """Settings of our worker; all others are the defaults."""
    return {
        "CLV_KAFKA_BOOTSTRAP": run.bootstrap,
        "CLV_REDIS_URL": run.redis_url,
        "CLV_GROUP": run.id,
        "CLV_PARTITIONS": str(PARTITIONS),
        "CLV_METRICS_PORT": os.environ.get("CLV_METRICS_PORT", "0"),
    }


def _ours_small(run: Run) -> tuple[list[str], dict[str, str]]:
    root = str(Path(__file__).parents[1])
    return (
        [sys.executable, "-m", "bench.engines.our_small_job"],
        {**run.environment(), "PYTHONPATH": root},
    )


def _faust(run: Run) -> tuple[list[str], dict[str, str]]:
    options = ["-L", "uvloop", "worker", "--without-web", "-l", "info"]
    return [str(peers.PYTHON), str(ENGINES / "stock_faust.py"), *options], run.environment()


def _quix(run: Run) -> tuple[list[str], dict[str, str]]:
    fast = run.goal == "latency"
    more = {"BENCH_COMMIT_S": "1" if fast else "5", "BENCH_LINGER_MS": "0" if fast else "50"}
    return [str(peers.PYTHON), str(ENGINES / "quix_streams.py")], run.environment() | more


def _bytewax(run: Run) -> tuple[list[str], dict[str, str]]:
    recovery = run.folder / "recovery"
    # Its recovery partitions have to be made before the flow starts.
    script = (
        '"$0" -m bytewax.recovery "$1" 1 && '
        'exec "$0" -m bytewax.run bytewax_flow:flow -r "$1" -s 10 -b 0'
    )
    recovery.mkdir(parents=True)
    command = ["/bin/sh", "-c", script, str(peers.PYTHON), str(recovery)]
    return command, {**run.environment(), "PYTHONPATH": str(ENGINES)}


def _streams(store: str, guarantee: str) -> Launch:
    def launch(run: Run) -> tuple[list[str], dict[str, str]]:
        lib = peers.STREAMS / "target" / "lib"
        settings = {
            "application.id": run.id,
            "bootstrap.servers": run.bootstrap,
            "processing.guarantee": guarantee,
            "state.dir": str(run.folder),
            "replication.factor": "1",
            "auto.offset.reset": "earliest",
            "num.stream.threads": "1",
            **_STREAMS_SETTINGS[run.goal, guarantee],
        }
        command = [java(), f"-Xms{HEAP}", f"-Xmx{HEAP}", "-cp", f"{peers.CLASSES}:{lib}/*"]
        command += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "clv.bench.SmallJob"]
        command += [f"{name}={value}" for name, value in settings.items()]
        return command, {**run.environment(), "BENCH_STORE": store}

    return launch


# The developer guide's advice: record caches large enough for the keys, so that one state and one
# score go out a commit; larger producer batches. Exactly once keeps its default interval, 100 ms.
# With at least once the default is 30 s, and a cached score would wait for it: 1 s here, and for
# latency no cache and no linger.
_CACHE: Final = {"statestore.cache.max.bytes": str(64 << 20), "producer.batch.size": str(1 << 17)}
_STREAMS_SETTINGS: Final = {
    ("throughput", "exactly_once_v2"): _CACHE,
    ("throughput", "at_least_once"): {**_CACHE, "commit.interval.ms": "1000"},
    ("latency", "exactly_once_v2"): {},
    ("latency", "at_least_once"): {"statestore.cache.max.bytes": "0", "producer.linger.ms": "0"},
}


def _limit(what: str) -> Launch:
    def launch(run: Run) -> tuple[list[str], dict[str, str]]:
        command = [sys.executable, "-m", "bench.engines.limits", what]
        return command, {**run.environment(), "PYTHONPATH": str(Path(__file__).parents[1])}

    return launch


_STREAMS_TOLD: Final = (
    f"one thread, heap {HEAP}, cache 64 MB, producer batches of 128 KB, Jackson with Blackbird"
)

LINEUP: Final = (
    Engine(FULL, "our worker, everything on", "defaults", _ours_full, _full),
    Engine(FULL_TWICE, "two of our workers, everything on", "defaults", _ours_full_twice, _full),
    Engine(SMALL, "our transport, small job", "batches up to 50,000", _ours_small),
    Engine(
        "streams-eos",
        "Kafka Streams, exactly once v2, RocksDB",
        f"{_STREAMS_TOLD}, commit every 100 ms (default)",
        _streams("rocksdb", "exactly_once_v2"),
    ),
    Engine(
        "streams-eos-memory",
        "Kafka Streams, exactly once v2, in memory",
        f"{_STREAMS_TOLD}, commit every 100 ms (default)",
        _streams("memory", "exactly_once_v2"),
    ),
    Engine(
        "streams-alo",
        "Kafka Streams, at least once, RocksDB",
        f"{_STREAMS_TOLD}, commit every 1 s",
        _streams("rocksdb", "at_least_once"),
    ),
    Engine(
        "streams-alo-memory",
        "Kafka Streams, at least once, in memory",
        f"{_STREAMS_TOLD}, commit every 1 s",
        _streams("memory", "at_least_once"),
    ),
    Engine(
        "bytewax",
        "Bytewax",
        "batches of 1,000 (default), orjson, snapshots to SQLite every 10 s (default)",
        _bytewax,
    ),
    Engine(
        "quix",
        "Quix Streams",
        "commit every 5 s (default), linger 50 ms, producer batches of 1 MB",
        _quix,
    ),
    Engine(
        "faust",
        "stock Faust",
        "uvloop, orjson, memory store, linger 5 ms, producer batches of 1 MB, no web server",
        _faust,
    ),
    Engine("read", "limit: aiokafka reads, nothing else", "", _limit("read"), limit=True),
    Engine("decode", "limit: orjson decodes, nothing else", "", _limit("decode"), limit=True),
)
