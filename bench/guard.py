"""What an event costs in the core, against a fixed loop in the same run: `python -m bench.guard`.

The cost is CPU time of decoding, step and encoding, without any I/O, divided by that of a loop
that never changes; so it says the same on a fast machine, a slow one and a busy one. `--record`
writes it to `guard.json`; CI fails where it has risen by more than a quarter over that
(`tests/bench/test_guard.py`). Record anew, in the same commit, when it is meant to rise, and when
it has fallen.
"""

import gc
import json
import math
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench.purchases import CURRENCY, backlog
from models.events import Decoder
from models.policy import Policy
from models.step import step

RECORDED: Final = Path(__file__).with_name("guard.json")
RISE_MAX: Final = 1.25

EVENTS: Final = 500
"""Of the timed batch: so few that one of many turns is over before anybody else interrupts it."""

CUSTOMERS: Final = 1_500
KNOWN_EVENTS: Final = 12_000
END_MS: Final = 1_772_357_400_000
REPEATS: Final = 120

_NUMBERS: Final = struct.Struct("<5q")


class Cost(NamedTuple):
    """What was measured.

    Attributes:
        event_us: CPU microseconds an event, at best.
        loop_us: CPU microseconds a turn of the fixed loop, at best.
    """

    event_us: float
    loop_us: float

    @property
    def ratio(self) -> float:
        """Turns of the loop that an event costs."""
        return self.event_us / self.loop_us


def version() -> str:
    """Interpreters differ in what they make fast: each has its own record."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def recorded() -> float | None:
    """The ratio that is on record for this interpreter; None where none is."""
    found = json.loads(RECORDED.read_text()).get(version())
    return None if found is None else float(found)


def batch() -> Callable[[], object]:
    """One batch, from records' bytes to everything that would be published."""
    policy = Policy(currency=CURRENCY)
    decoder = Decoder(CURRENCY, {}, 3_600_000)
    lines = backlog(KNOWN_EVENTS + EVENTS, CUSTOMERS, END_MS, seed=7).lines()

    def one(table: dict[bytes, bytes], records: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
        events = [(decoder.purchase(value, key, END_MS), END_MS) for key, value in records]
        return step(policy, table.get, events, 0).states

    known = one({}, lines[:KNOWN_EVENTS])
    return lambda: one(known, lines[KNOWN_EVENTS:])


def reference() -> Callable[[], object]:
    """The fixed loop: objects, numbers, bytes and small arrays, as in the core. Never change it."""
    values = [json.dumps({"at": i * 7919, "amount": i % 997}).encode() for i in range(EVENTS)]
    grid = np.linspace(0.1, 40.0, EVENTS)

    def loop() -> object:
        seen: dict[bytes, bytes] = {}
        for index, value in enumerate(values):
            fields = json.loads(value)
            key = b"c-%d" % (index % CUSTOMERS)
            stored = seen.get(key)
            numbers = list(_NUMBERS.unpack(stored)) if stored else [0, 0, 0, 0, 0]
            for place in range(5):
                numbers[place] += fields["at"] + place
            seen[key] = _NUMBERS.pack(*numbers)
            str(math.sqrt(fields["amount"] + 1.0))
        for power in range(12):
            grid[np.exp(-grid / (power + 1.0)) * np.log1p(grid) > 1.0].sum()
        return seen

    return loop


def measure(event_batch: Callable[[], object], repeats: int = REPEATS) -> Cost:
    """The least CPU time of several turns, taken alternately with the loop's."""
    loop = reference()
    best = [math.inf, math.inf]
    gc.collect()
    gc.freeze()  # what the process holds besides must not be searched through at the core's cost
    try:
        for _ in range(repeats):
            for which, call in enumerate((event_batch, loop)):
                begun = time.process_time()
                call()
                best[which] = min(best[which], time.process_time() - begun)
    finally:
        gc.unfreeze()
    return Cost(*(seconds / EVENTS * 1e6 for seconds in best))


def main() -> None:
    """Shows the cost, and writes it with `--record`."""
    cost = measure(batch())
    print(f"an event {cost.event_us:.2f} us, a turn {cost.loop_us:.2f} us: {cost.ratio:.3f}")
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    if "--record" in sys.argv:
        RECORDED.write_text(json.dumps({**known, version(): round(cost.ratio, 3)}) + "\n")
    else:
        print(f"on record: {known.get(version(), 'nothing')}")


if __name__ == "__main__":
    main()
