"""`clv worker`: run the agents."""

import asyncio
import os
import sys

from streams import logs
from streams.complaint import Complaint
from streams.settings import Settings
from streams.worker import run


def worker() -> None:
    """Run the agents until SIGTERM or Ctrl-C.

    Reads `clv.purchases` and `clv.engagements`, keeps every customer's state, and publishes
    scores and changes. Workers of one group share its partitions; each may be killed at any time.
    Settings are environment variables; metrics and health are on `CLV_METRICS_PORT`.
    """
    settings = Settings.load()
    logs.set_up(settings.log_format)
    try:
        asyncio.run(run(settings))
    except Complaint as complaint:
        for sentence in str(complaint).splitlines():
            sys.stderr.write(f"clv: {sentence}\n")
        # Whatever still runs must not commit: no orderly end for what is not in order.
        sys.stderr.flush()
        os._exit(complaint.status)
