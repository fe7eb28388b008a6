"""Every setting of the program: environment variables that begin with `CLV_`.

A wrong setting ends the program with exit status 2 and one sentence that names it, says what it
was and what it may be. So does a variable whose name looks like a misspelt setting: a mistyped
threshold that silently does not hold would publish wrong tiers to everyone downstream.
"""

import json
import os
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.parameters import CDNOW, InvalidParameters, ModelParams
from models.policy import Policy, TierMetric
from models.trial import try_out
from streams import notation
from streams.setting_types import (
    CHURN_LEVELS_EXAMPLE,
    DAY,
    PORT_MAX,
    TIERS_EXAMPLE,
    Bootstrap,
    ChurnLevels,
    Currency,
    Duration,
    Identifier,
    Rates,
    RedisPrefix,
    RedisUrl,
    Tiers,
    TimeZone,
    within,
)
from streams.wrong_settings import WrongSettings, misspelt, sentence, unknown

PREFIX: Final = "CLV_"


class Settings(BaseSettings):
    """What can be set, with its default. Durations are `timedelta`, money minor units.

    The sentence below each is its row in docs/settings.md (`python -m streams.settings_page`).
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # Compose passes `${CLV_X:-}` on as an empty variable
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # an input may be a secret
        use_attribute_docstrings=True,  # docs/settings.md is made of them
    )

    kafka_bootstrap: Bootstrap = "localhost:9092"
    """Brokers to begin with."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How Kafka is spoken to."""

    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How user and password are shown, where the protocol is `SASL_…`."""

    kafka_sasl_username: str | None = None
    """Who the program is to Kafka; needed where the protocol is `SASL_…`."""

    kafka_sasl_password: SecretStr | None = None
    """The password that goes with it."""

    kafka_ssl_cafile: FilePath | None = None
    """PEM file of the authority that signed the brokers' certificates; else the machine's own."""

    group: Identifier = "clv"
    """Workers with one name share the partitions; the changelog is
    `<CLV_GROUP>-state-changelog`."""

    partitions: Annotated[int, Field(ge=1, le=10_000)] = 4
    """How many each topic has; fixed once they exist."""

    replication_factor: Annotated[int, Field(ge=1, le=32)] = 1
    """Copies of each topic that `clv topics apply` makes; 3 in production."""

    instance: Identifier | None = None
    """Name of this worker, each its own: a restarted one gets its partitions back at once."""

    redis_url: RedisUrl = SecretStr("redis://localhost:6379/0")
    """Where scores and rankings are written and looked up; `redis://:PASSWORD@HOST:PORT/0` with a
    password."""

    redis_prefix: RedisPrefix = "clv:"
    """What every key begins with."""

    metrics_port: Annotated[int, Field(ge=0, le=PORT_MAX)] = 9464
    """Where a worker serves `/metrics`, `/healthz` and `/readyz`; 0 for any free port."""

    currency: Currency = "EUR"
    """The reporting currency, of all amounts that are published."""

    rates: Rates = Field(default_factory=dict)
    """Other currencies that events may have; one without a rate is refused (`bad_currency`)."""

    horizon: Annotated[Duration, within(DAY, 3660 * DAY)] = 365 * DAY
    """How far ahead purchases are predicted."""

    discount_rate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Annual effective rate at which predicted purchases are discounted."""

    tiers: Tiers = notation.read_thresholds(TIERS_EXAMPLE, TIERS_EXAMPLE)
    """Names and thresholds of the tiers, lowest first."""

    tier_metric: TierMetric = "rolling"
    """The value that the tier follows."""

    hysteresis: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Up at a threshold, down only where it is missed by this share of it; churn levels too."""

    churn_levels: ChurnLevels = notation.read_shares(CHURN_LEVELS_EXAMPLE, CHURN_LEVELS_EXAMPLE)
    """Names and thresholds of `activity_decline`, above the level `low`."""

    churn_min_value: Annotated[int, Field(ge=0)] = 0
    """Minor units: who was predicted to be worth less than this right after their last purchase
    keeps their churn level."""

    timezone: TimeZone = "UTC"
    """Whose midnight ends a day."""

    retention: Annotated[Duration, within(DAY, 3660 * DAY, whole_days=True)] = 730 * DAY
    """How many days before that of the customer's newest event one may be and still count to its
    day; also how long `clv topics apply` has Kafka keep the inputs."""

    future_tolerance: Annotated[Duration, within(timedelta(), 366 * DAY)] = timedelta(hours=1)
    """How far ahead of its record's Kafka timestamp an event may have happened; beyond, it is
    refused (`future_time`)."""

    dead_letter_limit: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """Share of a worker's last 10,000 events; with more of them bad it stops and commits nothing
    more. 1 switches it off."""

    model_params: FilePath | None = None
    """Fitted parameters, as `clv fit` writes them; without it CDNOW's. What `clv fit --publish`
    published comes first."""

    tick_interval: Annotated[Duration, within(timedelta(milliseconds=10), DAY)] = timedelta(
        milliseconds=250
    )
    """How often a tick is made, by which silence acts."""

    clock: Literal["wall", "events"] = "wall"
    """`wall`: the time of day; `events`: time moves only with the newest event seen, for replays
    and tests."""

    publisher_silence: Annotated[Duration, within(timedelta(), 366 * DAY)] = DAY
    """No purchase for so long while engagements come: the publisher seems to be dead, and no
    silence is believed. 0s switches it off."""

    batch_events: Annotated[int, Field(ge=1, le=100_000)] = 50_000
    """Most events that a worker has in work, and so in one transaction; fewer take less memory and
    more CPU."""

    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        """Check what only several settings together can get wrong."""
        protocol = self.kafka_security_protocol
        needed = protocol.startswith("SASL_")
        for name in ("kafka_sasl_username", "kafka_sasl_password"):
            if bool(getattr(self, name)) != needed:
                wrong = "is not set" if needed else "is set"
                why = "needs it" if needed else "shows no user: leave it out, or set SASL_SSL"
                raise ValueError(
                    f"{PREFIX}{name.upper()} {wrong}, and "
                    f"{PREFIX}KAFKA_SECURITY_PROTOCOL={protocol} {why}."
                )
        if self.rates.get(self.currency, Decimal(1)) != 1:
            raise ValueError(
                f"{PREFIX}RATES gives {self.currency} a rate of {self.rates[self.currency]}, but "
                f"it is {PREFIX}CURRENCY itself, which is worth 1: leave it out."
            )
        return self

    @classmethod
    def load(cls, **overrides: Any) -> "Settings":
        """Read the settings from the environment.

        Args:
            overrides: settings by field name, in place of the environment's.

        Raises:
            WrongSettings: with a sentence for each that is wrong.
        """
        names = cls._names()
        sentences = misspelt(os.environ, names.values(), PREFIX)
        try:
            settings = cls(**overrides)
        except ValidationError as failure:
            for error in failure.errors():
                field = str(error["loc"][0]) if error["loc"] else ""
                if field in names:
                    definition = cls.model_fields[field]
                    secret = "SecretStr" in str(definition.annotation)
                    sentences.append(sentence(error, names[field], definition, secret=secret))
                else:
                    sentences.append(str(error.get("ctx", {}).get("error", error["msg"])))
        if sentences:
            raise WrongSettings("\n".join(sentences))
        return settings

    @classmethod
    def without_effect(cls) -> list[str]:
        """Names of the environment's variables that begin like a setting and are none."""
        return unknown(os.environ, cls._names().values(), PREFIX)

    @classmethod
    def _names(cls) -> dict[str, str]:
        return {name: PREFIX + name.upper() for name in cls.model_fields}

    def params(self) -> ModelParams:
        """The fitted model: of the file that `CLV_MODEL_PARAMS` names, or CDNOW's.

        Raises:
            WrongSettings: the file cannot be read, is of another currency, or no customer can be
                scored by it.
        """
        if self.model_params is None:
            return CDNOW
        name = f"{PREFIX}MODEL_PARAMS is {str(self.model_params)!r}"
        try:
            document = json.loads(self.model_params.read_bytes())
            params = ModelParams.from_json(document)
        except OSError as error:
            raise WrongSettings(f"{name}, which cannot be read: {error.strerror}.") from error
        except (ValueError, TypeError) as error:
            why = f": {error}" if isinstance(error, InvalidParameters) else ""
            raise WrongSettings(
                f"{name}; it must be a file that `clv fit` wrote, and is not{why}."
            ) from error
        if params.currency != self.currency:
            raise WrongSettings(
                f"{name}, fitted in {params.currency}; it must be fitted in {self.currency}, "
                f"or {PREFIX}CURRENCY must be {params.currency}."
            )
        try:
            try_out(params, self.horizon_days, self.discount_rate)
        except InvalidParameters as error:
            raise WrongSettings(
                f"{name}; it must hold parameters that customers can be scored by, and does not: "
                f"{error}."
            ) from error
        return params

    def policy(self) -> Policy:
        """The rules by which customers are scored.

        Raises:
            WrongSettings: the model parameters cannot be used.
        """
        return Policy(
            horizon_days=self.horizon_days,
            discount_rate=self.discount_rate,
            currency=self.currency,
            tiers=self.tiers,
            tier_metric=self.tier_metric,
            hysteresis=self.hysteresis,
            churn_levels=self.churn_levels,
            churn_min_value_minor=self.churn_min_value,
            retention_days=self.retention // DAY,
            timezone=self.timezone,
            params=self.params(),
        )

    @property
    def horizon_days(self) -> float:
        """How far ahead purchases are predicted, in days."""
        return self.horizon / DAY

    @property
    def redis_address(self) -> str:
        """Where Redis is, without user and password: for messages."""
        url = urlsplit(self.redis_url.get_secret_value())
        if url.scheme == "unix":
            return url.path
        return f"{url.hostname}:{url.port or 6379}{url.path}"

    @property
    def future_tolerance_ms(self) -> int:
        """How far ahead of its record's timestamp an event may be, in ms."""
        return self.future_tolerance // timedelta(milliseconds=1)

    @property
    def publisher_silence_ms(self) -> int:
        """Silence of a topic from which on its publisher may be dead, in ms; 0 for never."""
        return self.publisher_silence // timedelta(milliseconds=1)

    @property
    def tick_interval_seconds(self) -> float:
        """Seconds between two ticks of a partition."""
        return self.tick_interval.total_seconds()
