"""Fixtures that all tests may use: real servers, and names that no other test uses.

    def test_something(kafka, unique, redis_url):
        topic = unique("purchases")
        create_topics(kafka.bootstrap, {topic: 4})

A test that uses one of these servers carries the marker `kafka` or `redis` by itself. Where the
machine cannot run the server, these tests are left out and one line says so, unless
`CLV_REQUIRE_KAFKA=1` or `CLV_REQUIRE_REDIS=1` asks for a failure. `CLV_KAFKA_BOOTSTRAP` names a
broker that runs already.
"""

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streams.embedded.redis import ServerMissingError, find_server
from tests.servers import kafka as kafka_server
from tests.servers.kafka import Kafka, RunningKafka
from tests.servers.redis import DATABASES, Redis
from tests.servers.server import UnavailableError

LEFT_OUT = pytest.StashKey[dict[str, tuple[int, str]]]()
"""By server, how many tests are left out, and why. With `-n` each process finds them by itself."""
FIXTURES = {
    "kafka": {"kafka", "own_kafka"},
    "redis": {"redis_server", "redis_url", "own_redis"},
}
_database = itertools.count()


def why_no_kafka() -> str | None:
    """What is missing to run Apache Kafka, or None."""
    if os.environ.get("CLV_KAFKA_BOOTSTRAP"):
        return None
    try:
        kafka_server.java()
        kafka_server.jars(kafka_server.DEFAULT_VERSION)
    except UnavailableError as missing:
        return str(missing)
    return None


def why_no_redis() -> str | None:
    """What is missing to run Redis, or None."""
    try:
        find_server()
    except ServerMissingError as missing:
        return str(missing)
    return None


WHY_NOT: dict[str, Callable[[], str | None]] = {"kafka": why_no_kafka, "redis": why_no_redis}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests whose server this machine cannot run, unless they are required."""
    left_out = config.stash.setdefault(LEFT_OUT, {})
    for server, fixtures in FIXTURES.items():
        for item in items:
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(server)
        users = [item for item in items if item.get_closest_marker(server)]
        required = os.environ.get(f"CLV_REQUIRE_{server.upper()}") == "1"
        reason = WHY_NOT[server]() if users and not required else None
        if reason:
            left_out[server] = (len(users), reason)
            config.hook.pytest_deselected(items=users)
            items[:] = [item for item in items if item not in users]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of `-n` hands on what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = session.config.stash.get(LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """All processes of `-n` leave out the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left out", {})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line for each server that was missing."""
    for server, (count, reason) in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"LEFT OUT: {count} tests that need {server}: {reason}")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka | RunningKafka]:
    """One broker for the whole session: `kafka.bootstrap`. Do not stop it; see `own_kafka`."""
    running = os.environ.get("CLV_KAFKA_BOOTSTRAP")
    if running:
        yield RunningKafka(running)
    else:
        with Kafka() as broker:
            yield broker


@pytest.fixture
def own_kafka() -> Iterator[Kafka]:
    """A broker for one test, which may stop, kill and pause it. Costs five seconds."""
    with Kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """One Redis for the whole session. Do not stop it; see `own_redis`."""
    with Redis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """URL of a database that is this test's own, empty."""
    number = next(_database)
    assert number < DATABASES, "more tests than databases: raise DATABASES"
    return redis_server.url(number)


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A Redis that keeps its data, for one test, which may stop, kill and pause it."""
    with Redis(aof=True) as server:
        yield server


@pytest.fixture
def unique() -> Callable[[str], str]:
    """`unique("clv.purchases")`: a topic or group name that no other test or run has used."""
    run = uuid.uuid4().hex[:8]
    return lambda name: f"{name}.{run}"
