"""Results for people: medians over the rounds, and ratios to ours."""

from collections.abc import Callable, Sequence
from math import isfinite
from statistics import median

from bench.latency import Latency
from bench.lineup import FULL, LINEUP, SMALL
from bench.quiet import DISTURBED_CORES
from bench.throughput import Throughput

TOO_SLOW_MS = 10_000.0


def in_order(names: set[str]) -> list[str]:
    """Names of engines in the order of the line-up."""
    return [engine.name for engine in LINEUP if engine.name in names]


def middle(
    results: Sequence[Throughput], name: str, figure: Callable[[Throughput], float]
) -> float:
    """The median of a figure over an engine's rounds; 0 where it did not run."""
    return median([figure(result) for result in results if result.engine == name] or [0.0])


def throughput(results: Sequence[Throughput]) -> str:
    """A Markdown table, one line an engine."""
    names = in_order({result.engine for result in results})
    ours = {name: middle(results, name, lambda r: r.per_s) for name in (FULL, SMALL)}
    rows = [
        [
            "engine", "events/s", "warm", "CPU us an event", "warm", "broker's CPU", "peak MB",
            "ours-full is", "ours-small is", "result",
        ]
    ]  # fmt: skip
    titles = {engine.name: engine.title for engine in LINEUP}
    for name in names:
        per_s = middle(results, name, lambda r: r.per_s)
        rows.append(
            [
                titles[name],
                f"{per_s:,.0f}",
                f"{middle(results, name, lambda r: r.warm_per_s):,.0f}",
                f"{middle(results, name, lambda r: r.cpu_us):.1f}",
                f"{middle(results, name, lambda r: r.warm_cpu_us):.1f}",
                f"{middle(results, name, lambda r: r.broker_cpu_us):.1f}",
                f"{middle(results, name, lambda r: r.peak_mb):,.0f}",
                *(_ratio(ours[own], per_s, name) for own in (FULL, SMALL)),
                _result([result for result in results if result.engine == name]),
            ]
        )
    return _markdown(rows)


def _ratio(ours_per_s: float, per_s: float, name: str) -> str:
    engine = next(engine for engine in LINEUP if engine.name == name)
    return "" if engine.limit or not ours_per_s or not per_s else f"{ours_per_s / per_s:.2f} x"


def _result(rounds: Sequence[Throughput]) -> str:
    complaints = [result.complaint for result in rounds if result.complaint]
    if complaints:
        return complaints[0].partition(", such as")[0]
    worst = max(result.others_cores for result in rounds)
    if worst > DISTURBED_CORES:
        return f"right; disturbed, others used {worst:.1f} cores"
    cut = [result.events for result in rounds if not result.complete]
    return f"right; stopped after {max(cut):,} events" if cut else "right"


def latency(results: Sequence[Latency]) -> str:
    """A Markdown table: median and 99th percentile by rate."""
    names, rates = in_order({r.engine for r in results}), sorted({r.rate for r in results})
    titles = {engine.name: engine.title for engine in LINEUP}
    rows = [["p50 / p99, ms", *(f"{rate:,} events/s" for rate in rates)]]
    for name in names:
        found = {rate: [r for r in results if (r.engine, r.rate) == (name, rate)] for rate in rates}
        rows.append([titles[name], *(_percentiles(found[rate]) for rate in rates)])
    return _markdown(rows)


def _percentiles(rounds: Sequence[Latency]) -> str:
    if not rounds:
        return "not reached"
    p50_ms, p99_ms = median(r.p50_ms for r in rounds), median(r.p99_ms for r in rounds)
    wrong = next((f" {r.complaint}" for r in rounds if r.complaint), "")
    if not isfinite(p99_ms) or p99_ms > TOO_SLOW_MS:
        return f"falls behind{wrong}"
    return f"{p50_ms:.0f} / {p99_ms:.0f}{wrong}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
