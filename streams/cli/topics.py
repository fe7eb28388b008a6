"""`clv topics apply`, `clv topics check` and `clv topics accept`."""

import asyncio
from typing import Annotated, Literal

import typer
from rich.table import Table

from streams import kafka, topic_admin, topics
from streams.cli import stored
from streams.cli.output import AsJson, console, print_json
from streams.cli.tables import print_table
from streams.settings import Settings

Input = Literal["clv.purchases", "clv.engagements"]
"""As `streams.topics.INPUTS`."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@app.command()
def apply(json: AsJson = False) -> None:
    """Create the topics that are missing, and repair the settings of the others.

    The number of partitions is never changed: it would part customers from their states.
    """
    settings = Settings.load()
    created, repaired = asyncio.run(topic_admin.apply(settings))
    if json:
        print_json({"created": created, "repaired": repaired})
        return
    done = {**dict.fromkeys(created, "created"), **dict.fromkeys(repaired, "settings repaired")}
    states = {
        topic.name: done.get(topic.name, "as it was") for topic in topics.every_topic(settings)
    }
    print_table(_table(settings, states), console())


@app.command()
def check(json: AsJson = False) -> None:
    """Verify every topic: that it is there, its partitions, its settings.

    Ends with exit status 1 when one is not as it must be.
    """
    settings = Settings.load()
    found = asyncio.run(_differences(settings))
    if json:
        print_json(
            {
                "ok": not found,
                "differences": [
                    {"topic": wrong.topic, "problem": wrong.problem, "remedy": wrong.remedy}
                    for wrong in found
                ],
            }
        )
    elif not found:
        states = {topic.name: "right" for topic in topics.every_topic(settings)}
        print_table(_table(settings, states), console())
    if found:
        raise topic_admin.WrongTopics(topic_admin.sentences(found))


@app.command()
def accept(
    topic: Annotated[Input, typer.Argument(help="Input topic that was made anew.")],
    json: AsJson = False,
) -> None:
    """Go on with an input that was deleted and made anew: apply all that it holds now.

    For workers that ended as an input is another log. Customers keep their states, and the new
    events are added: where the new topic holds old events again, 'reset and replay' instead. A
    partition whose log is still the one that was processed is left as it is. Stop the workers
    before.
    """
    settings = Settings.load()
    begun = stored.accepted(settings, topic)
    if json:
        print_json({"topic": topic, "begun": [one._asdict() for one in begun]})
        return
    table = Table(box=None, pad_edge=False)
    for name in ("partition", "stood at offset", "begins at offset"):
        table.add_column(name, justify="right")
    for one in begun:
        table.add_row(*(f"{number:,}" for number in one))
    console().print(table)
    console().print(f"Start the workers: {topic} is read from there.")


async def _differences(settings: Settings) -> list[topic_admin.Difference]:
    async with kafka.admin(settings) as client:
        return await topic_admin.differences(settings, client)


def _table(settings: Settings, states: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("topic")
    table.add_column("partitions", justify="right")
    table.add_column("holds", overflow="fold")
    table.add_column("state")
    for topic in topics.every_topic(settings):
        table.add_row(topic.name, str(topic.partitions), topic.why, states[topic.name])
    return table
