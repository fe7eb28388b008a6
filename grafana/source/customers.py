"""How are our customers doing? For whoever asks on Monday."""

from grafana.source.panel import COUNTED, NO_CUSTOMER, POPULATION, Dashboard, Panel, Query

MONEY = "Major units of CLV_CURRENCY (choose above how many minor units make one)."

_AT_A_GLANCE = (
    Panel(
        "Customers",
        "Everyone from whom at least one event came.",
        POPULATION,
        "short",
        [Query("sum(clv_customers)", "customers")],
        "stat",
        width=6,
        height=4,
    ),
    Panel(
        "What have they brought so far?",
        f"Lifetime revenue net of refunds. {MONEY}",
        POPULATION,
        "short",
        [Query('sum(clv_value_minor{kind="historic"}) / $minor', "historic value")],
        "stat",
        width=6,
        height=4,
    ),
    Panel(
        "What will they bring within the horizon?",
        f"Expected value of the purchases within CLV_HORIZON. {MONEY}",
        POPULATION,
        "short",
        [Query('sum(clv_value_minor{kind="predicted"}) / $minor', "predicted value")],
        "stat",
        width=6,
        height=4,
    ),
    Panel(
        "What has silence put at stake?",
        f"Predicted value right after each last purchase, less predicted value now. {MONEY}",
        POPULATION,
        "short",
        [Query("sum(clv_value_at_risk_minor) / $minor", "value at risk")],
        "stat",
        width=6,
        height=4,
    ),
)

_TIERS = (
    Panel(
        "How many customers are in each tier?",
        "Tiers follow the value by CLV_TIER_METRIC, with hysteresis.",
        POPULATION,
        "short",
        [Query("sum by (tier) (clv_customers)", "{{tier}}")],
        stacked=True,
    ),
    Panel(
        "Which tiers hold the value?",
        f"Historic and predicted value by tier. {MONEY}",
        POPULATION,
        "short",
        [Query("sum by (tier, kind) (clv_value_minor) / $minor", "{{tier}} {{kind}}")],
    ),
    Panel(
        "What is one customer of a tier expected to bring?",
        f"Predicted value divided by customers. {MONEY}",
        POPULATION,
        "short",
        [
            Query(
                'sum by (tier) (clv_value_minor{kind="predicted"})'
                " / (sum by (tier) (clv_customers) > 0) / $minor",
                "{{tier}}",
            )
        ],
        nothing=NO_CUSTOMER,
    ),
    Panel(
        "How much value moved between the tiers?",
        "Value of each tier now, less its value at the start of the range shown: by customers "
        f"that changed tier, and by what those who stayed have bought or let lapse. {MONEY}",
        POPULATION,
        "short",
        [
            Query(
                "(sum by (tier) (clv_value_minor)"
                " - sum by (tier) (clv_value_minor offset $__range)) / $minor",
                "{{tier}}",
            )
        ],
        "bargauge",
        nothing="Nothing was measured at the start of the range: choose a shorter one.",
    ),
    Panel(
        "What moves customers between tiers?",
        "Tier changes by cause, an hour each; first scores of new customers are left out.",
        COUNTED,
        "short",
        [Query('sum by (cause) (increase(clv_tier_changes_total{from!="none"}[1h]))', "{{cause}}")],
        stacked=True,
    ),
    Panel(
        "Who moved where?",
        "Tier changes within the range shown, by tier before and after.",
        COUNTED,
        "short",
        [
            Query(
                'sum by (from, to) (increase(clv_tier_changes_total{from!="none"}[$__range])) > 0',
                "{{from}} to {{to}}",
            )
        ],
        "bargauge",
        nothing="Nobody moved within the range.",
    ),
    Panel(
        "How many new customers came?",
        "First scores, an hour each, by the tier they started in.",
        COUNTED,
        "short",
        [Query('sum by (to) (increase(clv_tier_changes_total{from="none"}[1h]))', "{{to}}")],
        width=24,
        stacked=True,
    ),
)

_CHURN = (
    Panel(
        "How many customers are slipping away?",
        "Customers above the lowest churn level. The level follows the decline of the chance of "
        "another purchase since the last one.",
        POPULATION,
        "short",
        [Query('sum by (level) (clv_customers_at_risk{level!="low"})', "{{level}}")],
        stacked=True,
    ),
    Panel(
        "Is the value at risk growing?",
        f"{MONEY} Divide by the predicted value for a share: it is on the Model dashboard.",
        POPULATION,
        "short",
        [Query("sum(clv_value_at_risk_minor) / $minor", "value at risk")],
    ),
    Panel(
        "Do more slip away than come back?",
        "Customers who left the lowest churn level, and who returned to it, an hour each.",
        COUNTED,
        "short",
        [
            Query('sum(increase(clv_churn_risk_changes_total{from="low"}[1h]))', "slip away"),
            Query(
                'sum(increase(clv_churn_risk_changes_total{to="low",from!="none"}[1h]))',
                "come back",
            ),
        ],
    ),
    Panel(
        "What changes churn levels?",
        "Churn changes by the level reached and the cause, an hour each.",
        COUNTED,
        "short",
        [
            Query(
                'sum by (to, cause) (increase(clv_churn_risk_changes_total{from!="none"}[1h])) > 0',
                "to {{to}} by {{cause}}",
            )
        ],
        nothing="Nobody's level has changed.",
    ),
)

CUSTOMERS = Dashboard(
    "clv-customers",
    "CLV / Customers",
    "Tiers, value and churn of the whole population.",
    {"At a glance": _AT_A_GLANCE, "Tiers and value": _TIERS, "Churn": _CHURN},
    refresh="1m",
    since="now-7d",
)
