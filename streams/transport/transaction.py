"""One transactional producer for one partition number: outputs, changelog and offsets together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalOperation,
    InvalidTimestampError,
    InvalidTopicError,
    InvalidTransactionTimeout,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerClosed,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedCodecError,
    UnsupportedVersionError,
)
from aiokafka.producer import sender
from aiokafka.structs import TopicPartition

from sinks.record import Output
from streams.complaint import Complaint
from streams.transport import unheard  # noqa: F401  of what a failed producer keeps
from streams.transport.brokers import among_brokers

BATCH_BYTES_MAX = 1 << 20
"""Size of one record batch; below Kafka's default `message.max.bytes`."""

TRANSACTION_TIMEOUT_MS = 30_000
"""After so long the broker aborts a transaction that nobody ends."""

ANSWER_S_MAX = 60.0
"""aiokafka repeats for ever what a broker cannot do yet, often in silence. After so long the lane
begins afresh, and says so. The broker has given the transaction up by then."""

CLOSE_S_MAX = 3.0
BACK_S_MAX = 0.1
"""How long what was on its way may take to come back, once its connections are closed."""

AGAIN_S = 0.003
"""A broker refuses a transaction while it still writes the last one's markers: a few milliseconds.
aiokafka would ask again after 20."""

sender.BACKOFF_OVERRIDE = AGAIN_S

FATAL = (
    ProducerFenced,
    TransactionalIdAuthorizationFailed,
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    MessageSizeTooLargeError,
    InvalidTimestampError,
    InvalidTopicError,
    UnsupportedVersionError,
    UnsupportedCodecError,
)
"""No repetition helps: somebody else owns the partition, or the setup is wrong."""

PASSING = (KafkaError, IllegalOperation)
"""aiokafka answers with the latter where a producer has failed between two calls."""


class TransactionsTooShort(Complaint):
    """Kafka allows none that take as long as ours may; waiting does not change that."""


class Transactions:
    """The transactions of one partition number.

    Opening it settles what the last owner of the number left open, and fences that owner: from
    then on it can commit nothing. So it is opened before the end of the changelog is read.
    """

    def __init__(self, transactional_id: str, group: str, connection: Mapping[str, Any]) -> None:
        self._group = group
        self._producer = AIOKafkaProducer(
            **connection,
            transactional_id=transactional_id,
            acks="all",
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=2 * BATCH_BYTES_MAX,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            # "Not enough replicas" on a first produce means that the last transaction is still
            # being completed: the repetition should come at once.
            retry_backoff_ms=10,
        )

    async def open(self) -> None:
        """Fence the last owner.

        Raises:
            TransactionsTooShort: Kafka allows none like ours.
        """
        async with (
            answering("give out a producer id", ANSWER_S_MAX),
            among_brokers(self._producer.client),
        ):
            try:
                await self._producer.start()
            except InvalidTransactionTimeout as error:
                raise TransactionsTooShort(
                    f"Kafka allows no transactions of {TRANSACTION_TIMEOUT_MS // 1000} s: set "
                    f"transaction.max.timeout.ms={TRANSACTION_TIMEOUT_MS} or more on its brokers."
                ) from error

    async def close(self) -> None:
        """Leave an open transaction to the next owner, or to the broker's timeout."""
        stopping = asyncio.ensure_future(self._producer.stop())
        done, _ = await asyncio.wait({stopping}, timeout=CLOSE_S_MAX)
        if not done:  # the broker is away: what is unsent is not committed, so it may go
            stopping.cancel()
            # The stop has come neither to the sender nor to the connections, nor to what is unsent.
            sending = self._producer._sender.sender_task  # noqa: SLF001
            if sending is not None:
                sending.cancel()
            await self._producer.client.close()
            if sending is not None:
                # What was on its way goes back among the unsent: from where it must not be gone.
                await asyncio.wait({sending}, timeout=BACK_S_MAX)
            accumulator = self._producer._message_accumulator  # noqa: SLF001
            # One that went back is sought among those on their way.
            accumulator._pending_batches.update(chain(*accumulator._batches.values()))  # noqa: SLF001
            accumulator.fail_all(ProducerClosed())

    async def commit(
        self, outputs: Iterable[Output], offsets: Mapping[TopicPartition, int], note: str = ""
    ) -> dict[tuple[str, int], int]:
        """Publish all of it or nothing.

        Args:
            outputs: by topic and partition.
            offsets: the next to apply, for the group.
            note: what stands with the offsets.

        Returns:
            The offset of the last record of each (topic, partition) written.

        Raises:
            KafkaError: it is unknown whether it was committed. The caller takes over afresh.
        """
        async with answering("end a transaction", ANSWER_S_MAX):
            return await self._commit(outputs, {tp: (at, note) for tp, at in offsets.items()})

    async def _commit(
        self, outputs: Iterable[Output], offsets: dict[TopicPartition, tuple[int, str]]
    ) -> dict[tuple[str, int], int]:
        producer = self._producer
        await producer.begin_transaction()
        sent: dict[tuple[str, int], list[tuple[asyncio.Future[Any], int]]] = {}
        for output in outputs:
            if output.records:
                sent.setdefault((output.topic, output.partition), []).extend(
                    await self._send(output)
                )
        if offsets:
            await producer.send_offsets_to_transaction(offsets, self._group)
        last = {}
        for target, batches in sent.items():
            for acknowledged, count in batches:
                last[target] = (await acknowledged).offset + count - 1
        await producer.commit_transaction()
        return last

    async def _send(self, output: Output) -> list[tuple[asyncio.Future[Any], int]]:
        """Send in as few record batches as fit; their acknowledgements and sizes."""
        sent = []
        batch, append, count = self._new_batch()
        for key, value, headers, timestamp_ms in output.records:
            if append(count, timestamp_ms, key, value, headers) is None:
                sent.append(await self._send_batch(batch, count, output))
                batch, append, count = self._new_batch()
                # A batch takes its first record whatever its size: then the broker has its say.
                append(count, timestamp_ms, key, value, headers)
            count += 1
        sent.append(await self._send_batch(batch, count, output))
        return sent

    def _new_batch(self) -> tuple[Any, Callable[..., Any], int]:
        """An empty record batch, how to add the n-th record to it (None: full), and n."""
        batch = self._producer.create_batch()
        # Not the batch's own `append`: around the compiled one it serializes keys and values that
        # are bytes already, and counts, in as much time again.
        return batch, batch._builder.append, 0  # noqa: SLF001

    async def _send_batch(
        self, batch: Any, count: int, output: Output
    ) -> tuple[asyncio.Future[Any], int]:
        batch._relative_offset = count  # noqa: SLF001
        batch.close()
        future = await self._producer.send_batch(batch, output.topic, partition=output.partition)
        # The first failure of a transaction is raised; of the others asyncio need not complain.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future, count


@asynccontextmanager
async def answering(what: str, seconds_max: float) -> AsyncIterator[asyncio.Timeout]:
    """A limit to waiting for Kafka.

    Raises:
        KafkaTimeoutError: Kafka did not do it in time.
    """
    try:
        async with asyncio.timeout(seconds_max) as limit:
            yield limit
    except TimeoutError as error:
        raise KafkaTimeoutError(f"Kafka did not {what} within {seconds_max:g} s") from error


def is_passing(error: BaseException) -> bool:
    """Whether taking the partition over afresh may help."""
    return isinstance(error, PASSING) and not isinstance(error, FATAL)
