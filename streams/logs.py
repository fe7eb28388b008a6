"""The worker's log: one line an event of operation, as text or as JSON."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

QUIET: Final = {
    "aiokafka": logging.CRITICAL,  # fifty lines a second while Kafka is away; lanes tell it once
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "streams.transport.app": logging.WARNING,  # Faust logs services under the name of our app
    "asyncio": logging.WARNING,
}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message and, for an error, where it arose."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
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
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))
