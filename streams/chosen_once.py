"""Settings that are chosen once: by others, what is stored would mean something else."""

from typing import Final

from models.days import Days
from streams.progress import Progress
from streams.settings import PREFIX
from streams.wrong_settings import WrongSettings

_WAY: Final = "or see 'Reset and replay' in grafana/RUNBOOK.md"


def hold_chosen(reached: Progress, currency: str, timezone: str) -> None:
    """Hold that states were counted in the currency, and by the days, that are set now.

    Args:
        reached: what the changelog says of the states' partition.
        currency: that is set.
        timezone: that is set.

    Raises:
        WrongSettings: with a sentence for each that is another.
    """
    wrong = []
    if reached.currency not in {"", currency}:
        wrong.append(
            f"{PREFIX}CURRENCY is {currency!r}, and the stored amounts are in "
            f"{reached.currency}: set {PREFIX}CURRENCY={reached.currency}, {_WAY}."
        )
    if reached.timezone and not _same_days(reached.timezone, timezone):
        wrong.append(
            f"{PREFIX}TIMEZONE is {timezone!r}, and the stored days are those of "
            f"{reached.timezone}: set {PREFIX}TIMEZONE={reached.timezone}, {_WAY}."
        )
    if wrong:
        raise WrongSettings("\n".join(wrong))


def hold_placed(reached: Progress, partitions: int) -> None:
    """Hold that customers are in as many partitions as when their states were written.

    Args:
        reached: what the changelog says of the states' partition.
        partitions: how many there are now.

    Raises:
        WrongSettings: with a sentence.
    """
    if reached.partitions not in {0, partitions}:
        raise WrongSettings(
            f"{PREFIX}PARTITIONS is {partitions}, and the stored customers are in "
            f"{reached.partitions} partitions: the topics were altered in place, which puts a "
            "customer's next event into another one than the state; see 'Add partitions' in "
            "grafana/RUNBOOK.md."
        )


def _same_days(one: str, other: str) -> bool:
    """Zones have several names, and new ones at times: Europe/Kiev is Europe/Kyiv."""
    try:
        return one == other or Days(one).same_as(Days(other))
    except ValueError:  # a name that this machine has forgotten
        return False
