"""`clv demo` in a terminal: what it invites to do works, and Ctrl-C ends it without a word."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.streams.cli.conftest import Ran

pytestmark = pytest.mark.redis

CTRL_C: Final = b"\x03"
END_S_MAX: Final = 90.0
PAINT: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _own_the_terminal() -> None:
    """So that Ctrl-C typed there becomes a signal here."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Demo:
    """A demo of few customers on a terminal of its own."""

    def __init__(self, *options: str) -> None:
        self._terminal, its_end = pty.openpty()
        environ = {name: value for name, value in os.environ.items() if name[:4] != "CLV_"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli.main", "demo", "--customers", "100", *options],
            cwd=Path(__file__).parents[3],
            env={**environ, "TERM": "xterm", "COLUMNS": "100"},
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            start_new_session=True,
            preexec_fn=_own_the_terminal,  # noqa: PLW1509 - a call to the system, no more
        )
        os.close(its_end)

    def read_until(self, text: str | None) -> str:
        """What it prints until this text, or until its end."""
        said, deadline_s = "", time.monotonic() + END_S_MAX
        while text is None or text not in said:
            assert time.monotonic() < deadline_s, said
            if select.select([self._terminal], [], [], 0.1)[0]:
                try:
                    read = os.read(self._terminal, 1 << 16)
                except OSError:  # Linux's end of file
                    read = b""
                if not read:
                    assert text is None, said
                    break
                said += read.decode()
        return said

    def interrupt(self) -> None:
        os.write(self._terminal, CTRL_C)


@pytest.mark.parametrize(
    ("printed", "wait_s"),
    [
        ("Worker, embedded broker", 0.0),  # nothing runs yet
        ("Worker, embedded broker", 0.2),  # it connects
        ("Worker, embedded broker", 0.7),  # it joins its group
        ("Worker, embedded broker", 3.2),  # its lanes begin
        ("Jun 2025", 0.0),  # purchases are published
        ("Ctrl-C ends it", 0.0),
    ],
)
def test_ctrl_c_ends_it_in_silence(printed: str, wait_s: float) -> None:
    demo = Demo("--keep-running")
    demo.read_until(printed)
    time.sleep(wait_s)
    children = psutil.Process(demo.process.pid).children(recursive=True)
    assert children, "Redis is one"
    demo.interrupt()
    said = demo.read_until(None)
    assert demo.process.wait() == 128 + signal.SIGINT
    bar = "purchases"  # is drawn once more
    lines = [line for line in said.splitlines() if bar not in line]
    assert re.sub(r"\^C|\s", "", PAINT.sub("", "".join(lines))) == ""
    assert [child for child in children if child.is_running()] == []


def test_what_it_invites_to_type_works_and_is_of_its_time(clv: Callable[..., Ran]) -> None:
    demo = Demo("--keep-running")
    try:
        said = PAINT.sub("", demo.read_until("Ctrl-C ends it"))
        assert max(len(line.rstrip()) for line in said.splitlines() if "export" not in line) <= 100
        settings = {
            name.removeprefix("CLV_").lower(): value
            for name, value in re.findall(r"(CLV_\w+)=(\S+)", said)
        }
        typed = re.findall(r"\.venv/bin/clv (.+?)\r\n", said)
        assert [words.split()[0] for words in typed] == [
            "top",
            "show",
            "show",
            "calendar",
            "publish",
        ]
        for words in typed[:-1]:
            ran = clv(*words.split(), **settings)
            assert (ran.status, ran.err) == (0, ""), words
            assert re.search(r"2026|orders", ran.out), words
        calendar = json.loads(clv("calendar", "--json", **settings).out)
        assert calendar["from"] < "2026-07-01"
        shown = re.search(r"Customer (\w+) is", said)
        assert shown is not None
        assert f"show {shown[1]}" in said
        score = json.loads(clv("show", shown[1], "--json", **settings).out)
        assert score["p_alive"] >= 0.5
        assert score["value_at_risk_minor"] > 0
        ran = clv("topics", "check", **settings)
        assert (ran.status, ran.err.count("\n")) == (1, 1)
    finally:
        demo.interrupt()
        demo.read_until(None)
        demo.process.wait()
