"""Everything that leaves: Redis, output topics, metrics."""
