"""What the input adds up to, counted from Kafka's records, and whether scores agree with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NOT_TOLD: Final = -1
"""A field that an engine's scores do not have."""

_GROUP_BITS: Final = 44
"""Room for an epoch millisecond beside the number of a customer in 63 bits."""


class Aggregates(NamedTuple):
    """Of one score: orders, first and last instant (epoch ms), spend and largest (minor units)."""

    orders: int
    first_at: int
    last_at: int
    spend_minor: int
    largest_minor: int


@dataclass(frozen=True)
class Scores:
    """Scores as they were published, oldest first within each customer.

    Attributes:
        at_ms: (n,) when the score was there, epoch ms.
        keys: (n,) customers.
        aggregates: (n, 5) in the order of `Aggregates`.
    """

    at_ms: Floats
    keys: list[bytes]
    aggregates: Ints

    @classmethod
    def of(cls, rows: Sequence[tuple[float, bytes, Aggregates]]) -> "Scores":
        """From one row a score."""
        return cls(
            np.array([row[0] for row in rows], dtype=np.float64),
            [row[1] for row in rows],
            np.array([row[2] for row in rows], dtype=np.int64).reshape(-1, len(Aggregates._fields)),
        )


class Verdict(NamedTuple):
    """What a comparison found.

    Attributes:
        processed: events that the newest scores of all customers cover.
        expected: events of the input.
        wrong: scores that no state of the input explains.
        example: one of them, in words.
    """

    processed: int
    expected: int
    wrong: int
    example: str

    def complaint(self, *, complete: bool) -> str:
        """What is wrong, or nothing; a run that was cut short need not be complete."""
        if self.wrong:
            return f"WRONG: {self.wrong} scores, such as {self.example}"
        if complete and self.processed != self.expected:
            return f"WRONG: lost {self.expected - self.processed} of {self.expected} events"
        return ""


class Recount:
    """Every customer's aggregates after each of its events.

    Attributes:
        events: how many there are.
        lasts: the customer of each partition's last event, and how many orders it ends with.
    """

    def __init__(self, partitions: Sequence[Sequence[tuple[bytes, bytes, int]]]) -> None:
        """Count (key, value, Kafka timestamp in ms), each partition in its own order."""
        records = [record for partition in partitions for record in partition]
        self._number: dict[bytes, int] = {}
        numbers = self._number
        fields = [orjson.loads(value) for _, value, _ in records]
        customer = np.array([numbers.setdefault(key, len(numbers)) for key, _, _ in records])
        order = np.argsort(customer, kind="stable")
        group = customer[order].astype(np.int64)
        at_ms = np.array([event["occurred_at"] for event in fields], dtype=np.int64)[order]
        amount = np.array([event["amount_minor"] for event in fields], dtype=np.int64)[order]
        self.events = len(records)
        self.sent_ms: Ints = np.array([sent for _, _, sent in records], dtype=np.int64)[order]
        self._start = np.searchsorted(group, np.arange(len(numbers) + 1))
        start = self._start[group]
        self.customer, self.ordinal = group, np.arange(len(group)) - start + 1
        spent = np.concatenate([[0], np.cumsum(amount)])
        self.rows: Ints = np.stack(
            [
                self.ordinal,
                -_running_max(group, -at_ms),
                _running_max(group, at_ms),
                spent[1:] - spent[start],
                _running_max(group, amount),
            ],
            axis=1,
        )
        counts = np.diff(self._start)
        lasts = [partition[-1][0] for partition in partitions if partition]
        self.lasts = [(key, int(counts[numbers[key]])) for key in lasts]

    def _numbers(self, keys: list[bytes]) -> Ints:
        return np.array([self._number.get(key, -1) for key in keys], dtype=np.int64)

    def judge(self, scores: Scores) -> Verdict:
        """Compare each score with what the input explains."""
        numbers = self._numbers(scores.keys)
        orders = scores.aggregates[:, 0]
        counts = np.diff(self._start)
        known = (numbers >= 0) & (orders >= 1) & (orders <= counts[numbers])
        row = np.where(known, self._start[np.maximum(numbers, 0)] + orders - 1, 0)
        told = scores.aggregates != NOT_TOLD
        right = known & (~told | (scores.aggregates == self.rows[row])).all(axis=1)
        newest = np.zeros(len(counts), dtype=np.int64)
        np.maximum.at(newest, numbers[known], orders[known])
        wrong = np.flatnonzero(~right)
        example = ""
        if wrong.size:
            worst = int(wrong[0])
            example = (
                f"{scores.keys[worst]!r} {Aggregates(*scores.aggregates[worst].tolist())}, "
                f"counted {Aggregates(*self.rows[row[worst]].tolist())}"
            )
        return Verdict(int(newest.sum()), self.events, int(wrong.size), example)

    def progress(self, scores: Scores) -> tuple[Floats, Ints]:
        """When how many events had been counted, by the newest scores of all customers.

        Returns:
            (n,) instants, epoch ms, ascending, and (n,) events covered until then.
        """
        numbers, orders = self._numbers(scores.keys), scores.aggregates[:, 0]
        by_customer = np.lexsort((orders, numbers))
        before = np.concatenate([[0], orders[by_customer][:-1]])
        before[np.diff(numbers[by_customer], prepend=-1) != 0] = 0
        gained = np.zeros(len(orders), dtype=np.int64)
        gained[by_customer] = orders[by_customer] - before
        by_time = np.argsort(scores.at_ms, kind="stable")
        return scores.at_ms[by_time], np.cumsum(gained[by_time])

    def latencies_ms(self, scores: Scores, from_ms: float, to_ms: float) -> Floats:
        """From each event's Kafka timestamp until the first score that covers it; inf for never.

        Args:
            scores: with the instants at which a reader had them.
            from_ms: events sent before are left out, epoch ms.
            to_ms: as are those sent from then on.
        """
        numbers, orders = self._numbers(scores.keys), scores.aggregates[:, 0]
        place = (numbers << _GROUP_BITS) + orders
        sorted_by = np.argsort(place, kind="stable")
        places, at_ms = place[sorted_by], scores.at_ms[sorted_by]
        found = np.searchsorted(places, (self.customer << _GROUP_BITS) + self.ordinal)
        inside = np.minimum(found, len(places) - 1)
        covered = (found < len(places)) & (places[inside] >> _GROUP_BITS == self.customer)
        latency: Floats = np.where(covered, at_ms[inside] - self.sent_ms, np.inf)
        return latency[(self.sent_ms >= from_ms) & (self.sent_ms < to_ms)]


def _running_max(group: Ints, values: Ints) -> Ints:
    """The largest value so far within each group; groups are contiguous and ascend."""
    # One customer's numbers lie above all those of the customers before it.
    low = int(values.min())
    shifted = (group << _GROUP_BITS) + (values - low)
    running: Ints = np.maximum.accumulate(shifted) - (group << _GROUP_BITS) + low
    return running
