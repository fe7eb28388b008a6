"""Results as a picture: events a second, CPU an event, and latency by rate."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any, Final

from matplotlib.figure import Figure

from bench.latency import Latency
from bench.lineup import FULL, FULL_TWICE, LINEUP, SMALL
from bench.tables import in_order, middle
from bench.throughput import Throughput

COLOURS: Final = {
    FULL: "#0b4f6c",
    FULL_TWICE: "#4a90a8",
    SMALL: "#2a9d8f",
    "streams-eos": "#c8553d",
    "streams-eos-memory": "#e09f7d",
    "streams-alo": "#8d6a9f",
    "streams-alo-memory": "#bfa5cc",
    "bytewax": "#d8a31a",
    "quix": "#6b7a8f",
    "faust": "#a3a3a3",
}
TITLES: Final = {engine.name: engine.title for engine in LINEUP}
LIMITS: Final = {engine.name for engine in LINEUP if engine.limit}


def draw(speeds: Sequence[Throughput], delays: Sequence[Latency], target: Path) -> None:
    """Write a picture; the kind is what the file's name ends with."""
    figure = Figure(figsize=(12, 4.5 * bool(speeds) + 5.5 * bool(delays)), layout="constrained")
    parts = list(figure.subfigures(bool(speeds) + bool(delays), 1, squeeze=False)[:, 0])
    if speeds:
        _draw_speeds(parts.pop(0), speeds)
    if delays:
        _draw_delays(parts.pop(0), delays)
    figure.savefig(target, dpi=110)


def _draw_speeds(part: Any, speeds: Sequence[Throughput]) -> None:
    names = in_order({speed.engine for speed in speeds} - LIMITS)
    places = list(range(len(names), 0, -1))
    left, right = part.subplots(1, 2, sharey=True)
    panels = (
        (left, "events a second, from the start of the process", "{:,.0f}",
         [middle(speeds, name, lambda speed: speed.per_s) for name in names]),
        (right, "CPU of the worker, microseconds an event", "{:.1f}",
         [middle(speeds, name, lambda speed: speed.cpu_us) for name in names]),
    )  # fmt: skip
    for axes, title, form, values in panels:
        bars = axes.barh(places, values, color=[COLOURS[name] for name in names])
        axes.bar_label(bars, fmt=form, padding=3)
        axes.set_title(title, fontsize="medium")
        axes.set_xticks([])
        axes.margins(x=0.15)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    left.set_yticks(places, [TITLES[name] for name in names])


def _draw_delays(part: Any, delays: Sequence[Latency]) -> None:
    rates = sorted({delay.rate for delay in delays})
    names = in_order({delay.engine for delay in delays})
    panels = part.subplots(1, 2, sharey=True)
    for axes, figure in zip(panels, ("p50_ms", "p99_ms"), strict=True):
        for name in names:
            of_name = [delay for delay in delays if delay.engine == name]
            points = [
                (rate, middle_ms)
                for rate in rates
                if (found := [getattr(delay, figure) for delay in of_name if delay.rate == rate])
                and isfinite(middle_ms := median(found))
            ]
            xs, ys = [rate for rate, _ in points], [ms for _, ms in points]
            axes.plot(xs, ys, "o-", color=COLOURS[name], label=TITLES[name],
                      linewidth=2.5 if name in {FULL, SMALL} else 1.2)  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="events a second")
        axes.set_xticks(rates, [f"{rate:,}" for rate in rates])
        axes.minorticks_off()
        axes.set_title(f"{figure[:3]} until the score can be read, ms", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    part.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False,
                fontsize="small")  # fmt: skip
