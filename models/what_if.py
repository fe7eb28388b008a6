"""What a customer's score would be at another instant, or after one more purchase."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from models.batch import Batch, Part
from models.chain import Looks, follow
from models.deadlines import due
from models.events import AMOUNT_MINOR_MAX, Event, Kind
from models.policy import Policy
from models.publish import publication
from models.rules import rules_of
from models.score import Score
from models.state import decode
from models.step import step
from models.valuation import Valuation

_decode_score = msgspec.json.Decoder(Score).decode

# No publisher's id: those are at least one byte, and printable.
_IMAGINED: Final = "\0what-if"


class TooEarly(ValueError):
    """The stored facts cannot tell what was true then."""

    def __init__(self, earliest_ms: int) -> None:
        super().__init__(f"nothing is known of the time before {earliest_ms}")
        self.earliest_ms = earliest_ms


@dataclass(frozen=True)
class NextTier:
    """What separates a customer from the tier above.

    Attributes:
        tier: name of the tier above.
        threshold_minor: tier value from which on it is entered, minor units.
        missing_minor: what the tier value lacks now, minor units.
        purchase_minor: the smallest single purchase that leads there or higher, minor units; None
            where not even the largest one would.
    """

    tier: str
    threshold_minor: int
    missing_minor: int
    purchase_minor: int | None


def score_at(policy: Policy, customer: bytes, state: bytes, at_ms: int) -> Score:
    """The score at an instant, if the customer is silent from the last one until then.

    Args:
        policy: the rules.
        customer: Kafka key.
        state: encoded, as stored.
        at_ms: epoch ms, not before the instant of the stored score.

    Raises:
        TooEarly: it is before: what was true then, the state does not tell any more.
    """
    rules = rules_of(policy)
    batch = Batch(rules)
    part = Part(batch, {customer: state}.get, at_ms)
    one = part.customer(customer)
    if at_ms < one.as_of_ms:
        raise TooEarly(one.as_of_ms)
    part.look(one)
    valuation = Valuation(rules, batch.facts.columns(policy.params))
    looks = Looks(batch, valuation)
    follow(batch, valuation, looks)
    assert one.tier is not None, "it was followed"
    assert one.level is not None, "it was followed"
    figures = looks.figures.take(np.array([0], dtype=np.intp))
    when = due(valuation, figures, np.array([one.tier]), np.array([one.level]))
    tiers, levels = [rules.tiers.names[one.tier]], [rules.levels.names[one.level]]
    return _decode_score(publication(valuation, [one], tiers, levels, figures, when).scores[0])


def score_if_purchase(
    policy: Policy, customer: bytes, state: bytes, at_ms: int, amount_minor: int
) -> Score:
    """The score right after one more purchase.

    Args:
        policy: the rules.
        customer: Kafka key.
        state: encoded, as stored.
        at_ms: when it is made, epoch ms, not before the instant of the stored score.
        amount_minor: minor units of the reporting currency, >= 0.

    Raises:
        TooEarly: see `score_at`.
    """
    as_of_ms = decode(state).as_of_ms
    if at_ms < as_of_ms:
        raise TooEarly(as_of_ms)
    event = Event(Kind.PURCHASE, customer, _IMAGINED, at_ms, amount_minor, -1)
    result = step(policy, {customer: state}.get, [(event, at_ms)], at_ms)
    return _decode_score(result.scores[0][1])


def next_tier(
    policy: Policy, customer: bytes, state: bytes, at_ms: int, score: Score
) -> NextTier | None:
    """What is missing to the tier above; None at the highest one.

    One more purchase adds more to the tier value than its amount, or less: it is counted at once,
    and it changes what is predicted. So the smallest that suffices is searched for.

    Args:
        policy: the rules.
        customer: Kafka key.
        state: encoded, as stored.
        at_ms: when the purchase would be made, epoch ms.
        score: the score at that instant, without the purchase.

    Raises:
        TooEarly: see `score_at`.
    """
    names = policy.tier_names
    above = names.index(score.tier) + 1
    if above == len(names):
        return None
    name, threshold_minor = policy.tiers[above]

    def suffices(amount_minor: int) -> bool:
        after = score_if_purchase(policy, customer, state, at_ms, amount_minor)
        return names.index(after.tier) >= above

    return NextTier(
        name,
        threshold_minor,
        max(threshold_minor - score.tier_value_minor, 0),
        _smallest(suffices, max(threshold_minor, 1)),
    )


def _smallest(suffices: Callable[[int], bool], guess_minor: int) -> int | None:
    """The smallest amount that suffices: more always does where less does."""
    low, high = 0, min(guess_minor, AMOUNT_MINOR_MAX)
    while not suffices(high):
        if high == AMOUNT_MINOR_MAX:
            return None
        low, high = high + 1, min(2 * high, AMOUNT_MINOR_MAX)
    while low < high:
        middle = (low + high) // 2
        if suffices(middle):
            high = middle
        else:
            low = middle + 1
    return high
