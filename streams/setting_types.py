"""What a setting may be: how it is read from its variable, and what is refused.

What is refused is said as "must be …"; `streams.wrong_settings` puts the name before it.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from models.policy import InvalidPolicy, check_churn_levels, check_tiers
from streams import notation

DAY: Final = timedelta(days=1)
PORT_MAX: Final = 65_535
TIERS_EXAMPLE: Final = "bronze:0,silver:10000,gold:50000,platinum:200000"
CHURN_LEVELS_EXAMPLE: Final = "medium:0.25,high:0.5"


def _from_text(read: Callable[[str], Any]) -> BeforeValidator:
    """Read what the environment holds; leave what a program passes as it is."""
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


def _tiers(value: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    try:
        check_tiers(value)
    except InvalidPolicy as error:
        raise ValueError(f"must be tiers such as {TIERS_EXAMPLE}: {error}") from error
    return value


def _churn_levels(value: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    try:
        check_churn_levels(value)
    except InvalidPolicy as error:
        raise ValueError(f"must be levels such as {CHURN_LEVELS_EXAMPLE}: {error}") from error
    return value


def _bootstrap(text: str) -> str:
    servers = [server.strip() for server in text.split(",")]
    named = [re.fullmatch(r"(?:\[[0-9a-fA-F:]+\]|[^\s:/]+):(\d{1,5})", each) for each in servers]
    if not all(each and 0 < int(each[1]) <= PORT_MAX for each in named):
        raise ValueError("must be host:port, or several with commas between, such as kafka:9092")
    return ",".join(servers)


def _redis_url(secret: SecretStr) -> SecretStr:
    try:
        url = urlsplit(secret.get_secret_value())
        known = url.scheme in {"redis", "rediss", "unix"} and (url.hostname or url.path)
        _ = url.port
    except ValueError:
        known = False
    if not known:
        raise ValueError(
            "must be redis://HOST:PORT/NUMBER, rediss:// for TLS or unix:///PATH for a socket"
        )
    # redis-py would take database 0 for a name, and 12 for 1/2.
    databases = parse_qs(url.query).get("db", [])
    if url.scheme != "unix":
        databases.append(url.path.removeprefix("/"))
    if not all(re.fullmatch(r"[0-9]*", database) for database in databases):
        raise ValueError(
            "must name the database by its number, as redis://HOST:PORT/NUMBER or by ?db=NUMBER"
        )
    return secret


def within(low: timedelta, high: timedelta, *, whole_days: bool = False) -> AfterValidator:
    """Refuse durations beyond these bounds, and say them; or also parts of days."""
    bounds = f"from {notation.write_duration(low)} to {notation.write_duration(high)}"
    if whole_days:
        bounds += ", of whole days"

    def check(value: timedelta) -> timedelta:
        if not low <= value <= high or (whole_days and value % DAY):
            raise ValueError(f"must be a duration {bounds}")
        return value

    return AfterValidator(check)


def _identifier(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text):
        raise ValueError("must be 1 to 100 letters, digits, dots, underscores or hyphens")
    return text


def _redis_prefix(text: str) -> str:
    if not re.fullmatch(r"[^\s*?\[\]\\]{0,64}", text):
        raise ValueError("must be at most 64 characters without spaces and without * ? [ ]")
    return text


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (LookupError, OSError, ValueError) as error:
        raise ValueError("must be an IANA time zone such as Europe/Berlin") from error
    return text


Bootstrap = Annotated[str, AfterValidator(_bootstrap)]
ChurnLevels = Annotated[
    tuple[tuple[str, float], ...],
    NoDecode,
    _from_text(lambda text: notation.read_shares(text, CHURN_LEVELS_EXAMPLE)),
    AfterValidator(_churn_levels),
]
Currency = Annotated[str, AfterValidator(notation.read_currency)]
Duration = Annotated[timedelta, NoDecode, _from_text(notation.read_duration)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Rates = Annotated[dict[str, Decimal], NoDecode, _from_text(notation.read_rates)]
RedisPrefix = Annotated[str, AfterValidator(_redis_prefix)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
Tiers = Annotated[
    tuple[tuple[str, int], ...],
    NoDecode,
    _from_text(lambda text: notation.read_thresholds(text, TIERS_EXAMPLE)),
    AfterValidator(_tiers),
]
TimeZone = Annotated[str, AfterValidator(_timezone)]
