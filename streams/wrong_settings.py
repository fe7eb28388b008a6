"""What is said about a wrong setting: its name, what it was, what it may be."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from streams.complaint import Complaint

_TYPO_SIMILARITY: Final = 0.78
"""Finds TEIRS, TIER and KAFKA_BOOTSTRAP_SERVERS; leaves REDIS_PORT, which Kubernetes sets."""

_NOT_OURS: Final = ("TEST_", "CHAOS_", "REQUIRE_")
"""What follows the prefix in the names of variables that tests and fault runs read."""

_BOUNDS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


class WrongSettings(Complaint):
    """One or more settings are wrong; each line of the message is a sentence about one."""

    status: ClassVar[int] = 2


def sentence(error: ErrorDetails, name: str, field: FieldInfo, *, secret: bool) -> str:
    """Say what is wrong with one setting.

    Args:
        error: what pydantic found.
        name: the environment variable.
        field: the setting's definition.
        secret: leave the value out.
    """
    value = "has a wrong value (not shown, as it may hold a password)"
    if not secret:
        value = f"is {_shown(error['input'])}"
    return f"{name} {value}; it {_may_be(error, field)}."


def misspelt(environ: Iterable[str], known: Iterable[str], prefix: str) -> list[str]:
    """Name the variables that look like a misspelt setting.

    A variable that begins with `prefix` and resembles no setting is left alone: it may belong to
    the tests, or to whoever deploys.

    Args:
        environ: names of all environment variables.
        known: names of all settings, with the prefix.
        prefix: what settings begin with.
    """
    settings = {name.removeprefix(prefix): name for name in known}
    sentences = []
    for name in sorted(environ):
        if not name.startswith(prefix) or name.removeprefix(prefix) in settings:
            continue
        near = difflib.get_close_matches(
            name.removeprefix(prefix), settings, n=1, cutoff=_TYPO_SIMILARITY
        )
        if near:
            sentences.append(f"{name} is no setting; did you mean {settings[near[0]]}?")
    return sentences


def unknown(environ: Iterable[str], known: Iterable[str], prefix: str) -> list[str]:
    """Name the variables that begin like a setting and are none, each with what may be meant.

    Args:
        environ: names of all environment variables, in either case, as settings are read.
        known: names of all settings, with the prefix.
        prefix: what settings begin with.
    """
    settings = [name.removeprefix(prefix) for name in known]
    named = []
    for name in sorted(environ):
        rest = name.upper().removeprefix(prefix)
        if rest == name.upper() or rest in settings or rest.startswith(_NOT_OURS):
            continue
        meant = _meant(rest, settings)
        named.append(name if meant is None else f"{name} (is it {prefix}{meant}?)")
    return named


def _meant(name: str, settings: Iterable[str]) -> str | None:
    """The setting that shares most of its words with a name: the first words count more."""
    if near := difflib.get_close_matches(name, settings, n=1, cutoff=_TYPO_SIMILARITY):
        return near[0]
    words = _words(name)

    def likeness(setting: str) -> tuple[float, bool]:
        of_setting = _words(setting)
        return len({*of_setting} & {*words}) / len(of_setting), of_setting[0] == words[0]

    best = max(settings, key=likeness)
    return best if likeness(best)[0] else None


def _words(name: str) -> list[str]:
    return [word.removesuffix("S") for word in name.split("_")]


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 80 else text[:77] + "...")  # noqa: PLR2004 - a line


def _may_be(error: ErrorDetails, field: FieldInfo) -> str:
    context: Mapping[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"must be {_alternatives(field.annotation)}"
        case "path_not_file":
            return "must be the path of a file that exists"
        case _ if field.annotation is int:
            return f"must be a whole number{_bounds(field)}"
        case _ if field.annotation is float:
            return f"must be a number{_bounds(field)}"
        case _:
            return f"is not right: {error['msg']}"


def _alternatives(annotation: object) -> str:
    if get_origin(annotation) is not Literal:
        return "another value"
    *others, last = get_args(annotation)
    return f"{', '.join(others)} or {last}"


def _bounds(field: FieldInfo) -> str:
    said = [
        f"{words} {getattr(bound, name):g}"
        for bound in field.metadata
        for name, words in _BOUNDS.items()
        if hasattr(bound, name)
    ]
    return f", {' and '.join(said)}" if said else ""
