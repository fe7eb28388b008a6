"""Who may write a partition: single decisions, and any interleaving of owners, zombies and losses.

The interleavings run against a dictionary that does what Redis does with WATCH and MULTI: a
transaction takes effect as a whole, and only on what its writer has seen. `test_redis.py` holds
that the sink really works like that.
"""

import copy
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sinks.redis_mark import Attempt, Claim, Mark, UnreadableMark
from sinks.sink import Answer

ALL = Attempt("w-0", None, 20)
BATCH = Attempt("w-0", 10, 20)


@pytest.mark.parametrize(
    ("mark", "stored"),
    [
        (Mark(512), b"512"),
        (Mark(-1), b"-1"),
        (Mark(512, Claim(768, "a1-4", 500)), b"512 768 a1-4 500"),
        (Mark(None, Claim(768, "a1-4", 500)), b"? 768 a1-4 500"),
    ],
)
def test_marks_are_stored_as_text(mark: Mark, stored: bytes) -> None:
    assert mark.encode() == stored
    assert Mark.parse(stored) == mark


def test_nothing_stored_is_nothing_known() -> None:
    assert Mark.parse(None) == Mark(None, None)
    assert Mark().highest is None


@pytest.mark.parametrize("stored", [b"", b"x", b"1.5", b"12 13", b"12 13 w", b" 12", b"12\n"])
def test_what_no_worker_wrote_is_no_mark(stored: bytes) -> None:
    with pytest.raises(UnreadableMark):
        Mark.parse(stored)


@pytest.mark.parametrize(
    ("stored", "position", "answer"),
    [
        (Mark(10), 0, Answer.WRITTEN),  # the batch before this one is there
        (Mark(20), 0, Answer.WRITTEN),  # this one is: a repetition
        (Mark(10, Claim(20, "w-9", 500)), 0, Answer.WRITTEN),  # an attempt that broke off
        (Mark(20, Claim(20, "w-9", 500)), 0, Answer.WRITTEN),
        (Mark(21), 0, Answer.NEWER),
        (Mark(10, Claim(21, "w-9", 500)), 0, Answer.NEWER),
        (Mark(20, Claim(21, "w-9", 500)), 0, Answer.NEWER),
        (Mark(), 0, Answer.BEHIND),  # emptied
        (Mark(None, Claim(20, "w-9", 500)), 0, Answer.BEHIND),  # emptied, then a broken refill
        (Mark(9), 0, Answer.BEHIND),  # restored from a backup
        (Mark(15), 0, Answer.BEHIND),  # another history
        (Mark(10, Claim(15, "w-9", 500)), 0, Answer.BEHIND),
        (Mark(10, Claim(20, "w-0", 500)), 500, Answer.WRITTEN),  # the next transaction
        (Mark(10, Claim(20, "w-0", 500)), 1000, Answer.BEHIND),  # one was lost in a fail-over
        (Mark(10, Claim(20, "w-9", 500)), 500, Answer.BEHIND),  # somebody else's
        (Mark(10), 500, Answer.BEHIND),  # restored in the middle
        (Mark(), 500, Answer.BEHIND),  # emptied in the middle
        (Mark(10, Claim(21, "w-9", 500)), 500, Answer.NEWER),
    ],
)
def test_a_batch_is_written_only_where_it_follows(
    stored: Mark, position: int, answer: Answer
) -> None:
    assert BATCH.judge(stored, position) is answer


@pytest.mark.parametrize(
    ("stored", "position", "answer"),
    [
        (Mark(), 0, Answer.WRITTEN),
        (Mark(9), 0, Answer.WRITTEN),
        (Mark(15, Claim(17, "w-9", 500)), 0, Answer.WRITTEN),
        (Mark(20), 0, Answer.WRITTEN),
        (Mark(21), 0, Answer.NEWER),
        (Mark(None, Claim(21, "w-9", 500)), 0, Answer.NEWER),
        (Mark(None, Claim(20, "w-0", 500)), 500, Answer.WRITTEN),
        (Mark(), 500, Answer.BEHIND),
    ],
)
def test_all_of_a_partition_is_written_unless_there_is_newer(
    stored: Mark, position: int, answer: Answer
) -> None:
    assert ALL.judge(stored, position) is answer


def test_the_mark_moves_with_the_last_transaction_only() -> None:
    first = BATCH.after(Mark(10), 500, last=False)
    assert first == Mark(10, Claim(20, "w-0", 500))
    assert BATCH.after(first, 700, last=True) == Mark(20)


# -- any interleaving ------------------------------------------------------------------------

CUSTOMERS = ("a", "b", "c")
Revisions = dict[str, int]


class Server:
    """What Redis holds of one partition."""

    def __init__(self) -> None:
        self.mark: bytes | None = None
        self.revisions: Revisions = {}


class Worker:
    """A worker's copy of the partition, and the write that it is in the middle of."""

    def __init__(self, name: str, mark: int, table: Revisions) -> None:
        self.name = name
        self.mark = mark
        self.table = dict(table)
        self.calls = 0
        self.writing: Iterator[Answer | None] | None = None
        self.last: tuple[int, Revisions] | None = None

    def begin(self, server: Server, prior: int | None, scores: Revisions) -> None:
        self.calls += 1
        attempt = Attempt(f"{self.name}-{self.calls}", prior, self.mark)
        self.writing = self._transactions(server, attempt, sorted(scores.items()))

    def _transactions(
        self, server: Server, attempt: Attempt, scores: list[tuple[str, int]]
    ) -> Iterator[Answer | None]:
        """As `RedisScores._write`, one customer a transaction; stops before each."""
        pieces = [scores[at : at + 1] for at in range(len(scores))] or [[]]
        for position, piece in enumerate(pieces):
            yield None
            stored = Mark.parse(server.mark)
            answer = attempt.judge(stored, position)
            if answer is not Answer.WRITTEN:
                yield answer
                return
            last = position == len(pieces) - 1
            server.mark = attempt.after(stored, position + len(piece), last=last).encode()
            for customer, revision in piece:
                seen = server.revisions.get(customer, 0)
                assert revision >= seen, f"{customer}: {revision} replaces {seen}"
                server.revisions[customer] = revision
        yield Answer.WRITTEN


class Partition(RuleBasedStateMachine):
    """One partition: its changelog, its owner, workers that no longer own it, and Redis.

    What is committed is always the owner's; earlier owners go on writing what they committed.
    """

    @initialize()
    def start(self) -> None:
        self.server = Server()
        self.backups = [copy.deepcopy(self.server)]
        self.committed: Revisions = {}
        self.end = -1
        self.history: dict[int, Revisions] = {-1: {}}
        self.workers = [Worker("w0", -1, {})]
        self._align(self.workers[0])

    @property
    def owner(self) -> Worker:
        return self.workers[-1]

    def _align(self, worker: Worker) -> None:
        stored = Mark.parse(self.server.mark)
        if stored.done != worker.mark:
            worker.begin(self.server, None, worker.table)

    @precondition(lambda self: self.owner.writing is None)
    @rule(touched=st.sets(st.sampled_from(CUSTOMERS)), markers=st.integers(1, 2))
    def commit(self, touched: set[str], markers: int) -> None:
        """The owner commits a batch, and begins to write it."""
        owner, prior = self.owner, self.end
        self.end += len(touched) + markers
        scores = {customer: self.committed.get(customer, 0) + 1 for customer in touched}
        self.committed = {**self.committed, **scores}
        self.history[self.end] = dict(self.committed)
        owner.table, owner.mark = dict(self.committed), self.end
        owner.last = (prior, scores)
        owner.begin(self.server, prior, scores)

    @rule(which=st.integers(0, 3), transactions=st.integers(1, 4))
    def write(self, which: int, transactions: int) -> None:
        """Some worker, perhaps one that lost the partition, gets on with its write."""
        worker = self.workers[-1 - which % len(self.workers)]
        for _ in range(transactions):
            if worker.writing is None:
                return
            answer = next(worker.writing)
            if answer is None:
                continue
            worker.writing = None
            if answer is Answer.BEHIND:
                worker.begin(self.server, None, worker.table)

    @rule(which=st.integers(0, 3))
    def answer_is_lost(self, which: int) -> None:
        """A transaction's answer does not arrive: the worker repeats the whole batch."""
        worker = self.workers[-1 - which % len(self.workers)]
        if worker.last is not None and worker.writing is None:
            worker.begin(self.server, *worker.last)
        elif worker.writing is not None:
            worker.begin(self.server, None, worker.table)

    @rule()
    def take_over(self) -> None:
        """A new worker reads the changelog; the old one only does not know yet."""
        worker = Worker(f"w{len(self.workers)}", self.end, self.committed)
        self.workers.append(worker)
        self._align(worker)

    @precondition(lambda self: self.owner.writing is None)
    @rule()
    def look(self) -> None:
        """The owner looks whether Redis still has everything."""
        self._align(self.owner)

    @rule()
    def back_up(self) -> None:
        """A replica, or a dump, has what there is now."""
        self.backups.append(copy.deepcopy(self.server))

    @rule(which=st.integers(0, 9))
    def lose(self, which: int) -> None:
        """Redis is emptied, restored, or failed over to a replica that lagged."""
        lost = copy.deepcopy(self.backups[which % len(self.backups)])
        self.server.mark, self.server.revisions = lost.mark, lost.revisions

    @invariant()
    def nothing_is_missing_below_the_mark(self) -> None:
        done = Mark.parse(self.server.mark).done
        if done is not None:
            for customer, revision in self.history[done].items():
                assert self.server.revisions.get(customer, 0) >= revision, customer

    def teardown(self) -> None:
        """Left alone, Redis ends with the newest score of everyone."""
        if not hasattr(self, "workers"):
            return
        for worker in self.workers:  # zombies first; they may heal nothing, nor spoil anything
            for _ in range(60):
                if worker.writing is None:
                    break
                self.write(self.workers[::-1].index(worker), 1)
        self._align(self.owner)
        for _ in range(60):
            if self.owner.writing is not None:
                self.write(0, 1)
        assert Mark.parse(self.server.mark) == Mark(self.end)
        assert self.server.revisions == self.committed


Partition.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True
)
TestAnyInterleaving = Partition.TestCase
