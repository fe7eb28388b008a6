"""The fault suite: real workers, a real Kafka and Redis, things broken at random, a recount.

    python -m tests.chaos --seconds 180 --seed 1

The seed decides what is published and which faults come; their instants depend on the machine,
so a seed names a kind of run and not a recording. What a run finds becomes a short test of its
own.
"""
