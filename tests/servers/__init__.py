"""Real servers for tests, benchmarks and fault runs: Apache Kafka and Redis, without Docker."""
