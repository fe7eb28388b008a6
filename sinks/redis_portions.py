"""Scores in portions of what one transaction takes, whatever the pieces that they come in."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Final, NamedTuple

CUSTOMERS_MAX: Final = 500
"""Of one transaction: about 2.5 ms of Redis' time."""


class Scored(NamedTuple):
    """Scores of some customers, each customer once.

    Attributes:
        scores: (customer, score JSON).
        ranks: (customer, total_clv_minor, value_at_risk_minor), in the same order.
    """

    scores: Sequence[tuple[bytes, bytes]]
    ranks: Sequence[tuple[bytes, int, int]]


NOTHING: Final = Scored((), ())


async def portions(chunks: Iterable[Scored] | AsyncIterable[Scored]) -> AsyncIterator[Scored]:
    """Cut chunks into portions of at most `CUSTOMERS_MAX` customers; empty ones give none."""
    if isinstance(chunks, Iterable):
        for chunk in chunks:
            for portion in _cut(chunk):
                yield portion
    else:
        async for chunk in chunks:
            for portion in _cut(chunk):
                yield portion


async def next_portion(following: AsyncIterator[Scored]) -> Scored | None:
    """The next portion; None after the last."""
    async for portion in following:
        return portion
    return None


def _cut(chunk: Scored) -> Iterable[Scored]:
    for at in range(0, len(chunk.scores), CUSTOMERS_MAX):
        end = at + CUSTOMERS_MAX
        yield Scored(chunk.scores[at:end], chunk.ranks[at:end])
