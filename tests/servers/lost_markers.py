"""A transaction that is committed, and of which one partition shows nothing.

Kafka itself does so after a crash, in some versions and now and then (KAFKA-20734). Here a broker
that checks less takes records that no transaction was told of, so that none is marked in the end.
"""

from typing import Any, Final

from aiokafka.structs import TopicPartition

from sinks.record import Output, Record
from streams.transport.transaction import Transactions

CARELESS: Final = {"transaction.partition.verification.enable": "false"}
"""Properties of such a broker."""


async def commit_unmarked(
    transactions: Transactions, tp: TopicPartition, aside: TopicPartition, records: list[Record]
) -> None:
    """Commit records to both, and have only those that go aside marked.

    The transactions are newly opened: a marker of the last one would end this one as well.
    """
    _manager(transactions)._txn_partitions.add(tp)
    await transactions.commit([Output(*tp, records), Output(*aside, records)], {})


async def mark_aborted(transactions: Transactions, tp: TopicPartition) -> None:
    """What `kafka-transactions.sh abort` does: a later marker ends what is open before it."""
    producer = transactions._producer
    await producer.begin_transaction()
    _manager(transactions).maybe_add_partition_to_txn(tp)
    await producer.abort_transaction()


def _manager(transactions: Transactions) -> Any:
    return transactions._producer._txn_manager
