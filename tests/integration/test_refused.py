"""Kafka or Redis does not let the program in: it says so in a sentence, and what to do.

One broker with a listener for each protocol, and one Redis with a port of each kind.
"""

import logging
import subprocess
import time
from pathlib import Path

import pytest

from sinks.redis import RedisScores
from sinks.sink import Unavailable, Unusable
from streams import kafka as client
from streams.lookups import Lookups, RedisAway
from streams.settings import Settings
from tests.integration.secured_job import LOUD, environment, loaded, loud_worker, to_kafka
from tests.servers.secured import PASSWORD, Certificates, SecuredKafka, SecuredRedis

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

WRONG = "Yq9NotThePassword"

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
        "set CLV_KAFKA_SECURITY_PROTOCOL=PLAINTEXT and neither CLV_KAFKA_SASL_USERNAME nor",
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
