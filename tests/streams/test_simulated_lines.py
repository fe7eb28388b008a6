"""What is simulated is what was asked for, line by line, and can be counted again."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import orjson
import pytest

from models.events import BadEvent, Decoder
from models.parameters import CDNOW
from streams.simulated_lines import Shares, lines
from streams.simulated_shop import draw_purchases

START_MS = 1_700_000_000_000
DAYS = 365
END_MS = START_MS + DAYS * 86_400_000 - 1
SHARES = Shares(engagements=0.3, refunds=0.05, duplicates=0.02, rubbish=0.01, late=0.1)


def made(total=20_000, customers=500, shares=SHARES, seed=7):
    rng = np.random.default_rng(seed)
    counts = shares.of(total)
    purchases = draw_purchases(
        CDNOW, customers=customers, days=DAYS, start_ms=START_MS, total=counts.purchases, rng=rng
    )
    return purchases, lines(
        purchases, counts, end_ms=END_MS, currency="EUR", id_prefix="7", rng=rng
    )


def judged(written):
    """Every event of the lines, and how many are none."""
    decoder = Decoder("EUR", {}, 0)
    events, bad = [], Counter()
    for line in written:
        try:
            read = decoder.engagement if b'"id":"e-' in line else decoder.purchase
            events.append(read(line, None, END_MS))
        except BadEvent as error:
            bad[error.reason] += 1
    return events, bad


def test_there_are_as_many_lines_of_each_kind_as_were_asked_for():
    _, written = made()
    assert len(written) == 20_000
    events, bad = judged(written)
    assert bad.total() == 200
    assert len(bad) == 5, "several kinds of rubbish"
    distinct = {event.id: event for event in events}
    assert len(events) - len(distinct) == 400
    kinds = Counter(event.kind for event in distinct.values())
    assert kinds == {0: 12_400, 1: 1_000, 2: 6_000}


def test_purchases_are_those_that_were_drawn():
    purchases, written = made()
    events, _ = judged(written)
    found = {event.id: event for event in events if event.kind == 0}
    drawn = Counter(
        zip(
            purchases.customer.tolist(),
            purchases.at_ms.tolist(),
            purchases.amount_minor.tolist(),
            strict=True,
        )
    )
    assert drawn == Counter(
        (int(event.customer), event.at_ms, event.amount_minor) for event in found.values()
    )


def test_lines_are_in_order_but_for_the_late_ones():
    _, written = made(shares=Shares(engagements=0.3, refunds=0.05))
    times = [event.at_ms for event in judged(written)[0]]
    assert times == sorted(times)
    _, written = made(shares=Shares(late=0.1))
    times = [event.at_ms for event in judged(written)[0]]
    newest = np.maximum.accumulate(times)
    assert 0.08 < np.mean(np.array(times) < newest) <= 0.1


def test_a_refund_is_of_a_purchase_before_and_never_more_than_it():
    _, written = made(shares=Shares(refunds=0.2))
    paid, refunded = Counter(), Counter()
    for event in judged(written)[0]:
        if event.kind == 0:
            paid[event.customer] += event.amount_minor
        else:
            refunded[event.customer] += event.amount_minor
            assert refunded[event.customer] <= paid[event.customer]
            assert event.amount_minor > 0
    assert refunded


def test_a_duplicate_follows_soon_and_is_the_same_to_the_byte():
    _, written = made(shares=Shares(duplicates=0.3))
    place = {}
    gaps = []
    for number, line in enumerate(written):
        if line in place:
            gaps.append(number - place[line])
        place[line] = number
    assert len(gaps) == 6_000
    assert max(gaps) < 64, "within what a state remembers"


def test_nothing_happens_outside_of_the_time():
    _, written = made()
    for event in judged(written)[0]:
        assert START_MS <= event.at_ms <= END_MS


def test_the_same_seed_gives_the_same_lines():
    assert made()[1] == made()[1]
    assert made()[1] != made(seed=8)[1]


@pytest.mark.parametrize("model", ["mbg-nbd", "bg-nbd", "pareto-nbd"])
def test_scaled_rates_keep_the_number_and_everyone_buys_once(model):
    params = replace(CDNOW, model=model, r=0.5, alpha=40.0, s=0.6, beta=80.0)
    rng = np.random.default_rng(3)
    shop = draw_purchases(
        params, customers=1_000, days=DAYS, start_ms=START_MS, total=9_999, rng=rng
    )
    assert shop.customer.size == 9_999
    assert np.unique(shop.customer).tolist() == list(range(1, 1_001))
    assert all(earlier <= later for earlier, later in pairwise(shop.at_ms.tolist()))
    assert shop.amount_minor.min() >= 1


def test_order_values_have_the_models_mean():
    # p·v/(q - 1): MATHS.md, Gamma-Gamma, population mean 35.2 dollars. The standard error of the
    # mean of 200,000 customers' first orders is about 0.1 dollars.
    rng = np.random.default_rng(5)
    shop = draw_purchases(
        CDNOW, customers=200_000, days=1, start_ms=START_MS, total=200_000, rng=rng
    )
    assert shop.amount_minor.mean() == pytest.approx(3_522, abs=40)


def test_lines_are_json_objects():
    _, written = made(shares=Shares(engagements=0.5, refunds=0.1), customers=100, total=1_000)
    for line in written:
        assert orjson.loads(line)["customer_id"]


@pytest.mark.parametrize("seed", range(6))
def test_one_customer_can_have_all_the_events(seed):
    # Of these seeds some draw a customer who is lost with the first purchase.
    purchases, written = made(total=500, customers=1, shares=Shares(), seed=seed)
    assert len(written) == 500
    assert set(purchases.customer.tolist()) == {1}
