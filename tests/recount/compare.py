"""Compares what came out with the recount, and the outputs with each other."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.recount.facts import Customer, Recount, day_of
from tests.recount.findings import Findings
from tests.recount.judge import VALUE_BYTES_MAX, parse_time
from tests.recount.outputs import (
    CHURN_RISK,
    DEAD_LETTERS,
    SCORES,
    TIER_CHANGES,
    Output,
    Served,
    last_values,
)

CLOUD_EVENT = frozenset(f"ce_{name}" for name in ("id", "type", "source", "time", "specversion"))


def compare(counted: Recount, outputs: Mapping[str, list[Output]], served: Served) -> Findings:
    """All comparisons."""
    found = Findings()
    newest = last_values(outputs[SCORES])
    compare_scores(found, counted, newest)
    compare_redis(found, newest, served)
    compare_revisions(found, outputs[SCORES])
    compare_changes(found, "tier", outputs[TIER_CHANGES], newest, "tier")
    compare_changes(found, "churn", outputs[CHURN_RISK], newest, "churn_level")
    compare_dead_letters(found, counted, outputs[DEAD_LETTERS])
    compare_rerouted(found, counted)
    compare_headers(found, outputs)
    for (topic, outcome), number in sorted(counted.outcomes.items()):
        found.notes[f"{topic} {outcome}"] = number
    return found


def compare_scores(found: Findings, counted: Recount, newest: Mapping[str, bytes]) -> None:
    """Every customer's facts in the newest scores, to the cent."""
    found.notes["customers whose lateness depends on how topics interleave"] = 0
    for customer_id in newest.keys() - counted.customers.keys():
        found.differ("scores", f"{customer_id}: has a score, but no event")
    for customer_id, customer in counted.customers.items():
        found.count("scores")
        value = newest.get(customer_id)
        if value is None:
            found.differ("scores", f"{customer_id}: no score, for {customer.orders} orders")
            continue
        for field, expected, was in _differences(counted, customer_id, customer, value, found):
            found.differ(f"scores.{field}", f"{customer_id}: expected {expected!r}, found {was!r}")


def _differences(
    counted: Recount, customer_id: str, customer: Customer, value: bytes, found: Findings
) -> Iterable[tuple[str, object, object]]:
    score = json.loads(value)
    as_of_ms = parse_time(score["as_of"]) or 0
    expected: dict[str, Any] = {
        "customer_id": customer_id,
        "currency": counted.rules.currency,
        "orders": customer.orders,
        "refunds": customer.refunds,
        "historic_clv_minor": customer.historic,
        "total_clv_minor": customer.historic + score["predicted_clv_minor"],
    }
    actual = dict(score)
    actual["engagements"] = {name: n for name, n in score["engagements"].items() if n}
    expected["engagements"] = customer.engagements
    if customer.in_doubt(counted.rules.retention_days):
        found.notes["customers whose lateness depends on how topics interleave"] += 1
    else:
        expected["frequency"] = customer.frequency
        for name, at_ms in (("first", customer.first_ms), ("last", customer.last_ms)):
            field = f"{name}_purchase_at"
            expected[field] = at_ms
            actual[field] = None if score[field] is None else parse_time(score[field])
        today = day_of(as_of_ms, counted.rules.timezone)
        for days, window in score["windows"].items():
            orders, revenue, visits = customer.window(today, int(days))
            expected[f"windows.{days}"] = {
                "orders": orders,
                "revenue_minor": revenue,
                "engagements": visits,
            }
            actual[f"windows.{days}"] = window
            found.count("windows")
    if as_of_ms < customer.newest_ms:
        yield "as_of", f"not before {customer.newest_ms}", as_of_ms
    for field, wanted in expected.items():
        if actual[field] != wanted:
            yield field, wanted, actual[field]


def compare_redis(found: Findings, newest: Mapping[str, bytes], served: Served) -> None:
    """Redis serves the newest scores byte for byte, and its ranks are theirs."""
    found.count("redis", len(newest))
    for customer_id in newest.keys() ^ served.scores.keys():
        where = "Redis" if customer_id in newest else "clv.scores"
        found.differ("redis", f"{customer_id}: missing in {where}")
    for name, field in (("total", "total_clv_minor"), ("risk", "value_at_risk_minor")):
        rank = served.ranks[name]
        for customer_id in rank.keys() - newest.keys():
            found.differ(f"rank:{name}", f"{customer_id}: ranked without a score")
        found.count(f"rank:{name}", len(newest))
        for customer_id, value in newest.items():
            expected = json.loads(value)[field]
            # A customer without value at risk need not stand in the ranking of it.
            if rank.get(customer_id, 0 if name == "risk" else None) != expected:
                found.expect(f"rank:{name}", customer_id, expected, rank.get(customer_id))
    for customer_id in newest.keys() & served.scores.keys():
        if newest[customer_id] != served.scores[customer_id]:
            expected, was = newest[customer_id], served.scores[customer_id]
            found.differ("redis", f"{customer_id}: {_first_difference(expected, was)}")


def _first_difference(expected: bytes, was: bytes) -> str:
    left, right = json.loads(expected), json.loads(was)
    fields = [field for field in left if left.get(field) != right.get(field)]
    shown = [f"{field} {left.get(field)!r} but {right.get(field)!r}" for field in fields[:4]]
    return f"clv.scores has {', '.join(shown) or 'other bytes'} in Redis"


def compare_revisions(found: Findings, scores: list[Output]) -> None:
    """A customer's revisions grow, in one partition."""
    last: dict[bytes | None, tuple[int, int]] = {}
    for record in scores:
        if record.value is None:
            continue
        found.count("revisions")
        revision = json.loads(record.value)["revision"]
        before, partition = last.get(record.key, (0, record.partition))
        where = f"{_text(record.key)} at {record.partition}:{record.offset}"
        if revision <= before:
            found.differ("revisions", f"{where}: {revision} after {before}")
        if partition != record.partition:
            found.differ("revisions", f"{where}: was in partition {partition} before")
        last[record.key] = revision, record.partition


def compare_changes(
    found: Findings, kind: str, changes: list[Output], newest: Mapping[str, bytes], field: str
) -> None:
    """Changes form a chain for each customer, and end where the score is."""
    what = f"{kind} changes"
    last: dict[str, str | None] = {}
    ids: Counter[str] = Counter()
    for record in changes:
        found.count(what)
        change = json.loads(record.value or b"{}")
        customer_id = change["customer_id"]
        where = f"{customer_id} at {record.partition}:{record.offset}"
        found.expect(f"{what}: key", where, customer_id, _text(record.key))
        before = last.get(customer_id)
        if change["from"] != before:
            sentence = f"{where}: from {change['from']!r}, but the one before was to {before!r}"
            found.differ(f"{what}: chain", sentence)
        if change["to"] == change["from"]:
            found.differ(f"{what}: chain", f"{where}: from {change['from']!r} to the same")
        last[customer_id] = change["to"]
        ids[change["id"]] += 1
        if ("ce_id", change["id"].encode()) not in record.headers:
            found.differ(f"{what}: ids", f"{where}: not the id of its header ce_id")
    for change_id, times in ids.items():
        if times > 1:
            found.differ(f"{what}: ids", f"{change_id}: {times} times")
    for customer_id, value in newest.items():
        found.expect(f"{what}: end", customer_id, json.loads(value)[field], last.get(customer_id))
    for customer_id in last.keys() - newest.keys():
        found.differ(f"{what}: end", f"{customer_id}: changed, but has no score")


def compare_headers(found: Findings, outputs: Mapping[str, list[Output]]) -> None:
    """Every output is a CloudEvent: its attributes are headers."""
    for topic, records in outputs.items():
        found.count("headers", len(records))
        for record in records:
            missing = CLOUD_EVENT - {name for name, _ in record.headers}
            if missing:
                where = f"{topic} {record.partition}:{record.offset}"
                found.differ("headers", f"{where}: without {', '.join(sorted(missing))}")


def compare_dead_letters(found: Findings, counted: Recount, letters: list[Output]) -> None:
    """Exactly the bad records are dead letters, each once, with its bytes and its reason."""
    found.count("dead letters", len(counted.bad))
    by_place = defaultdict(list)
    for letter in letters:
        headers = {name: (value or b"").decode(errors="replace") for name, value in letter.headers}
        try:
            place = (
                headers["clv-topic"],
                int(headers["clv-partition"]),
                int(headers["clv-offset"]),
            )
        except (KeyError, ValueError):
            where = f"{letter.partition}:{letter.offset}"
            found.differ("dead letters", f"{where}: does not say where it is from")
            continue
        by_place[place].append((letter, headers))
    for place, (faults, value) in counted.bad.items():
        came = by_place.pop(place, [])
        if len(came) != 1:
            found.differ("dead letters", f"{place}: {len(came)} times, for {sorted(faults)}")
        for letter, headers in came:
            if headers.get("clv-reason") not in faults:
                found.expect("reasons", str(place), sorted(faults), headers.get("clv-reason"))
            _check_letter(found, str(place), letter.value or b"", value or b"", headers)
    for place in by_place:
        found.differ("dead letters", f"{place}: is a good event")


def _check_letter(
    found: Findings, where: str, letter: bytes, value: bytes, headers: Mapping[str, str]
) -> None:
    if letter != value[:VALUE_BYTES_MAX]:
        found.differ("dead letters", f"{where}: other bytes than the record's")
    if ("clv-truncated" in headers) != (len(value) > VALUE_BYTES_MAX):
        found.differ("dead letters", f"{where}: wrong about being cut")
    if not headers.get("clv-detail"):
        found.differ("dead letters", f"{where}: without a detail")


def compare_rerouted(found: Findings, counted: Recount) -> None:
    """Each misplaced event was forwarded to its partition.

    That it was so once only shows where values are unique, as those of the fault runs are.
    """
    for (topic, value), times in counted.rerouted.items():
        found.count("rerouted", times)
        home = counted.at_home[hash((topic, value))]
        if home < times:
            sentence = f"{topic} {value[:120]!r}: misplaced {times} times, forwarded {home}"
            found.differ("rerouted", sentence)
        elif home > times:
            sentence = f"{topic} {value[:120]!r}: misplaced {times} times, at home {home}"
            found.differ("rerouted twice, or published twice", sentence)


def _text(key: bytes | None) -> str:
    return (key or b"").decode(errors="replace")
