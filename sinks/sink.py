"""What every outward writer has in common.

A sink gets each batch after it is committed, the batches of a partition in order and one at a
time. Nothing that a sink does can undo a batch, so a sink either takes it, or says why not:

- it raises `Unavailable`: the dependency is away or full. Nothing is lost by calling `write`
  again with the same batch, for as long as it takes; `pause_s` is the shortest wait that makes
  sense. The batch that is repeated holds up its partition, and so the input: this is how a sink
  pushes back.
- it raises `Unusable`: the dependency answers, but waiting will not help. The worker ends with
  the sentence.
- it answers `BEHIND` or `NEWER`, see `Answer`.

Writing a batch again changes nothing, also where the first attempt had worked.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from models.step import Step

PAUSE_S: float = 0.1
"""Shortest wait before a repetition, where the dependency gives no reason for a longer one."""


class Unavailable(Exception):
    """A dependency is away: wait, and repeat the same call.

    Attributes:
        code: what is wrong, in one of a few words: a metric's label.
        pause_s: shortest wait that makes sense, in seconds.
    """

    def __init__(
        self, message: str, *, code: str = "unavailable", pause_s: float = PAUSE_S
    ) -> None:
        super().__init__(message)
        self.code = code
        self.pause_s = pause_s


class Unusable(Exception):
    """A dependency that no waiting makes work; the message is a sentence that says what to do."""


class Answer(Enum):
    """What became of a batch.

    Attributes:
        WRITTEN: whoever looks sees the batch, or a newer state.
        BEHIND: nothing was written, as batches before this one are missing: the sink must be
            filled again from the table.
        NEWER: nothing was written, as batches after this one are there: another worker owns the
            partition, and this one has only not noticed yet.
    """

    WRITTEN = "written"
    BEHIND = "behind"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch whose transaction is committed.

    Attributes:
        partition: number of the partition.
        step: what the batch changed.
        prior_mark: changelog offset that the batch before ended with, -1 before the first.
        mark: changelog offset that this batch ends with; `prior_mark` where it changed nothing.
    """

    partition: int
    step: Step
    prior_mark: int
    mark: int

    def __post_init__(self) -> None:
        assert -1 <= self.prior_mark <= self.mark, "changelog offsets only grow"


class Sink(Protocol):
    """Somewhere that committed batches go."""

    async def open(self) -> None:
        """Reach the dependency, and check what would spoil everything later.

        Raises:
            Unavailable: it is away.
            Unusable: it cannot serve as it is set up.
        """
        ...

    async def write(self, batch: Committed) -> Answer:
        """Write one batch; the same one may come again.

        Raises:
            Unavailable: it is unknown what was written; repeat the batch.
            Unusable: no repetition would help.
        """
        ...

    async def close(self) -> None:
        """Let go; may be called at any time and more than once. Never raises."""
        ...
