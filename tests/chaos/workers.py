"""Workers as an orchestrator runs them: a few slots, each restarted when its process ends."""

import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from streams.embedded.child import Child
from tests.chaos.clock import Clock

# What the log says when a worker reaches a moment at which it is most fragile.
MOMENTS = {
    "assigned": re.compile(rb"generation \d+"),
    "recovered": re.compile(rb"lane \d+: ready"),
    "stopping": re.compile(rb"stopping:"),
}
STOP_S_MAX = 45.0


def command() -> list[str]:
    """The worker that is installed beside this Python."""
    return [str(Path(sys.executable).parent / "clv"), "worker"]


class Slot:
    """The place of one worker: its name in the group, its log, its process.

    Attributes:
        port: of `/metrics`; 0 for any, where nobody asks.
        wanted: whether an orchestrator would keep a worker here.
        paused: whether its process is frozen.
        until: the moment of a successor, of `MOMENTS`, at which a frozen process is to wake up.
        expected: how we asked the process to end; None where we did not.
        late: whether it was frozen after that, so that its time to end ran out meanwhile.
        reached: the moments that the log told of since the process began.
        clock: its machine's, where it can be made to jump.
    """

    def __init__(
        self,
        number: int,
        env: Mapping[str, str],
        folder: Path,
        argv: Sequence[str],
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.number, self.port = number, port
        self.name = f"worker {number}"
        self.log = folder / f"worker-{number}.log"
        self.wanted = self.paused = self.late = False
        self.until: str | None = None
        self.expected: str | None = None
        self.reached: set[str] = set()
        self.asked_s = self.paused_s = 0.0
        self.started_s = 0.0
        self.restart_s = 0.0
        self._read = self._lines = 0
        own = {**env, "CLV_INSTANCE": f"slot-{number}", "CLV_METRICS_PORT": str(port)}
        self.clock = clock
        own |= clock.env() if clock is not None else {}
        self._argv = ["/usr/bin/env", *(f"{k}={v}" for k, v in own.items()), *argv]
        self._child: Child | None = None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Of the process that was started last, for measuring it."""
        assert self._child is not None, f"{self.name} is not running"
        return self._child.pid

    @property
    def cpu_s(self) -> float:
        """Processor time that the process has used."""
        if self._child is None or not self.running:
            return 0.0
        used = psutil.Process(self._child.pid).cpu_times()
        return float(used.user + used.system)

    def start(self) -> None:
        # What the last process wrote at its end is not this one's.
        self._read = self.log.stat().st_size if self.log.exists() else 0
        self._child = Child(self.name, self._argv, self.log)
        self.expected, self.until, self.reached = None, None, set()
        self.paused = self.late = False
        self.started_s = time.monotonic()

    def kill(self) -> None:
        """SIGKILL."""
        if self._child is not None and self.running:
            self.expected, self.paused = "kill -9", False
            self._child.kill()

    def terminate(self) -> None:
        """SIGTERM; the process ends when it is done."""
        if self._child is not None and self.running:
            self.resume()
            self.expected, self.asked_s = "SIGTERM", time.monotonic()
            self._child._process.terminate()

    def pause(self) -> None:
        if self._child is not None and self.running:
            self._child.pause()
            self.paused, self.paused_s = True, time.monotonic()

    def resume(self) -> None:
        if self._child is not None and self.paused:
            self._child.resume()
            self.paused, self.until = False, None
            if self.expected == "SIGTERM":
                self.late = True
                self.asked_s += time.monotonic() - self.paused_s

    def ended(self) -> int | None:
        """The exit status of a process that has ended since it was started; told once."""
        if self._child is None or self._child.running:
            return None
        status = self._child._process.returncode
        self._child.kill()  # ends what watches over it
        self._child = None
        return status

    def moments(self) -> set[str]:
        """What the log tells since the last call."""
        if not self.log.exists():
            return set()
        with self.log.open("rb") as log:
            log.seek(self._read)
            fresh = log.read()
        self._read += len(fresh)
        seen = {name for name, pattern in MOMENTS.items() if pattern.search(fresh)}
        self.reached |= seen
        return seen

    def last_words(self) -> str:
        """What the log says at its end: the sentence for people where there is one."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        told = [line for line in lines[self._lines :] if line.strip()]
        self._lines = len(lines)
        sentence = next((line for line in reversed(told) if line.startswith("clv: ")), None)
        errors = (line for line in reversed(told) if re.match(r"[\w.]+(Error|Exception)\b", line))
        return sentence or next(errors, told[-1] if told else "")
