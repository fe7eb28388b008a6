"""Published parameters: which can be used, which are the newest, which are asked for by name."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import orjson

from models.parameters import InvalidParameters, ModelParams
from models.trial import try_out

KEPT_MAX: Final = 16
"""Releases that can be asked for: a partition is behind by one, or by a few after an outage."""

BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True)
class Released:
    """Parameters, and since when they have been there.

    Attributes:
        params: parameters.
        at_ms: when they were published, epoch ms; 0 for those that a worker was started with.
    """

    params: ModelParams
    at_ms: int = 0


class Releases:
    """What a worker knows: the parameters it was started with, and what was published since.

    Attributes:
        own: what it was started with.
        newest: what it would have all customers scored by.
    """

    def __init__(
        self,
        own: ModelParams,
        currency: str,
        horizon_days: float = 365.0,
        discount_rate: float = 0.0,
    ) -> None:
        """Nothing was published yet.

        Args:
            own: what the worker was started with.
            currency: that customers are scored in.
            horizon_days: that purchases are predicted for.
            discount_rate: annual effective.
        """
        self._scored_by = currency, horizon_days, discount_rate
        self.own = self.newest = Released(own)
        self._known: OrderedDict[tuple[str, int], Released] = OrderedDict()

    def take(self, value: bytes, at_ms: int) -> Released:
        """Add what was published.

        Args:
            value: of the record, JSON.
            at_ms: its Kafka timestamp, epoch ms.

        Raises:
            InvalidParameters: it cannot be used, and nothing has changed.
        """
        params = read_published(value, *self._scored_by)
        if at_ms < self.newest.at_ms:
            raise InvalidParameters(
                "they are older than those in use: the publisher's clock is behind; publish them "
                "again"
            )
        for known in (self.own, *self._known.values()):
            if known.params.version == params.version and known.params != params:
                raise InvalidParameters(
                    f"other parameters have the version {params.version}: give these another one"
                )
        self.newest = Released(params, at_ms)
        self._known[params.version, at_ms] = self.newest
        while len(self._known) > KEPT_MAX:
            self._known.popitem(last=False)
        return self.newest

    def find(self, version: str, at_ms: int) -> Released | None:
        """The parameters of that name and time; None where they are not known (yet)."""
        if (version, at_ms) == (self.own.params.version, self.own.at_ms):
            return self.own
        return self._known.get((version, at_ms))


def read_published(
    value: bytes, currency: str, horizon_days: float, discount_rate: float
) -> ModelParams:
    """Parameters that somebody published.

    Args:
        value: JSON, as `clv fit --publish` writes it.
        currency: that customers are scored in.
        horizon_days: that purchases are predicted for.
        discount_rate: annual effective.

    Raises:
        InvalidParameters: no customer can be scored by them, and why.
    """
    document = _document(value)
    for name in ("version", "checksum"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise InvalidParameters(f"{name} is missing: publish what `clv fit` wrote")
    try:
        params = ModelParams.from_json(document)
    except InvalidParameters:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise InvalidParameters("they are not as `clv fit` writes them") from error
    if params.currency != currency:
        raise InvalidParameters(
            f"they are in {params.currency}, and customers are scored in {currency}: fit again "
            f"in {currency}"
        )
    try_out(params, horizon_days, discount_rate)
    return params


def _document(value: bytes) -> dict[str, Any]:
    if len(value) > BYTES_MAX:
        raise InvalidParameters(f"they have {len(value)} bytes, more than {BYTES_MAX}")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidParameters(f"they are no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidParameters("they are no JSON object")
    return document
