"""Every topic: its name, its partitions, its settings. `streams.topic_admin` makes them so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from streams.settings import Settings

PURCHASES: Final = "clv.purchases"
ENGAGEMENTS: Final = "clv.engagements"
CLOCK: Final = "clv.clock"
MODEL_PARAMS: Final = "clv.model-params"
SCORES: Final = "clv.scores"
TIER_CHANGES: Final = "clv.tier-changes"
CHURN_RISK: Final = "clv.churn-risk"
DEAD_LETTERS: Final = "clv.dead-letters"

INPUTS: Final = (PURCHASES, ENGAGEMENTS)

_BATCH_BYTES_MAX: Final = 4 << 20
"""Outputs leave in batches of up to a megabyte, headers and all; the broker's default is less."""

_REPLICAS_FOR_TWO_IN_SYNC: Final = 3

# Only closed segments are compacted: a gigabyte, the default, would be read again and again.
_SMALL_SEGMENTS: Final = {"segment.bytes": str(128 << 20), "segment.ms": str(86_400_000)}


@dataclass(frozen=True)
class Topic:
    """One topic as it has to be.

    Attributes:
        name: its name.
        partitions: how many it has.
        required: settings without which data would be lost or refused: verified, and repaired.
        initial: settings that it is created with, and that whoever runs Kafka may change.
        why: what is in it.
    """

    name: str
    partitions: int
    why: str
    required: Mapping[str, str] = field(default_factory=dict)
    initial: Mapping[str, str] = field(default_factory=dict)


def changelog(settings: Settings) -> str:
    """Name of the topic that holds every customer's state."""
    return f"{settings.group}-state-changelog"


def every_topic(settings: Settings) -> tuple[Topic, ...]:
    """All topics, as they have to be under these settings."""
    keyed = settings.partitions
    deleted = {"cleanup.policy": "delete"}
    compacted = {"cleanup.policy": "compact"}
    large = {"max.message.bytes": str(_BATCH_BYTES_MAX)}
    safe: dict[str, str] = {}
    if settings.replication_factor >= _REPLICAS_FOR_TWO_IN_SYNC:
        safe = {"min.insync.replicas": "2"}
    topics = (
        # As long as a state looks back, so that it can be built again from the input.
        Topic(PURCHASES, keyed, "purchases and refunds", deleted, _kept(settings.retention)),
        Topic(ENGAGEMENTS, keyed, "engagements", deleted, _kept(settings.retention)),
        Topic(CLOCK, keyed, "ticks, by which silence acts", deleted, _kept(timedelta(days=7))),
        Topic(MODEL_PARAMS, 1, "fitted parameters, the newest of each model", compacted),
        Topic(SCORES, keyed, "each customer's score", compacted | large, _SMALL_SEGMENTS),
        Topic(TIER_CHANGES, keyed, "tier changes", deleted | large, _kept(timedelta(days=90))),
        Topic(CHURN_RISK, keyed, "churn changes", deleted | large, _kept(timedelta(days=90))),
        Topic(DEAD_LETTERS, keyed, "what was no event", deleted | large, _kept(timedelta(days=90))),
        # Recovery reads all of it: what is out of date should go soon.
        Topic(
            changelog(settings),
            keyed,
            "each customer's state",
            compacted | large,
            _SMALL_SEGMENTS | {"min.cleanable.dirty.ratio": "0.2"},
        ),
    )
    return tuple(
        Topic(topic.name, topic.partitions, topic.why, {**topic.required, **safe}, topic.initial)
        for topic in topics
    )


def _kept(retention: timedelta) -> dict[str, str]:
    return {"retention.ms": str(retention // timedelta(milliseconds=1))}
