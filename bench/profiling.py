"""Where our worker's time goes: each step of the batch in microseconds an event, and its floor.

py-spy looks at the worker's stack two hundred times a second while it works off the input. Each
sample is counted for the innermost frame that a step claims; shares of samples times the CPU of
an event give microseconds. A sampler that stops the process for each look would slow it, so it
reads the stack of a running one, and drops the few looks that go wrong.
"""

import re
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench import peers

SAMPLES_A_SECOND: Final = 200


class Step(NamedTuple):
    """A part of the work, and which frames belong to it: (file, function), as patterns."""

    title: str
    files: str
    functions: str = ".*"


# Most particular first: the innermost frame that any of them claims decides, and of several that
# claim it the first.
READ: Final = "read: fetch and parse records"
STEPS: Final = (
    Step(READ, r"aiokafka/consumer"),
    Step("decode events", r"models/(events|refusals|currencies|reasons)"),
    Step("take in: order, place, collect", r"(streams/(intake|placement)|aiokafka/partitioner)"),
    Step("apply: decode states", r"models/state", r"decode\w*"),
    Step("store: encode states", r"models/(state|settlement)", r"(encode|_?stored?)"),
    Step("apply: facts, ids, days", r"models/(facts|packed|day_list|event_ids|days|state|older)"),
    Step("apply: rows of facts", r"models/fact_rows", r"add"),
    Step("apply: events to customers", r"models/batch"),
    Step("value: columns of facts", r"models/fact_rows"),
    Step("value: model (numpy)", r"models/(valuation|mbg_nbd|_beta_geometric|gamma_gamma|"
         r"purchases|bg_nbd|pareto_nbd|churn|tiers|rules)"),
    Step("follow: tiers, levels", r"models/(chain|ladder|moves)"),
    Step("announce changes", r"models/(announce|changes)"),
    Step("judge predictions", r"models/(verdicts|judged_windows)"),
    Step("silence: deadlines, crossings", r"models/(deadlines|next_moves|silences|crossings|"
         r"tier_falls|descents|roots|bisection)"),
    Step("publish: windows", r"models/windows"),
    Step("publish: scores to JSON", r"models/(publish|score|times|money)"),
    Step("population", r"models/population"),
    Step("remember: table, schedule", r"(streams/(scorekeeper|ticks|follower)|models/schedule)"),
    Step("step: what is left", r"models/"),
    Step("records for topics", r"(sinks/topics|sinks/record|streams/progress)"),
    Step("send: records into batches",
         r"(streams/transport/transaction|aiokafka/(producer/message_accumulator|codec))",
         r"(_send\w*|append|_build|_serialize|lz4_encode)"),
    Step("Redis: commands and replies", r"(sinks/redis\w*|redis/|hiredis)"),
    Step("metrics", r"(sinks/(metrics|series)|streams/report|prometheus_client)"),
    Step("Kafka client: requests, transactions", r"aiokafka/"),
    Step("agent: freeing what a batch held", r"streams/agents"),
    Step("sockets: bytes to Kafka and Redis", r"asyncio/(selector_events|transports)"),
    Step("lanes, Faust, agents", r"(streams/|faust/|mode/)"),
    Step("event loop", r"(asyncio|uvloop)/"),
)  # fmt: skip
REST: Final = "start-up and rest"

_WAITS: Final = re.compile(r"select \(selectors\.py(:\d+)?\)$")
"""Waiting for the network, which py-spy sometimes takes for work."""

_FRAME: Final = re.compile(r"(?P<function>.*) \((?P<file>.*?)(:\d+)?\)$")


def step_of(stack: str) -> str:
    """The step that a sample counts for."""
    for frame in reversed(stack.split(";")):
        found = _FRAME.match(frame)
        if found is None:
            continue
        for step in STEPS:
            name = found["function"].rpartition(".")[2]  # without its class
            if re.search(step.files, found["file"]) and re.fullmatch(step.functions, name):
                return step.title
    return REST


def shares(samples: Sequence[str]) -> dict[str, float]:
    """Each step's share of py-spy's samples: lines of a stack and how often it was seen."""
    counts = Counter[str]()
    for line in samples:
        stack, _, times = line.rpartition(" ")
        if _WAITS.search(stack):
            continue
        counts[step_of(stack)] += int(times)
    total = sum(counts.values())
    titles = [*(step.title for step in STEPS), REST]
    return {title: counts[title] / total for title in titles if counts[title]}


class Sampling:
    """Samples a process until told to stop."""

    def __init__(self, pid: int, target: Path) -> None:
        self._target = target
        command = [str(peers.VENV / "bin" / "py-spy"), "record", "--pid", str(pid)]
        command += ["--format", "raw", "--rate", str(SAMPLES_A_SECOND), "--nonblocking"]
        self._process = subprocess.Popen(
            [*command, "--duration", "unlimited", "--output", str(target)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> list[str]:
        """The samples."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        return self._target.read_text().splitlines()


def table(samples: Sequence[str], event_us: float, floors: Mapping[str, float]) -> str:
    """A Markdown table: each step's microseconds an event, and the least it could cost."""
    lines = ["| step | us an event | share | floor |", "|---|---:|---:|---:|"]
    for title, share in shares(samples).items():
        floor = f"{floors[title]:.2f}" if title in floors else ""
        lines.append(f"| {title} | {share * event_us:.2f} | {share:.0%} | {floor} |")
    total = sum(floors.values())
    lines.append(f"| all | {event_us:.2f} | 100% | {total:.2f} |")
    return "\n".join(lines)
