"""How every client of the program reaches Kafka, and what is said when none can."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    IllegalOperation,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    RequestTimedOutError,
)

from streams.kafka_trouble import KafkaAway, KafkaRefused, trouble
from streams.settings import PREFIX, Settings
from streams.transport.brokers import among_brokers
from streams.transport.stopping import stop
from streams.wrong_settings import WrongSettings

__all__ = ["KafkaAway", "KafkaRefused", "admin", "connection", "consumer", "producer", "reaching"]

REQUEST_TIMEOUT_MS: Final = 40_000


def connection(settings: Settings) -> dict[str, Any]:
    """Arguments that every aiokafka client takes to connect.

    The result holds the password: pass it on, never log it.

    Raises:
        WrongSettings: the certificate file holds none.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.startswith("SASL_"):
        # At DEBUG it logs each request whole, and one of them holds the password.
        logging.getLogger("aiokafka.conn").addFilter(_above_debug)
        assert settings.kafka_sasl_password is not None, "settings hold it together"
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    if settings.kafka_security_protocol.endswith("SSL"):
        arguments["ssl_context"] = _ssl_context(settings)
    return arguments


def _above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    except ssl.SSLError as error:
        raise WrongSettings(
            f"{PREFIX}KAFKA_SSL_CAFILE is {str(settings.kafka_ssl_cafile)!r}; "
            "it must be a file of certificates in PEM form."
        ) from error


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client, started; closed at the end.

    Raises:
        KafkaAway: it could not be reached, or refused.
    """
    client = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    async with reaching(settings):
        try:
            await client.start()
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def producer(settings: Settings, **arguments: Any) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer, started; flushed and closed at the end.

    Args:
        settings: where Kafka is.
        arguments: aiokafka's, in place of the defaults here.

    Raises:
        KafkaAway: it could not be reached, or refused.
    """
    defaults = {
        "enable_idempotence": True,
        "acks": "all",
        "linger_ms": 5,
        "max_batch_size": 1 << 19,
        "compression_type": "lz4",
    }
    client = AIOKafkaProducer(**{**connection(settings), **defaults, **arguments})
    async with reaching(settings):
        try:
            async with among_brokers(client.client):
                await client.start()
            yield client
        finally:
            await client.stop()


@asynccontextmanager
async def consumer(settings: Settings, **arguments: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of committed records without a subscription, started; closed at the end.

    Args:
        settings: where Kafka is.
        arguments: aiokafka's, in place of the defaults here.

    Raises:
        KafkaAway: it could not be reached, or refused.
    """
    defaults = {
        "isolation_level": "read_committed",
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "max_partition_fetch_bytes": 4 << 20,
    }
    client = AIOKafkaConsumer(**{**connection(settings), **defaults, **arguments})
    async with reaching(settings):
        try:
            await client.start()
            # aiokafka 0.14 cannot stop a consumer whose tasks have not begun to run.
            await asyncio.sleep(0)
            yield client
        finally:
            await stop(client)


@asynccontextmanager
async def reaching(settings: Settings) -> AsyncIterator[None]:
    """Turn what aiokafka raises into a sentence that says where Kafka was sought.

    Raises:
        KafkaAway: in place of aiokafka's errors; `KafkaRefused` where waiting does not help.
    """
    try:
        yield
    except KafkaConnectionError as error:
        raise await trouble(settings, connection(settings)) from error
    except (KafkaTimeoutError, RequestTimedOutError) as error:
        raise KafkaAway(
            f"Kafka at {settings.kafka_bootstrap} did not answer in time "
            f"({str(error).rstrip('.')}): is it busy, or gone?"
        ) from error
    except KafkaError as error:
        raise KafkaAway(f"Kafka at {settings.kafka_bootstrap} refused: {error}.") from error
    except IllegalOperation as error:  # what aiokafka says where a transaction ended between calls
        raise KafkaAway(
            f"Kafka at {settings.kafka_bootstrap} ended the transaction under way: does another "
            "command do the same? Look, and run this one again."
        ) from error
