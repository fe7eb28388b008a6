"""Running a command as a program would, without a process of its own."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from streams.cli.main import run


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def clv(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`clv("top", "-n", "3")`, in a terminal of 80 columns, without settings but the test's own."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object, **settings: object) -> Ran:
        for name, value in settings.items():
            monkeypatch.setenv(f"CLV_{name.upper()}", str(value))
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    return call


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CLV_"):
            monkeypatch.delenv(name)
