"""Look a customer's score up in Redis, and see whom to call first.

pip install redis
python look_up.py 42
python look_up.py --first 10
"""

import argparse
import json
from datetime import UTC, datetime
from typing import Any

import redis


def score(client: redis.Redis, prefix: str, customer: str) -> dict[str, Any] | None:
    """A customer's current score; None for a customer who has none."""
    found: Any = client.get(f"{prefix}score:{customer}")
    return None if found is None else json.loads(found)


def call_first(client: redis.Redis, prefix: str, count: int) -> list[tuple[str, int]]:
    """Customers with the most value at risk, and that value in minor units."""
    ranked: Any = client.zrange(f"{prefix}rank:risk", 0, count - 1, desc=True, withscores=True)
    return [(customer.decode(), round(at_risk)) for customer, at_risk in ranked]


def is_true_still(found: dict[str, Any], now: datetime) -> bool:
    """Whether tier and churn level still hold, if the customer has been silent since.

    The workers write a new score at that time; one that is overdue says that they do not run.
    """
    until = found["valid_until"]
    return until is None or now < datetime.fromisoformat(until)


def answer(client: redis.Redis, options: argparse.Namespace) -> None:
    """Print what was asked for."""
    if options.first:
        for customer, at_risk in call_first(client, options.prefix, options.first):
            print(f"{at_risk:>12}  {customer}")
        return
    found = score(client, options.prefix, options.customer)
    if found is None:
        raise SystemExit(f"There is no score of customer {options.customer}.")
    late = "" if is_true_still(found, datetime.now(UTC)) else "  (overdue)"
    print(f"{found['tier']}, churn level {found['churn_level']}{late}")
    print(f"total value {found['total_clv_minor']} minor units of {found['currency']}")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Look a score up.")
    parser.add_argument("customer", nargs="?")
    parser.add_argument("--first", type=int, metavar="N", help="the first N to call")
    parser.add_argument("--redis", default="redis://localhost:6379/0", metavar="URL")
    parser.add_argument("--prefix", default="clv:")
    options = parser.parse_args()
    if not options.first and options.customer is None:
        parser.error("give a customer, or --first N")
    try:
        client = redis.Redis.from_url(options.redis, socket_timeout=5)
    except ValueError as error:
        parser.error(f"--redis: {error}")
    try:
        with client:
            answer(client, options)
    except redis.RedisError as error:
        why = str(error).rstrip(".")
        raise SystemExit(
            f"Redis did not answer: {why}. Does --redis say where it is, with its password?"
        ) from None


if __name__ == "__main__":
    main()
