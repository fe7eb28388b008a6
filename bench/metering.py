"""CPU time and memory of a process and its children, from Linux's /proc."""

import bisect
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_SAMPLE_S = 0.1


def tree(pid: int) -> list[int]:
    """A process and all its descendants that live now."""
    found, ahead = [], [pid]
    while ahead:
        current = ahead.pop()
        found.append(current)
        for children in Path(f"/proc/{current}/task").glob("*/children"):
            try:
                ahead += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree, with children that have ended and were waited for."""
    ticks = 0
    for member in tree(pid):
        try:
            stat = Path(f"/proc/{member}/stat").read_text()
        except OSError:
            continue
        # Fields 14 to 17: utime, stime, cutime, cstime; the name in field 2 may hold spaces.
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks * TICK_S


def peak_bytes(pid: int) -> int:
    """The most memory that the members of a process tree have held, added up."""
    total = 0
    for member in tree(pid):
        try:
            status = Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) << 10
    return total


@dataclass
class Meter:
    """CPU time of a process tree over wall-clock time, sampled in a thread while in use."""

    pid: int
    at_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peak: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._take()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLE_S) and self._take():
            pass

    def _take(self) -> bool:
        cpu_s = cpu_seconds(self.pid)
        if self.cpu_s and cpu_s < self.cpu_s[-1]:
            return False  # the process is ending: what it used is no longer told
        self.at_s.append(time.time())
        self.cpu_s.append(cpu_s)
        self.peak = max(self.peak, peak_bytes(self.pid))
        return True

    def between(self, begin_s: float, end_s: float) -> float:
        """CPU seconds used between two instants of the wall clock."""
        return self._at(end_s) - self._at(begin_s)

    def _at(self, at_s: float) -> float:
        after = bisect.bisect_left(self.at_s, at_s)
        if after == 0:
            return self.cpu_s[0]
        if after == len(self.at_s):
            return self.cpu_s[-1]
        t0, t1 = self.at_s[after - 1], self.at_s[after]
        c0, c1 = self.cpu_s[after - 1], self.cpu_s[after]
        return c0 + (c1 - c0) * (at_s - t0) / (t1 - t0)
