"""A step's records for Kafka: scores, tier changes and churn-risk changes.

Every record is a CloudEvent in binary mode: the value is the JSON as it is, and the attributes
are headers. Records carry no timestamp of their own, so that producers stamp them with the time
of writing: a topic's retention counts from the timestamp, and a change of last year that is found
in a replay must not be deleted on arrival. When it happened is in `ce_time` and in the value.

Source: CloudEvents 1.0.2, and its Kafka protocol binding, section 3.2.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.changes import Change
from models.step import Step
from models.times import rfc3339
from sinks.record import Output, Record, Records

SCORE_TYPE: Final = "clv.score.v1"
TIER_CHANGE_TYPE: Final = "clv.tier-changed.v1"
CHURN_CHANGE_TYPE: Final = "clv.churn-risk-changed.v1"

Header = tuple[str, bytes]

_SPECVERSION: Final[Header] = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Final[Header] = ("content-type", b"application/json")

# Where a score's JSON says which one it is. A customer's id cannot look like it: inside of a
# JSON string a quote is escaped.
_REVISION: Final = b'"revision":'
_AS_OF: Final = b',"as_of":"'
_INSTANT_CHARS: Final = len("2026-03-01T09:30:00.000Z")


@dataclass(frozen=True)
class OutputTopics:
    """Names of the topics that a step is written to, and whom the records come from.

    Attributes:
        scores: compacted, the newest score of each customer.
        tier_changes: one record a change.
        churn_changes: one record a change.
        source: CloudEvents `source`, a URI reference; with an id it names a record for ever.
    """

    scores: str = "clv.scores"
    tier_changes: str = "clv.tier-changes"
    churn_changes: str = "clv.churn-risk"
    source: str = "/clv"

    def of(self, step: Step, partition: int) -> list[Output]:
        """What a step publishes, for the partition that its customers belong to.

        Args:
            step: the result of a batch.
            partition: its number, the same in every topic.

        Returns:
            Outputs with at least one record each; none for a step that changed nothing.
        """
        outputs = [
            Output(
                self.scores,
                partition,
                Records(len(step.scores), lambda: self._scores(step.scores)),
            ),
            Output(self.tier_changes, partition, self._changes(step.tier_changes, _TIER)),
            Output(self.churn_changes, partition, self._changes(step.churn_changes, _CHURN)),
        ]
        return [output for output in outputs if output.records]

    def _scores(self, scores: Sequence[tuple[bytes, bytes]]) -> Iterator[Record]:
        """Records whose id is the customer's and the revision, and whose time is `as_of`."""
        source = ("ce_source", self.source.encode())
        _check_layout(scores[0][1])
        # NamedTuple's own constructor is a Python function that costs more than all the rest.
        new = tuple.__new__
        for customer, value in scores:
            start = value.index(_REVISION) + len(_REVISION)
            end = value.index(b",", start)
            at = end + len(_AS_OF)
            headers = [
                ("ce_id", customer + b"/" + value[start:end]),
                _SCORE,
                source,
                ("ce_time", value[at : at + _INSTANT_CHARS]),
                _SPECVERSION,
                _CONTENT_TYPE,
            ]
            yield new(Record, (customer, value, headers, None))

    def _changes(self, changes: Sequence[Change], kind: Header) -> Records:
        """Records with the change's own id, by which subscribers see each once."""
        source = ("ce_source", self.source.encode())

        def records() -> Iterator[Record]:
            new = tuple.__new__
            times = rfc3339(np.array([change.at_ms for change in changes], dtype=np.int64))
            for change, time in zip(changes, times, strict=True):
                headers = [
                    ("ce_id", change.id.encode()),
                    kind,
                    source,
                    ("ce_time", time.encode()),
                    _SPECVERSION,
                    _CONTENT_TYPE,
                ]
                yield new(Record, (change.customer, change.value, headers, None))

        return Records(len(changes), records)


_SCORE: Final[Header] = ("ce_type", SCORE_TYPE.encode())
_TIER: Final[Header] = ("ce_type", TIER_CHANGE_TYPE.encode())
_CHURN: Final[Header] = ("ce_type", CHURN_CHANGE_TYPE.encode())


def _check_layout(value: bytes) -> None:
    """Hold, once a batch, that scores are written as the fast way to their revision takes them."""
    end = value.index(b",", value.index(_REVISION))
    time = value[end + len(_AS_OF) :][: _INSTANT_CHARS + 1]
    assert value[end:].startswith(_AS_OF), "a score's `as_of` follows its `revision`"
    assert time.endswith(b'Z"'), "a score's `as_of` has milliseconds"
