"""What is said of wrong usage: the framework's sentence, in plain words and as one."""

import re
from typing import Final

_PLAIN: Final = (
    (r"\. Did you mean (.+)\?$", r" (did you mean \1?)"),
    (r"^Invalid value: ", ""),
    (r": Value error, ", ": "),
    (r"does not match the formats '%Y-%m-%d'", "is no date such as 2026-03-31"),
    (r": Input should be greater than or equal to (.+)", r", which must be at least \1"),
    (r": Input should be less than or equal to (.+)", r", which must be at most \1"),
    (r": Input should be a valid integer.*", ", which must be a whole number"),
    (r": Input should be a valid number.*", ", which must be a number"),
)
"""Patterns of typer's, click's and pydantic's words. What none of them meets is said as it is."""


def plain(said: str) -> str:
    """The sentence, without its full stop.

    Args:
        said: what the framework says.
    """
    sentence = said.rstrip(".")
    for pattern, words in _PLAIN:
        sentence = re.sub(pattern, words, sentence)
    return sentence[:1].upper() + sentence[1:]
