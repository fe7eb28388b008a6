"""The pure tick: from stored states and an instant to what silence has changed by then."""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Indices
from models.batch import Batch, Customer, Part, Read
from models.chain import Looks, follow
from models.change_over import ChangeOver
from models.deadlines import Published, due_and_crossed, is_stale
from models.judged_windows import window_ends_ms
from models.moves import crossings_of, transitions_of
from models.policy import Policy
from models.rules import rules_of
from models.settlement import deadlines_of, settle, standing
from models.step import Step, publish, tell
from models.times import MS_PER_S
from models.valuation import Valuation


class SilentWork(NamedTuple):
    """Whom a partition has to look at.

    Attributes:
        read: encoded state by customer, None for none.
        due_now: customers, each once; those who are left of a change-over may be among them,
            due or not.
        now_ms: the partition's time, epoch ms.
    """

    read: Read
    due_now: Sequence[bytes]
    now_ms: int

    @property
    def size(self) -> int:
        """How many customers there are."""
        return len(self.due_now)


def silence_together(
    policy: Policy, works: Sequence[SilentWork], change_over: ChangeOver | None = None
) -> list[Step]:
    """Applies a tick: looks at customers whose deadlines have come.

    Args:
        policy: the rules of all partitions.
        works: of each partition.
        change_over: to the rules, where one is under way: then of a single partition.

    Returns:
        For each partition, new scores of those who changed over, whom silence moved, whose score
        was stale, or whose prediction was judged; for all others no more than a deadline.
    """
    batch = Batch(rules_of(policy), change_over)
    results = [_look(batch, work) for work in works]
    if batch.who:
        _refresh(batch, results)
    return results


def _look(batch: Batch, work: SilentWork) -> Step:
    """Adds the rows of a partition's customers who are due indeed."""
    part = Part(batch, work.read, work.now_ms)
    result = Step(work.now_ms)
    for key in work.due_now:
        if work.read(key) is None:
            result.deadlines.append((key, 0))
            continue
        customer = part.customer(key)
        if batch.is_left(key):
            part.change(customer)  # and is due again, if silence has gone on for long
            continue
        deadline_s = customer.state.deadline_s
        if deadline_s == 0 or deadline_s * MS_PER_S > work.now_ms:
            result.deadlines.append((key, deadline_s))
            continue
        part.look(customer)
    return result


def _refresh(batch: Batch, results: Sequence[Step]) -> None:
    """Publishes who changed over, whom silence moved or made stale; looks ahead for the others."""
    valuation = Valuation(batch.rules, batch.facts.columns(batch.rules.policy.params))
    looks = Looks(batch, valuation)
    moves = follow(batch, valuation, looks)
    figures = looks.figures.take(np.arange(len(batch.who)))
    published = Published(
        valuation.p_active(
            figures.rows,
            np.maximum(looks.rows.silent_from_ms, valuation.facts.last_ms),
        ),
        np.array([customer.state.predicted_minor for customer in batch.who], dtype=np.int64),
    )
    changed = np.array([batch.is_left(customer.key) for customer in batch.who])
    new = is_stale(valuation, figures, published) | _window_ended(batch, looks) | changed
    new[[move.row for move in moves]] = True
    last = Published.of(figures)
    said = Published._make(map(partial(np.where, new), last, published))
    when, crossed_ms = due_and_crossed(
        valuation, crossings_of(moves), figures, *standing(batch.who), said
    )
    tell(batch, valuation, looks, transitions_of(looks, moves, crossed_ms), results)
    fresh, kept = np.flatnonzero(new), np.flatnonzero(~new)
    if fresh.size:
        parts = _by_part(batch, fresh)
        _renew(parts, results, changed[fresh].tolist())
        publish(results, settle(valuation, parts, figures.take(fresh), when.take(fresh)))
    if kept.size:
        parts = _by_part(batch, kept)
        customers = list(chain.from_iterable(parts))
        seconds = iter(deadlines_of(customers, figures.take(kept), when.take(kept)))
        for result, part in zip(results, parts, strict=True):
            result.deadlines += [(customer.key, next(seconds)) for customer in part]


def _renew(
    parts: Sequence[Sequence[Customer]], results: Sequence[Step], changed: Sequence[bool]
) -> None:
    """Counts the customers' new scores; `changed` says who of them changed over."""
    why = iter(changed)
    for result, part in zip(results, parts, strict=True):
        for customer in part:
            by_model = next(why)
            customer.state.revision += not by_model  # which had its own when its row was added
            result.causes["model" if by_model else "silence"] += 1


def _by_part(batch: Batch, rows: Indices) -> list[list[Customer]]:
    numbers: list[int] = rows.tolist()
    return [[batch.who[row] for row in numbers[own]] for own in batch.by_part(numbers)]


def _window_ended(batch: Batch, looks: Looks) -> NDArray[np.bool_]:
    """(n,) whether a window of `models.judged_windows` ended between a look and the score before.

    Then the verdict, and what is predicted next, are to be stored.
    """
    keys = [customer.key for customer in batch.who]
    before_ms, at_ms = looks.rows.silent_from_ms, looks.rows.at_ms
    ended: NDArray[np.bool_] = window_ends_ms(keys, before_ms) < window_ends_ms(keys, at_ms)
    return ended
