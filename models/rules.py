"""A policy with what follows from it, made once."""

from dataclasses import dataclass
from functools import lru_cache

from models.churn import churn_ladder
from models.days import Days
from models.ladder import Ladder
from models.policy import Policy
from models.tiers import tier_ladder


@dataclass(frozen=True)
class Rules:
    """What a batch follows.

    Attributes:
        policy: the settings.
        days: the calendar of its time zone.
        tiers: ladder of the tier value.
        levels: ladder of the decline.
    """

    policy: Policy
    days: Days
    tiers: Ladder
    levels: Ladder


@lru_cache(maxsize=8)
def rules_of(policy: Policy) -> Rules:
    """The rules of a policy."""
    return Rules(policy, Days(policy.timezone), tier_ladder(policy), churn_ladder(policy))
