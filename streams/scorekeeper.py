"""What a worker keeps for one partition number: states, deadlines, time, and Redis in step."""

import time
from dataclasses import dataclass
from typing import Any

from models.events import Decoder
from models.parameters import InvalidParameters
from models.policy import Policy
from models.releases import Releases
from models.silent_step import SilentWork
from models.step import Step, Work
from sinks.metrics import Metrics
from sinks.record import Output
from sinks.redis import MarkAhead, RedisScores
from sinks.sink import Committed
from sinks.topics import OutputTopics
from streams import progress
from streams.chosen_once import hold_placed
from streams.dead_letters import DeadLetterLimit, dead_letter
from streams.follower import Follower
from streams.intake import Intake, take_in
from streams.progress import Progress
from streams.readiness import Readiness
from streams.report import Report
from streams.scoring import Scoring
from streams.states import States
from streams.ticks import AHEAD_MS_MAX, PendingTicks, latest_ms
from streams.together import Together
from streams.topics import CLOCK, DEAD_LETTERS
from streams.transport.app import LaneApp
from streams.transport.batch import Batch
from streams.transport.changelog import DamagedChangelog
from streams.transport.lane import Lane
from streams.transport.received import Seen
from streams.transport.transaction import PASSING, is_passing

DUE_MAX = 5_000
"""Customers whose deadlines are applied, or who change over, in one transaction."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all partitions of a worker use."""

    policy: Policy
    releases: Releases
    decoder: Decoder
    metrics: Metrics
    redis: RedisScores
    limit: DeadLetterLimit
    readiness: Readiness
    topics: OutputTopics
    partitions: int
    changelog: str
    wall_clock: bool
    events_together: Together[Work]
    silence_together: Together[SilentWork]


class Scorekeeper:
    """The keeper of one lane (see `streams.transport.roles.Keeper`)."""

    def __init__(self, shared: Shared, lane: Lane, table: dict[bytes, bytes]) -> None:
        self._shared, self._lane = shared, lane
        self._number = lane.number
        self._states = States(table, shared.changelog, lane.number)
        self._scoring = Scoring(shared.policy, shared.releases, lane.number)
        self._report = Report(shared.metrics, lane.number, wall_clock=shared.wall_clock)
        self._ticks = PendingTicks(self._report.ticks_refused, wall_clock=shared.wall_clock)
        self._follower = Follower(
            shared.redis,
            shared.metrics,
            shared.readiness,
            lane.number,
            lambda customers=None: self._states.scores(self._scoring, customers),
            lane.heed_successor,
        )
        self._prior = self._mark = -1
        self._reflected: int | None = None
        self._unwritten: set[bytes] = set()
        self._due_left = False
        self._settling: Step | None = None
        self._begun_s = 0.0
        self._ended = False
        self.now_ms = 0

    # -- recovery -----------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Ask up to where Redis has followed, to know what it lacks."""
        self._reflected = await self._follower.reflected()

    def restore(self, records: list[Any], remaining: int) -> None:
        """Take committed changelog records into the table; they are decoded when all are in."""
        table, scoring = self._states.table, self._scoring
        for record in records:
            if not record.key:
                scoring.restore(record.value)
            elif scoring.written is not None:
                scoring.written.add(record.key)
            if record.value is None:
                table.pop(record.key, None)
            else:
                table[record.key] = record.value
        if self._reflected is not None and records[-1].offset > self._reflected:
            self._unwritten.update(r.key for r in records if r.offset > self._reflected)
        self._report.recovering(len(records), remaining)

    def offsets(self) -> dict[str, int]:
        """By input topic, the next offset to apply, as the changelog has it."""
        return self._progress().offsets

    def newest(self) -> dict[str, Seen]:
        """By input topic, the last record applied, as the changelog has it."""
        return self._progress().newest

    def _progress(self) -> Progress:
        stored = self._states.table.get(progress.KEY)
        return Progress() if stored is None else progress.decode(stored)

    async def begin(self, mark: int) -> None:
        """Rebuild deadlines and gauges, and bring Redis up to the changelog."""
        reached, table = self._progress(), self._states.table
        table.pop(progress.KEY, None)
        self.now_ms = reached.now_ms
        if table:
            hold_placed(reached, self._shared.partitions)
        try:
            self._scoring.begin(reached, table.keys())
        except InvalidParameters as error:
            log = self._shared.changelog
            raise DamagedChangelog(log, self._number, progress.KEY) from error
        self._mark = mark
        self._report.recovered(await self._states.rebuild())
        self._report.model(self._scoring.policy.params, self._scoring.pending)
        self._gauge()
        self._unwritten &= table.keys()
        try:
            await self._follower.catch_up(self._reflected, mark, self._unwritten)
        except MarkAhead:
            # Another worker may have taken over since the changelog was read, and gone on.
            await self._lane.heed_successor()
            raise
        self._unwritten.clear()

    async def end(self) -> None:
        """Let Redis have what is committed, and leave the gauges."""
        self._ended = True
        self._shared.limit.given_up(self._number)
        try:
            await self._follower.end()
        finally:
            self._report.ended()  # also where a rebalance breaks the waiting off

    # -- the job ------------------------------------------------------------------------------

    def decode(self, batch: Batch) -> Intake:
        """The batch's events; its ticks wait until what they know is applied."""
        self._begun_s = time.perf_counter()
        shared = self._shared
        self._ticks.add(batch.records.get(CLOCK, []))
        intake = take_in(
            shared.decoder,
            batch.records,
            self._number,
            shared.partitions,
            self._states.table,
            # Where the clock has gone back by days, what the partition has reached tells the time.
            max(latest_ms(wall_clock=shared.wall_clock), self.now_ms + AHEAD_MS_MAX),
        )
        shared.limit.check(self._number, intake.flags)
        return intake

    async def step(self, intake: Intake) -> Step:
        """Apply events to copies of the states, and score them."""
        work = Work(self._states.table.get, intake.events, self.now_ms)
        scoring, together = self._scoring, self._shared.events_together
        with self._states.decoding(event.customer for event, _ in intake.events):
            return await together.step(scoring.policy, work, scoring.change_over)

    async def silence(self) -> Step | None:
        """What has come due by the newest time that can be believed, and who changes over.

        It is a first portion: the rest is left to the next batches, so that events need not wait.
        """
        tick = self._ticks.believe(self._lane.has_applied)
        if tick is not None:
            self.now_ms = max(self.now_ms, tick.at_ms)
            self._report.tick(tick.at_ms)
            self._scoring.named(tick)
        elif not self.is_due():
            return None
        self._begun_s = time.perf_counter()
        scoring, together = self._scoring, self._shared.silence_together
        schedule = self._states.schedule
        due = schedule.due(self.now_ms, DUE_MAX)
        self._due_left = len(due) == DUE_MAX
        self._report.schedule(len(schedule), schedule.earliest_s())
        if not due:
            self._begin_change()
        due = list(dict.fromkeys([*due, *scoring.portion(DUE_MAX - len(due))]))
        if not due:
            return None
        work = SilentWork(self._states.table.get, due, self.now_ms)
        with self._states.decoding(due):
            result = await together.step(scoring.policy, work, scoring.change_over)
        self._settling = None if self._due_left else result
        return result

    def _begin_change(self) -> None:
        """Change over, if that is to be: nothing is due any more by the earlier parameters."""
        if self._scoring.begin_next(self.now_ms, self._states.table):
            self._report.model(self._scoring.policy.params, self._scoring.pending)

    def is_due(self) -> bool:
        """Whether there is more to do than one batch took."""
        return self._due_left or self._scoring.is_due()

    async def publish(self, batch: Batch, result: Step, intake: Intake | None = None) -> None:
        """One transaction with all that follows from a batch, or nothing of it."""
        await self.settled()
        number, shared = self._number, self._shared
        outputs = shared.topics.of(result, number)
        if intake is not None:
            letters = [dead_letter(record, why) for record, why in intake.all_refused(result)]
            outputs += [Output(DEAD_LETTERS, number, letters), *intake.rerouted_outputs()]
        reached = self._scoring.reached(
            Progress(
                result.now_ms,
                {tp.topic: at for tp, at in (self._lane.applied | batch.offsets).items()},
                {tp.topic: seen for tp, seen in (self._lane.newest | batch.newest).items()},
                partitions=shared.partitions,
            ),
            result.states,
        )
        outputs.append(Output(shared.changelog, number, progress.records(reached, result.states)))
        begun_s = time.perf_counter()
        try:
            last = await batch.commit(outputs, hold_offsets=True)  # in `reached`
        except PASSING as error:
            if is_passing(error):
                self._report.uncommitted()
            raise
        self._report.committed(time.perf_counter() - begun_s)
        if intake is not None:
            shared.limit.committed(number)
        self._prior, self._mark = self._mark, last[shared.changelog, number]
        self._report.batch(time.perf_counter() - self._begun_s, result, intake)

    def remember(self, result: Step) -> None:
        """After the commit: the table, the schedule, and Redis."""
        if self._ended:  # since the commit: the next owner reads it from the changelog
            return
        self._states.remember(result.states)
        if self._scoring.change_over is not None:
            self._scoring.remember(result.states)
            self._report.model(self._scoring.policy.params, self._scoring.pending)
        self.now_ms = result.now_ms
        self.postpone(result)
        self._follower.follow(
            Committed(self._number, result, self._prior, self._mark),
            self._report.readable(),
        )
        self._gauge()

    def postpone(self, result: Step) -> None:
        """Set the deadlines that a step found. It needs no commit: stored ones are earlier."""
        self._states.schedule.put_all(result.deadlines)
        if result is self._settling:
            self._settling = None
            self._begin_change()

    async def settled(self) -> None:
        """Wait until Redis has all that is committed."""
        await self._follower.settled()

    async def look(self) -> None:
        """Now and then, see that Redis still has what was written."""
        await self._follower.look(self._mark)

    def _gauge(self) -> None:
        states = self._states
        self._report.state(states.size_bytes)
        self._report.schedule(len(states.schedule), states.schedule.earliest_s())


def keepers(app: LaneApp) -> list[Scorekeeper]:
    """The keepers of the lanes that an app holds now."""
    return [k for lane in app.lanes.values() if isinstance(k := lane.keeper, Scorekeeper)]
