"""A simulated shop's purchases as the JSON lines that a publisher would send, flaws included.

All randomness comes from one generator, in a fixed order: the same seed gives the same bytes.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.arrays import Ints
from models.events import ENGAGEMENT_TYPES
from models.times import MS_PER_DAY

# How often each engagement is, in the order of ENGAGEMENT_TYPES: pages are seen far more often
# than subscriptions are cancelled. Only the proportions matter, and they are a guess.
_ENGAGEMENT_WEIGHTS: Final = (40, 12, 8, 14, 5, 4, 9, 1, 1, 1, 0.5, 1, 0.5, 1, 0.3, 0.7, 1)

_ENGAGED_BEFORE_DAYS: Final = 3.0
"""Mean time from looking to buying."""
_REFUNDED_AFTER_DAYS: Final = 7.0
"""Mean time from buying to sending back."""
_LATE_DAYS_MAX: Final = 30.0
_LATE_LINES_MIN: Final = 5
"""Delays are spread evenly in logarithm, from what it takes for so many lines to come."""
_DUPLICATE_LINES_MAX: Final = 50
"""A duplicate follows within so many lines: fewer than the ids that a state remembers (64)."""


@dataclass(frozen=True)
class Shares:
    """Shares of all lines, each in [0, 1), together below 1."""

    engagements: float = 0.0
    refunds: float = 0.0
    duplicates: float = 0.0
    rubbish: float = 0.0
    late: float = 0.0

    @property
    def purchases(self) -> float:
        """The share that is left for purchases."""
        return 1.0 - self.engagements - self.refunds - self.duplicates - self.rubbish

    def of(self, total: int) -> "Counts":
        """How many lines of each kind there are among `total`."""
        others = Counts(
            purchases=0,
            engagements=round(total * self.engagements),
            refunds=round(total * self.refunds),
            duplicates=round(total * self.duplicates),
            rubbish=round(total * self.rubbish),
            late=round(total * self.late),
        )
        rest = total - others.engagements - others.refunds - others.duplicates - others.rubbish
        return replace(others, purchases=rest)


@dataclass(frozen=True)
class Counts:
    """Lines of each kind; the late ones are among the others."""

    purchases: int
    engagements: int
    refunds: int
    duplicates: int
    rubbish: int
    late: int


@dataclass(frozen=True)
class Purchases:
    """Purchases in order of time.

    Attributes:
        customer: (n,) number of the customer who bought.
        at_ms: (n,) when, epoch milliseconds.
        amount_minor: (n,) what was paid, in minor units.
    """

    customer: Ints
    at_ms: Ints
    amount_minor: Ints


def lines(
    purchases: Purchases,
    counts: Counts,
    *,
    end_ms: int,
    currency: str,
    id_prefix: str,
    rng: np.random.Generator,
) -> list[bytes]:
    """Make JSON lines of purchases, with engagements, refunds and flaws among them.

    Lines are in the order of time, except those that are late. A refund follows its purchase, is
    of it all or of a part, and at most one comes for each purchase. The worker refuses every line
    of rubbish.

    Args:
        purchases: what was bought, at least one; each becomes a line.
        counts: how many other lines there are.
        end_ms: nothing happens later.
        currency: ISO 4217 code of the amounts.
        id_prefix: makes event ids distinct from those of another simulation.
        rng: where chance comes from.

    Returns:
        The lines, without their ends of line.
    """
    customer, at_ms, made = _events(
        purchases, counts, end_ms=end_ms, currency=currency, prefix=id_prefix, rng=rng
    )
    order = _arrival(at_ms, counts.late, end_ms=end_ms, rng=rng)
    written = [made[event] for event in order.tolist()]
    return _with_flaws(written, counts, currency=currency, customer=customer, rng=rng)


def _events(
    purchases: Purchases,
    counts: Counts,
    *,
    end_ms: int,
    currency: str,
    prefix: str,
    rng: np.random.Generator,
) -> tuple[Ints, Ints, list[bytes]]:
    """Every event once: its customer, its time, its line."""
    bought, refunds, engagements = purchases.customer.size, counts.refunds, counts.engagements
    refunded = np.sort(rng.choice(bought, refunds, replace=False))
    refunded_at = purchases.at_ms[refunded] + _delays(_REFUNDED_AFTER_DAYS, refunds, rng)
    whole = rng.random(refunds) < 0.5  # noqa: PLR2004 - every other refund is of the whole order
    paid = purchases.amount_minor[refunded]
    refunded_minor = np.where(whole, paid, 1 + (rng.random(refunds) * paid).astype(np.int64))
    refunded_minor = np.minimum(refunded_minor, paid)

    engaged = rng.integers(0, bought, engagements)
    engaged_at = purchases.at_ms[engaged] - _delays(_ENGAGED_BEFORE_DAYS, engagements, rng)
    opened_ms = purchases.at_ms.min()
    weights = np.array(_ENGAGEMENT_WEIGHTS)
    kinds = rng.choice(len(ENGAGEMENT_TYPES), engagements, p=weights / weights.sum())

    customer = np.concatenate(
        [purchases.customer, purchases.customer[refunded], purchases.customer[engaged]]
    )
    at_ms = np.concatenate(
        [
            purchases.at_ms,
            np.minimum(refunded_at, np.maximum(end_ms, purchases.at_ms[refunded])),
            np.minimum(opened_ms + np.abs(engaged_at - opened_ms), end_ms),
        ]
    )
    times = np.datetime_as_string(at_ms.astype("datetime64[ms]"), unit="ms").tolist()
    customers = customer.tolist()
    orders = _money_lines(
        customers[: bought + refunds],
        times[: bought + refunds],
        np.concatenate([purchases.amount_minor, refunded_minor]).tolist(),
        bought,
        currency=currency,
        prefix=prefix,
    )
    touches = _engagement_lines(
        customers[bought + refunds :], times[bought + refunds :], kinds.tolist(), prefix=prefix
    )
    return customer, at_ms, orders + touches


def _delays(mean_days: float, count: int, rng: np.random.Generator) -> Ints:
    return (rng.exponential(mean_days, count) * MS_PER_DAY).astype(np.int64)


def _money_lines(
    customers: list[int],
    times: list[str],
    amounts: list[int],
    bought: int,
    *,
    currency: str,
    prefix: str,
) -> list[bytes]:
    # Nothing here needs escaping, so a template is as right as a JSON encoder, and much faster.
    return [
        (
            f'{{"id":"{"o" if n < bought else "r"}-{prefix}-{n}",'
            f'"type":"{"purchase" if n < bought else "refund"}",'
            f'"customer_id":"{customer}","occurred_at":"{at}Z",'
            f'"amount_minor":{amount},"currency":"{currency}"}}'
        ).encode()
        for n, (customer, at, amount) in enumerate(zip(customers, times, amounts, strict=True))
    ]


def _engagement_lines(
    customers: list[int], times: list[str], kinds: list[int], *, prefix: str
) -> list[bytes]:
    return [
        (
            f'{{"id":"e-{prefix}-{n}","type":"{ENGAGEMENT_TYPES[kind]}",'
            f'"customer_id":"{customer}","occurred_at":"{at}Z"}}'
        ).encode()
        for n, (customer, at, kind) in enumerate(zip(customers, times, kinds, strict=True))
    ]


def _arrival(at_ms: Ints, late: int, *, end_ms: int, rng: np.random.Generator) -> Ints:
    """The order in which events are written: by time, but for those that come late."""
    chosen = rng.choice(at_ms.size, min(late, at_ms.size), replace=False)
    line_ms = (at_ms.max() - at_ms.min() + 1) / at_ms.size
    high = np.log(_LATE_DAYS_MAX * MS_PER_DAY)
    low = min(np.log(_LATE_LINES_MIN * line_ms), high)
    written_ms = at_ms.copy()
    delays = np.exp(rng.uniform(low, high, chosen.size)).astype(np.int64)
    # Those at the very end would otherwise not be late at all, but all written last.
    written_ms[chosen] = np.minimum(written_ms[chosen] + delays, max(end_ms, int(at_ms.max())))
    return np.argsort(written_ms, kind="stable")


def _with_flaws(
    written: list[bytes],
    counts: Counts,
    *,
    currency: str,
    customer: Ints,
    rng: np.random.Generator,
) -> list[bytes]:
    count, duplicates, rubbish = len(written), counts.duplicates, counts.rubbish
    repeated = rng.integers(0, count, duplicates)
    rubbish_at = rng.uniform(0, count, rubbish)
    victims = customer[rng.integers(0, count, rubbish)].tolist()
    kinds = rng.integers(0, len(_RUBBISH), rubbish).tolist()
    place = np.concatenate(
        [
            np.arange(count, dtype=np.float64),
            repeated + rng.uniform(0.0, _DUPLICATE_LINES_MAX / 2, duplicates),
            rubbish_at,
        ]
    )
    made = written + [written[line] for line in repeated.tolist()]
    made += [
        _RUBBISH[kind] % {b"n": n, b"customer": victim, b"currency": currency.encode()}
        for n, (kind, victim) in enumerate(zip(kinds, victims, strict=True))
    ]
    return [made[line] for line in np.argsort(place, kind="stable").tolist()]


# None could be mistaken for an event by whoever counts the file again.
_RUBBISH: Final = (
    b'{"id":"x-%(n)d","type":"purchase","customer_id":"%(customer)d","occur',
    b"ERROR 500: upstream timed out (%(n)d)",
    b'["x-%(n)d","purchase","%(customer)d"]',
    b'{"id":"x-%(n)d","type":"purchase","occurred_at":1767225600000,"amount_minor":4999}',
    (
        b'{"id":"x-%(n)d","type":"purchase","customer_id":"%(customer)d",'
        b'"occurred_at":1767225600000,"amount_minor":"forty","currency":"%(currency)b"}'
    ),
    (
        b'{"id":"x-%(n)d","type":"purchase","customer_id":"",'
        b'"occurred_at":1767225600000,"amount_minor":4999,"currency":"%(currency)b"}'
    ),
)
