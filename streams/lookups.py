"""Scores and rankings as Redis holds them, for the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import msgspec
import redis

from models.score import Score, decode
from sinks.redis_errors import explain, tls_hint
from sinks.redis_keys import RedisKeys
from sinks.sink import Unusable
from streams.complaint import Complaint
from streams.settings import PREFIX, Settings

_PORTION: Final = 1_000
TIMEOUT_S: Final = 10.0


class RedisAway(Complaint):
    """Redis does not answer, or refuses; the message says where and what to do."""


class NoScore(Complaint):
    """Something else is where a score should be; the message says where and what to do."""


class Ranked(NamedTuple):
    """One customer of a ranking; the score is None where it was removed meanwhile."""

    customer_id: str
    value_minor: int
    score: Score | None


class Lookups:
    """Reads what the workers wrote. Nothing here writes.

    Args:
        settings: where Redis is, and with which prefix.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._address = settings.redis_address
        self._keys = RedisKeys(settings.redis_prefix)
        self._redis = redis.Redis.from_url(
            settings.redis_url.get_secret_value(),
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
        )

    def score_json(self, customer_id: str) -> bytes | None:
        """A customer's score as it is published; None where there is none.

        Raises:
            RedisAway: it could not be asked.
        """
        with self._reaching():
            found: Any = self._redis.get(self._keys.score + customer_id.encode())
        return bytes(found) if found is not None else None

    def score(self, customer_id: str) -> Score | None:
        """A customer's score; None where there is none.

        Raises:
            RedisAway: it could not be asked.
            NoScore: something else is there.
        """
        found = self.score_json(customer_id)
        return self._score(customer_id.encode(), found)

    def top(self, by: str, count: int) -> list[Ranked]:
        """The first customers of a ranking, those with a value of 0 or less left out.

        Args:
            by: `total` or `risk`.
            count: how many at most.

        Raises:
            RedisAway: it could not be asked.
            NoScore: something else is where a score should be.
        """
        with self._reaching():
            ranked: Any = self._redis.zrange(
                self._keys.rankings[by],
                "+inf",
                "(0",
                desc=True,
                byscore=True,
                offset=0,
                num=count,
                withscores=True,
            )
            found: Any = (
                self._redis.mget([self._keys.score + customer for customer, _ in ranked])
                if ranked
                else []
            )
        return [
            Ranked(customer.decode(), round(value), self._score(customer, json))
            for (customer, value), json in zip(ranked, found, strict=True)
        ]

    def scores(self) -> Iterator[Score]:
        """Every customer's score, the most valuable first.

        Raises:
            RedisAway: it could not be asked.
            NoScore: something else is where a score should be.
        """
        with self._reaching():
            ranked: Any = self._redis.zrange(self._keys.total, 0, -1, desc=True)
            for at in range(0, len(ranked), _PORTION):
                some = ranked[at : at + _PORTION]
                found: Any = self._redis.mget([self._keys.score + customer for customer in some])
                scores = map(self._score, some, found)
                yield from (score for score in scores if score is not None)

    def customers(self) -> int:
        """How many customers have a score.

        Raises:
            RedisAway: it could not be asked.
        """
        with self._reaching():
            found: Any = self._redis.zcard(self._keys.total)
        return int(found)

    def _score(self, customer: bytes, found: bytes | None) -> Score | None:
        try:
            return None if found is None else decode(found)
        except msgspec.DecodeError as error:
            key = (self._keys.score + customer).decode(errors="replace")
            raise NoScore(
                f"Redis at {self._address} holds something under {key} that is no score ({error}): "
                f"delete that key, or choose another {PREFIX}REDIS_PREFIX."
            ) from error

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise RedisAway(self._sentence(error)) from error

    def _sentence(self, error: redis.RedisError) -> str:
        found = explain(error, self._address)
        if isinstance(found, Unusable):
            return str(found)
        url = self._url.get_secret_value()
        remedy = tls_hint(error, url) or f"start it, or set {PREFIX}REDIS_URL"
        return f"Redis does not answer at {self._address}: {remedy}."
