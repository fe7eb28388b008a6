"""Makes one customer's state again, where its record in the changelog is damaged.

The facts are those of the input, up to where the partition had come; what was published is that
of the customer's last score, so that revisions go on growing and changes go on forming a chain.
The score also tells whether the input still holds everything.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka.structs import TopicPartition

from models.policy import Policy
from models.score import Score
from models.score import decode as decode_score
from models.state import State, UnknownVersion, decode, encode
from models.times import MS_MAX, MS_PER_S
from sinks.record import NO_HEADERS, Output, Record
from streams import kafka, progress, topic_admin, topics
from streams.chosen_once import hold_chosen
from streams.complaint import Complaint
from streams.reading import read_to_end
from streams.settings import Settings
from streams.stored import Told, recall, told_of
from streams.transport.settled import hold_settled
from streams.transport.transaction import Transactions

_LONG_DUE_S: Final = 1
"""A deadline that has passed: the next tick looks at the customer, as after any silence."""


class NothingToRepair(Complaint):
    """The place holds no damaged state; the message says what it does hold."""


class Incomplete(Complaint):
    """The input no longer holds all that the customer's last score counted."""


class Place(NamedTuple):
    """A record of the changelog."""

    partition: int
    offset: int


class Repaired(NamedTuple):
    """What was written.

    Attributes:
        customer: Kafka key.
        orders: purchases of the lifetime, in the new state.
        historic_minor: lifetime revenue net of refunds, in the new state.
    """

    customer: bytes
    orders: int
    historic_minor: int


async def repair(
    settings: Settings, policy: Policy, place: Place, told: Told, *, as_found: bool
) -> Repaired:
    """Write a state in place of one that cannot be decoded.

    It is written in a transaction of the partition's own: a worker that still has it is fenced.

    Args:
        settings: where Kafka is.
        policy: the rules.
        place: the damaged record, as the worker named it.
        told: for a progress bar.
        as_found: accept what the input still holds, be it less than there was.

    Raises:
        NothingToRepair: nothing is damaged there.
        Incomplete: the input does not hold everything, and `as_found` is not asked for.
        WrongSettings: the states are of another currency or time zone.
        WrongTopics: the topics are missing.
        KafkaAway: Kafka cannot be reached.
    """
    connection = kafka.connection(settings)
    transactions = Transactions(f"{settings.group}-{place.partition}", settings.group, connection)
    async with kafka.reaching(settings):
        try:
            await transactions.open()  # first, as a worker does: from here on nobody else writes
            changelog = TopicPartition(topics.changelog(settings), place.partition)
            await hold_settled(connection, changelog)
            customer, reached = await _damaged(settings, place, told)
            hold_chosen(reached, policy.currency, policy.timezone)
            score = await _last_score(settings, place.partition, customer, told)
            past = await recall(settings, policy, customer, MS_MAX, told, reached.offsets)
            state = decode(past.state) if past.state is not None else State()
            if not as_found:
                _hold_complete(state, score)
            if score is not None:
                _as_published(state, score)
            record = Record(customer, encode(state), NO_HEADERS, None)
            output = Output(topics.changelog(settings), place.partition, [record])
            await transactions.commit([output], {})
        finally:
            await transactions.close()
    return Repaired(customer, state.orders, state.historic_minor)


async def _damaged(settings: Settings, place: Place, told: Told) -> tuple[bytes, progress.Progress]:
    """Whose record it is, and how far the partition has come."""
    name = topics.changelog(settings)
    count = (await topic_admin.existing_partitions(settings, [name]))[name]
    where = f"{name}, partition {place.partition}, offset {place.offset}"
    if not 0 <= place.partition < count:
        raise NothingToRepair(f"{name} has partitions 0 to {count - 1}: see what the worker named.")
    found: Any = None
    newest: dict[bytes, int] = {}
    reached = progress.Progress()
    async for record in _records(settings, name, place.partition, told):
        newest[record.key] = record.offset
        if record.key == progress.KEY:
            reached = progress.decode(record.value)
        elif record.offset == place.offset:
            found = record
    if found is None:
        raise NothingToRepair(f"{where}: no state was written there, or it was replaced since.")
    if newest[found.key] != place.offset:
        raise NothingToRepair(f"{where} was replaced since: start the worker.")
    try:
        if found.value is not None:
            decode(found.value)
    except UnknownVersion as newer:
        raise NothingToRepair(f"{where}: {newer}.") from newer
    except msgspec.DecodeError:
        return found.key, reached
    raise NothingToRepair(f"{where} holds a state that can be read: start the worker.")


async def _last_score(
    settings: Settings, partition: int, customer: bytes, told: Told
) -> Score | None:
    value = None
    async for record in _records(settings, topics.SCORES, partition, told):
        if record.key == customer:
            value = record.value
    return None if value is None else decode_score(value)


async def _records(
    settings: Settings, topic: str, partition: int, told: Told
) -> AsyncIterator[Any]:
    async for chunk in read_to_end(settings, topic, [partition], told_of(told, topic)):
        for record in chunk:
            yield record


def _hold_complete(state: State, score: Score | None) -> None:
    if score is None:
        return
    has = state.orders, state.refunds, state.historic_minor
    had = score.orders, score.refunds, score.historic_clv_minor
    if has != had:
        raise Incomplete(
            f"The input holds {has[0]} orders, {has[1]} refunds and {has[2]} minor units of this "
            f"customer, and the last score counted {had[0]}, {had[1]} and {had[2]}: restore the "
            "input topics, or accept what there is with --as-found."
        )


def _as_published(state: State, score: Score) -> None:
    as_of = datetime.fromisoformat(score.as_of)
    state.revision = score.revision
    state.tier, state.churn_level = score.tier, score.churn_level
    state.as_of_ms = (as_of - datetime.fromtimestamp(0, as_of.tzinfo)) // timedelta(milliseconds=1)
    state.predicted_minor = score.predicted_clv_minor
    state.at_risk_minor = score.value_at_risk_minor
    state.deadline_s = min(_LONG_DUE_S, state.as_of_ms // MS_PER_S)
