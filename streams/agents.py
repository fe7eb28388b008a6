"""The agent: decode, step, publish, remember."""

from collections.abc import AsyncIterable
from typing import cast

from streams.scorekeeper import Scorekeeper
from streams.transport.app import LaneApp
from streams.transport.batch import Batch


def create_agents(app: LaneApp, partitions: int) -> None:
    """Put the agent on the app. As many batches are in work as there are partition numbers."""

    @app.agent(app.inputs(), name="keep_scores", concurrency=partitions)  # type: ignore[untyped-decorator]
    async def keep_scores(batches: AsyncIterable[Batch]) -> None:
        """Keep every customer's score true, whatever comes and whatever does not."""
        async for batch in batches:
            async with batch:
                keeper = cast("Scorekeeper", batch.lane.keeper)
                await _apply(keeper, batch)
                await _let_time_pass(keeper, batch)
                await keeper.look()


async def _apply(keeper: Scorekeeper, batch: Batch) -> None:
    intake = keeper.decode(batch)
    if intake.flags:
        result = await keeper.step(intake)
        await keeper.publish(batch, result, intake)
        keeper.remember(result)


async def _let_time_pass(keeper: Scorekeeper, batch: Batch) -> None:
    silent = await keeper.silence()
    if silent is None:
        return
    if silent.states:
        await keeper.publish(batch, silent)
        keeper.remember(silent)
    else:
        keeper.postpone(silent)
