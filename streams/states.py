"""The encoded states of one partition's customers, and when each must be looked at."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

import msgspec

from models.population import Population, population_of
from models.rescore import rescore
from models.schedule import Schedule
from models.state import State, decode, decode_summary, encode
from sinks.redis_portions import Scored
from streams.scoring import Scoring
from streams.transport.changelog import DamagedChangelog

_NO_STATE = encode(State())

REBUILD_CUSTOMERS = 20_000
"""Customers in one portion of what is rebuilt without letting anything else go on."""

REFILL_CUSTOMERS = 2_000
"""Customers in one portion, when Redis is written again."""


class States:
    """What is known of the customers.

    Args:
        table: encoded state by customer; the lane's part of it, changed in place.
        changelog: its topic.
        number: of the partition.

    Attributes:
        table: the same.
        schedule: their deadlines.
        size_bytes: of all encoded states.
    """

    def __init__(self, table: dict[bytes, bytes], changelog: str, number: int) -> None:
        self.table = table
        self.schedule = Schedule()
        self.size_bytes = 0
        self._changelog, self._number = changelog, number

    async def rebuild(self) -> Population:
        """The schedule and the sums over all states, which are what was read."""
        population = Population()
        states = iter(self.table.items())
        while portion := dict(islice(states, REBUILD_CUSTOMERS)):
            with self.decoding(portion):
                summaries = [decode_summary(state) for state in portion.values()]
            deadlines = (summary.deadline_s for summary in summaries)
            self.schedule.put_all(zip(portion, deadlines, strict=True))
            self.size_bytes += sum(map(len, portion.values()))
            population.include(population_of(summaries))
            await asyncio.sleep(0)  # heartbeats
        return population

    def remember(self, states: Mapping[bytes, bytes]) -> None:
        """Take what was committed."""
        before = filter(None, map(self.table.get, states))
        self.size_bytes += sum(map(len, states.values())) - sum(map(len, before))
        self.table.update(states)

    def scores(
        self, scoring: Scoring, customers: Iterable[bytes] | None = None
    ) -> Iterator[Scored]:
        """Scores as they were published, of these customers or of all, in portions."""
        wanted = list(self.table if customers is None else customers)
        for at in range(0, len(wanted), REFILL_CUSTOMERS):
            some = wanted[at : at + REFILL_CUSTOMERS]
            with self.decoding(some):
                portion = [
                    one
                    for policy, those in scoring.apart(some)
                    for one in rescore(policy, [(c, self.table[c]) for c in those])
                ]
            yield Scored(
                [(customer, score) for customer, score, _, _ in portion],
                [(customer, total, risk) for customer, _, total, risk in portion],
            )

    @contextmanager
    def decoding(self, customers: Iterable[bytes]) -> Iterator[None]:
        """Say whose state is damaged, where states of these customers are decoded.

        Raises:
            DamagedChangelog: one is none.
            UnknownVersion: a newer program wrote it.
        """
        try:
            yield
        except msgspec.DecodeError as error:
            raise DamagedChangelog(
                self._changelog, self._number, self._damaged(customers)
            ) from error

    def _damaged(self, customers: Iterable[bytes]) -> bytes:
        for customer in customers:
            try:
                decode(self.table.get(customer, _NO_STATE))
            except msgspec.DecodeError:
                return customer
        raise AssertionError("one of them could not be decoded")
