"""What becomes of input that cannot be processed, and when it is too much of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reasons import Refusal
from models.times import MS_MAX, rfc3339
from sinks.record import Record
from streams.complaint import Complaint

VALUE_BYTES_MAX = 64 * 1024
KEY_BYTES_MAX = 64 * 1024
"""A letter has its key twice, and as it is: what came compressed may be beyond any limit then."""

DETAIL_BYTES_MAX = 512
WINDOW_EVENTS = 10_000


class TooManyDeadLetters(Complaint):
    """A broken publisher or a broken deploy, not bad input: the worker stops."""


def dead_letter(record: Any, why: Refusal) -> Record:
    """The original bytes, and in headers why and whence."""
    key, value = record.key, record.value
    cut = []
    if value is not None and len(value) > VALUE_BYTES_MAX:
        value = value[:VALUE_BYTES_MAX]
        cut.append(("clv-truncated", b"%d" % len(record.value)))
    if key is not None and len(key) > KEY_BYTES_MAX:
        key = key[:KEY_BYTES_MAX]
        cut.append(("clv-key-truncated", b"%d" % len(record.key)))
    headers = [
        ("clv-reason", why.reason.encode()),
        ("clv-detail", why.detail.encode("utf-8", "replace")[:DETAIL_BYTES_MAX]),
        ("clv-topic", record.topic.encode()),
        ("clv-partition", b"%d" % record.partition),
        ("clv-offset", b"%d" % record.offset),
        ("clv-key", key or b""),
        ("clv-timestamp", b"%d" % record.timestamp),
        ("ce_id", b"%s/%d/%d" % (record.topic.encode(), record.partition, record.offset)),
        ("ce_type", b"clv.dead-letter.v1"),
        ("ce_source", b"/clv"),
        ("ce_time", rfc3339(np.array([min(record.timestamp, MS_MAX)]))[0].encode()),
        ("ce_specversion", b"1.0"),
    ]
    # Stamped with the time of writing: a letter from a replay must not be deleted on arrival.
    return Record(key, value, headers + cut)


class DeadLetterLimit:
    """Stops a worker of whose last 10,000 events too many were bad.

    Args:
        share: most of a full window that may be bad, in (0, 1].
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._window = np.empty(0, np.int64)
        self._pending: dict[int, NDArray[np.int64]] = {}

    def check(self, partition: int, bad: Sequence[int]) -> None:
        """Before a batch is committed: how it would be with it, and with others under way.

        Args:
            partition: whose batch it is. It may be the last one again, as Kafka was away.
            bad: for each event in their order, 1 where it is a dead letter.

        Raises:
            TooManyDeadLetters: with these, some full window holds too many.
        """
        self._pending.pop(partition, None)
        self._pending[partition] = np.asarray(bad, np.int64)
        flags = np.concatenate([self._window, *self._pending.values()])
        until = np.concatenate([[0], np.cumsum(flags)])
        worst = int((until[WINDOW_EVENTS:] - until[:-WINDOW_EVENTS]).max(initial=0))
        if worst > self._share * WINDOW_EVENTS:
            raise TooManyDeadLetters(
                f"{worst:,} of {WINDOW_EVENTS:,} events in a row could not be processed, more "
                f"than CLV_DEAD_LETTER_LIMIT={self._share:g} allows, so nothing more is "
                "committed: look at them with `clv dead-letters list`, mend the publisher or "
                "the deploy, then start the worker again."
            )

    def committed(self, partition: int) -> None:
        """The batch that was checked last is committed, and counts."""
        flags = np.concatenate([self._window, self._pending.pop(partition)])
        self._window = flags[-(WINDOW_EVENTS - 1) :]

    def given_up(self, partition: int) -> None:
        """Another worker will count what was checked last."""
        self._pending.pop(partition, None)
