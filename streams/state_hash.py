"""One hash of all customers' facts: equal for equal inputs, however they came."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from models.state import decode, facts_digest

_BYTES: Final = 16
_MODULUS: Final = 1 << (8 * _BYTES)


@dataclass(frozen=True)
class StateHash:
    """What the states of all customers come to.

    Attributes:
        hash: 32 hexadecimal digits.
        customers: how many states there are.
    """

    hash: str
    customers: int


def hash_states(states: Mapping[bytes, bytes], *, whole: bool = False) -> StateHash:
    """Hash states, in whatever order.

    Each customer's digest, with the key, gives 128 bits; these are added up. Adding is
    independent of the order, and unlike an exclusive or it does not forget what comes twice.

    Args:
        states: encoded state by customer.
        whole: hash all of the state, tiers and revisions too, instead of the facts.

    Returns:
        The hash of the sum and of the number of customers.

    Raises:
        UnknownVersion: a newer program wrote one.
        msgspec.DecodeError: one is no state.

    Source: Bellare & Micciancio (1997), A New Paradigm for Collision-Free Hashing (AdHash). It
    is meant to find mistakes, not forgers: those would need a longer sum.
    """
    total = 0
    for customer, value in states.items():
        content = value if whole else facts_digest(decode(value))
        digest = blake2b(content, digest_size=_BYTES, key=_short(customer)).digest()
        total += int.from_bytes(digest, "big")
    summed = (total % _MODULUS).to_bytes(_BYTES, "big")
    count = len(states).to_bytes(8, "big")
    return StateHash(blake2b(summed + count, digest_size=_BYTES).hexdigest(), len(states))


def _short(customer: bytes) -> bytes:
    """A key of BLAKE2b, which takes at most 64 bytes, that stands for the customer."""
    return blake2b(customer, digest_size=_BYTES).digest()
