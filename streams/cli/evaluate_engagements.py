"""`clv evaluate --engagements FILE`: what engagement adds to the accuracy of purchases alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from models.engaged_accuracy import EngagedAccuracy, engaged_accuracy, offset_model
from models.evaluation import Evaluation
from models.fitting import TooThin
from streams.cli.evaluation_figures import SHOWN, cell, difference, figures
from streams.cli.fit_engagements import FittedEngagement, engaged_at, fit_offset, print_offset
from streams.cli.fit_engagements import document as offset_document
from streams.cli.tables import print_table
from streams.complaint import Complaint
from streams.settings import Settings
from streams.shop_history import ShopHistory


class JudgedEngagement(NamedTuple):
    """An offset fitted to the calibration, and how it did afterwards."""

    fitted: FittedEngagement
    accuracy: EngagedAccuracy


def judge_engagement(
    file: Path,
    result: Evaluation,
    shop: ShopHistory,
    settings: Settings,
    resamples: int,
    begun: Callable[[str], None],
) -> JudgedEngagement:
    """Fit an offset to the calibration, and judge it by the days after.

    Args:
        file: engagements.
        result: what purchases alone foretell.
        shop: the purchases.
        settings: horizon and time zone.
        resamples: bootstrap resamples; 0 for no intervals.
        begun: told "bootstrap" after each resample.

    Raises:
        Complaint: the data cannot tell, or no model takes an offset.
    """
    try:
        model = offset_model(result)
    except TooThin as error:
        raise Complaint(f"{file}: {error}.") from error
    fitted = fit_offset(file, shop, model, result.end_day, result.spend_fit, settings)
    engaged = engaged_at(fitted, result.customers, result.end_day)
    accuracy = engaged_accuracy(
        result, model, fitted.fit.offset, engaged, resamples=resamples, begun=begun
    )
    return JudgedEngagement(fitted, accuracy)


def document(judged: JudgedEngagement) -> dict[str, Any]:
    """What `--json` says of it."""
    accuracy = judged.accuracy
    engaged = figures(accuracy.engaged)
    return {
        "model": accuracy.model,
        "against_purchases_alone": engaged.pop("against_chosen"),
        **engaged,
        "value_coverage": accuracy.value_coverage[1],
        "engagement_fit": offset_document(judged.fitted),
    }


def print_engagement(judged: JudgedEngagement, holdout_days: int, to: Console) -> None:
    """Print the offset, and side by side what its model foretold without and with it.

    Args:
        judged: the offset, and how it did.
        holdout_days: by which it was judged.
        to: where.
    """
    print_offset(judged.fitted, holdout_days, to)
    if judged.fitted.fit.offset is None:
        return  # all figures are those without it
    accuracy = judged.accuracy
    table = Table(
        "", "purchases alone", "with engagements", "difference", box=SIMPLE_HEAD, pad_edge=False
    )
    for figure, title in SHOWN.items():
        table.add_row(
            title,
            cell(accuracy.purchases, figure),
            cell(accuracy.engaged, figure),
            difference(accuracy.engaged, accuracy.purchases, figure),
        )
    without, with_it = accuracy.value_coverage
    table.add_row("80 % int.", f"{without:.1%}", f"{with_it:.1%}", f"{with_it - without:+.1%}")
    to.print(f"{accuracy.model}, judged by the {holdout_days} days held out:")
    print_table(table, to)
