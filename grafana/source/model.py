"""Can the scores be trusted? The worker's own verdict on its past predictions, and what else tells.

Calibration and Brier score are taken over the dashboard's range: verdicts come evenly, each
customer's once in 30 days, so a week holds a quarter of the customers.
"""

from grafana.source.panel import (
    COUNTED,
    EACH_WORKER,
    NO_CUSTOMER,
    NO_PARTITION,
    POPULATION,
    Dashboard,
    Panel,
    Query,
)

_IN_USE = (
    Panel(
        "Which model and parameters are in use?",
        "Workers by model and version. More than one version for longer than a roll-out means "
        "that customers are scored unlike each other.",
        EACH_WORKER,
        "short",
        [Query("count by (model, version) (clv_model_info)", "{{model}} {{version}}")],
        "table",
        height=6,
        nothing=NO_PARTITION,
    ),
    Panel(
        "When did the parameters change?",
        "Workers on each version over time.",
        EACH_WORKER,
        "short",
        [Query("count by (version) (clv_model_info)", "{{version}}")],
        height=6,
        stacked=True,
        nothing=NO_PARTITION,
    ),
    Panel(
        "What did new parameters change?",
        "Tier and churn changes with cause model, an hour each.",
        COUNTED,
        "short",
        [
            Query('sum(increase(clv_tier_changes_total{cause="model"}[1h]))', "tier changes"),
            Query(
                'sum(increase(clv_churn_risk_changes_total{cause="model"}[1h]))', "churn changes"
            ),
        ],
        height=6,
    ),
    Panel(
        "Are new parameters taking effect?",
        "Customers whose scores are still by the parameters before: published parameters reach "
        "all of them within seconds to minutes. Refused ones are named in the workers' logs.",
        EACH_WORKER,
        "short",
        [
            Query("sum(clv_model_pending_customers)", "customers left"),
            Query("sum(increase(clv_model_refused_total[1h]))", "refused within an hour"),
        ],
        height=6,
    ),
)

_DISTRIBUTION = (
    Panel(
        "How are the customers spread over the tiers?",
        "Share of all customers. A jump without a change of parameters is worth a look.",
        POPULATION,
        "percentunit",
        [
            Query(
                "sum by (tier) (clv_customers) / scalar(sum(clv_customers) > 0)",
                "{{tier}}",
            )
        ],
        stacked=True,
        nothing=NO_CUSTOMER,
    ),
    Panel(
        "How are they spread over the churn levels?",
        "Share of all customers.",
        POPULATION,
        "percentunit",
        [
            Query(
                "sum by (level) (clv_customers_at_risk) / scalar(sum(clv_customers_at_risk) > 0)",
                "{{level}}",
            )
        ],
        stacked=True,
        nothing=NO_CUSTOMER,
    ),
    Panel(
        "What does the model expect of a customer?",
        "Predicted value divided by customers, in major units. It should drift slowly: a fitted "
        "model that no longer fits shows here first.",
        POPULATION,
        "short",
        [Query("clv:predicted_minor_per_customer:ratio / $minor", "predicted value")],
        nothing=NO_CUSTOMER,
    ),
    Panel(
        "How much of the predicted value is at risk?",
        "Value at risk as a share of predicted value and value at risk together.",
        POPULATION,
        "percentunit",
        [
            Query(
                "sum(clv_value_at_risk_minor) / (sum(clv_value_at_risk_minor)"
                ' + sum(clv_value_minor{kind="predicted"}) > 0)',
                "at risk",
            )
        ],
        nothing="No customer is expected to buy.",
    ),
)


NOT_JUDGED = "No prediction was judged: each is 30 days after it was made."


def _share(part: str, window: str, by: str = "") -> str:
    """A sum over judged predictions, for each of them; missing where there are none."""
    total = f"sum{by} (increase({part}[{window}]))"
    return f"{total} / (sum{by} (increase(clv_predictions_judged_total[{window}])) > 0)"


_PREDICTIONS = (
    Panel(
        "Does what is said come true?",
        "Customers with a chance of a purchase within 30 days in this bin: what was said on "
        "average, and the share of them who then bought. The bars of a pair should be equally "
        "long. Each customer is asked about once in 30 days, at an instant that no event chose.",
        COUNTED,
        "percentunit",
        [
            Query(
                _share("clv_predictions_probability_total", "$__range", " by (bin)"),
                "{{bin}} said",
            ),
            Query(
                _share("clv_predictions_active_total", "$__range", " by (bin)"),
                "{{bin}} bought",
            ),
        ],
        "bargauge",
        height=12,
        nothing=NOT_JUDGED,
    ),
    Panel(
        "How many predictions is that?",
        "Predictions judged within the range shown. A bin with fewer than a hundred says little.",
        COUNTED,
        "short",
        [Query("sum by (bin) (increase(clv_predictions_judged_total[$__range]))", "{{bin}}")],
        "bargauge",
        height=12,
    ),
    Panel(
        "How good are the chances?",
        "Brier score of the last day: the mean of (chance - outcome) squared, 0 is best. A "
        "forecast that gives everyone the same chance, the share of customers who bought, scores "
        "what the second line shows: the model must stay below it.",
        COUNTED,
        "short",
        [
            Query(_share("clv_predictions_squared_error_total", "1d"), "Brier score"),
            Query(
                f"({_share('clv_predictions_active_total', '1d')})"
                f" * (1 - {_share('clv_predictions_active_total', '1d')})",
                "same chance for all",
            ),
        ],
        nothing=NOT_JUDGED,
    ),
    Panel(
        "Do more customers buy than was said, or fewer?",
        "Customers who bought within their 30 days, a day's verdicts each, and how many the "
        "predictions had led to expect. They should go together, the season aside.",
        COUNTED,
        "short",
        [
            Query("sum(increase(clv_predictions_active_total[1d]))", "bought"),
            Query("sum(increase(clv_predictions_probability_total[1d]))", "expected"),
        ],
    ),
    Panel(
        "By how much are the predictions off?",
        "Of the last week: the differences between those who bought and those expected, bin by "
        "bin and without their signs, as a share of those expected. A few percent are chance; "
        "above the line, and more than chance explains, ClvModelDrifted fires.",
        COUNTED,
        "percentunit",
        [Query("clv:prediction_miss:ratio_increase1w", "off by")],
        width=24,
        limit=0.15,
        nothing=NOT_JUDGED,
    ),
)

_VERDICT = (
    Panel(
        "Do customers given up for lost come back?",
        "Customers who left the highest churn levels by a purchase, for each who came there by "
        "silence, within the range shown. Many who return say that the levels warn too early.",
        COUNTED,
        "percentunit",
        [
            Query(
                "sum by (level) (label_replace(increase("
                'clv_churn_risk_changes_total{from!~"none|low",cause="purchase"}[$__range]),'
                ' "level", "$1", "from", "(.*)"))'
                " / (sum by (level) (label_replace(increase("
                'clv_churn_risk_changes_total{to!="low",cause="silence"}[$__range]),'
                ' "level", "$1", "to", "(.*)")) > 0)',
                "{{level}}",
            )
        ],
        "bargauge",
        nothing="Nobody came there by silence within the range.",
    ),
    Panel(
        "How often does a late event prove silence wrong?",
        "Changes with cause late_event, an hour each: silence was believed although something "
        "was on its way.",
        COUNTED,
        "short",
        [
            Query('sum(increase(clv_tier_changes_total{cause="late_event"}[1h]))', "tiers"),
            Query(
                'sum(increase(clv_churn_risk_changes_total{cause="late_event"}[1h]))',
                "churn levels",
            ),
        ],
    ),
)

MODEL = Dashboard(
    "clv-model",
    "CLV / Model",
    "Which parameters score, how scores are distributed, what contradicts them.",
    {
        "Verdict of the worker": _PREDICTIONS,
        "In use": _IN_USE,
        "Distribution": _DISTRIBUTION,
        "Verdict of the events": _VERDICT,
    },
    refresh="5m",
    since="now-7d",
)
