"""Scores of stored customers once more, as for a Redis that has lost them."""

from collections.abc import Iterable
from typing import NamedTuple

from models.batch import Batch, Part
from models.chain import Looks
from models.deadlines import due
from models.policy import Policy
from models.publish import publication
from models.rules import rules_of
from models.settlement import standing
from models.valuation import Valuation


class Rescored(NamedTuple):
    """A score as it was published.

    Attributes:
        customer: Kafka key.
        score: JSON.
        total_minor: total value, minor units.
        at_risk_minor: value at risk, minor units.
    """

    customer: bytes
    score: bytes
    total_minor: int
    at_risk_minor: int


def rescore(policy: Policy, states: Iterable[tuple[bytes, bytes]]) -> list[Rescored]:
    """The scores of stored customers, byte by byte as they were published.

    Args:
        policy: the rules, the same as then.
        states: customers and their encoded states.
    """
    stored = dict(states)
    batch = Batch(rules_of(policy))
    part = Part(batch, stored.get, 0)
    for key in stored:
        part.look(part.customer(key))
    if not batch.who:
        return []
    valuation = Valuation(batch.rules, batch.facts.columns(policy.params))
    looks = Looks(batch, valuation)
    for customer, up, level in zip(
        batch.who,
        batch.rules.tiers.bounds(looks.figures.tier_value)[0].tolist(),
        batch.rules.levels.bounds(looks.figures.decline)[0].tolist(),
        strict=True,
    ):
        customer.tier = up if customer.tier is None else customer.tier
        customer.level = level if customer.level is None else customer.level
    when = due(valuation, looks.figures, *standing(batch.who))
    tiers = [customer.state.tier for customer in batch.who]
    levels = [customer.state.churn_level for customer in batch.who]
    told = publication(valuation, batch.who, tiers, levels, looks.figures, when)
    return [
        Rescored(customer.key, score, total, at_risk)
        for customer, score, total, at_risk in zip(
            batch.who, told.scores, told.total_minor, told.at_risk_minor, strict=True
        )
    ]
