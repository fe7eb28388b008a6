"""What a score depends on besides the customer: horizon, thresholds, parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal
from zoneinfo import ZoneInfo

from models.parameters import CDNOW, ModelParams

TierMetric = Literal["rolling", "total", "predicted"]

TIER_METRICS: Final[tuple[TierMetric, ...]] = ("rolling", "total", "predicted")
LOWEST_CHURN_LEVEL: Final = "low"
"""The level below the first threshold: it has a name, but needs no threshold."""

DAYS_RETENTION_MAX: Final = 3660
"""Ten years of purchase-day flags are about 460 bytes, well within the bound on a state."""


class InvalidPolicy(ValueError):
    """A policy that no score could follow; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules by which facts become scores, tiers and churn levels.

    Attributes:
        horizon_days: how far ahead purchases are predicted, in days.
        discount_rate: annual effective rate, at which predicted purchases are discounted.
        currency: ISO 4217 code of the reporting currency.
        tiers: names and thresholds in minor units, ascending, the first at 0 or below.
        tier_metric: which value the tier follows: net revenue of the trailing 365 days plus
            predicted (`rolling`), lifetime plus predicted (`total`), or `predicted` alone.
        hysteresis: h in [0, 1): up at the threshold, down below threshold times (1 - h).
        churn_levels: names and thresholds of `activity_decline`, ascending, above `low`.
        churn_min_value_minor: customers whose predicted value right after the last purchase is
            below this keep their churn level.
        retention_days: days that an event may be older than the customer's newest one and still
            count to the day.
        timezone: IANA name of the zone whose midnight ends a day.
        params: the fitted model.
    """

    horizon_days: float = 365.0
    discount_rate: float = 0.0
    currency: str = "EUR"
    tiers: tuple[tuple[str, int], ...] = (
        ("bronze", 0),
        ("silver", 10_000),
        ("gold", 50_000),
        ("platinum", 200_000),
    )
    tier_metric: TierMetric = "rolling"
    hysteresis: float = 0.1
    churn_levels: tuple[tuple[str, float], ...] = (("medium", 0.25), ("high", 0.5))
    churn_min_value_minor: int = 0
    retention_days: int = 730
    timezone: str = "UTC"
    params: ModelParams = CDNOW

    def __post_init__(self) -> None:
        check_tiers(self.tiers)
        check_churn_levels(self.churn_levels)
        if not 0.0 < self.horizon_days <= DAYS_RETENTION_MAX:
            raise InvalidPolicy(
                f"the horizon must be above 0 and at most {DAYS_RETENTION_MAX} days"
            )
        if not 0.0 <= self.discount_rate <= 1.0:
            raise InvalidPolicy("the discount rate must be between 0 and 1")
        if not 0.0 <= self.hysteresis < 1.0:
            raise InvalidPolicy("the hysteresis must be at least 0 and below 1")
        if self.churn_min_value_minor < 0:
            raise InvalidPolicy("the least value for churn changes must be at least 0")
        if not 1 <= self.retention_days <= DAYS_RETENTION_MAX:
            raise InvalidPolicy(f"the retention must be 1 to {DAYS_RETENTION_MAX} days")
        if self.tier_metric not in TIER_METRICS:
            raise InvalidPolicy(f"the tier metric must be one of {', '.join(TIER_METRICS)}")
        try:
            ZoneInfo(self.timezone)
        except (LookupError, OSError, ValueError) as error:
            raise InvalidPolicy(f"there is no time zone {self.timezone!r}") from error

    @property
    def tier_names(self) -> tuple[str, ...]:
        """Names of the tiers, lowest first."""
        return tuple(name for name, _ in self.tiers)

    @property
    def level_names(self) -> tuple[str, ...]:
        """Names of the churn levels, `low` first."""
        return (LOWEST_CHURN_LEVEL, *(name for name, _ in self.churn_levels))


def check_tiers(tiers: Sequence[tuple[str, int]]) -> None:
    """Hold that tiers have distinct names and ascending thresholds, the first at 0 or below.

    Raises:
        InvalidPolicy: with what is wrong.
    """
    if not tiers:
        raise InvalidPolicy("there must be at least one tier")
    _check_names([name for name, _ in tiers])
    _check_ascending(tiers)
    if tiers[0][1] > 0:
        raise InvalidPolicy(
            f"the first tier ({tiers[0][0]}) must begin at 0 or below, so that everyone has a tier"
        )


def check_churn_levels(levels: Sequence[tuple[str, float]]) -> None:
    """Hold that churn levels have distinct names and ascending thresholds within (0, 1).

    Raises:
        InvalidPolicy: with what is wrong.
    """
    if not levels:
        raise InvalidPolicy(f"there must be at least one level above {LOWEST_CHURN_LEVEL}")
    _check_names([LOWEST_CHURN_LEVEL, *(name for name, _ in levels)])
    _check_ascending(levels)
    if not all(0.0 < threshold < 1.0 for _, threshold in levels):
        raise InvalidPolicy("each threshold of a churn level must be above 0 and below 1")


def _check_names(names: Sequence[str]) -> None:
    if not all(names):
        raise InvalidPolicy("each name must have at least one letter")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidPolicy(f"the name {twice} stands there twice")


def _check_ascending(steps: Sequence[tuple[str, float]]) -> None:
    for (lower_name, lower), (upper_name, upper) in pairwise(steps):
        if upper <= lower:
            raise InvalidPolicy(
                f"thresholds must ascend, but {upper_name} ({upper}) "
                f"is not above {lower_name} ({lower})"
            )
