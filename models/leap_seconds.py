"""The 61st second of a minute, which RFC 3339 allows and hardly anything that reads times knows."""

import re
from typing import Final

_LEAP_SECOND: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:)60(?:\.\d+)?((?:[^\d.].*)?)", re.ASCII
)


def without_leap_second(time: str) -> str:
    """A time of a second 60 as the last millisecond of its minute; any other text as it is.

    Epoch milliseconds have no leap second, and with the last millisecond the order of events
    stays right. Which minutes had one is not asked: that is announced half a year ahead.

    Source: RFC 3339, section 5.6 (`time-second`) and appendix D.
    """
    leap = _LEAP_SECOND.fullmatch(time)
    return time if leap is None else f"{leap[1]}59.999{leap[2]}"
