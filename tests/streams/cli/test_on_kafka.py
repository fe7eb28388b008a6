"""Commands that work on Kafka alone, one after another on one broker."""

import asyncio
import json
import time
from typing import get_args

import msgspec
import pytest

from models.events import Event, Kind
from models.parameters import CDNOW
from models.releases import Releases
from models.state import State, encode
from streams import kafka, progress, topics
from streams.cli.topics import Input
from streams.progress import Progress
from streams.reading import read_to_end
from tests.streams.test_lookups import score

pytestmark = pytest.mark.kafka


def encoded(*days):
    state = State()
    for day in days:
        state.apply(Event(Kind.PURCHASE, b"", f"o-{day}", day * 86_400_000, 5, -1), day, 730)
    return encode(state)


def produce(settings, topic, *records):
    async def send():
        async with kafka.producer(settings) as producer:
            for key, value, headers in records:
                await producer.send_and_wait(topic, value, key=key, headers=headers, partition=0)

    asyncio.run(send())


def test_topics(clv, named_kafka):
    settings = {"kafka_bootstrap": named_kafka, "group": "commands"}
    check = clv("topics", "check", "--json", **settings)
    assert check.status == 1
    assert not json.loads(check.out)["ok"]
    assert "run `clv topics apply`" in check.err
    applied = clv("topics", "apply", **settings)
    assert (applied.status, applied.err) == (0, "")
    assert "commands-state-changelog" in applied.out
    assert max(len(line) for line in applied.out.splitlines()) <= 80
    check = clv("topics", "check", **settings)
    assert (check.status, check.err) == (0, "")
    wrong = clv("topics", "check", **settings, partitions=5)
    assert wrong.status == 1
    assert wrong.err.count("\n") == 1
    assert "set CLV_PARTITIONS=4" in wrong.err


def test_the_state_hash_is_of_the_newest_values(clv, named_settings):
    place = {"kafka_bootstrap": named_settings.kafka_bootstrap}
    hashes = []
    for group, records in {
        "hash-a": [
            (b"1", encoded(20_000)),
            (b"2", encoded(20_001)),
            (progress.KEY, progress.encode(Progress(1))),
        ],
        "hash-b": [
            (b"2", encoded(20_001)),
            (progress.KEY, progress.encode(Progress(2))),
            (b"1", encoded(19_999)),
            (b"3", encoded(20_000)),
            (b"1", encoded(20_000)),
            (b"3", None),
        ],
        "hash-c": [(b"1", encoded(20_000)), (b"2", encoded(20_002))],
    }.items():
        assert clv("topics", "apply", **place, group=group).status == 0
        produce(named_settings, f"{group}-state-changelog", *[(*each, []) for each in records])
        ran = clv("state-hash", "--json", **place, group=group)
        hashes.append(json.loads(ran.out))
    first, equal, other = hashes
    assert first["customers"] == 2
    assert first == equal
    assert other["hash"] != first["hash"]
    ran = clv("state-hash", **place, group="hash-a")
    assert ran.out == f"{first['hash']}  2 customers\n"


def test_a_value_that_is_no_state_is_said(clv, named_settings):
    place = {"kafka_bootstrap": named_settings.kafka_bootstrap, "group": "damaged"}
    assert clv("topics", "apply", **place).status == 0
    produce(named_settings, "damaged-state-changelog", (b"1", b"\xdc\x00", []))
    ran = clv("state-hash", **place)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("clv: damaged-state-changelog holds a value that is no state")


def test_movers(clv, named_settings):
    place = {"kafka_bootstrap": named_settings.kafka_bootstrap, "group": "movers"}
    assert clv("topics", "apply", **place).status == 0
    ran = clv("top", "--movers", **place)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "clv: Nobody has a score yet: publish events and run a worker.\n"
    assert json.loads(clv("top", "--movers", "--json", **place).out)["movers"] == []

    old, newest = "2026-02-01T00:00:00.000Z", "2026-03-09T00:00:00.000Z"
    scores = [
        ("rose", old, 100_00),
        ("[red]fell", old, 9_000_00),
        ("still", old, 70_00),
        ("rose", newest, 250_00),
        ("[red]fell", "2026-03-05T00:00:00.000Z", 8_000_00),
        ("compacted", "2026-03-05T00:00:00.000Z", 70_00),
        ("compacted", newest, 60_00),
        ("unknown", newest, 60_00),
    ]
    produce(
        named_settings,
        topics.SCORES,
        *(
            (name.encode(), msgspec.json.encode(score(name, total, as_of=as_of)), [])
            for name, as_of, total in scores
        ),
    )
    ran = clv("top", "--movers", "-n", 3, **place)
    lines = ran.out.splitlines()
    assert ran.status == 0
    period = "7 days, 2026-03-02 00:00 to 2026-03-09 00:00"
    assert lines[0] == f"Moves of total value within {period}"
    assert lines[2].split()[:4] == ["1", "[red]fell", "-1,000.00", "9,000.00"]
    assert lines[3].split() == (
        ["2", "rose", "+150.00", "100.00", "250.00", "EUR", "gold", "2026-02-01"]
    )
    assert lines[4].split()[-1] == "2026-03-05*"
    assert max(map(len, lines)) <= 80
    assert "1 customers have one score left" in ran.err
    assert "min.compaction.lag.ms=691200000" in ran.err
    told = json.loads(clv("top", "--movers", "--days", 60, "--json", **place).out)
    assert (told["moved"], told["unknown"], told["customers"]) == (3, 2, 5)
    assert not any(mover["whole_period"] for mover in told["movers"])
    assert told["movers"][1]["moved_minor"] == 150_00
    wrong = clv("top", "--days", 3, **place)
    assert (wrong.status, wrong.err.count("\n")) == (2, 1)


def test_dead_letters(clv, named_settings):
    place = {"kafka_bootstrap": named_settings.kafka_bootstrap}
    assert clv("topics", "apply", **place).status == 0
    headers = [
        ("clv-reason", b"bad_currency"),
        ("clv-detail", b"no \x1b[2Jrate"),
        ("clv-topic", topics.PURCHASES.encode()),
        ("clv-partition", b"2"),
        ("clv-offset", b"11"),
    ]
    cut = [*headers, ("clv-truncated", b"70000")]
    produce(named_settings, topics.DEAD_LETTERS, (b"1", b"{}", headers), (b"2", b"{\x1b[2J\n", cut))
    chosen = ["--reason", "bad_currency"]
    shown = clv("dead-letters", "list", *chosen, **place)
    assert shown.status == 0
    assert "bad_currency  clv.purchases 2/11, cut at 64 KiB" in shown.out
    assert r"  no \x1b[2Jrate" in shown.out
    assert r"  {\x1b[2J" in shown.out
    assert "\x1b" not in shown.out
    assert "dead letters that wait: 2 (bad_currency 2)" in shown.err
    lines = clv("dead-letters", "list", *chosen, "--json", **place).out.splitlines()
    assert [json.loads(line)["value"] for line in lines] == ["{}", "{\x1b[2J\n"]
    tried = clv("dead-letters", "replay", *chosen, "--dry-run", "--json", **place)
    assert json.loads(tried.out) == {"replayed": 1, "truncated": 1}
    done = clv("dead-letters", "replay", *chosen, **place)
    assert done.status == 0
    assert "dead letters replayed: 1" in done.err
    assert "cut at 64 KiB, so not replayed: 1" in done.err
    again = clv("dead-letters", "replay", *chosen, "--json", **place)
    assert json.loads(again.out) == {"replayed": 0, "truncated": 1}
    elsewhere = clv("dead-letters", "list", *chosen, "--topic", topics.ENGAGEMENTS, **place)
    assert (elsewhere.status, elsewhere.err) == (0, "No such dead letters wait.\n")
    for option, name, known in (
        ("--reason", "bad_luck", "bad_currency"),
        ("--topic", "nope", topics.PURCHASES),
    ):
        for command in (["list"], ["replay"], ["replay", "--dry-run"]):
            wrong = clv("dead-letters", *command, option, name, **place)
            assert (wrong.status, wrong.out) == (2, "")
            assert wrong.err.startswith(f"clv: Invalid value for {option}: there is no '{name}'; ")
            assert known in wrong.err
            assert wrong.err.count("\n") == 1


def test_parameters_are_the_newest_whatever_the_clocks_say(clv, named_settings, tmp_path):
    """Somebody whose clock was an hour ahead has published before."""
    place = {"kafka_bootstrap": named_settings.kafka_bootstrap, "currency": "USD"}
    assert clv("topics", "apply", **place).status == 0
    ahead_ms = time.time_ns() // 1_000_000 + 3_600_000

    async def publish_ahead():
        async with kafka.producer(named_settings) as producer:
            value = json.dumps(CDNOW.to_json()).encode()
            await producer.send_and_wait(
                topics.MODEL_PARAMS, value, key=b"mbg-nbd", timestamp_ms=ahead_ms
            )

    asyncio.run(publish_ahead())
    file = tmp_path / "params.json"
    fitted = clv("fit", "cdnow", "--publish", "--output", file, **place)
    assert fitted.status == 0
    version = json.loads(file.read_text())["version"]
    assert f"Published {version} to clv.model-params" in fitted.out
    assert clv("fit", "--parameters", file, "--publish", **place).status == 0

    async def read_all():
        found = []
        async for records in read_to_end(named_settings, topics.MODEL_PARAMS, 1):
            found += records
        return found

    releases = Releases(CDNOW, "USD")
    for record in asyncio.run(read_all()):
        releases.take(record.value, record.timestamp)
    assert (releases.newest.params.version, releases.newest.at_ms) == (version, ahead_ms + 2)
    assert releases.newest.params.extent["customers"] == 2357


def test_only_inputs_are_accepted_anew(clv):
    wrong = clv("topics", "accept", "clv.scores")
    assert wrong.status == 2
    assert get_args(Input) == topics.INPUTS
    assert all(name in wrong.err for name in topics.INPUTS)
