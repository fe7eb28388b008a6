"""Dashboards: what is in Git is what the source says, and every panel can be understood."""

import json
import re
from itertools import combinations

import jsonschema
import pytest

from grafana.source import panel
from grafana.source.generate import DASHBOARDS, files
from sinks.metrics import Metrics
from tests.ops.known import (
    COUNTERS,
    GAUGES,
    GRAFANA,
    HISTOGRAMS,
    WORKER,
    known_metrics,
    metrics_in,
)

PATHS = sorted((GRAFANA / "dashboards").glob("*.json"))
TAKEOVERS = (
    panel.POPULATION,
    panel.COUNTED,
    panel.MEASURED,
    panel.OWNED,
    panel.EACH_WORKER,
    panel.OUTSIDE,
)
# Units as Grafana names them.
UNITS = {"short", "s", "ops", "percentunit", "bytes"}

TARGET = {
    "type": "object",
    "required": ["refId", "expr", "legendFormat", "datasource", "format"],
    "properties": {
        "refId": {"type": "string", "pattern": "^[A-Z]$"},
        "expr": {"type": "string", "minLength": 1},
        "legendFormat": {"type": "string", "minLength": 1},
        "datasource": {"const": panel.DATASOURCE},
        "format": {"enum": ["time_series", "table"]},
    },
}
PLACE = {
    "type": "object",
    "required": ["h", "w", "x", "y"],
    "properties": {
        "h": {"type": "integer", "minimum": 1},
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "y": {"type": "integer", "minimum": 0},
    },
}
# What Grafana's dashboard model needs of these dashboards, written from its documentation.
SCHEMA = {
    "type": "object",
    "required": ["uid", "title", "panels", "schemaVersion", "templating", "time", "description"],
    "properties": {
        "uid": {"type": "string", "pattern": "^[a-z-]{1,40}$"},
        "title": {"type": "string", "minLength": 1},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "editable": {"const": False},
        "panels": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos"],
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "type": {"enum": ["row", "timeseries", "stat", "bargauge", "table"]},
                    "title": {"type": "string", "minLength": 1},
                    "gridPos": PLACE,
                    "targets": {"type": "array", "minItems": 1, "items": TARGET},
                },
                "if": {"properties": {"type": {"not": {"const": "row"}}}},
                "then": {"required": ["description", "targets", "fieldConfig", "datasource"]},
            },
        },
    },
}


def load(path):
    return json.loads(path.read_text())


def panels(dashboard):
    return [each for each in dashboard["panels"] if each["type"] != "row"]


EVERY_PANEL = [
    pytest.param(each, id=f"{path.stem}: {each['title']}")
    for path in PATHS
    for each in panels(load(path))
]


def test_the_files_are_what_their_source_says():
    assert {path: path.read_text() for path in PATHS} == files()


def test_uids_are_stable():
    """Links and bookmarks hold them: they never change."""
    assert {load(path)["uid"] for path in PATHS} == {
        "clv-customers",
        "clv-pipeline",
        "clv-model",
        "clv-dependencies",
    }
    assert len(DASHBOARDS) == len(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_dashboard_is_one_that_grafana_can_read(path):
    dashboard = load(path)
    jsonschema.validate(dashboard, SCHEMA)
    ids = [each["id"] for each in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    titles = [each["title"] for each in dashboard["panels"]]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_panel_covers_another(path):
    places = [each["gridPos"] for each in load(path)["panels"]]
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert all(place["x"] + place["w"] <= 24 for place in places)


@pytest.mark.parametrize("each", EVERY_PANEL)
def test_a_panel_has_a_unit_an_answer_and_what_a_takeover_does(each):
    assert each["fieldConfig"]["defaults"]["unit"] in UNITS
    answer, _, takeover = each["description"].partition("\n\n")
    assert answer.endswith((".", ")."))
    assert takeover.startswith("When a worker takes over: ")
    plain = each["title"][0].isupper()
    assert each["title"].endswith("?") or (plain and "?" not in each["title"])


@pytest.mark.parametrize("each", EVERY_PANEL)
def test_queries_name_what_exists_and_take_all_workers_together(each):
    for target in each["targets"]:
        expr = target["expr"]
        found = metrics_in(expr)
        assert found
        assert found - known_metrics() == set()
        for name in found & GAUGES:
            assert re.search(r"\b(sum|max|min|count)\b", expr), f"{name} is one worker's"
        for name in found & COUNTERS:
            used = re.findall(rf"\b(rate|increase)\(\s*{name}", expr)
            assert used, f"{name} only grows"
        if found & {f"{name}_bucket" for name in HISTOGRAMS}:
            assert re.search(r"histogram_quantile\([0-9.]+, sum by \(le", expr)


def test_every_metric_of_the_workers_is_shown_somewhere():
    shown = set()
    for path in PATHS:
        for each in panels(load(path)):
            for target in each["targets"]:
                shown |= metrics_in(target["expr"])
    bases = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown} | shown
    assert (GAUGES | COUNTERS | HISTOGRAMS) - bases == set()


def test_takeover_texts_fit_what_is_queried():
    """A population gauge dips while its partition is in recovery; a panel of it says so."""
    population = {"clv_customers", "clv_value_minor", "clv_value_at_risk_minor"}
    for dashboard in DASHBOARDS:
        for row in dashboard.rows.values():
            for each in row:
                assert each.takeover in TAKEOVERS or each.takeover.startswith("When a worker")
                names = set().union(*(metrics_in(query.expr) for query in each.queries))
                if names and names <= population:
                    assert each.takeover == panel.POPULATION, each.title


def test_customers_are_in_no_query():
    for path in PATHS:
        assert "customer_id" not in path.read_text()


def test_a_panel_that_is_rightly_empty_says_why():
    """A worker that has just started has not all series yet, and a filter may leave none."""
    fresh = Metrics(version="1", tiers=("bronze", "gold"), levels=("low", "high")).render().decode()
    shown = {line.split("{")[0].split(" ")[0] for line in fresh.splitlines() if line[:1] != "#"}
    absent = known_metrics() & {name for name in WORKER if name not in shown}
    assert {"clv_dead_letters_total", "clv_consumer_lag"} <= absent
    may_be_empty, says = set(), set()
    for path in PATHS:
        for each in panels(load(path)):
            exprs = " ".join(target["expr"] for target in each["targets"])
            if (
                metrics_in(exprs) & absent
                or re.search(r"> 0|\boffset\b", exprs)
                or re.search(r"clv:\w+:ratio", exprs)
            ):
                may_be_empty.add(each["title"])
            if each["fieldConfig"]["defaults"].get("noValue"):
                says.add(each["title"])
    assert may_be_empty == says
