"""All that a fault run consists of, and what has to happen when."""

import heapq
import itertools
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.chaos.clock import Clock, faketime
from tests.chaos.workers import STOP_S_MAX, Slot
from tests.servers.kafka import Kafka
from tests.servers.redis import Redis

SLOTS = 4
REFUSED = "RecordListTooLargeError"
"""What a worker rightly ends with when a send is refused that no repetition will help."""
FENCED = "clv: Another worker took this one's partitions over while it was stalled"
"""What a worker rightly ends with when it wakes up too late."""
LATE = "clv: The worker did not stop within"
"""What a worker rightly ends with when it was frozen on its way out."""
ZOMBIE_S = 10.0
"""Who is frozen for so long is about to lose its partitions, or has."""
TEMPTATION = {"started": 0.15, "assigned": 0.25, "recovered": 0.3, "stopping": 0.3, "woken": 0.4}
"""How often a worker is killed soon after such a moment."""
OVERTAKEN_S = 2.0
"""How long a successor stands still for a zombie to do what it can."""
SLICES_MAX, SLICE_S, STILL_S = 40, 0.005, 0.05
"""In how many slices a successor takes over before that, and how long it goes on and stands still
in each: less than half of its session in all."""


class World:
    """Servers, worker slots, a calendar of what is to be done, and a timeline of what was.

    Attributes:
        faults: how often each fault was injected.
        exits: how processes ended that we did not kill, with their last words.
        crashes: exits that no fault explains.
        temptation: how often a worker is killed soon after a moment at which it is fragile.
        at_the_end: what undoes faults that outlive the servers' processes.
    """

    def __init__(
        self,
        kafka: Kafka,
        redis: Redis,
        rng: random.Random,
        folder: Path,
        env: Mapping[str, str],
        argv: Sequence[str],
    ) -> None:
        self.kafka, self.redis, self.rng, self.folder = kafka, redis, rng, folder
        library = faketime()
        self.slots = [
            Slot(
                n, env, folder, argv, clock=library and Clock(library, folder / f"worker-{n}.clock")
            )
            for n in range(SLOTS)
        ]
        self.faults: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()
        self.crashes: list[str] = []
        self.at_the_end: list[Callable[[], None]] = []
        self.timeline: list[tuple[float, str]] = []
        self.broker_busy = self.redis_busy = False
        self.calm = False
        self.temptation = TEMPTATION
        self._begun_s = time.monotonic()
        self._calendar: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._starting: list[threading.Thread] = []

    # -- time ---------------------------------------------------------------------------------

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._begun_s

    def say(self, text: str) -> None:
        """Add to the timeline."""
        self.timeline.append((self.elapsed_s, text))
        print(f"{self.elapsed_s:8.2f}  {text}", file=sys.stderr, flush=True)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        entry = (time.monotonic() + seconds, next(self._sequence), action)
        heapq.heappush(self._calendar, entry)

    def in_background(self, action: Callable[[], object], done: Callable[[], None]) -> None:
        """Do what takes seconds, such as starting a broker, while faults go on."""

        def run() -> None:
            try:
                action()
            finally:
                done()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._starting.append(thread)

    def turn(self) -> None:
        """Do what is due, and look after the workers."""
        while self._calendar and self._calendar[0][0] <= time.monotonic():
            heapq.heappop(self._calendar)[2]()
        for slot in self.slots:
            self._look_after(slot)
        time.sleep(0.02)

    # -- workers ------------------------------------------------------------------------------

    def _look_after(self, slot: Slot) -> None:
        status = slot.ended()
        if status is not None:
            self._note_exit(slot, status)
            slot.restart_s = time.monotonic() + self.rng.uniform(0, 1)
        if slot.running:
            if slot.expected == "SIGTERM" and time.monotonic() - slot.asked_s > STOP_S_MAX:
                self.crashes.append(f"{slot.name} did not stop within {STOP_S_MAX:.0f} s")
                slot.kill()
            for moment in sorted(slot.moments()):
                self._wake_zombies(slot, moment)
                self._tempt(slot, moment)
        elif slot.wanted and time.monotonic() >= slot.restart_s:
            slot.start()
            self._tempt(slot, "started")

    def _note_exit(self, slot: Slot, status: int) -> None:
        if slot.expected == "kill -9":
            return
        words = slot.last_words()
        # Before it listens to the signal, a process that is still importing dies of it.
        early = status == -signal.SIGTERM and not slot.reached
        if slot.expected == "SIGTERM" and (status == 0 or early):
            return
        self.say(f"{slot.name} ended with status {status}: {words}")
        self.exits[f"status {status}: {words[-200:]}"] += 1
        # What a fault of ours explains says so in its own words; all else is a finding.
        refused = REFUSED in words and self.faults["refuse sends"]
        late = LATE in words and slot.late
        if not (refused or late or FENCED in words):
            self.crashes.append(f"{slot.name}, status {status}: {words[-300:]}")

    def _wake_zombies(self, successor: Slot, moment: str) -> None:
        """The worst instants to wake up are those at which a successor takes over, or has."""
        for slot in self.slots:
            frozen_s = time.monotonic() - slot.paused_s
            if slot is successor or not slot.paused or frozen_s < ZOMBIE_S:
                continue
            if (slot.until, moment) == ("assigned", "assigned"):
                self._overtake(slot, successor, self.rng.randint(1, SLICES_MAX))
            elif (slot.until, moment) == ("recovered", "recovered"):
                self.after(self.rng.uniform(3, 8), partial(self._wake_up, slot))
            elif slot.until is None and moment == "assigned" and self.rng.random() < 0.5:
                self._wake_up(slot)

    def _wake_up(self, zombie: Slot) -> None:
        if zombie.paused:
            self.say(f"SIGCONT {zombie.name}, as another one takes over from it")
            zombie.resume()

    def _overtake(self, zombie: Slot, successor: Slot, slices: int) -> None:
        """Let the successor take over slice by slice, and the zombie go on after so many.

        While it stands still, Kafka has answered: each slice is a step of its taking over, and what
        lies between two steps is found as often as the steps themselves.
        """
        successor.resume()
        if self.calm or not zombie.paused or not successor.running:
            return  # another successor's slices were fewer
        time.sleep(SLICE_S)
        successor.pause()
        if slices > 1:
            self.after(STILL_S, partial(self._overtake, zombie, successor, slices - 1))
            return
        self.say(f"SIGSTOP {successor.name}, which takes over from {zombie.name}: SIGCONT")
        zombie.resume()
        self.after(OVERTAKEN_S, successor.resume)
        # What it has committed then, Redis may not know yet.
        self._tempt(zombie, "woken")

    def _tempt(self, slot: Slot, moment: str) -> None:
        """Races show in the seconds after a start, an assignment, a recovery."""
        if self.calm or self.rng.random() >= self.temptation.get(moment, 0.0):
            return
        process, delay_s = slot.started_s, self.rng.uniform(0, 2) ** 2 / 2

        def kill() -> None:
            if slot.running and not (self.calm or slot.paused) and slot.started_s == process:
                self.faults[f"kill -9 soon after {moment}"] += 1
                self.say(f"kill -9 {slot.name}, {delay_s:.2f} s after: {moment}")
                slot.kill()

        self.after(delay_s, kill)

    # -- the end ------------------------------------------------------------------------------

    def heal(self) -> None:
        """Undo every fault, and let two workers run at least."""
        self.calm = True
        for thread in self._starting:
            thread.join()
        self._calendar.clear()
        if self.kafka.running:
            self.kafka.resume()
        if self.redis.running:
            self.redis.resume()
        self.kafka.start()
        self.redis.start()
        for undo in self.at_the_end:
            undo()
        for slot in self.slots:
            slot.resume()
        for slot in self.slots[:2]:
            slot.wanted = True

    def stop_workers(self) -> None:
        """SIGTERM to all; they have to end in order."""
        for slot in self.slots:
            slot.wanted = False
            slot.terminate()
        deadline_s = time.monotonic() + STOP_S_MAX + 5
        while any(slot.running for slot in self.slots) and time.monotonic() < deadline_s:
            self.turn()
        for slot in self.slots:
            status = slot.ended()
            if status is not None:
                self._note_exit(slot, status)
            slot.kill()
