"""What comes on `clv.model-params` is known, or refused in the log and in the metrics."""

import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from models.parameters import CDNOW
from models.releases import Releases
from sinks.metrics import Metrics
from streams.model_feed import ModelFeed
from streams.settings import Settings


def record(offset: int, value: bytes | None) -> Any:
    return SimpleNamespace(offset=offset, value=value, timestamp=1_000 + offset)


def test_refused_parameters_are_told_and_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics(version="0", tiers=["bronze"], levels=["low"])
    feed = ModelFeed(Settings(), metrics, Releases(CDNOW, "EUR"))
    euros = replace(CDNOW, currency="EUR", version="v1")
    with caplog.at_level(logging.INFO):
        feed.take(record(0, orjson.dumps(euros.to_json())))
        feed.take(record(1, orjson.dumps(CDNOW.to_json())))
        feed.take(record(2, b"{"))
        feed.take(record(3, None))  # withdrawn: whoever is scored by them stays so
    assert feed.releases.newest.params == euros
    assert b"clv_model_refused_total 2.0" in metrics.render()
    errors = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert len(errors) == 2
    assert "offset 1 of clv.model-params are refused: they are in USD" in errors[0]
    assert all(error.endswith("customers are scored by v1") for error in errors)
