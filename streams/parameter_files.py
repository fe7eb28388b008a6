"""Parameters on their way to workers: read from a file, published to `clv.model-params`."""

import time
from pathlib import Path

import orjson

from models.parameters import InvalidParameters, ModelParams
from models.releases import read_published
from streams import kafka
from streams.complaint import Complaint
from streams.reading import read_to_end
from streams.settings import PREFIX, Settings
from streams.topic_admin import existing_partitions
from streams.topics import MODEL_PARAMS


def read_parameters(file: Path, settings: Settings) -> ModelParams:
    """Parameters as `clv fit --output` wrote them.

    Raises:
        Complaint: the file cannot be read, or its parameters cannot be used.
    """
    try:
        return _read(file.read_bytes(), settings)
    except OSError as error:
        raise Complaint(f"{file} cannot be read: {error.strerror}.") from error
    except InvalidParameters as error:
        raise Complaint(f"{file} holds no parameters for workers: {error}.") from error


def _read(value: bytes, settings: Settings) -> ModelParams:
    return read_published(value, settings.currency, settings.horizon_days, settings.discount_rate)


async def publish_parameters(settings: Settings, params: ModelParams) -> None:
    """Put parameters on their topic: running workers change over to them.

    They are the newest by their timestamp, also where this machine's clock is behind that of
    whoever published before.

    Raises:
        Complaint: workers would refuse them.
        WrongTopics: the topic is missing.
        KafkaAway: Kafka cannot be reached.
    """
    if params.currency != settings.currency:
        raise Complaint(
            f"Workers would refuse parameters in {params.currency}, as they score in "
            f"{settings.currency}: set {PREFIX}CURRENCY={params.currency} here and for them, or "
            f"fit to purchases in {settings.currency}."
        )
    value = orjson.dumps(params.to_json())
    try:
        _read(value, settings)
    except InvalidParameters as error:
        raise Complaint(f"Workers would refuse the parameters: {error}.") from error
    await existing_partitions(settings, [MODEL_PARAMS])
    newest_ms = 0
    async for records in read_to_end(settings, MODEL_PARAMS, 1):
        newest_ms = max(newest_ms, *(record.timestamp for record in records))
    now_ms = time.time_ns() // 1_000_000
    async with kafka.producer(settings) as producer:
        await producer.send_and_wait(
            MODEL_PARAMS,
            value,
            key=params.model.encode(),
            partition=0,
            timestamp_ms=max(now_ms, newest_ms + 1),
        )
