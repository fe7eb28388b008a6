"""The figures of an evaluation, as `clv evaluate` shows them."""

from collections.abc import Sequence
from math import isnan
from typing import Any, Final

from models.accuracy import Scored
from models.money import minor_digits

SHOWN: Final = {
    "total": "total",
    "mae": "MAE",
    "rmse": "RMSE",
    "auc_purchases": "AUC (E)",
    "auc_active": "AUC (P)",
    "ece": "ECE",
    "brier": "Brier",
    "log_score": "log score",
    "top_decile_capture": "top decile",
}
"""Titles of the figures that people see, by name."""

# Ends of intervals are short: five columns of them are to fit into 80 characters.
_FORMS: Final = {
    "total": ("{:,.0f}", "{:,.0f}"),
    "mae": ("{:.4f}", "{:.2f}"),
    "rmse": ("{:.4f}", "{:.2f}"),
    "top_decile_capture": ("{:.1%}", "{:.0%}"),
}
_FORM: Final = ("{:.4f}", "{:.3f}")
_NO_ANSWER: Final = "-"
_THOUSANDS: Final = 10_000
_BILLION: Final = 1e9


def figures(scored: Scored) -> dict[str, Any]:
    """All figures of a model or rival, as JSON has them."""
    return {
        **scored.figures,
        "intervals": {name: list(ends) for name, ends in scored.intervals.items()},
        "against_chosen": {
            name: dict(zip(("difference", "low", "high"), ends, strict=True))
            for name, ends in scored.against_chosen.items()
        },
    }


def cell(scored: Scored, figure: str) -> str:
    """A figure, and its interval below it where there is one; a dash for what has no answer."""
    if isnan(scored.figures[figure]):
        return _NO_ANSWER
    form, end_form = _FORMS.get(figure, _FORM)
    text = form.format(scored.figures[figure])
    if figure not in scored.intervals:
        return text
    low, high = (_short(end_form, end) for end in scored.intervals[figure])
    return f"{text}\n[dim]{low}-{high}[/dim]"


def difference(scored: Scored, chosen: Scored, figure: str) -> str:
    """By how much a figure differs from the chosen one's, and the interval of that below it."""
    form = _FORMS.get(figure, _FORM)[0].replace("{:", "{:+")
    apart = scored.figures[figure] - chosen.figures[figure]
    if isnan(apart):
        return _NO_ANSWER
    text = form.format(apart)
    if figure not in scored.against_chosen:
        return text
    _, low, high = (form.format(value) for value in scored.against_chosen[figure])
    return f"{text}\n[dim]{low} to {high}[/dim]"


def revenue_row(everyone: Sequence[Scored], currency: str) -> list[str]:
    """The currency, and what each one expected in it; in millions where figures would be long."""
    revenue = [one.figures["revenue_minor"] / 10 ** minor_digits(currency) for one in everyone]
    if max(revenue) < _BILLION:
        return [currency, *(f"{value:,.0f}" for value in revenue)]
    return [f"{currency} 10^6", *(f"{value / 1e6:,.0f}" for value in revenue)]


def _short(form: str, end: float) -> str:
    return f"{end / 1000:,.1f}k" if abs(end) >= _THOUSANDS else form.format(end)
