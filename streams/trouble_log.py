"""Says of what is tried again and again that it fails, without filling the log."""

import logging
from typing import Final

SAID_MAX: Final = 10
"""Lines of one outage: what its errors say may be different each time."""


class TroubleLog:
    """One line for each thing that goes wrong in an outage, and one when it is over."""

    def __init__(self, log: logging.Logger, over: str) -> None:
        """Nothing is wrong yet.

        Args:
            log: of whoever tries.
            over: what is said when it works again.
        """
        self._log, self._over = log, over
        self._said: set[str] = set()

    def failed(self, what: str) -> None:
        """Say it, unless it has been said in this outage, or much else has."""
        if what not in self._said and len(self._said) < SAID_MAX:
            self._said.add(what)
            self._log.warning("%s", what)

    def worked(self) -> None:
        """Say so where it had failed before."""
        if self._said:
            self._said.clear()
            self._log.info("%s", self._over)
