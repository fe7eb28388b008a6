"""`clv worker`: run the agents."""

import gc
import logging
import os
import sys

from streams import logs
from streams.complaint import Complaint
from streams.settings import Settings
from streams.worker import run

log = logging.getLogger(__name__)

if sys.platform == "win32":
    from asyncio import run as run_loop
else:
    from uvloop import run as run_loop  # a twelfth less CPU at a few thousand events a second


def worker() -> None:
    """Run the agents until SIGTERM or Ctrl-C.

    Reads `clv.purchases` and `clv.engagements`, keeps every customer's state, and publishes
    scores and changes. Workers of one group share its partitions; each may be killed at any time.
    Settings are environment variables, which docs/settings.md lists; metrics and health are on
    `CLV_METRICS_PORT`.
    """
    settings = Settings.load()
    _tame_garbage_collection()
    logs.set_up(settings.log_format)
    if ignored := Settings.without_effect():
        log.warning("no settings, so without effect: %s", ", ".join(ignored))
    run_loop(_run(settings))


async def _run(settings: Settings) -> None:
    try:
        await run(settings)
    except Complaint as complaint:
        for sentence in str(complaint).splitlines():
            if settings.log_format == "json":  # whoever reads JSON would drop the line that counts
                log.critical("%s", sentence)
            else:
                sys.stderr.write(f"clv: {sentence}\n")
        # Whatever still runs must not commit: no orderly end for what is not in order, and no
        # tracebacks of what is torn down.
        sys.stderr.flush()
        os._exit(complaint.status)


def _tame_garbage_collection() -> None:
    """Collect cycles seldom: a batch makes some hundred thousand objects, and no cycles.

    With the defaults, a fifth of the time went into looking through them again and again.
    """
    gc.freeze()
    gc.set_threshold(250_000, 20, 50)
