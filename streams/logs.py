"""The worker's log: one line an event of operation, as text or as JSON.

Where a line is about a place in Kafka, it says so in the fields `topic`, `partition` and `offset`
(`place`), under the same names in every line: who looks for a record finds all that was said of it.
No line above debug holds a customer's id or an event's content.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

QUIET: Final = {
    "aiokafka": logging.CRITICAL,  # fifty lines a second while Kafka is away; lanes tell it once
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "asyncio": logging.WARNING,
}


_OF_A_SERVICE: Final = "[^"
_CLOSED_NOW: Final = "Unclosed AIOKafkaConnection"
PLACE: Final = ("topic", "partition", "offset")


def place(record: Any) -> dict[str, Any]:
    """Where a Kafka record is, as `extra` of a line about it."""
    return {name: getattr(record, name) for name in PLACE}


def is_ours(record: logging.LogRecord) -> bool:
    """False for what nobody needs to hear of.

    Faust's services come and go, and log so under the names of our modules. aiokafka says as an
    error that it closes a connection by itself, where a client was stopped while it started.
    """
    said = str(record.msg)
    if record.levelno > logging.INFO:
        return not said.startswith(_CLOSED_NOW)
    return not said.startswith(_OF_A_SERVICE)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, place, and where an error arose."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[
                :-6
            ]
            + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in PLACE if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(form: Literal["text", "json"], level: int = logging.INFO) -> None:
    """Log to stderr. The root's level is set too: at DEBUG Faust formats a line an event."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
        )
    handler.addFilter(is_ours)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))
