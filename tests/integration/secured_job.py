"""Commands and workers of the program, on a Kafka and a Redis as careful operators run them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.servers.secured import PASSWORD, USER, Certificates, SecuredKafka

CLV = [sys.executable, "-m", "streams.cli.main"]
LOUD = [sys.executable, "-m", "tests.integration.loud_worker"]


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
    }
    if settings["CLV_KAFKA_SECURITY_PROTOCOL"].startswith("SASL_"):
        settings |= {"CLV_KAFKA_SASL_USERNAME": USER, "CLV_KAFKA_SASL_PASSWORD": PASSWORD}
    return settings | {f"CLV_KAFKA_{name}": value for name, value in others.items()}


def loaded(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> Settings:
    """Settings that are read from an environment."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def environment(env: dict[str, str]) -> dict[str, str]:
    """Of a child process: these settings, and none that the tests run under."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CLV_")}
    return clean | {"CLV_METRICS_PORT": "0"} | env


def clv(env: dict[str, str], *arguments: str) -> str:
    """What a command prints; it must work, and give no password away."""
    done = subprocess.run(
        [*CLV, *arguments], env=environment(env), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert PASSWORD not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def loud_worker(env: dict[str, str], log: Path) -> Iterator[None]:
    """A worker that logs all that it and its libraries can say, and has to end in order."""
    with log.open("wb") as output:
        process = subprocess.Popen(LOUD, env=environment(env), stdout=output, stderr=output)
    try:
        yield
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
