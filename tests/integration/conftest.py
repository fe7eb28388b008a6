"""Kafka and Redis with TLS, users and passwords, for the tests of one module."""

import os
from collections.abc import Iterator

import pytest

from streams.embedded.child import ServerFailedError
from tests.integration.secured_job import clv, to_kafka
from tests.servers.secured import Certificates, SecuredKafka, SecuredRedis


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured_kafka(certificates: Certificates) -> Iterator[SecuredKafka]:
    with SecuredKafka(certificates) as broker:
        yield broker


@pytest.fixture(scope="module")
def secured_redis(certificates: Certificates) -> Iterator[SecuredRedis]:
    try:
        server = SecuredRedis(certificates).start()
    except ServerFailedError as failed:
        if "Bad directive" not in str(failed) or os.environ.get("CLV_REQUIRE_REDIS") == "1":
            raise
        pytest.skip("this redis-server was built without TLS")
    yield server
    server.remove()


@pytest.fixture(scope="module")
def with_topics(
    secured_kafka: SecuredKafka, secured_redis: SecuredRedis, certificates: Certificates
) -> dict[str, str]:
    """Settings of the safest kind, the topics being there."""
    env = to_kafka(secured_kafka, "SASL_SSL", certificates, SASL_MECHANISM="SCRAM-SHA-512")
    env["CLV_REDIS_URL"] = secured_redis.url()
    clv(env, "topics", "apply")
    return env
