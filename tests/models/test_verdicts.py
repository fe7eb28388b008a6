"""Verdicts on past predictions: equal to a recount of the whole history, and true to the truth."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event
from models.judged_windows import (
    SILENT_WINDOWS_MAX,
    WINDOW_DAYS,
    WINDOW_MS,
    window_ends_ms,
)
from models.parameters import CDNOW, ModelParams
from models.policy import Policy
from models.simulation import simulate_customers
from models.state import NOT_BEGUN, NOTHING, decode, encode
from models.step import Step
from models.verdicts import BINS, Verdicts, verdicts_on
from tests.models.shop import DAY_MS, START_MS, Partition, policies, purchase, silence, visit
from tests.models.stored_states import GOLDEN
from tests.models.test_step import arrivals
from tests.models.verdict_recount import LOWER_BOUNDS, Recount, add, without_zeros

KEY = b"42"

proof = settings(max_examples=30, derandomize=True, deadline=None, database=None)


@dataclass
class Judging(Partition):
    """A partition that adds up its verdicts."""

    verdicts: Verdicts = field(default_factory=Verdicts)

    def take(self, result: Step) -> Step:
        add(self.verdicts, result.verdicts)
        return super().take(result)


def end_of(key: bytes, at_ms: int) -> int:
    return window_ends_ms([key], np.array([at_ms])).item()


def end_after(day: float, customer: bytes = KEY) -> int:
    """Epoch ms at which the first window after a day of the test ends."""
    return end_of(customer, START_MS + int(day * DAY_MS))


def day_of(at_ms: int) -> float:
    return (at_ms - START_MS) / DAY_MS


# --- against a recount ------------------------------------------------------------------------


@proof
@given(policies(), arrivals(), st.data())
def test_ticks_of_any_spacing_judge_what_a_recount_finds(
    policy: Policy, events: list[tuple[Event, int]], data: st.DataObject
) -> None:
    partition, recount = Judging(policy), Recount(policy)
    spacings = st.sampled_from([3_600_000, DAY_MS, 10 * DAY_MS, 29 * DAY_MS, 100 * DAY_MS])
    for event, timestamp_ms in events:
        for spacing in data.draw(st.lists(spacings, max_size=3)):
            tick(partition, recount, partition.now_ms + spacing if partition.now_ms else 0)
        partition.play([(event, timestamp_ms)])
        recount.apply(event, timestamp_ms)
    tick(partition, recount, partition.now_ms + data.draw(st.integers(0, 400)) * DAY_MS)

    def end_ms(customer: bytes) -> int:
        return max(partition.now_ms, recount.told[customer][-1].as_of_ms)

    assert without_zeros(partition.verdicts) == recount.verdicts(end_ms)
    for customer, stored in partition.table.items():
        open_bp = recount.predictions(customer, end_ms(customer))[1]
        # Before its first purchase nobody looks at a customer: nothing is predicted either way.
        assert decode(stored).chance_bp == (NOTHING if open_bp is None else open_bp)


@proof
@given(policies(), arrivals(), st.data())
def test_events_alone_in_any_batches_judge_what_a_recount_finds(
    policy: Policy, events: list[tuple[Event, int]], data: st.DataObject
) -> None:
    """No tick ever comes: each event settles what is over before it is applied."""
    partition, recount = Judging(policy), Recount(policy)
    at = 0
    while at < len(events):
        size = data.draw(st.integers(1, len(events)))
        partition.play(events[at : at + size])
        at += size
    for event, timestamp_ms in events:
        recount.apply(event, timestamp_ms)
    assert without_zeros(partition.verdicts) == recount.verdicts(
        lambda customer: recount.told[customer][-1].as_of_ms
    )


def tick(partition: Partition, recount: Recount, now_ms: int) -> None:
    partition.tick(now_ms)
    recount.tick(now_ms)


def test_who_is_judged_counts_beside_one_whose_look_came_early() -> None:
    """A tick finds two customers: of one a window is over, of the other nothing has changed."""
    now_ms = end_after(1) + WINDOW_MS
    other = b"43"
    assert end_of(other, now_ms) > now_ms + DAY_MS
    partition = Judging(Policy())
    partition.one(purchase(1, 0.5))
    partition.tick(now_ms - 1)
    partition.one(purchase(2, day_of(now_ms) - 0.01, customer=other))
    early = decode(partition.table[other])
    early.deadline_s = now_ms // 1000
    partition.table[other] = encode(early)
    result = partition.take(silence(partition.policy, partition.table.get, [KEY, other], now_ms))
    assert [customer for customer, _ in result.scores] == [KEY]
    assert {customer for customer, _ in result.deadlines} == {KEY, other}
    assert partition.verdicts.judged.total() == 1


# --- against the truth ------------------------------------------------------------------------


def judged_shop(truth: ModelParams, scoring: ModelParams, customers: int = 3_000) -> Verdicts:
    """Two years of a shop whose customers are drawn from one model and scored by another."""
    shop = simulate_customers(truth, customers, 730.0, np.random.default_rng(12), 200.0)
    order = np.argsort(shop.at_days, kind="stable")
    events = [
        purchase(number, day, 5_000, b"c-%d" % customer)
        for number, (day, customer) in enumerate(
            zip(shop.at_days[order].tolist(), shop.customer[order].tolist(), strict=True)
        )
    ]
    partition = Judging(Policy(params=scoring))
    for at in range(0, len(events), 2_000):
        partition.play((event, event.at_ms) for event in events[at : at + 2_000])
    partition.tick(START_MS + 730 * DAY_MS, 5_000)
    return partition.verdicts


def deviations(verdicts: Verdicts) -> dict[int, float]:
    """By bin with at least 10 expected, how many standard deviations the active ones are off.

    A sum of independent events with chances p has a variance of at most n·m·(1 - m), m being the
    mean of p: binomial.
    """
    found = {}
    for number, judged in verdicts.judged.items():
        expected = verdicts.chance_bp[number] / 10_000
        if expected >= 10:
            spread = np.sqrt(expected * (1 - expected / judged))
            found[number] = (verdicts.active[number] - expected) / spread
    return found


def test_the_true_model_is_found_to_be_calibrated() -> None:
    verdicts = judged_shop(CDNOW, CDNOW)
    assert verdicts.judged.total() > 55_000
    off = deviations(verdicts)
    assert len(off) >= 8
    assert max(map(abs, off.values())) < 4
    expected = verdicts.chance_bp.total() / 10_000
    assert abs(verdicts.active.total() - expected) < 4 * np.sqrt(expected)


@pytest.mark.parametrize("change", [{"alpha": 3 * CDNOW.alpha}, {"a": CDNOW.a / 2}])
def test_wrong_parameters_show(change: dict[str, float]) -> None:
    verdicts = judged_shop(CDNOW, replace(CDNOW, **change))
    assert max(map(abs, deviations(verdicts).values())) > 6


# --- one customer -----------------------------------------------------------------------------


def test_a_purchase_in_the_window_is_what_counts() -> None:
    began_ms, ended_ms = end_after(0), end_after(0) + WINDOW_MS
    for bought_ms, active in ((began_ms, 1), (ended_ms - 1, 1), (ended_ms, 0)):
        partition = Judging(Policy())
        partition.one(purchase(1, 0))
        partition.tick(began_ms)
        partition.one(Event(0, KEY, "o-2", bought_ms, 5_000, -1))
        partition.tick(ended_ms)
        assert (partition.verdicts.judged.total(), partition.verdicts.active.total()) == (1, active)


@pytest.mark.parametrize("judged_first", [False, True])
def test_a_late_purchase_counts_until_the_verdict(judged_first: bool) -> None:
    began_ms, ended_ms = end_after(0), end_after(0) + WINDOW_MS
    partition = Judging(Policy())
    partition.one(purchase(1, 0))
    partition.tick(ended_ms if judged_first else ended_ms - 1)
    partition.one(Event(0, KEY, "o-2", began_ms + DAY_MS, 5_000, -1))
    partition.tick(ended_ms + WINDOW_MS)
    active = partition.verdicts.active.total()
    # What comes after the verdict on its window changes no verdict, the next one's neither.
    assert (partition.verdicts.judged.total(), active) == (2, 0 if judged_first else 1)


def test_a_look_and_an_event_never_judge_the_same_window_twice() -> None:
    partition = Judging(Policy())
    partition.one(purchase(1, 0))
    for number in range(1, 6):
        at_ms = end_after(0) + number * WINDOW_MS
        partition.tick(at_ms)
        partition.tick(at_ms)
        partition.one(Event(2, KEY, f"v-{number}", at_ms, 0, 0))
        assert partition.verdicts.judged.total() == number


def test_a_silent_customer_is_looked_at_when_a_window_ends() -> None:
    partition = Judging(Policy(tiers=(("all", 0),)))
    partition.one(purchase(1, 0, 0))
    far_ms = START_MS + 3_000 * DAY_MS
    while partition.now_ms < far_ms:
        due_ms = partition.deadlines[KEY] * 1000
        assert due_ms <= end_after(day_of(partition.now_ms))
        partition.tick(max(due_ms, partition.now_ms + 250))
        revision, judged = decode(partition.table[KEY]).revision, partition.verdicts.judged.total()
    windows = (far_ms - end_after(0)) // WINDOW_MS
    assert windows <= judged <= windows + 1
    assert revision <= judged + 60, "a look that changes nothing is not published"


def test_before_the_first_purchase_nothing_is_predicted() -> None:
    partition = Judging(Policy())
    partition.one(visit(1, 0))
    partition.one(visit(2, 100))
    assert decode(partition.table[KEY]).chance_bp == NOTHING
    partition.one(purchase(3, 200))
    partition.one(visit(4, day_of(end_after(200))))
    assert decode(partition.table[KEY]).chance_bp > 0
    assert partition.verdicts == Verdicts()


def test_a_silence_of_more_than_twenty_years_is_not_judged() -> None:
    most = SILENT_WINDOWS_MAX
    for windows, judged in ((most, most - 1), (most + 2, 0)):
        partition = Judging(Policy())
        partition.one(purchase(1, 0))
        partition.tick(end_after(0) + (windows - 1) * WINDOW_MS)
        assert partition.verdicts.judged.total() == judged
    beyond = Judging(Policy())
    for number, year in enumerate((2_105, 2_107, 2_108, 9_000)):
        beyond.one(purchase(number, (year - 2_020) * 365.25))
        beyond.tick(beyond.now_ms + DAY_MS)
    assert len(beyond.schedule) == 0


def test_judging_of_a_state_of_version_1_begins_when_it_is_touched() -> None:
    """What it would have said of the time before is known from hindsight: nobody came."""
    stored = (GOLDEN / "v1-regular.msgpack").read_bytes()
    state = decode(stored)
    due_ms = state.deadline_s * 1000
    for by in ("tick", "event"):
        partition = Judging(Policy(), {KEY: stored})
        partition.schedule.put(KEY, state.deadline_s)
        at_ms = due_ms + 400 * DAY_MS
        if by == "tick":
            partition.tick(at_ms)
        else:
            partition.one(Event(2, KEY, "v-1", at_ms, 0, 0))
        assert decode(partition.table[KEY]).chance_bp == NOTHING
        began_ms = end_of(KEY, at_ms)
        partition.tick(began_ms)
        assert partition.verdicts == Verdicts()
        partition.tick(began_ms + WINDOW_MS)
        assert partition.verdicts.judged.total() == 1
    untouched = encode(state)
    assert decode(untouched).chance_bp == NOT_BEGUN


# --- sums and windows -------------------------------------------------------------------------


def test_the_bins_hold_their_lower_bounds() -> None:
    assert [round(float(name.split("-")[0]) * 10_000) for name in BINS] == LOWER_BOUNDS
    chances = np.array([0, 99, 100, 9_999, 10_000, 10_000])
    active = np.array([1, 0, 1, 1, 1, 0])
    found = verdicts_on(chances, active)
    assert found.judged == {0: 2, 1: 1, 12: 3}
    assert found.active == {0: 1, 1: 1, 12: 2}
    assert found.chance_bp == {0: 99, 1: 100, 12: 29_999}
    assert found.squared_error_bp2 == 10**8 + 99**2 + 9_900**2 + 1 + 0 + 10**8


def test_the_windows_of_customers_are_spread_over_the_30_days() -> None:
    keys = [b"customer-%d" % number for number in range(30_000)]
    now_ms = 1_700_000_000_123
    at_ms = np.full(len(keys), now_ms)
    ends = window_ends_ms(keys, at_ms)
    assert np.all((ends > at_ms) & (ends <= at_ms + WINDOW_MS))
    assert np.all(ends % 1_000 == 0), "a deadline is a whole second"
    by_day = np.bincount((ends - now_ms - 1) // DAY_MS, minlength=WINDOW_DAYS)
    assert by_day.size == WINDOW_DAYS
    assert abs(by_day - 1_000).max() < 5 * np.sqrt(1_000)
    assert window_ends_ms(keys, ends).tolist() == (ends + WINDOW_MS).tolist()
