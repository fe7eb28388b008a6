"""A server that runs as a child of this process and never outlives it."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from streams.complaint import Complaint

LOOPBACK = "127.0.0.1"
LOG_TAIL_LINES = 40
# Below the ports that Linux, macOS and Windows hand to outgoing connections. A client that keeps
# trying a port of that range while its server is down can end up connected to itself, and then
# the server cannot come back to its own port.
_PORTS = range(20_000, 32_000)
_PORT_ATTEMPTS_MAX = 200
# Waits for the end of its input, which comes when the parent dies by whatever means.
_WATCH = 'read -r _; kill -9 "$1" 2>/dev/null'


class ServerFailedError(Complaint):
    """A server could not be started; the message says which, and ends with its own last words."""


def free_port() -> int:
    """A TCP port on the loopback address that nothing listens on now.

    Raises:
        ServerFailedError: none of the ports tried was free.
    """
    for port in random.sample(_PORTS, _PORT_ATTEMPTS_MAX):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                return port
    raise ServerFailedError(f"No free TCP port between {_PORTS.start} and {_PORTS.stop}.")


class Child:
    """One server process, its log file, and the signals that one may send it."""

    def __init__(self, name: str, argv: Sequence[str], log: Path) -> None:
        """Starts the process at once.

        Args:
            name: what messages call it.
            argv: the command, its program given by path.
            log: the file that its output is appended to.
        """
        self.name = name
        self.log = log
        # A session of its own: Ctrl-C in the terminal reaches only this process, which then ends
        # its servers when it no longer needs them.
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watch = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "watch", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id, for measuring it."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended (a paused one has not)."""
        return self._process.poll() is None

    def wait_ready(self, ready: Callable[[], bool], seconds_max: float) -> Self:
        """Waits until the server answers.

        Args:
            ready: asks the server once; False while it does not answer yet.
            seconds_max: after which it counts as failed and is killed.

        Raises:
            ServerFailedError: it ended, or did not answer in time; with the tail of its log.
        """
        deadline_s = time.monotonic() + seconds_max
        while not ready():
            if not self.running:
                status = self._process.returncode
                self.kill()
                raise ServerFailedError(f"{self.name} ended with status {status}.\n{self.tail()}")
            if time.monotonic() > deadline_s:
                self.kill()
                raise ServerFailedError(
                    f"{self.name} did not answer within {seconds_max:.0f} s.\n{self.tail()}"
                )
            time.sleep(0.05)
        return self

    def tail(self) -> str:
        """The last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def pause(self) -> None:
        """Freezes it: connections stay open, nothing answers."""
        self._process.send_signal(signal.SIGSTOP)
        if self.running:  # and not before all of its threads stand still
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Undoes `pause`."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self, seconds_max: float = 30.0) -> None:
        """Asks it to end and waits; kills it when it takes longer than `seconds_max`."""
        if self.running:
            self.resume()  # a frozen process would not see the request
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds_max)
        self.kill()

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        # The watch first: with the process gone, its number may soon be another one's.
        self._watch.kill()
        self._watch.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL) if self.running else None
        self._process.wait()
