"""`python -m tests.recount`: recounts Kafka's input, compares the output; 1 if they differ."""

import argparse
import json
import sys
import time
from decimal import Decimal

from tests.recount.compare import compare
from tests.recount.judge import Rules
from tests.recount.outputs import read_outputs, read_redis, recount_topics


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.recount", description=__doc__)
    parser.add_argument("--bootstrap", default="localhost:9092")
    parser.add_argument("--redis", default="redis://localhost:6379/0")
    parser.add_argument("--prefix", default="clv:")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--currency", default="EUR")
    parser.add_argument("--rate", action="append", default=[], metavar="USD=0.92")
    parser.add_argument("--timezone", default="UTC")
    parser.add_argument("--retention-days", type=int, default=730)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rates = {name: Decimal(rate) for name, rate in (text.split("=") for text in chosen.rate)}
    rules = Rules(
        partitions=chosen.partitions,
        currency=chosen.currency,
        rates=rates,
        timezone=chosen.timezone,
        retention_days=chosen.retention_days,
    )
    started_s = time.monotonic()
    counted = recount_topics(chosen.bootstrap, rules)
    outputs = read_outputs(chosen.bootstrap, rules.partitions)
    found = compare(counted, outputs, read_redis(chosen.redis, chosen.prefix))
    took_s = time.monotonic() - started_s
    print(json.dumps(found.as_json()) if chosen.json else f"{found}\n\n{took_s:.1f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
