"""Can the scores be trusted? What the metrics tell of the model today.

The worker does not yet judge its own past predictions: calibration and Brier score by bin belong
here as soon as it exports them.
"""

from grafana.source.panel import COUNTED, EACH_WORKER, POPULATION, Dashboard, Panel, Query

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
    ),
    Panel(
        "When did the parameters change?",
        "Workers on each version over time.",
        EACH_WORKER,
        "short",
        [Query("count by (version) (clv_model_info)", "{{version}}")],
        height=6,
        stacked=True,
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
        width=24,
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
    ),
    Panel(
        "What does the model expect of a customer?",
        "Predicted value divided by customers, in major units. It should drift slowly: a fitted "
        "model that no longer fits shows here first.",
        POPULATION,
        "short",
        [Query("clv:predicted_minor_per_customer:ratio / $minor", "predicted value")],
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
        "In use": _IN_USE,
        "Distribution": _DISTRIBUTION,
        "Verdict of the events": _VERDICT,
    },
    refresh="5m",
    since="now-7d",
)
