"""`clv dead-letters list` and `clv dead-letters replay`."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.text import Text

from models.reasons import Reason
from streams import kafka, topic_admin, topics
from streams.cli.output import AsJson, console, print_json, progress, side_console
from streams.cli.visible import visible
from streams.complaint import Complaint
from streams.replay import DeadLetter, repaired, replay, waiting
from streams.settings import Settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")

Reasons = Annotated[
    list[str] | None,
    typer.Option(
        "--reason", metavar="CODE", help="Only these, such as bad_currency; may be repeated."
    ),
]
From = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="Only those that came from there.")
]


@app.command("list")
def list_(
    reason: Reasons = None,
    topic: From = None,
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, help="How many of the newest are shown.")
    ] = 20,
    json: AsJson = False,
) -> None:
    """Show the dead letters that wait: those that were not replayed.

    With `--json` all of them, one a line. Such a file, with the values repaired, is what
    `replay --repaired` takes.
    """
    settings = Settings.load()
    letters = _chosen(asyncio.run(_waiting(settings)), reason, topic)
    if json:
        for letter in letters:
            sys.stdout.buffer.write(
                orjson.dumps(letter.document(), option=orjson.OPT_APPEND_NEWLINE)
            )
        return
    if not letters:
        such = " such" if reason or topic else ""
        side_console().print(f"No{such} dead letters wait.")
        return
    by_reason = Counter(letter.reason for letter in letters)
    _print(letters[-count:])
    counted = ", ".join(f"{code} {number:,}" for code, number in by_reason.most_common())
    side_console().print(f"dead letters that wait: {len(letters):,} ({counted})")


@app.command("replay")
def replay_(
    reason: Reasons = None,
    topic: From = None,
    repairs: Annotated[
        Path | None,
        typer.Option(
            "--repaired",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Lines of `list --json`, with the values repaired: only these are replayed.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Publish dead letters again, each once, to the topic that they came from.

    Do so after what was wrong has been put right: an event that is still bad becomes a dead letter
    again, a new one. What was replayed is remembered in clv.dead-letters itself, in the same
    transaction, and never replayed again. Letters that were cut at 64 KiB cannot be replayed,
    unless `--repaired` gives them whole values.
    """
    settings = Settings.load()
    counts = asyncio.run(
        _replay(
            settings, lambda letters: _narrowed(letters, reason, topic, repairs), dry_run=dry_run
        )
    )
    if json:
        print_json(counts)
        return
    done = "would be replayed" if dry_run else "replayed"
    side = side_console()
    side.print(f"dead letters {done}: {counts['replayed']:,}")
    if counts["truncated"]:
        side.print(
            f"cut at 64 KiB, so not replayed: {counts['truncated']:,} (publish the originals "
            "again, or give whole values by --repaired)"
        )


def _narrowed(
    letters: list[DeadLetter], reason: list[str] | None, topic: str | None, repairs: Path | None
) -> list[DeadLetter]:
    if repairs is not None:
        with repairs.open("rb") as lines:
            letters = repaired(letters, lines)
    return _chosen(letters, reason, topic)


def _chosen(
    letters: list[DeadLetter], reasons: list[str] | None, topic: str | None
) -> list[DeadLetter]:
    _check("--reason", reasons or (), {*Reason, *(letter.reason for letter in letters)})
    from_ = [] if topic is None else [topic]
    _check("--topic", from_, {*topics.INPUTS, *(letter.topic for letter in letters)})
    return [
        letter
        for letter in letters
        if (not reasons or letter.reason in reasons) and topic in {None, letter.topic}
    ]


def _check(option: str, asked: Iterable[str], known: Iterable[str]) -> None:
    """Refuse what was never there, of which nothing waits: it is more likely a slip of the pen."""
    names = sorted(map(str, known))
    for name in asked:
        if name not in names:
            raise typer.BadParameter(
                f"there is no {name!r}; there are {', '.join(names)}", param_hint=option
            )


async def _waiting(settings: Settings) -> list[DeadLetter]:
    partitions = await topic_admin.existing_partitions(settings, [topics.DEAD_LETTERS])
    with progress(1.0) as bar:
        task = bar.add_task(f"reading {topics.DEAD_LETTERS}", total=None, note="")
        return await waiting(
            settings,
            partitions[topics.DEAD_LETTERS],
            lambda done, size: bar.update(task, completed=done, total=size),
        )


async def _replay(
    settings: Settings, choose: Callable[[list[DeadLetter]], Sequence[DeadLetter]], *, dry_run: bool
) -> dict[str, int]:
    if dry_run:
        whole, truncated = _parted(choose(await _waiting(settings)))
        return {"replayed": len(whole), "truncated": len(truncated)}
    names = (*topics.INPUTS, topics.DEAD_LETTERS)
    partitions = await topic_admin.existing_partitions(settings, names)
    # Started before the letters are read: another replay that still runs is fenced by it, so that
    # it cannot write down more than is read here.
    identity = f"{settings.group}-dead-letter-replay"
    async with kafka.producer(settings, transactional_id=identity) as producer:
        whole, truncated = _parted(choose(await _waiting(settings)))
        lost = sorted({letter.topic for letter in whole} - set(topics.INPUTS))
        if lost:
            raise Complaint(f"Dead letters of {', '.join(lost)} cannot be replayed: use --topic.")
        with progress(len(whole)) as bar:
            task = bar.add_task("replaying", total=len(whole), note="")
            await replay(
                producer, partitions, whole, lambda count: bar.update(task, completed=count)
            )
    return {"replayed": len(whole), "truncated": len(truncated)}


def _parted(letters: Sequence[DeadLetter]) -> tuple[list[DeadLetter], list[DeadLetter]]:
    whole = [letter for letter in letters if not letter.truncated]
    return whole, [letter for letter in letters if letter.truncated]


def _print(letters: Sequence[DeadLetter]) -> None:
    """Three lines each: where and why, the sentence, the beginning of the value."""
    out = console()
    for letter in letters:
        source = f"{letter.topic} {letter.source[0]}/{letter.source[1]}"
        cut = ", cut at 64 KiB" if letter.truncated else ""
        out.print(
            Text.assemble(
                (letter.place, "bold"),
                "  ",
                (visible(letter.reason), "red"),
                f"  {visible(source)}{cut}",
            )
        )
        out.print(Text(f"  {visible(letter.detail)}"))
        value = (letter.value or b"")[:400].decode(errors="replace").strip()
        out.print(Text(f"  {visible(value)}", style="dim"), overflow="ellipsis", no_wrap=True)
