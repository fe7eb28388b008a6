"""Which changelog offset a partition's scores in Redis reflect, and who may write next.

A partition's key holds the offset up to which all scores are there (`done`), and while a batch is
written in several transactions, a claim: the offset that this batch ends with, who writes it and
how far. Each transaction takes effect only if the key is as it was when the decision was taken.

**No reader sees a score replaced by an older one.** A customer belongs to one partition, and that
partition's changelog is written by one worker at a time, so a later offset holds an equal or higher
`revision`. The highest offset that any score of the partition can come from is `highest`: it is
raised, if needed, by the very transaction that writes a score, and a transaction with a lower
offset is refused. So the scores of a customer are written in the order of their offsets, whoever
writes them: a worker that wakes up after others took over is refused from their first transaction
on, and what it wrote before, they replace. Two writers of the same offset write equal scores.
(Where Redis was emptied there is no offset to compare with: who then writes all of a partition
looks first whether the changelog has gone on without it, see `streams.follower`.)

**No score is missing below `done`.** `done` moves with the last transaction of a batch, only from
the offset that the batch follows (or of the batch itself: a repetition), and only if the claim is
the one that the writer's previous transaction left: if Redis was emptied, restored or failed over
in between, then it is not. Else the batch is refused as `BEHIND`, and all of the partition is
written again. A crash between two transactions leaves newer scores and the old `done`: the next
owner starts from a later offset, finds `done` behind it, and writes all again.
"""

import re
from dataclasses import dataclass
from typing import Final

from sinks.sink import Answer

_STORED: Final = re.compile(rb"(-?\d+|\?)(?: (-?\d+) (\S+) (\d+))?")
_UNKNOWN: Final = "?"


class UnreadableMark(ValueError):
    """The key holds something that no worker wrote."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is being written.

    Attributes:
        mark: changelog offset that it ends with.
        writer: whose call it is, unique.
        position: how many of its scores are written.
    """

    mark: int
    writer: str
    position: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What is stored for a partition.

    Attributes:
        done: offset up to which all scores are there; None where that is unknown.
        claim: the batch that was being written last, where it has not ended.
    """

    done: int | None = None
    claim: Claim | None = None

    @property
    def highest(self) -> int | None:
        """The highest changelog offset that a score can come from."""
        return self.claim.mark if self.claim else self.done

    @classmethod
    def parse(cls, stored: bytes | None) -> "Mark":
        """Read what is stored.

        Raises:
            UnreadableMark: it is not what `encode` writes.
        """
        if stored is None:
            return cls()
        found = _STORED.fullmatch(stored)
        if not found:
            raise UnreadableMark(repr(stored[:60]))
        done, mark, writer, position = found.groups()
        claim = Claim(int(mark), writer.decode(), int(position)) if writer else None
        return cls(None if done == _UNKNOWN.encode() else int(done), claim)

    def encode(self) -> bytes:
        """As it is stored: `512`, or `512 768 a1b2c3-4 500` within a batch."""
        done = _UNKNOWN if self.done is None else str(self.done)
        if self.claim is None:
            return done.encode()
        return f"{done} {self.claim.mark} {self.claim.writer} {self.claim.position}".encode()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call's right to write a partition.

    Attributes:
        writer: unique to the call.
        prior: offset that the batch follows; None where all of the partition is written.
        mark: offset that it ends with.
    """

    writer: str
    prior: int | None
    mark: int

    def judge(self, stored: Mark, position: int) -> Answer:
        """Whether the next scores may be written.

        Args:
            stored: what Redis holds now.
            position: scores of this call that are written already.
        """
        highest = stored.highest
        if highest is not None and highest > self.mark:
            return Answer.NEWER
        if position:
            mine = stored.claim == Claim(self.mark, self.writer, position)
            return Answer.WRITTEN if mine else Answer.BEHIND
        if self.prior is None:
            return Answer.WRITTEN
        follows = stored.done in {self.prior, self.mark}
        # A claim in between is of a batch that this one does not know.
        known = highest in {stored.done, self.mark}
        return Answer.WRITTEN if follows and known else Answer.BEHIND

    def after(self, stored: Mark, position: int, *, last: bool) -> Mark:
        """What is to be stored with the scores up to `position`."""
        if last:
            return Mark(self.mark)
        return Mark(stored.done, Claim(self.mark, self.writer, position))
