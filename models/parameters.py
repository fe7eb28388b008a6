"""A fitted model: its parameters with their units, and the JSON that carries them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite, log
from typing import Any

from models.engagement import EngagementOffset
from models.money import minor_digits

SCHEMA = 1

_DAYS_IN = {"day": 1.0, "week": 7.0}
_MONEY_UNITS = ("minor", "major")

# Which parameters each model has, and how its likelihood calls them.
PURCHASE_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "mbg-nbd": ("r", "alpha", "a", "b"),
    "bg-nbd": ("r", "alpha", "a", "b"),
    "pareto-nbd": ("r", "alpha", "s", "beta"),
}
SPEND_PARAMETERS = ("p", "q", "v")

OFFSET_MODELS = ("mbg-nbd", "bg-nbd")
"""Those that take an offset of engagement. Not Pareto/NBD: what a customer who buys is expected to
buy may rise in silence there."""

_SUMMED = (
    "schema",
    "model",
    "version",
    "time_unit",
    "money_unit",
    "currency",
    "purchases",
    "spend",
    "extent",
    "engagement",
)
_OFFSET = ("half_life_days", "intercept", "slope")
# These are times: they scale with the unit of time.
_TIMES = frozenset({"alpha", "beta"})


class InvalidParameters(ValueError):
    """Parameters that no model can be computed with, and what to change."""


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """A model of purchases and one of order value, in days and minor units.

    Purchases come at a rate that is Gamma(r, alpha) over the customers. What makes them stop:
    after a purchase with a probability that is Beta(a, b) (BG/NBD, MBG/NBD), or at a rate that
    is Gamma(s, beta) (Pareto/NBD). The mean order value of a customer is inverse Gamma with
    q and p·v (Gamma-Gamma).
    """

    model: str = "mbg-nbd"
    r: float
    alpha: float
    """Days."""
    a: float = 0.0
    b: float = 0.0
    s: float = 0.0
    beta: float = 0.0
    """Days."""
    p: float
    q: float
    """Above 1, or the mean order value would be infinite."""
    v: float
    """Minor units of `currency`."""
    currency: str
    engagement: EngagementOffset | None = None
    """What engagement adds; None: it is not asked."""
    version: str = "unversioned"
    extent: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What the model was fitted to: customers, purchases, first and last day."""

    def __post_init__(self) -> None:
        """Refuse what cannot be computed with, by name.

        Raises:
            InvalidParameters: unknown model, or a parameter out of its range.
        """
        if self.model not in PURCHASE_PARAMETERS:
            known = ", ".join(PURCHASE_PARAMETERS)
            raise InvalidParameters(f"unknown model {self.model!r}: it may be {known}")
        for name in (*PURCHASE_PARAMETERS[self.model], *SPEND_PARAMETERS):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise InvalidParameters(f"{name} of {self.model} must be above 0, not {value}")
        if self.q <= 1:
            raise InvalidParameters(f"q must be above 1, not {self.q}: the mean would be infinite")
        if self.engagement is not None and self.model not in OFFSET_MODELS:
            raise InvalidParameters(
                "engagement has no offset in pareto-nbd, where the predicted value could rise in "
                "silence: fit mbg-nbd or bg-nbd"
            )

    @property
    def name(self) -> str:
        """Both models, as a score names them: `mbg-nbd+gamma-gamma`."""
        return f"{self.model}+gamma-gamma"

    def to_json(self, time_unit: str = "day", money_unit: str = "minor") -> dict[str, Any]:
        """The parameters as a JSON object, with a checksum.

        Args:
            time_unit: `day` or `week`.
            money_unit: `minor` or `major`.
        """
        scale = {
            **dict.fromkeys(_TIMES, _DAYS_IN[time_unit]),
            "v": _minor_in(money_unit, self.currency),
        }
        purchases, spend = (
            {name: getattr(self, name) / scale.get(name, 1.0) for name in names}
            for names in (PURCHASE_PARAMETERS[self.model], SPEND_PARAMETERS)
        )
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "model": self.model,
            "version": self.version,
            "time_unit": time_unit,
            "money_unit": money_unit,
            "currency": self.currency,
            "purchases": purchases,
            "spend": spend,
            "extent": dict(self.extent),
        }
        if self.engagement is not None:
            document["engagement"] = asdict(self.engagement)
        return {**document, "checksum": checksum(document)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "ModelParams":
        """The parameters of a JSON object, converted to days and minor units.

        Args:
            document: `model`, `purchases`, `spend`, `currency`, `time_unit` (`day`, `week`) and
                `money_unit` (`minor`, `major`); `version`, `extent`, `engagement` and `checksum`
                may be left out.

        Raises:
            InvalidParameters: something missing, of another type, or out of range.
        """
        try:
            model, currency = document["model"], document["currency"]
            time_unit, money_unit = document["time_unit"], document["money_unit"]
            purchases, spend = document["purchases"], document["spend"]
        except KeyError as error:
            raise InvalidParameters(f"{error.args[0]} is missing") from None
        if document.get("checksum", checksum(document)) != checksum(document):
            raise InvalidParameters(
                "the checksum does not belong to these parameters: fit again, or remove it if "
                "they were changed on purpose"
            )
        if document.get("schema", SCHEMA) != SCHEMA:
            raise InvalidParameters(f"schema {document['schema']!r} is not one that is known here")
        if time_unit not in _DAYS_IN:
            raise InvalidParameters(f"time_unit {time_unit!r}: it may be {', '.join(_DAYS_IN)}")
        if money_unit not in _MONEY_UNITS:
            raise InvalidParameters(
                f"money_unit {money_unit!r}: it may be {', '.join(_MONEY_UNITS)}"
            )
        if model not in PURCHASE_PARAMETERS:
            known = ", ".join(PURCHASE_PARAMETERS)
            raise InvalidParameters(f"unknown model {model!r}: it may be {known}")
        values = _numbers(purchases, PURCHASE_PARAMETERS[model], "purchases")
        values |= _numbers(spend, SPEND_PARAMETERS, "spend")
        for name in _TIMES & values.keys():
            values[name] *= _DAYS_IN[time_unit]
        values["v"] *= _minor_in(money_unit, currency)
        return cls(
            engagement=_offset(document.get("engagement")),
            model=model,
            currency=currency,
            version=str(document.get("version", "unversioned")),
            extent=dict(document.get("extent", {})),
            **values,
        )


def _offset(source: object) -> EngagementOffset | None:
    if source is None:
        return None
    try:
        return EngagementOffset(**_numbers(source, _OFFSET, "engagement"))
    except InvalidParameters:
        raise
    except ValueError as error:
        raise InvalidParameters(f"engagement.{error}") from None


def checksum(document: Mapping[str, Any]) -> str:
    """SHA-256 of what a parameter document says, its checksum and fit statistics apart."""
    said = {name: document[name] for name in _SUMMED if name in document}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def log_unit(unit: str, currency: str = "") -> float:
    """Logarithm of a unit's size in days or minor units: what a log density per unit gains.

    Args:
        unit: `day`, `week`, `minor` or `major`.
        currency: of `major`.
    """
    return log(_DAYS_IN[unit] if unit in _DAYS_IN else _minor_in(unit, currency))


def _minor_in(money_unit: str, currency: str) -> float:
    return 10.0 ** minor_digits(currency) if money_unit == "major" else 1.0


def released(params: ModelParams, extent: Mapping[str, Any]) -> ModelParams:
    """Fitted parameters with what they were fitted to, and a version that this determines.

    Args:
        params: as fitted.
        extent: of the data; its `last_day` is part of the version.
    """
    unnamed = replace(params, extent=extent, version="")
    digest = unnamed.to_json()["checksum"]
    last_day = extent.get("last_day", "undated")
    return replace(unnamed, version=f"{params.model}-{last_day}-{digest[:8]}")


def _numbers(source: object, names: tuple[str, ...], where: str) -> dict[str, float]:
    if not isinstance(source, Mapping):
        raise InvalidParameters(f"{where} must be an object")
    values: dict[str, float] = {}
    for name in names:
        value = source.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidParameters(f"{where}.{name} must be a number, not {value!r}")
        values[name] = float(value)
    return values


CDNOW = ModelParams.from_json(
    {
        "model": "mbg-nbd",
        "version": "cdnow-1997-09-30",
        "time_unit": "week",
        "money_unit": "major",
        "currency": "USD",
        "purchases": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
        "spend": {"p": 6.25, "q": 3.74, "v": 15.44},
        "extent": {"customers": 2357, "first_day": "1997-01-01", "last_day": "1997-09-30"},
    }
)
"""The 2,357 customers of CDNOW to week 39: a prior for shops that have not fitted their own."""
