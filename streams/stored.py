"""What workers have stored, read from Kafka: customers' states, and one customer's past."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from models.events import BadEvent, Decoder, Event
from models.parameters import InvalidParameters
from models.policy import Policy
from models.rules import rules_of
from models.state import State
from models.step import step
from streams import progress, topic_admin, topics
from streams.chosen_once import hold_chosen
from streams.complaint import Complaint
from streams.intake import in_order
from streams.placement import partition_of
from streams.reading import read_to_end
from streams.settings import Settings

Told = Callable[[str, int, int], None]
"""Called with a topic, how many of its offsets have been passed, and how many there are."""


@dataclass
class StoredStates:
    """The changelog's newest values.

    Attributes:
        states: encoded state by customer.
        reached_ms: the newest time that a partition has reached, epoch ms; 0 for none.
        params: the newest parameters that a partition scores by; None where none is told.
        chosen: of a partition that tells its currency and time zone; else as of none.
    """

    states: dict[bytes, bytes] = field(default_factory=dict)
    reached_ms: int = 0
    params: progress.Parameters | None = None
    chosen: progress.Progress = field(default_factory=progress.Progress)

    def reached(self, value: bytes) -> None:
        """Take what the changelog says of a partition."""
        told = progress.decode(value)
        self.reached_ms = max(self.reached_ms, told.now_ms)
        if told.currency:
            self.chosen = told
        known = self.params
        if told.params is not None and (known is None or known.at_ms <= told.params.at_ms):
            self.params = told.params

    def scored_by(self, policy: Policy) -> Policy:
        """The policy with the parameters that workers score by, whatever is set here.

        Raises:
            Complaint: a newer program wrote them, or the states are of another currency or time
                zone.
        """
        hold_chosen(self.chosen, policy.currency, policy.timezone)
        if self.params is None:
            return policy
        try:
            return replace(policy, params=progress.released(self.params).params)
        except InvalidParameters as error:
            raise Complaint(
                f"The workers' parameters cannot be read ({error}): run their version of clv."
            ) from error


async def read_states(
    settings: Settings, told: Told, customer: bytes | None = None
) -> StoredStates:
    """Read all states, or one customer's, whose partition alone is then read.

    Args:
        settings: where Kafka is.
        told: for a progress bar.
        customer: Kafka key; None for everyone.

    Raises:
        WrongTopics: there is no changelog.
        KafkaAway: Kafka cannot be reached.
    """
    name = topics.changelog(settings)
    count = (await topic_admin.existing_partitions(settings, [name]))[name]
    numbers = range(count) if customer is None else [partition_of(customer, count)]
    found = StoredStates()
    states = found.states
    async for records in read_to_end(settings, name, numbers, told_of(told, name)):
        for record in records:
            key, value = record.key, record.value
            if key == progress.KEY:
                found.reached(value)
            elif customer is not None and key != customer:
                continue
            elif value:
                states[key] = value
            else:
                states.pop(key, None)
    return found


@dataclass
class Past:
    """What the input topics tell of one customer.

    Attributes:
        state: encoded, after the last event until the instant; None before the first.
        orders: purchases that the topics still hold, of any time.
    """

    state: bytes | None
    orders: int


async def recall(
    settings: Settings,
    policy: Policy,
    customer: bytes,
    at_ms: int,
    told: Told,
    before: Mapping[str, int] | None = None,
) -> Past:
    """Go through a customer's events again, up to an instant.

    Args:
        settings: where Kafka is.
        policy: the rules.
        customer: Kafka key.
        at_ms: epoch ms; events that happened later are left out, whenever they came.
        told: for a progress bar.
        before: by topic, an offset from which on records are left out; None for no such limit.

    Raises:
        WrongTopics: the input topics are missing.
        KafkaAway: Kafka cannot be reached.
    """
    counts = await topic_admin.existing_partitions(settings, topics.INPUTS)
    found: dict[str, list[Any]] = {}
    ends = before or {}
    for topic in topics.INPUTS:
        number = partition_of(customer, counts[topic])
        records = found.setdefault(topic, [])
        async for chunk in read_to_end(settings, topic, [number], told_of(told, topic)):
            records += [
                r for r in chunk if r.key == customer and r.offset < ends.get(topic, r.offset + 1)
            ]
    decoder = Decoder(settings.currency, settings.rates, settings.future_tolerance_ms)
    table: dict[bytes, bytes] = {}
    whole = State()
    days = rules_of(policy).days.day
    now_ms = 0
    for record in in_order(found):
        decode = decoder.purchase if record.topic == topics.PURCHASES else decoder.engagement
        try:
            event: Event = decode(record.value, record.key, record.timestamp)
            whole.apply(event, days(event.at_ms), policy.retention_days)
        except BadEvent:
            continue
        if event.at_ms <= at_ms:
            result = step(policy, table.get, [(event, record.timestamp)], now_ms)
            table.update(result.states)
            now_ms = result.now_ms
    return Past(table.get(customer), whole.orders)


def told_of(told: Told, topic: str) -> Callable[[int, int], None]:
    """What `read_to_end` calls, so that one topic is told of."""
    return lambda done, size: told(topic, done, size)
