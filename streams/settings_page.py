"""The page of all settings: `python -m streams.settings_page > docs/settings.md`.

What a setting may be is what the program says of a wrong one, so the page cannot part from it.
"""

# ruff: noqa: E501 - a paragraph of the page is a line

import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from streams import notation
from streams.settings import PREFIX, Settings
from streams.wrong_settings import sentence

_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Kafka": (
        "kafka_bootstrap",
        "kafka_security_protocol",
        "kafka_sasl_mechanism",
        "kafka_sasl_username",
        "kafka_sasl_password",
        "kafka_ssl_cafile",
        "group",
        "partitions",
        "replication_factor",
    ),
    "Redis": ("redis_url", "redis_prefix"),
    "Tiers and churn": (
        "tiers",
        "tier_metric",
        "hysteresis",
        "churn_levels",
        "churn_min_value",
        "horizon",
        "model_params",
    ),
    "Money and time": (
        "currency",
        "rates",
        "discount_rate",
        "timezone",
        "retention",
        "future_tolerance",
        "publisher_silence",
    ),
    "Running": (
        "instance",
        "metrics_port",
        "tick_interval",
        "clock",
        "batch_events",
        "dead_letter_limit",
        "log_format",
    ),
}

_HEAD: Final = """# Settings

Environment variables, read at the start; a change needs a restart. One that is empty counts as not set. A wrong one, or a name that looks like a misspelt one, ends the program with exit status 2 and a sentence that names it and says what it may be.

All workers of a group get the same ones, `CLV_INSTANCE` and `CLV_METRICS_PORT` apart. So do the commands that read what workers wrote (`clv show`, `top`, `calendar`, `topics`, …).

Durations are numbers with units, the largest first: `365d`, `1h30m`, `250ms` (`w d h m s ms`). Shares are numbers such as `0.5`.

*This page is written by `python -m streams.settings_page`; a test fails when it is out of date.*
"""

_NOTES: Final[Mapping[str, str]] = {
    "Kafka": """For TLS and passwords see [RELIABILITY.md](../RELIABILITY.md#security). More partitions later are a new set of topics: *Add partitions* in [the runbook](../grafana/RUNBOOK.md#add-partitions).
""",
    "Redis": """`rediss://` is TLS: `rediss://:PASSWORD@HOST:PORT/0?ssl_ca_certs=/etc/ssl/redis-ca.pem`. In a URL, special characters of a password are percent-encoded.
""",
    "Tiers and churn": """**`CLV_TIERS`** is `name:threshold` with commas between, ascending; the first threshold is 0 or below, so that everybody has a tier. Thresholds are whole **minor units of `CLV_CURRENCY`**: with EUR, `gold:50000` begins at 500.00 EUR; with JPY, which has no smaller unit, at 50,000 yen. With `CLV_HYSTERESIS` 0.1, gold is left below 450.00 EUR. Names are stored and published: see *Rename a tier* in [the runbook](../grafana/RUNBOOK.md#rename-a-tier) before changing one.

**`CLV_TIER_METRIC`**: `rolling` is net revenue of the trailing 365 days plus predicted value, `total` that of the whole lifetime plus predicted value, `predicted` the predicted value alone.

**`CLV_CHURN_LEVELS`** is `name:threshold`, ascending, above the level `low`. Thresholds are shares, above 0 and below 1, of the probability to buy within the horizon that silence has taken since the last purchase (`activity_decline`).

**A change** of these and of `CLV_DISCOUNT_RATE` counts for a customer from their next score on: at their next event or deadline, and after 30 days of silence at the latest. So a tier that other thresholds change has that event, or silence, as its cause. A Redis that is filled meanwhile, as after it was emptied or under another prefix, has tier and churn level as they were published last, and all other figures by the new settings already.
""",
    "Money and time": """`CLV_CURRENCY` and `CLV_TIMEZONE` are chosen once: stored amounts and days are not converted, and a worker that is set to others than its states were counted by ends with a sentence that names both. The way to others is *Reset and replay* in [the runbook](../grafana/RUNBOOK.md#reset-and-replay).

**`CLV_RATES`** is `CODE=rate` with commas between: what **one whole unit** of that currency is worth in whole units of `CLV_CURRENCY`. With EUR, `USD=0.92,JPY=0.0061` makes 1.00 USD 0.92 EUR and 1,000 yen 6.10 EUR: `amount_minor` is converted from the minor units of the one to those of the other, exactly, halves to the even one. A rate counts for events that come after the restart; earlier ones keep what they were worth.
""",
}


def page() -> str:
    """All of docs/settings.md."""
    return "\n".join([_HEAD, *(_section(group, names) for group, names in _GROUPS.items())])


def _section(group: str, names: tuple[str, ...]) -> str:
    rows = "\n".join(map(_row, names))
    table = f"| variable | default | may be | what |\n|---|---|---|---|\n{rows}\n"
    note = f"\n{_NOTES[group]}" if group in _NOTES else ""
    return f"## {group}\n{table}{note}"


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    assert field.description is not None, f"{name} needs a sentence below it"
    default = _written(field.get_default(call_default_factory=True))
    what = " ".join(field.description.split())
    return f"| `{PREFIX}{name.upper()}` | {default} | {_may_be(name)} | {what} |"


def _written(default: Any) -> str:
    """A default as one would type it."""
    match default:
        case None:
            return "not set"
        case dict():
            assert not default, "no default has entries"
            return "not set"
        case SecretStr():
            text = default.get_secret_value()
        case timedelta():
            text = notation.write_duration(default)
        case tuple():
            text = ",".join(f"{name}:{threshold}" for name, threshold in default)
        case float():
            text = f"{default:g}"
        case _:
            text = str(default)
    return f"`{text}`"


def _may_be(name: str) -> str:
    """What is said of a value that is none; of one that is too large where it has bounds."""
    nothing = _complaint(name, "?")
    if nothing is None:
        return "any text"
    too_long = _complaint(name, "99999999d") if notation.DURATION_FORMS in nothing else None
    return (too_long or nothing).partition("; it must be ")[2].rstrip(".")


def _complaint(name: str, value: str) -> str | None:
    given: dict[str, Any] = {name: value}
    try:
        Settings(**given)
    except ValidationError as failure:
        for error in failure.errors():
            if error["loc"] == (name,):
                field = Settings.model_fields[name]
                return sentence(error, PREFIX + name.upper(), field, secret=False)
    return None


if __name__ == "__main__":
    sys.stdout.write(page())
