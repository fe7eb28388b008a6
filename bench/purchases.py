"""The input: purchases of a shop with skewed customers, the same for the same seed."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

TOPIC: Final = "clv.purchases"
"""The contract's name: our worker reads no other, so the peers read it too."""

PARTITIONS: Final = 4
CURRENCY: Final = "EUR"
DAYS: Final = 540
MS_PER_DAY: Final = 86_400_000

_SKEW: Final = 2.0
"""Customer number = customers * u ** skew, u uniform. At 2 the busiest tenth makes 32 % of the
events, and 86 % of 2,000 consecutive events of a partition touch a customer not yet among them."""

_OUT_OF_ORDER: Final = 0.01
_OUT_OF_ORDER_MS: Final = 1_800_000
_AMOUNT_MEDIAN_MINOR: Final = 3_500


@dataclass(frozen=True)
class Purchases:
    """Purchases in the order in which they are published.

    Attributes:
        customer: (n,) number of the customer.
        at_ms: (n,) when, epoch milliseconds; one in a hundred is up to half an hour late.
        amount_minor: (n,) minor units.
    """

    customer: Ints
    at_ms: Ints
    amount_minor: Ints

    def __len__(self) -> int:
        return len(self.customer)

    def key(self, index: int) -> bytes:
        """The Kafka key of a purchase."""
        return b"c-%06d" % self.customer[index]

    def lines(self, prefix: bytes = b"o") -> list[tuple[bytes, bytes]]:
        """(key, JSON) of each purchase; ids begin with `prefix`."""
        columns = zip(
            self.customer.tolist(), self.at_ms.tolist(), self.amount_minor.tolist(), strict=True
        )
        return [
            (
                b"c-%06d" % customer,
                b'{"id":"%b-%d","type":"purchase","customer_id":"c-%06d","occurred_at":%d,'
                b'"amount_minor":%d,"currency":"EUR","order_id":"%d","channel":"web",'
                b'"category":"shoes"}' % (prefix, number, customer, at_ms, amount, number),
            )
            for number, (customer, at_ms, amount) in enumerate(columns)
        ]


def backlog(events: int, customers: int, end_ms: int, seed: int) -> Purchases:
    """Purchases spread evenly over a year and a half that ends at `end_ms`."""
    rng = np.random.default_rng(seed)
    at_ms = end_ms - DAYS * MS_PER_DAY + np.arange(events) * DAYS * MS_PER_DAY // events
    late = rng.random(events) < _OUT_OF_ORDER
    at_ms -= np.where(late, rng.integers(0, _OUT_OF_ORDER_MS, events), 0)
    return Purchases(_customers(events, customers, rng), at_ms, _amounts(events, rng))


def paced(rate: int, seconds: float, customers: int, start_ms: int, seed: int) -> Purchases:
    """Purchases that happen, and are to be published, at a steady rate from `start_ms` on."""
    rng = np.random.default_rng(seed)
    events = round(rate * seconds)
    at_ms = start_ms + np.arange(events) * 1000 // rate
    return Purchases(_customers(events, customers, rng), at_ms, _amounts(events, rng))


def _customers(events: int, customers: int, rng: np.random.Generator) -> Ints:
    numbers: Ints = (customers * rng.random(events) ** _SKEW).astype(np.int64)
    return numbers


def _amounts(events: int, rng: np.random.Generator) -> Ints:
    amounts: Ints = (_AMOUNT_MEDIAN_MINOR * rng.lognormal(0, 0.6, events)).astype(np.int64)
    return amounts
