"""`clv worker` with every logger at DEBUG: what it then says must still hold no secret."""

import logging

from streams import logs
from streams.cli.main import run

if __name__ == "__main__":
    logs.QUIET.clear()
    logs.set_up.__defaults__ = (logging.DEBUG,)
    raise SystemExit(run(["worker"]))
