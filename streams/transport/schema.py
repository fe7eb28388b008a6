"""Hands a batch to the agent as it is: the agent decodes, where errors become dead letters."""

from collections.abc import Awaitable, Callable
from typing import Any

import faust
from faust.types import AppT, EventT


class BatchSchema(faust.Schema):
    """No serializer: the value of a message is a `Batch`."""

    def compile(
        self,
        app: AppT,
        *,
        on_key_decode_error: Any = None,
        on_value_decode_error: Any = None,
        default_propagate: bool = False,
    ) -> Callable[..., Awaitable[EventT]]:
        """The decoder that Faust calls for each message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> EventT:
            return create_event(message.key, message.value, None, message)

        return decode
