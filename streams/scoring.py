"""By which parameters a partition scores, and how it comes to others while it works.

A tick names the newest parameters that its maker knew. A partition changes over to them once they
are at hand: at one instant, in portions, while events go on (`models.change_over`). Parameters
that are not known here yet are waited for, and customers scored by those before meanwhile; they
come with their topic, or the next tick names others. How far a change-over has come is part of
every transaction: the progress says to what and since when, the changelog who has been written
since. A successor may have to do somebody again, which changes nothing.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final

import msgspec

from models.change_over import ChangeOver
from models.policy import Policy
from models.releases import Released, Releases
from streams import progress
from streams.chosen_once import hold_chosen
from streams.progress import Progress
from streams.ticks import Tick

_CHANGING: Final = b'"earlier":'
"""What every encoded progress holds that belongs to a change-over, and hardly any other."""

log = logging.getLogger(__name__)


class Scoring:
    """The rules of one partition, and who is still scored by the earlier ones.

    Attributes:
        policy: the rules.
        change_over: to them; None where everyone is scored by them.
        written: while the changelog is read: who was written since the change-over that was under
            way at that point of it; None where none was.
    """

    def __init__(self, policy: Policy, releases: Releases, number: int) -> None:
        self.policy = policy
        self.change_over: ChangeOver | None = None
        self._releases, self._number = releases, number
        self._now = self._before = releases.own
        self._stored = progress.parameters(self._now)
        self._stored_before: progress.Parameters | None = None
        self._left: dict[bytes, None] = {}
        self._named: tuple[str, int] | None = None
        self.written: set[bytes] | None = None
        self._restored: tuple[progress.Parameters | None, int] | None = None

    # -- recovery -----------------------------------------------------------------------------

    def restore(self, value: bytes) -> None:
        """Take a progress from the changelog: it says whether a change-over was under way then."""
        if _CHANGING not in value:  # thousands are read: only few need be looked into
            self.written = None
            return
        reached = progress.decode(value)
        change_over = reached.params, reached.since_ms
        if self.written is None or change_over != self._restored:
            self.written, self._restored = set(), change_over

    def begin(self, reached: Progress, customers: Collection[bytes]) -> None:
        """The changelog was read.

        Args:
            reached: the last progress in it.
            customers: of the table.

        Raises:
            InvalidParameters: a newer program wrote the parameters.
            WrongSettings: the states are of another currency or time zone than the policy.
        """
        if customers:
            hold_chosen(reached, self.policy.currency, self.policy.timezone)
        if reached.params is not None:
            self._set(progress.released(reached.params))
            if reached.earlier is not None:
                self._before = progress.released(reached.earlier)
                written = self.written or ()
                self._begin(reached.since_ms, [key for key in customers if key not in written])
        elif not customers:
            self._set(self._releases.newest)
        self.written = self._restored = None

    # -- the job ------------------------------------------------------------------------------

    def named(self, tick: Tick) -> None:
        """A tick is believed, and names parameters."""
        name = tick.params, tick.params_at_ms
        if not tick.params or name == self._named:
            return
        self._named = name
        # A partition goes on with what it had reached, which a worker may not know otherwise.
        in_use = self._now.params.version, self._now.at_ms
        if name != in_use and self._releases.find(*name) is None:
            log.warning(
                "partition %d: waits for the parameters %s, and goes on with %s",
                self._number,
                tick.params,
                self._now.params.version,
            )

    def is_due(self) -> bool:
        """Whether there is something to change over."""
        return self.change_over is not None or self._next() is not None

    def begin_next(self, now_ms: int, customers: Iterable[bytes]) -> bool:
        """Change over to the parameters that were named, if any are to be changed to.

        Args:
            now_ms: the partition's time. All that was due by it has been looked at.
            customers: of the partition.
        """
        following = self._next()
        if following is None:
            return False
        log.info(
            "partition %d: changes over from the parameters %s to %s",
            self._number,
            self._now.params.version,
            following.params.version,
        )
        self._before = self._now
        self._set(following)
        self._begin(now_ms, customers)
        return True

    def portion(self, limit: int) -> list[bytes]:
        """Some of those who are left, at most so many."""
        return list(islice(self._left, limit))

    def remember(self, states: Iterable[bytes]) -> None:
        """States of these customers were committed."""
        if self.change_over is None:
            return
        for customer in states:
            self._left.pop(customer, None)
        self._end_if_done()

    def reached(self, reached: Progress, states: Mapping[bytes, bytes]) -> bytes:
        """The progress, encoded, as it will be once a transaction is committed.

        Args:
            reached: without what the rules say.
            states: that the transaction writes.
        """
        policy = self.policy
        reached = msgspec.structs.replace(
            reached, params=self._stored, currency=policy.currency, timezone=policy.timezone
        )
        if self.change_over is not None and not self._left.keys() <= states.keys():
            reached = msgspec.structs.replace(
                reached, earlier=self._stored_before, since_ms=self.change_over.since_ms
            )
        return progress.encode(reached)

    def apart(self, customers: list[bytes]) -> Iterator[tuple[Policy, list[bytes]]]:
        """Customers by the rules of their last scores."""
        left = [customer for customer in customers if customer in self._left]
        if self.change_over is None or not left:
            yield self.policy, customers
            return
        yield self.change_over.earlier, left
        yield self.policy, [customer for customer in customers if customer not in self._left]

    @property
    def pending(self) -> int:
        """How many are left."""
        return len(self._left)

    def _next(self) -> Released | None:
        if self.change_over is not None or self._named is None:
            return None
        found = self._releases.find(*self._named)
        # A tick may be of a worker that knew less than the one before.
        if found is None or found == self._now or found.at_ms < self._now.at_ms:
            return None
        if found.params == self._now.params:  # published once more
            self._set(found)
            return None
        return found

    def _set(self, released: Released) -> None:
        self._now = released
        self._stored = progress.parameters(released)
        self.policy = replace(self.policy, params=released.params)

    def _begin(self, since_ms: int, customers: Iterable[bytes]) -> None:
        self._stored_before = progress.parameters(self._before)
        self._left = dict.fromkeys(customers)
        earlier = replace(self.policy, params=self._before.params)
        self.change_over = ChangeOver(since_ms, earlier, self._left)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._left:
            return
        self.change_over = None
        self._stored_before = None
        log.info(
            "partition %d: all customers are scored by the parameters %s",
            self._number,
            self._now.params.version,
        )
