"""Progress bars for what is read from Kafka before a command can say anything."""

import asyncio

from models.policy import Policy
from streams.cli.output import progress
from streams.made_anew import Begun, accept
from streams.repair import Place, Repaired, repair
from streams.settings import Settings
from streams.stored import Past, StoredStates, Told, read_states, recall


def states(settings: Settings, customer: bytes | None = None) -> StoredStates:
    """See `streams.stored.read_states`."""
    with bar() as told:
        return asyncio.run(read_states(settings, told, customer))


def past(settings: Settings, policy: Policy, customer: bytes, at_ms: int) -> Past:
    """See `streams.stored.recall`."""
    with bar() as told:
        return asyncio.run(recall(settings, policy, customer, at_ms, told))


def repaired(settings: Settings, policy: Policy, place: Place, *, as_found: bool) -> Repaired:
    """See `streams.repair.repair`."""
    with bar() as told:
        return asyncio.run(repair(settings, policy, place, told, as_found=as_found))


def accepted(settings: Settings, topic: str) -> list[Begun]:
    """See `streams.made_anew.accept`."""
    with bar() as told:
        return asyncio.run(accept(settings, topic, told))


class bar:  # noqa: N801 - used as `with bar() as told`
    """One bar, which names the topic that is being read."""

    def __init__(self) -> None:
        self._bar = progress(1.0)

    def __enter__(self) -> Told:
        self._bar.__enter__()
        task = self._bar.add_task("reading", total=None, note="")

        def told(topic: str, done: int, size: int) -> None:
            self._bar.update(task, description=f"reading {topic}", completed=done, total=size)

        return told

    def __exit__(self, *error: object) -> None:
        self._bar.stop()
