"""Lines to Kafka with a progress bar, and what is said about them afterwards."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from streams import kafka, topic_admin, topics
from streams.cli.output import print_json, progress, side_console
from streams.cli.visible import visible
from streams.event_lines import Router, Tally
from streams.publisher import Publisher
from streams.settings import Settings

_CHUNK_LINES = 5_000
_PACED_PER_SECOND = 20
"""With a rate, lines leave in so many portions a second, each at once."""


@dataclass(frozen=True)
class Source:
    """Lines, and how far they have been read.

    Attributes:
        lines: numbers and values without their ends of line.
        size: what `position` will be at the end; None where nobody knows.
        position: how much was read.
    """

    lines: Iterator[tuple[int, bytes]]
    size: int | None
    position: Callable[[], int]


def send(settings: Settings, router: Router, source: Source, rate: float | None) -> None:
    """Publish lines.

    Args:
        settings: where Kafka is.
        router: makes records of lines, and counts.
        source: the lines.
        rate: lines a second; None: as fast as Kafka takes them.

    Raises:
        WrongTopics: an input topic is missing.
        KafkaAway: Kafka cannot be reached.
    """
    asyncio.run(_send(settings, router, source, rate))


async def _send(settings: Settings, router: Router, source: Source, rate: float | None) -> None:
    partitions = await topic_admin.existing_partitions(settings, topics.INPUTS)
    size = _CHUNK_LINES if rate is None else max(1, round(rate / _PACED_PER_SECOND))
    async with kafka.producer(settings) as producer:
        publisher = Publisher(producer, partitions)
        started = time.monotonic()
        for lines in _shown("publishing", source, router, size):
            await publisher.publish(router.records(lines))
            if rate is not None:
                await publisher.flush()
                await asyncio.sleep(started + router.tally.lines / rate - time.monotonic())
        await publisher.flush()


def validate(router: Router, source: Source) -> None:
    """Judge lines as `send` does, without Kafka."""
    for lines in _shown("reading", source, router, _CHUNK_LINES):
        router.records(lines)


def _shown(
    doing: str, source: Source, router: Router, size: int
) -> Iterator[list[tuple[int, bytes]]]:
    """The lines in portions of `size`, with a progress bar beside them."""
    with progress(source.size) as bar:
        task = bar.add_task(doing, total=source.size, note="")
        while lines := list(islice(source.lines, size)):
            yield lines
            note = f"{router.tally.lines:,} lines"
            bar.update(task, completed=source.position(), note=note)


def report(tally: Tally, seconds: float, *, json: bool, dry_run: bool) -> None:
    """Say what became of the lines: on stdout as JSON, or on stderr for people."""
    bad = sum(tally.bad.values())
    first_bad = sorted(tally.first_bad)
    if json:
        print_json(
            {
                "lines": tally.lines,
                "published": {} if dry_run else dict(tally.published),
                "bad": bad,
                "reasons": dict(tally.bad),
                "first_bad": [line._asdict() for line in first_bad],
                "rounded": tally.rounded,
                "first_rounded": [line._asdict() for line in tally.first_rounded],
                "seconds": round(seconds, 3),
            }
        )
        return
    side = side_console()
    for line in first_bad:
        side.print(f"line {line.number}: {line.reason}: {visible(line.detail)}", markup=False)
    if bad > len(tally.first_bad):
        side.print(f"… and {bad - len(tally.first_bad):,} more")
    for rounded in tally.first_rounded:
        side.print(
            f"line {rounded.number}: amount {rounded.amount!r} was rounded to "
            f"{rounded.amount_minor} minor units",
            markup=False,
        )
    if tally.rounded > len(tally.first_rounded):
        side.print(f"… and {tally.rounded - len(tally.first_rounded):,} more")
    by_topic = ", ".join(
        f"{count:,} to {topic}" for topic, count in sorted(tally.published.items())
    )
    if dry_run:
        side.print(f"{tally.lines:,} lines read, {tally.lines - bad:,} good; nothing was published")
    else:
        side.print(f"published {by_topic or 'nothing'} in {seconds:.1f} s")
    if tally.rounded:
        side.print(f"amounts with more decimals than their currency: {tally.rounded:,}, rounded")
    if bad:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in tally.bad.most_common())
        side.print(f"{bad:,} of {tally.lines:,} lines are no events ({reasons})")
        if not dry_run and bad > tally.left_out:
            side.print("They were published as they are: the worker makes them dead letters.")
