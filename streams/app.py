"""The Faust app of a worker, from its settings."""

from functools import partial
from importlib.metadata import version

from models.events import Decoder
from models.policy import LOWEST_CHURN_LEVEL, Policy
from models.releases import Releases
from models.silent_step import silence_together
from models.step import step_together
from sinks.metrics import Metrics
from sinks.redis import RedisScores
from sinks.topics import OutputTopics
from streams import kafka
from streams.agents import create_agents
from streams.dead_letters import DeadLetterLimit
from streams.readiness import Readiness
from streams.scorekeeper import Scorekeeper, Shared
from streams.settings import Settings
from streams.ticks import latest_ms
from streams.together import Together
from streams.topics import CLOCK, INPUTS, changelog
from streams.transport.app import LaneApp
from streams.transport.lane import Lane
from streams.transport.roles import LaneSettings


def create_metrics(policy: Policy) -> Metrics:
    """The metrics of a worker with these tiers and levels."""
    return Metrics(
        version=version("clv-stream"),
        tiers=[name for name, _ in policy.tiers],
        levels=[LOWEST_CHURN_LEVEL, *(name for name, _ in policy.churn_levels)],
    )


def create_app(
    settings: Settings,
    policy: Policy,
    releases: Releases,
    metrics: Metrics,
    redis: RedisScores,
    readiness: Readiness,
) -> LaneApp:
    """A worker's app: its agent, its table, and what is kept beside each lane.

    Args:
        settings: of the worker.
        policy: with the parameters that it is started with.
        releases: what it knows of others.
        metrics: of the worker.
        redis: where scores are looked up.
        readiness: of the worker.
    """
    lanes = LaneSettings(
        group=settings.group,
        inputs=(*INPUTS, CLOCK),
        aligned=INPUTS,
        # A week of ticks is kept. Where nothing was due, older ones may be uncommitted.
        expiring=(CLOCK,),
        changelog=changelog(settings),
        connection=kafka.connection(settings),
        records_max=settings.batch_events,
        latest_ms=partial(latest_ms, wall_clock=settings.clock == "wall"),
    )
    shared = Shared(
        policy=policy,
        releases=releases,
        decoder=Decoder(settings.currency, settings.rates, settings.future_tolerance_ms),
        metrics=metrics,
        redis=redis,
        limit=DeadLetterLimit(settings.dead_letter_limit),
        readiness=readiness,
        topics=OutputTopics(source=f"/{settings.group}"),
        partitions=settings.partitions,
        changelog=lanes.changelog,
        wall_clock=settings.clock == "wall",
        events_together=Together(step_together),
        silence_together=Together(silence_together),
    )

    def keeper(lane: Lane, table: dict[bytes, bytes]) -> Scorekeeper:
        return Scorekeeper(shared, lane, table)

    app = LaneApp(lanes, keeper, partitions=settings.partitions, instance=settings.instance)
    app.Table("state", partitions=settings.partitions)
    create_agents(app, settings.partitions)

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
    async def count_rebalance(*_: object, **__: object) -> None:
        metrics.rebalance()

    return app
