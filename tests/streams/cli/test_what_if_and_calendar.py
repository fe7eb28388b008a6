"""`clv show --at`, `--if-purchase` and `clv calendar`, on what a worker would have stored."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from models.events import Event
from models.policy import Policy
from streams import kafka, progress, topics
from streams.placement import partition_of
from tests.models.shop import DAY_MS, Partition

pytestmark = pytest.mark.kafka

GROUP = "what-if"
START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
PARTITIONS = 4


def when(day: float) -> str:
    return datetime.fromtimestamp((START_MS + day * DAY_MS) / 1000, UTC).isoformat()


def bought(number: int, customer: str, day: float, amount_minor: int) -> Event:
    at_ms = START_MS + int(day * DAY_MS)
    return Event(0, customer.encode(), f"o-{number}", at_ms, amount_minor, -1)


EVENTS = [
    bought(1, "42", 0, 30_000),
    bought(2, "42", 10, 15_000),
    bought(3, "7", 20, 4_000),
    bought(4, "[red]x", 25, 9_000),
    bought(5, "42", 30.5, 8_000),
]


@pytest.fixture(scope="module")
def played() -> Partition:
    partition = Partition(Policy())
    for event in EVENTS:
        partition.one(event)
    partition.tick(START_MS + 100 * DAY_MS)
    return partition


@pytest.fixture
def place(clv, named_settings, played):
    """Where a worker has stored the customers, and left the input that it did so from."""
    settings = {"kafka_bootstrap": named_settings.kafka_bootstrap, "group": GROUP}
    if clv("topics", "check", **settings).status:
        assert clv("topics", "apply", **settings).status == 0
        asyncio.run(store(named_settings, played))
    return {**settings, "clock": "events"}


async def store(settings, played):
    async with kafka.producer(settings) as producer:
        for customer, state in played.table.items():
            number = partition_of(customer, PARTITIONS)
            topic = f"{GROUP}-state-changelog"
            await producer.send_and_wait(topic, state, key=customer, partition=number)
        for number in range(PARTITIONS):
            reached = progress.encode(progress.Progress(played.now_ms))
            await producer.send_and_wait(topic, reached, key=progress.KEY, partition=number)
        for event in EVENTS:
            value = {
                "id": event.id,
                "type": "purchase",
                "customer_id": event.customer.decode(),
                "occurred_at": event.at_ms,
                "amount_minor": event.amount_minor,
                "currency": "EUR",
            }
            await producer.send_and_wait(
                topics.PURCHASES,
                json.dumps(value).encode(),
                key=event.customer,
                partition=partition_of(event.customer, PARTITIONS),
                timestamp_ms=event.at_ms,
            )


def test_the_future_is_silent(clv, place):
    ran = clv("show", "42", "--at", "2026-12-31", "--json", **place)
    score = json.loads(ran.out)
    assert score["as_of"] == "2026-12-31T00:00:00.000Z"
    assert (score["orders"], score["historic_clv_minor"]) == (3, 53_000)
    # The 30,000 of 1 January are still within 365 days, and leave on 1 January 2027.
    assert score["tier_value_minor"] >= 53_000
    score = json.loads(clv("show", "42", "--at", "2027-01-01", "--json", **place).out)
    assert 23_000 <= score["tier_value_minor"] < 45_000
    assert score["tier"] == "silver"
    assert score["churn_level"] == "high"
    ran = clv("show", "42", "--at", "2027-01-01", **place)
    assert "Customer 42 is silver, churn level high" in ran.out
    assert "To gold (500.00 EUR) the tier value lacks " in ran.out


def test_from_now_is_from_the_time_that_events_have_reached(clv, place):
    score = json.loads(clv("show", "42", "--at", "+30d", "--json", **place).out)
    assert score["as_of"] == "2026-05-11T00:00:00.000Z"


def test_the_past_is_what_the_input_tells(clv, place):
    score = json.loads(clv("show", "42", "--at", when(15), "--json", **place).out)
    assert (score["orders"], score["historic_clv_minor"]) == (2, 45_000)
    assert (score["as_of"], score["tier"]) == ("2026-01-16T00:00:00.000Z", "gold")
    assert score["churn_level"] == "low"
    ran = clv("show", "42", "--at", "2025-12-31", **place)
    assert ran.status == 1
    assert ran.err.startswith("clv: The input topics hold no event of customer '42' until then")


def test_one_more_purchase(clv, place):
    found = json.loads(clv("show", "7", "--if-purchase", "49.99", "--json", **place).out)
    assert found["at"]["as_of"] == "2026-04-11T00:00:00.000Z"
    assert found["if_purchase"]["orders"] == 2
    adds = found["adds"]
    assert adds["historic_clv_minor"] == 4_999
    assert adds["total_clv_minor"] == 4_999 + adds["predicted_clv_minor"]
    assert adds["predicted_clv_minor"] > 0
    missing = found["next_tier"]
    assert missing["tier"] == "silver"
    assert missing["missing_minor"] == 10_000 - found["at"]["tier_value_minor"]
    ran = clv("show", "7", "--if-purchase", "49.99", **place)
    assert "if a purchase of 49.99 EUR came on 2026-04-11" in ran.out
    assert "bronze" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "soon"], "--at is 'soon'; it must be a date such as"),
        (["--at", "+3 apples"], "--at is '+3 apples'; it must be"),
        (["--if-purchase", "much"], "--if-purchase is 'much'; it must be an amount in EUR"),
        (["--if-purchase", "-1"], "--if-purchase is '-1'; it must be an amount"),
        (["--if-purchase", "1e99"], "--if-purchase is '1e99'; it must be an amount"),
    ],
)
def test_wrong_options_are_one_sentence(clv, place, arguments, words):
    ran = clv("show", "42", *arguments, **place)
    assert (ran.status, ran.out) == (2, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_nobody_is_one_sentence(clv, place):
    ran = clv("show", "nobody", "--at", "+30d", **place)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("clv: There is no state of customer 'nobody': ")


def test_names_are_no_markup(clv, place):
    assert "Customer [red]x" in clv("show", "[red]x", "--if-purchase", "1", **place).out


def test_the_calendar_tells_who_falls_when(clv, place, played):
    ran = clv("calendar", "--days", 300, "--json", **place)
    told = json.loads(ran.out)
    assert (told["from"], told["currency"]) == ("2026-04-11T00:00:00.000Z", "EUR")
    assert len(told["days"]) == 300
    assert (told["days"][0]["date"], told["days"][-1]["date"]) == ("2026-04-11", "2027-02-04")
    later = Partition(Policy(), dict(played.table), now_ms=played.now_ms)
    for customer in later.table:
        later.schedule.put(customer, 1)
    later.tick(START_MS + 400 * DAY_MS - 1)
    came = [(change.crossed_at_ms // DAY_MS, kind, change.to) for kind, change in later.changes]
    shown = [
        (datetime.fromisoformat(day["date"]).replace(tzinfo=UTC).timestamp() // 86_400, kind, name)
        for day in told["days"]
        for kind, names in (("tier", "tiers"), ("churn", "levels"))
        for name, count in day[names].items()
        for _ in range(count)
    ]
    assert sorted(shown) == sorted(came)
    assert len(came) > 4


def test_the_calendar_is_shown_to_people_and_drawn(clv, place, tmp_path):
    file = tmp_path / "calendar.png"
    ran = clv("calendar", "--days", 60, "--plot", file, **place)
    assert (ran.status, ran.err) == (0, f"The picture is in {file}.\n")
    lines = ran.out.splitlines()
    assert lines[0].strip() == "Falls to come, if silent"
    assert lines[2].split() == [
        "day",
        "gold",
        "silver",
        "bronze",
        "risk",
        "risk",
        "value",
        "at",
        "stake",
    ]
    assert len(lines) == 3 + 60 + 1
    assert max(len(line) for line in lines) <= 80
    assert file.read_bytes().startswith(b"\x89PNG")
    wrong = clv("calendar", "--plot", tmp_path / "no" / "x.png", **place)
    assert (wrong.status, wrong.err.count("\n")) == (1, 1)


def test_an_empty_shop_is_one_sentence(clv, named_settings):
    place = {"kafka_bootstrap": named_settings.kafka_bootstrap, "group": "empty"}
    assert clv("topics", "apply", **place).status == 0
    ran = clv("calendar", **place)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "clv: There is no customer yet: publish events and run a worker.\n"
    program = clv("calendar", "--days", "3", "--json", **place)
    assert (program.status, program.err) == (0, "")
    days = json.loads(program.out)["days"]
    assert [day["customers"] for day in days] == [0, 0, 0]
