"""From one set of parameters to the next: whose scores are still by the earlier ones.

A partition changes over at one instant. Every customer then gets a row at that instant, without
an event and without a silence before it: what differs on its two sides is the model alone. The
rows are made in portions, while events go on. An event of a customer who has had no such row yet,
or a deadline, gets it first, so that nothing but the model is ever told as its work, and none of
its work as something else's.
"""

from collections.abc import Container
from dataclasses import dataclass

from models.policy import Policy


@dataclass(frozen=True, slots=True)
class ChangeOver:
    """A change-over that is under way.

    Attributes:
        since_ms: the partition's time when it began, epoch ms. All that silence had crossed by
            then was told by the earlier parameters.
        earlier: the rules until then.
        left: customers whose scores are still by them.
    """

    since_ms: int
    earlier: Policy
    left: Container[bytes]
