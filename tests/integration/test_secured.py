"""Kafka with TLS and SASL, Redis with TLS and a password: it works, and says what is wrong.

One broker with a listener for each protocol, and one Redis with a port of each kind.
"""

import csv
import json
import logging
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sinks.redis import RedisScores
from sinks.sink import Unavailable, Unusable
from streams import kafka as client
from streams.embedded.child import ServerFailedError, free_port
from streams.lookups import Lookups, RedisAway
from streams.settings import Settings
from tests.servers.secured import (
    MECHANISMS,
    PASSWORD,
    USER,
    Certificates,
    SecuredKafka,
    SecuredRedis,
)

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

CLV = [sys.executable, "-m", "streams.cli.main"]
LOUD = [sys.executable, "-m", "tests.integration.loud_worker"]
WRONG = "Yq9NotThePassword"
CUSTOMERS = 20


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured_kafka(certificates: Certificates) -> Iterator[SecuredKafka]:
    with SecuredKafka(certificates) as broker:
        yield broker


@pytest.fixture(scope="module")
def secured_redis(certificates: Certificates) -> Iterator[SecuredRedis]:
    try:
        server = SecuredRedis(certificates).start()
    except ServerFailedError as failed:
        if "Bad directive" not in str(failed) or os.environ.get("CLV_REQUIRE_REDIS") == "1":
            raise
        pytest.skip("this redis-server was built without TLS")
    yield server
    server.remove()


def to_kafka(
    broker: SecuredKafka,
    listener: str,
    certificates: Certificates,
    *,
    protocol: str | None = None,
    **others: str,
) -> dict[str, str]:
    """Settings that reach a listener; `others` by the names after `CLV_KAFKA_`."""
    settings = {
        "CLV_KAFKA_BOOTSTRAP": broker.at(listener),
        "CLV_KAFKA_SECURITY_PROTOCOL": protocol or listener,
        "CLV_KAFKA_SSL_CAFILE": str(certificates.authority),
        "CLV_KAFKA_SASL_USERNAME": USER,
        "CLV_KAFKA_SASL_PASSWORD": PASSWORD,
    }
    return settings | {f"CLV_KAFKA_{name}": value for name, value in others.items()}


def loaded(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> Settings:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def environment(env: dict[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CLV_")}
    return clean | {"CLV_METRICS_PORT": "0"} | env


def clv(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*CLV, *arguments], env=environment(env), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert PASSWORD not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def with_topics(
    secured_kafka: SecuredKafka, secured_redis: SecuredRedis, certificates: Certificates
) -> dict[str, str]:
    """Settings of the safest kind, the topics being there."""
    env = to_kafka(secured_kafka, "SASL_SSL", certificates, SASL_MECHANISM="SCRAM-SHA-512")
    env["CLV_REDIS_URL"] = secured_redis.url()
    clv(env, "topics", "apply")
    return env


def purchases(file: Path) -> dict[str, int]:
    """A CSV of purchases, and what each customer spent, in minor units."""
    spent: dict[str, int] = {}
    with file.open("w", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["customer_id", "occurred_at", "amount"])
        for number in range(10 * CUSTOMERS):
            customer, cents = f"zebra-{number % CUSTOMERS}", 101 + number
            day = 1 + number // CUSTOMERS
            rows.writerow([customer, f"2026-03-{day:02}", f"{cents / 100:.2f}"])
            spent[customer] = spent.get(customer, 0) + cents
    return spent


@contextmanager
def loud_worker(env: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(LOUD, env=environment(env), stdout=output, stderr=output)
    try:
        yield
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def until_shown(env: dict[str, str], spent: dict[str, int]) -> None:
    """Until each customer's score in Redis tells what they spent."""
    deadline = time.monotonic() + 150
    lookups = Lookups(Settings(redis_url=env["CLV_REDIS_URL"]))
    while True:
        scores = {customer: lookups.score(customer) for customer in spent}
        told = {name: score.historic_clv_minor if score else 0 for name, score in scores.items()}
        if told == spent:
            return
        assert time.monotonic() < deadline, told
        time.sleep(0.2)


def fetched(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
def test_the_whole_job_over_tls_with_passwords_and_nothing_is_given_away(
    with_topics: dict[str, str], tmp_path: Path
) -> None:
    port, file, log = free_port(), tmp_path / "purchases.csv", tmp_path / "log"
    spent = purchases(file)
    env = with_topics | {"CLV_METRICS_PORT": str(port)}
    clv(env, "publish", str(file))
    with loud_worker(env, log):
        until_shown(env, spent)
        pages = {path: fetched(port, path) for path in ("/metrics", "/healthz", "/readyz")}
    shown = json.loads(clv(env, "show", "zebra-7", "--json"))
    assert shown["orders"] == 10
    assert json.loads(clv(env, "state-hash", "--json"))["customers"] == CUSTOMERS
    # The worker did say a lot, the metrics do count, and neither gives anything or anyone away.
    said = log.read_text()
    assert " DEBUG " in said
    assert "aiokafka" in said or "Kafka" in said
    assert 'clv_events_total{outcome="processed",topic="clv.purchases"} 200.0' in pages["/metrics"]
    for text in (said, *pages.values()):
        assert PASSWORD not in text
    for text in (*pages.values(), *(line for line in said.splitlines() if " DEBUG " not in line)):
        assert "zebra-" not in text


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("listener", ["SASL_SSL", "SASL_PLAINTEXT"])
async def test_every_mechanism(
    listener: str,
    mechanism: str,
    secured_kafka: SecuredKafka,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = to_kafka(secured_kafka, listener, certificates, SASL_MECHANISM=mechanism)
    async with client.admin(loaded(monkeypatch, env)) as admin:
        assert (await admin.describe_cluster())["brokers"]


async def test_tls_without_a_user(
    secured_kafka: SecuredKafka, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = to_kafka(secured_kafka, "SSL", certificates)
    async with client.admin(loaded(monkeypatch, env)) as admin:
        assert (await admin.describe_cluster())["brokers"]


# Listener, protocol and settings that are wrong; whether waiting is of no use; what is said.
KAFKA_TROUBLE = {
    "wrong password": (
        ("SASL_SSL", "SASL_SSL", {"SASL_PASSWORD": WRONG}),
        True,
        "refuses the user 'clv-tests' or the password: set CLV_KAFKA_SASL_USERNAME and",
    ),
    "wrong password, SCRAM": (
        ("SASL_SSL", "SASL_SSL", {"SASL_PASSWORD": WRONG, "SASL_MECHANISM": "SCRAM-SHA-256"}),
        True,
        "to a user of SCRAM-SHA-256 there",
    ),
    "unknown user": (
        ("SASL_PLAINTEXT", "SASL_PLAINTEXT", {"SASL_USERNAME": "nobody"}),
        True,
        "refuses the user 'nobody' or the password",
    ),
    "a mechanism that is off": (
        ("ONE_WAY", "SASL_PLAINTEXT", {"SASL_MECHANISM": "SCRAM-SHA-256"}),
        True,
        "does not know users by SCRAM-SHA-256: set CLV_KAFKA_SASL_MECHANISM",
    ),
    "wrong authority": (
        ("SSL", "SSL", {"SSL_CAFILE": "stranger"}),
        True,
        "cannot be trusted (unable to get local issuer certificate): CLV_KAFKA_SSL_CAFILE is",
    ),
    "no authority": (
        ("SSL", "SSL", {"SSL_CAFILE": ""}),
        True,
        "set CLV_KAFKA_SSL_CAFILE to the file of the authority",
    ),
    "another host's certificate": (
        ("MISNAMED", "SSL", {}),
        True,
        "let CLV_KAFKA_BOOTSTRAP name the server as its certificate does",
    ),
    "a user where none is taken": (
        ("PLAINTEXT", "SASL_PLAINTEXT", {}),
        True,
        "takes no user and password on this port: set CLV_KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
    ),
    "TLS to a plain port": (
        ("PLAINTEXT", "SSL", {}),
        False,
        "if that port has none, set CLV_KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
    ),
    "TLS to a plain port, with a user": (
        ("SASL_PLAINTEXT", "SASL_SSL", {}),
        False,
        "if that port has none, set CLV_KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT",
    ),
    "plain to a TLS port": (
        ("SSL", "PLAINTEXT", {}),
        False,
        "hangs up on PLAINTEXT: if that port wants TLS",
    ),
    "no user": (
        ("SASL_PLAINTEXT", "PLAINTEXT", {}),
        False,
        "or a user and password, set CLV_KAFKA_SECURITY_PROTOCOL to SSL, SASL_PLAINTEXT or",
    ),
    "no user, over TLS": (
        ("SASL_SSL", "SSL", {}),
        False,
        "set CLV_KAFKA_SECURITY_PROTOCOL to SASL_SSL",
    ),
}


@pytest.mark.parametrize("case", KAFKA_TROUBLE)
async def test_kafka_that_does_not_let_us_in_is_one_sentence(
    case: str,
    secured_kafka: SecuredKafka,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (listener, protocol, others), refused, words = KAFKA_TROUBLE[case]
    if others.get("SSL_CAFILE") == "stranger":
        others = {"SSL_CAFILE": str(certificates.stranger)}
    env = to_kafka(secured_kafka, listener, certificates, protocol=protocol, **others)
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("streams.kafka_trouble.ANSWER_S_MAX", 60.0)
    with pytest.raises(client.KafkaAway) as away:
        async with client.admin(loaded(monkeypatch, env)):
            pytest.fail("it was let in")
    said = str(away.value)
    assert isinstance(away.value, client.KafkaRefused) == refused, said
    assert said.startswith(f"Kafka at {secured_kafka.at(listener)} ")
    assert words in said
    assert said.endswith(".")
    assert said.count("\n") == 0
    for secret in (PASSWORD, WRONG):
        assert secret not in said + repr(away.value) + caplog.text


def test_a_worker_that_kafka_refuses_ends_with_that_sentence(
    secured_kafka: SecuredKafka, certificates: Certificates
) -> None:
    (listener, protocol, others), _, words = KAFKA_TROUBLE["wrong password"]
    ended(to_kafka(secured_kafka, listener, certificates, protocol=protocol, **others), words)


def ended(env: dict[str, str], words: str) -> None:
    """`clv worker` ends with status 1 and one sentence, and gives no password away."""
    done = subprocess.run(
        LOUD, env=environment(env), capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("clv: ")]
    assert len(said) == 1
    assert words in said[0]
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr
    assert WRONG not in done.stderr


def test_a_worker_that_waits_says_why(
    secured_kafka: SecuredKafka, certificates: Certificates, tmp_path: Path
) -> None:
    env = to_kafka(secured_kafka, "SSL", certificates, protocol="PLAINTEXT")
    log = tmp_path / "log"
    with loud_worker(env, log):
        deadline = time.monotonic() + 120
        while "hangs up on PLAINTEXT: if that port wants TLS" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    assert PASSWORD not in log.read_text()


REDIS_TROUBLE = {
    "wrong password": (Unusable, "put a user and password that may read and write into"),
    "no password": (Unusable, "put a user and password that may read and write into"),
    "wrong authority": (Unusable, "?ssl_ca_certs="),
    "no authority": (Unusable, "?ssl_ca_certs="),
    "TLS to a plain port": (Unavailable, "let CLV_REDIS_URL begin with redis://"),
    "plain to a TLS port": (Unavailable, "let CLV_REDIS_URL begin with rediss://"),
}


def redis_address(which: str, server: SecuredRedis, certificates: Certificates) -> str:
    return {
        "wrong password": server.url(password=WRONG),
        "no password": server.url().replace(f":{PASSWORD}@", ""),
        "wrong authority": server.url(authority=certificates.stranger),
        "no authority": server.url().partition("?")[0],
        "TLS to a plain port": server.url(port=server.plain_port),
        "plain to a TLS port": server.url(scheme="redis"),
    }[which]


@pytest.mark.parametrize("which", REDIS_TROUBLE)
async def test_redis_that_does_not_let_us_in_is_one_sentence(
    which: str,
    secured_redis: SecuredRedis,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind, words = REDIS_TROUBLE[which]
    url = redis_address(which, secured_redis, certificates)
    # One of them is told by its silence; the others by what they say, be it after a while.
    patience_s = 1.0 if which == "TLS to a plain port" else 30.0
    sink = RedisScores(url, timeout_s=patience_s)
    with pytest.raises(kind) as said:
        await sink.open()
    await sink.close()
    monkeypatch.setattr("streams.lookups.TIMEOUT_S", patience_s)
    with pytest.raises(RedisAway) as away:
        Lookups(Settings(redis_url=url)).score("42")
    for told in (str(said.value), str(away.value)):
        assert words in told
        assert "\n" not in told
        assert PASSWORD not in told
        assert WRONG not in told


def test_a_worker_that_redis_refuses_ends_with_that_sentence(
    with_topics: dict[str, str], secured_redis: SecuredRedis
) -> None:
    ended(with_topics | {"CLV_REDIS_URL": secured_redis.url(password=WRONG)}, "CLV_REDIS_URL")
