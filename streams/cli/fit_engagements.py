"""`clv fit --engagements FILE`: the offset of engagement, and what it means."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from models.arrays import Floats
from models.engagement_fit import EngagementFit, engaged, fit_engagement
from models.fitting import Fit, TooThin
from models.histories import Histories
from models.parameters import OFFSET_MODELS
from streams.cli.tables import print_table
from streams.complaint import Complaint
from streams.engagement_history import EngagementHistory, load_engagements
from streams.settings import Settings
from streams.shop_history import ShopHistory, day_of

# Of a history: what is left to see who buys. Two thirds show how customers buy.
_HELD_OUT: Final = 3
_TEN: Final = 10


class FittedEngagement(NamedTuple):
    """The fit, and what it was fitted to."""

    fit: EngagementFit
    history: EngagementHistory


def fit_offset(
    file: Path,
    shop: ShopHistory,
    model: str,
    end_day: int,
    spend: Fit,
    settings: Settings,
) -> FittedEngagement:
    """Fit the offset to the last third of a history, or to the horizon if that is shorter.

    Args:
        file: engagements.
        shop: the purchases.
        model: the purchase model.
        end_day: last day number that is fitted to.
        spend: the order values' fit.
        settings: horizon and time zone.

    Raises:
        Complaint: the data cannot tell, or the model cannot take an offset.
    """
    if model not in OFFSET_MODELS:
        raise Complaint(
            "--engagements needs the model mbg-nbd or bg-nbd: with pareto-nbd an offset could let "
            "the predicted value rise while a customer is silent."
        )
    history = load_engagements(file, shop.index, settings)
    held_out = min((end_day - shop.first_day) // _HELD_OUT, int(settings.horizon_days))
    try:
        found = fit_engagement(model, shop.purchases, history.engagements, end_day, held_out, spend)
    except TooThin as error:
        raise Complaint(f"{file}: engagement cannot be fitted: {error}.") from error
    return FittedEngagement(found, history)


def engaged_at(fitted: FittedEngagement, customers: Histories, end_day: int) -> Floats:
    """(n,) decayed numbers of engagements of customers at the end of a day."""
    return engaged(fitted.history.engagements, customers, end_day, fitted.fit.half_life_days)


def document(fitted: FittedEngagement) -> dict[str, Any]:
    """What `--json` says of the fit, beside the offset itself."""
    found = asdict(fitted.fit)
    del found["offset"]
    return {
        **found,
        "used": fitted.fit.offset is not None,
        "parting_day": day_of(fitted.fit.parting_day).isoformat(),
        "left_out": dict(fitted.history.left_out),
    }


def print_offset(fitted: FittedEngagement, horizon_days: float, to: Console) -> None:
    """Print the coefficients and what they mean.

    Args:
        fitted: the fit.
        horizon_days: that is predicted for.
        to: where.
    """
    found = fitted.fit
    to.print(
        f"[bold]Engagement[/bold]: {found.engaged:,} of {found.customers:,} customers had any "
        f"until {day_of(found.parting_day)}; {found.active:,} bought in the "
        f"{found.holdout_days} days after"
    )
    table = Table("of the log odds", "estimate", "s.e.")
    for name, value in found.coefficients.items():
        title = "ln(1 + engagements)" if name == "slope" else name
        table.add_row(title, f"{value:.3f}", f"{found.standard_errors[name]:.3f}")
    print_table(table, to)
    to.print(_meaning(found))
    if found.offset is not None and found.holdout_days < horizon_days:
        to.print(
            f"It was learned over {found.holdout_days} days and is used for a horizon of "
            f"{horizon_days:.0f}."
        )
    for reason, count in fitted.history.left_out.items():
        to.print(f"Left out of the engagements: {count:,}, {reason}.")
    for bad in fitted.history.first_bad:
        to.print(f"  line {bad.line}: {bad.detail}", markup=False)


def _meaning(found: EngagementFit) -> str:
    if found.held:
        return (
            "Who engaged more bought rather less, given the purchases before: the slope is held "
            "at 0, and the offset is left out."
        )
    if found.offset is None:
        return (
            "Engagement says nothing that purchases do not say already (log likelihood "
            f"+{found.gain:.1f}): the offset is left out."
        )
    times = float(np.exp(found.offset.slope * np.log1p(_TEN)))
    nobody = float(np.exp(found.offset.intercept))
    return (
        f"Of two customers who bought alike, one with {_TEN} engagements today has {times:.1f} "
        f"times the odds of buying again of one with none; each counts half after "
        f"{found.half_life_days:.0f} days. Without any, the odds are {nobody:.2f} times those by "
        f"purchases alone. Brier {found.brier[0]:.4f} without, {found.brier[1]:.4f} with it; AUC "
        f"{found.auc[0]:.3f} and {found.auc[1]:.3f}, on those days; log likelihood "
        f"+{found.gain:.1f}."
    )
