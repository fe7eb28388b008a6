"""Failures that aiokafka keeps for nobody.

A producer that fails leaves its error in its transaction and in each record batch that it still
had to send, where whoever ends the transaction or waits for room hears of it. A lane that heard of
the failure elsewhere takes its number over afresh instead, and one that gives a transaction up asks
nothing any more: asyncio told of each of them as an error when they were collected, perhaps hours
later, behind a worker's last sentence. Importing this module makes them count as heard, in all of
the process.
"""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any

from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.producer.transaction_manager import TransactionManager


def _heard(fail: Callable[..., None], *waiters: str) -> Callable[..., None]:
    @wraps(fail)
    def fail_and_hear(self: Any, *args: Any, **kwargs: Any) -> None:
        fail(self, *args, **kwargs)
        for waiter in waiters:
            waits: asyncio.Future[Any] = getattr(self, waiter)
            if waits.done() and not waits.cancelled():
                waits.exception()

    return fail_and_hear


MessageBatch.failure = _heard(MessageBatch.failure, "future", "_drain_waiter")
TransactionManager.fatal_error = _heard(TransactionManager.fatal_error, "_transaction_waiter")
TransactionManager.error_transaction = _heard(
    TransactionManager.error_transaction, "_transaction_waiter"
)
