"""Faust's consumer with everything switched off that lanes do otherwise.

Faust's base class keeps acknowledgements, read positions and committed offsets, and seeks by
them; that bookkeeping is where events are lost (README.md here). Calling a part of it that
lanes never use is a bug, and raises.
"""

from typing import Any, NoReturn

from faust.transport.consumer import Consumer
from faust.types import TP, Message


def _unused(*args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError("lanes do this themselves")


class InertConsumer(Consumer):
    """Keeps nothing, commits nothing, seeks nowhere."""

    async def commit(self, *args: Any, **kwargs: Any) -> bool:
        """Offsets travel in transactions."""
        return True

    async def wait_empty(self) -> None:
        """Lanes are drained instead."""

    def ack(self, message: Message) -> bool:
        """Nothing is kept of a message that Faust acknowledges."""
        message.acked = True
        return True

    def track_message(self, message: Message) -> None:
        """Nothing is kept of a message that Faust delivers."""

    def on_buffer_full(self, tp: TP) -> None:
        """A lane has one batch in flight, so a full buffer slows nothing down."""

    def on_buffer_drop(self, tp: TP) -> None:
        """See `on_buffer_full`."""

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    _commit = _getmany = _seek = _to_message = _unused
    create_topic = earliest_offsets = highwater = highwaters = key_partition = _unused
    position = seek = seek_to_committed = seek_wait = topic_partitions = perform_seek = _unused
