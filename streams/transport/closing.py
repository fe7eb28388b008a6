"""A connection to Kafka that is closing counts as closed.

Between the end of a connection and the moment in which aiokafka hears of it, a request is still
written. asyncio drops it in silence, and the request fails as soon as the end is heard of; uvloop
raises a RuntimeError, which nobody takes for a broker that is away. Importing this module makes
such a request fail as one does right afterwards, in all of the process.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason


def _if_open(send: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(send)
    def send_if_open(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._writer is not None and self._writer.is_closing():
            self.close(reason=CloseReason.CONNECTION_BROKEN)
        return send(self, *args, **kwargs)

    return send_if_open


AIOKafkaConnection.send = _if_open(AIOKafkaConnection.send)
AIOKafkaConnection._send_sasl_token = _if_open(AIOKafkaConnection._send_sasl_token)  # noqa: SLF001
