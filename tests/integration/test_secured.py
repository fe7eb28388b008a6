"""Kafka with TLS and SASL, Redis with TLS and a password: it works, by every way in."""

import csv
import json
import time
import urllib.request
from pathlib import Path

import pytest

from streams import kafka as client
from streams.embedded.child import free_port
from streams.lookups import Lookups
from streams.settings import Settings
from tests.integration.secured_job import clv, loaded, loud_worker, to_kafka
from tests.servers.secured import MECHANISMS, PASSWORD, Certificates, SecuredKafka

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

CUSTOMERS = 20


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
