"""The clock tells the lag of lanes that come and go while it asks."""

from types import SimpleNamespace
from typing import Any

from streams import clock
from streams.topics import CLOCK, INPUTS
from streams.transport.lane import Lane
from streams.transport.roles import LaneSettings

SETTINGS = LaneSettings("g", (*INPUTS, CLOCK), INPUTS, "log", {}, 100)


def test_a_lane_that_begins_again_meanwhile_has_no_lag_yet() -> None:
    told: list[Any] = []
    feed: Any = SimpleNamespace(reached=lambda _tp: -1)
    nothing: Any = None
    lane = Lane(0, SETTINGS, feed, nothing, nothing)  # as a rebalance leaves it: not ready
    app: Any = SimpleNamespace(lanes={0: lane})
    metrics: Any = SimpleNamespace(lag=lambda *args: told.append(args))
    clock._report_lag(app, metrics, {0: dict.fromkeys(INPUTS, 7), 1: dict.fromkeys(INPUTS, 7)})
    assert told == []
