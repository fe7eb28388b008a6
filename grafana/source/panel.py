"""A panel as three decisions: what it asks, how it is answered, what a take-over does to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["timeseries", "stat", "bargauge", "table"]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24

# What happens to a panel when a worker takes partitions over, by what it is made of.
POPULATION = (
    "When a worker takes over: each worker counts its own partitions, so the sum dips by what is "
    "in recovery and is whole again once the new owner has read its changelog; no customer is "
    "counted twice."
)
COUNTED = (
    "When a worker takes over: only committed batches are counted, once, by the worker that "
    "committed them; the sum over workers goes on without a step. A killed worker takes with it "
    "what it counted since its last scrape."
)
MEASURED = (
    "When a worker takes over: what waited during the hand-over shows as a short peak, for it "
    "really was late; quantiles are taken over all workers' buckets together."
)
OWNED = (
    "When a worker takes over: the line moves from the old owner to the new one; in between it "
    "is missing, which is no 0."
)
EACH_WORKER = "When a worker takes over: one line is one worker, and ends with it."
OUTSIDE = "When a worker takes over: nothing happens, this is not measured by the workers."

# Why a panel may be empty although all is well.
NO_PARTITION = "No worker has a partition."
NO_CUSTOMER = "No customer yet."


@dataclass(frozen=True)
class Query:
    """One PromQL expression and the name of its lines."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: a question, or a plain name.
        answer: what is shown and how to read it.
        takeover: what a change of owner does to it.
        unit: Grafana's unit id.
        queries: what is drawn.
        kind: how it is drawn.
        width: of 24 columns.
        height: in grid rows.
        stacked: areas on top of each other, for parts of a whole.
        limit: a promise, drawn as a red line at this value.
        nothing: what is shown where there is no data although all is well; else "No data".
    """

    title: str
    answer: str
    takeover: str
    unit: str
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    width: int = 12
    height: int = 8
    stacked: bool = False
    limit: float | None = None
    nothing: str = ""


@dataclass(frozen=True)
class Dashboard:
    """One dashboard: rows of panels under a stable uid."""

    uid: str
    title: str
    description: str
    rows: Mapping[str, Sequence[Panel]]
    refresh: str = "30s"
    since: str = "now-6h"


def dashboard_json(dashboard: Dashboard) -> Json:
    """The dashboard as Grafana's JSON model; ids follow the order, so diffs stay small."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["clv"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": dashboard.refresh,
        "time": {"from": dashboard.since, "to": "now"},
        "links": [_links()],
        "templating": {"list": [_datasource(), _minor_units()]},
        "annotations": {"list": [_restarts()]},
        "panels": _panels(dashboard.rows),
    }


def _panels(rows: Mapping[str, Sequence[Panel]]) -> list[Json]:
    panels: list[Json] = []
    top = 0
    for title, row in rows.items():
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
                "panels": [],
            }
        )
        top += 1
        left = 0
        height = 0
        for panel in row:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            panels.append(_panel_json(panel, len(panels) + 1, place))
            left += panel.width
            height = max(height, panel.height)
        top += height
    return panels


def _panel_json(panel: Panel, number: int, place: Json) -> Json:
    instant = panel.kind != "timeseries"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": f"{panel.answer}\n\n{panel.takeover}",
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel.kind),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": instant,
                "range": not instant,
                "format": "table" if panel.kind == "table" else "time_series",
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _field(panel: Panel) -> Json:
    field: Json = {"unit": panel.unit}
    if panel.nothing:
        field["noValue"] = panel.nothing
    if panel.kind == "timeseries":
        field["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 40 if panel.stacked else 8,
            "showPoints": "never",
            # From 0, so that 3 brokers do not look like a cliff at 2.9; values below 0 still show.
            "axisSoftMin": 0,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.limit is None else "line"},
        }
    if panel.limit is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.limit}]
        field["thresholds"] = {"mode": "absolute", "steps": steps}
    return field


def _options(kind: Kind) -> Json:
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if kind == "table":
        return {"showHeader": True}
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    return {"reduceOptions": reduce, "orientation": "auto"}


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "CLV Prometheus", "value": "clv-prometheus"},
        "hide": 0,
    }


def _minor_units() -> Json:
    """Metrics count minor units; people read major ones. Yen has 1, the dinar 1000."""
    return {
        "name": "minor",
        "label": "Minor units in one",
        "type": "custom",
        "query": "100,1,1000",
        "current": {"text": "100", "value": "100"},
        "options": [
            {"text": text, "value": text, "selected": text == "100"}
            for text in ("100", "1", "1000")
        ],
        "multi": False,
        "includeAll": False,
        "hide": 0,
    }


def _restarts() -> Json:
    return {
        "name": "Worker starts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "orange",
        "expr": 'changes(process_start_time_seconds{job="clv"}[2m]) > 0',
        "titleFormat": "Worker started",
        "textFormat": "{{instance}}",
    }


def _links() -> Json:
    return {
        "title": "Customer lifetime value",
        "type": "dashboards",
        "tags": ["clv"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }


def quantiles(metric: str, by: str = "", where: str = "") -> tuple[Query, ...]:
    """The median and the 99th percentile over all workers, by a label or none."""
    labels = f"le, {by}" if by else "le"
    prefix = f"{{{{{by}}}}} " if by else ""
    return tuple(
        Query(
            f"histogram_quantile({quantile}, "
            f"sum by ({labels}) (rate({metric}_bucket{where}[$__rate_interval])))",
            f"{prefix}p{round(quantile * 100)}",
        )
        for quantile in (0.5, 0.99)
    )
