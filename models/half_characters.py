r"""Escapes of half a character: `\ud83d` without the low surrogate that should follow it.

JavaScript's `JSON.stringify` writes one for a text that was cut within an emoji. RFC 8259 has it
in its grammar (section 7), and leaves open what it means (section 8.2): the decoder refuses it
anywhere, and the contract only minds it in the fields that it names.
"""

import re
from typing import Final

_HIGH: Final = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF: Final = re.compile(
    rb"%(high)b(?!%(low)b)|(?<!%(high)b)%(low)b" % {b"high": _HIGH, b"low": _LOW}
)

# A noncharacter, in a spelling of its own: the same one of the publisher's is spelt otherwise.
_STAND_IN: Final = rb"\uFdD0"
_SPELT_OTHERWISE: Final = _STAND_IN.lower()

# As long as what it stands for, and in no JSON.
_BACKSLASH: Final = rb"\\"
_HIDDEN: Final = b"\0\0"


def whole_characters(value: bytes) -> bytes:
    """The value with a noncharacter in place of each half of one; as long as before.

    Args:
        value: what may be JSON.

    Returns:
        The same JSON, but for the halves, which `holds_half` finds; what is none stays none.
    """
    if rb"\u" not in value or b"\0" in value:  # without an escape, or no JSON
        return value
    # Once escaped backslashes are out of the way, every backslash begins an escape.
    plain = value.replace(_BACKSLASH, _HIDDEN).replace(_STAND_IN, _SPELT_OTHERWISE)
    return _HALF.sub(re.escape(_STAND_IN), plain).replace(_HIDDEN, _BACKSLASH)


def holds_half(text: bytes) -> bool:
    """Whether a part of what `whole_characters` gave had half a character.

    Args:
        text: of JSON; its escapes as they came.
    """
    return _STAND_IN in text.replace(_BACKSLASH, _HIDDEN)
