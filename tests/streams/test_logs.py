"""What an operator and a log store get: one line an event of operation, and nobody's data."""

import json
import logging
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from streams import kafka, logs
from streams.settings import Settings


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)


def test_json_lines_say_where_under_the_same_names(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("json")
    log = logging.getLogger("streams.test")
    record = SimpleNamespace(topic="clv.clock", partition=3, offset=7, value=b"secret", key=b"42")
    log.warning("%d passed over", 2, extra=logs.place(record))
    logging.LoggerAdapter(log, {"partition": 1}).info("ready\nnow")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "warning",
        "logger": "streams.test",
        "message": "2 passed over",
        "topic": "clv.clock",
        "partition": 3,
        "offset": 7,
    }
    assert second["partition"] == 1
    assert second["message"] == "ready\nnow"
    assert "topic" not in second


def test_an_error_is_one_json_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("json")
    logging.getLogger("streams.test").error("failed", exc_info=RuntimeError("a bug"))
    (line,) = capsys.readouterr().err.splitlines()
    assert "RuntimeError: a bug" in json.loads(line)["error"]


def test_text_is_one_line_with_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text")
    logging.getLogger("streams.test").info("ready")
    assert re.fullmatch(r"[\d-]{10} [\d:]{8} INFO    ready\n", capsys.readouterr().err)


SASL = {
    "kafka_security_protocol": "SASL_PLAINTEXT",
    "kafka_sasl_username": "u",
    "kafka_sasl_password": "p",
}


@pytest.mark.parametrize("given", [{}, SASL], ids=["PLAINTEXT", "SASL_PLAINTEXT"])
def test_fausts_and_aiokafkas_noise_is_left_out(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("text")
    kafka.connection(Settings(**given))
    # Faust logs its services' life under the names of the modules that hold our classes.
    logging.getLogger("streams.transport.consumer").info("[^-LaneConsumer]: Starting...")
    logging.getLogger("faust").info("routine")
    logging.getLogger("aiokafka.conn").error("fifty a second while Kafka is away")
    # What asyncio logs when aiokafka closes a connection of a client that was stopped too early.
    logging.getLogger("asyncio").error("Unclosed AIOKafkaConnection\nconn: <AIOKafkaConnection>")
    assert capsys.readouterr().err == ""
    logging.getLogger("streams.transport.consumer").error("[^-LaneConsumer]: Crashed")
    logging.getLogger("asyncio").error("Unclosed AIOKafkaConsumer")
    crashed, unclosed = capsys.readouterr().err.splitlines()
    assert "Crashed" in crashed
    assert "Unclosed AIOKafkaConsumer" in unclosed
