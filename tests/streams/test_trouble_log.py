"""What fails for hours is said once, and so is its end."""

import logging

import pytest

from streams.trouble_log import SAID_MAX, TroubleLog


def test_each_trouble_is_said_once_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    trouble = TroubleLog(logging.getLogger("tried"), "it works again")
    with caplog.at_level("INFO", logger="tried"):
        trouble.worked()  # nothing was wrong: nothing is said
        for what in ("away", "away", "hangs up", "away", "hangs up"):
            trouble.failed(what)
        trouble.worked()
        trouble.worked()
        trouble.failed("away")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "away"),
        ("WARNING", "hangs up"),
        ("INFO", "it works again"),
        ("WARNING", "away"),
    ]


def test_errors_that_are_different_each_time_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    trouble = TroubleLog(logging.getLogger("tried"), "it works again")
    for number in range(10 * SAID_MAX):
        trouble.failed(f"correlation id {number}")
    assert len(caplog.records) == SAID_MAX
