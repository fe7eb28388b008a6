"""What the servers of the tests have in common: one port and one folder for life, many starts."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from streams.embedded.child import LOOPBACK, Child, free_port


class UnavailableError(Exception):
    """This machine cannot run the server; the message is one sentence that says what is missing."""


class Server(ABC):
    """A server that can be stopped, killed, paused and started again with the same data."""

    name: str
    ready_seconds_max = 30.0

    def __init__(self, directory: Path | None = None, port: int | None = None) -> None:
        self._own_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"clv-{self.name}-"))
        self.port = port or free_port()
        self.log = self.directory / f"{self.name}.log"
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def child(self) -> Child:
        """The running process."""
        assert self._child is not None, f"{self.name} is not running"
        return self._child

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Prepares the folder, and returns the command that starts the server."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server answers."""

    def start(self) -> Self:
        """Starts it and waits until it answers; where it runs already, does nothing.

        Raises:
            ServerFailedError: it did not start; with the tail of its log.
            UnavailableError: this machine has not what it takes.
        """
        if not self.running:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._child = Child(self.name, self._command(), self.log)
            self._child.wait_ready(self._answers, self.ready_seconds_max)
        return self

    def stop(self) -> None:
        """Ends it in order; the data stay for the next start."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """Ends it as a crash would; the data stay for the next start."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def restart(self) -> Self:
        """Stops it in order and starts it again, same port and same data."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Freezes it: connections stay open, nothing answers."""
        self.child.pause()

    def resume(self) -> None:
        """Undoes `pause`."""
        self.child.resume()

    def remove(self) -> None:
        """Ends it and deletes its data, unless the folder was given by the caller."""
        self.kill()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_: object) -> None:
        self.remove()
