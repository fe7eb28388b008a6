"""Whether anybody else uses the machine: figures are worth what that is low."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, Self, TypeVar

from bench.metering import TICK_S, cpu_seconds

DISTURBED_CORES: Final = 0.15
"""Used by others: from there on a figure says as much of them as of the engine."""

ATTEMPTS_MAX: Final = 4
_LOOK_S: Final = 4.0


class Others:
    """How much of the machine everybody else uses meanwhile: figures are worth what it is low.

    Attributes:
        cores: used by processes that are not this one's descendants, known at the end.
    """

    def __enter__(self) -> Self:
        self.cores = 0.0
        self._begun_s = time.monotonic()
        self._busy_s, self._own_s = _busy_seconds(), cpu_seconds(os.getpid())
        return self

    def __exit__(self, *_: object) -> None:
        busy_s = _busy_seconds() - self._busy_s
        own_s = cpu_seconds(os.getpid()) - self._own_s
        self.cores = max(0.0, busy_s - own_s) / (time.monotonic() - self._begun_s)


def _busy_seconds() -> float:
    """CPU time of the whole machine, idling and waiting left out."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) * TICK_S


class Disturbed(Protocol):
    """A result that knows what others used meanwhile."""

    others_cores: float


Result = TypeVar("Result", bound=Disturbed)


def undisturbed(attempt: Callable[[], Result], patience_s: float) -> Result:
    """The first of some attempts that nobody disturbed; without patience, the only one."""
    wait(patience_s)
    best = attempt()
    for _ in range(ATTEMPTS_MAX - 1):
        if best.others_cores <= DISTURBED_CORES or not wait(patience_s):
            break
        best = min(best, attempt(), key=lambda result: result.others_cores)
    return best


def wait(patience_s: float) -> bool:
    """Wait until the machine is quiet; whether it became so in time."""
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        with Others() as others:
            time.sleep(_LOOK_S)
        if others.cores <= DISTURBED_CORES:
            return True
        sys.stderr.write(f"waits for a quiet machine: others use {others.cores:.2f} cores\r")
    return False
