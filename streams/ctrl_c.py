"""Ctrl-C as something to wait for, where an exception at any line would leave things undone."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any, Self


class CtrlC:
    """`with CtrlC() as ctrl_c:` nothing raises KeyboardInterrupt; in the main thread only.

    Attributes:
        pressed: whether it was, so far.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._wake: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        self._before: Any = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    async def wait(self) -> None:
        """Wait until it is pressed; one may wait at a time."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
        try:
            if not self.pressed:
                await woken.wait()
        finally:
            self._wake = None

    def _press(self, *_: object) -> None:
        self.pressed = True
        if self._wake is not None:
            self._wake()
