"""CDNOW through a worker with CLV_CLOCK=events: who falls silently, and on which day."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.policy import Policy
from streams.datasets import CURRENCY
from streams.demo import purchases
from tests.chaos.run import clv
from tests.integration.job import PARTITIONS, Job, job
from tests.integration.timed import Timed, publish_timed
from tests.models.daily_batch import DAY_MS, DailyBatch, Fall, Purchase
from tests.recount.outputs import CHURN_RISK, TIER_CHANGES, read_outputs

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]


def test_silent_changes_are_those_of_a_daily_batch(tmp_path: Path) -> None:
    rows = purchases(None)
    last_day = rows[-1].occurred_at_ms // DAY_MS
    bought = [Purchase(r.customer_id, r.occurred_at_ms // DAY_MS, r.amount_minor) for r in rows]
    recomputed = DailyBatch(Policy(currency=CURRENCY), bought)
    recomputed.run(last_day)
    with job(tmp_path, CLV_CLOCK="events", CLV_CURRENCY=CURRENCY) as running:
        running.worker.start()
        running.wait_for("recovered")
        publish_timed(
            running.kafka.bootstrap,
            (
                Timed(r.customer_id, f"cdnow-{r.line}", at, at, r.amount_minor, CURRENCY)
                for r in rows
                for at in [r.occurred_at_ms]
            ),
        )
        running.settle()
        found = silent(running)
        missing, extra = set(recomputed.falls) - set(found), set(found) - set(recomputed.falls)
        assert not missing, sorted(missing)[:5]
        assert not extra, sorted(extra)[:5]
        assert len(found) == len(recomputed.falls), "nobody falls twice"
        the_outlook_goes_on(running, recomputed, last_day)
        the_states_are_enough_to_fit_a_model(running)
        running.stop()


def silent(running: Job) -> list[Fall]:
    outputs = read_outputs(running.kafka.bootstrap, PARTITIONS)
    found = []
    for topic, kind in ((TIER_CHANGES, "tier"), (CHURN_RISK, "churn")):
        for record in outputs[topic]:
            change = json.loads(record.value or b"")
            if change["cause"] == "silence":
                day = int(datetime.fromisoformat(change["crossed_at"]).timestamp()) // 86_400
                customer = change["customer_id"]
                found.append(Fall(kind, customer, change["from"], change["to"], day))
    return found


def the_states_are_enough_to_fit_a_model(running: Job) -> None:
    """`clv fit --from-kafka` finds what `clv fit` finds in the purchases themselves."""
    sources = ("--from-kafka", "cdnow")
    stored, listed = (json.loads(clv(running.env, "fit", one, "--json")) for one in sources)
    for part in ("purchases", "spend", "tier_thresholds_minor"):
        assert stored[part] == pytest.approx(listed[part], rel=1e-6)
    for count in ("customers", "repeat_customers", "purchase_days"):
        assert stored["extent"][count] == listed["extent"][count]


def the_outlook_goes_on(running: Job, recomputed: DailyBatch, last_day: int) -> None:
    """`clv calendar` tells what the batch finds when it goes on without purchases."""
    days = 30
    told = json.loads(clv(running.env, "calendar", "--days", str(days), "--json"))["days"]
    before = len(recomputed.falls)
    for day in range(last_day + 1, last_day + days + 1):
        recomputed.silence(day - 1, day - 1.0 / DAY_MS, step_by_step=True)
        recomputed.silence(day, float(day), step_by_step=False)
    came = [fall for fall in recomputed.falls[before:] if fall.day < last_day + days]
    for index, day in enumerate(told):
        assert day["date"] == datetime.fromtimestamp((last_day + index) * 86_400, UTC).strftime(
            "%Y-%m-%d"
        )
        those = [fall for fall in came if fall.day == last_day + index]
        assert day["customers"] == len({fall.customer for fall in those})
        for kind, name in (("tier", "tiers"), ("churn", "levels")):
            counted = dict.fromkeys(day[name], 0)
            for fall in those:
                if fall.kind == kind:
                    counted[fall.to] += 1
            assert day[name] == counted
    assert len(came) > 100
