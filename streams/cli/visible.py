"""Text that publishers wrote, made safe for a terminal."""


def visible(text: str) -> str:
    r"""The text, with what is no letter or sign written out, as `\x1b` or `\n`.

    An id or a dead letter may hold any character: one that begins a terminal's command, turns the
    direction of writing or ends the line would change what stands around it.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
