"""The layout that DESIGN fixes: imports go one way, and the core does no I/O and reads no clock.

Walks the syntax trees, so an import within a function counts too.
"""

import ast
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("models", "sinks", "streams")  # each may import itself and those before it
CORE_PACKAGES = {"models", "numpy", "scipy", "msgspec", "orjson"}
# Modules of the standard library that reach outside the process, read a clock or the
# environment, or draw numbers that nobody can draw again.
OUTSIDE = {
    *("os", "io", "pathlib", "shutil", "tempfile", "glob", "fileinput", "mmap", "sqlite3", "dbm"),
    *("shelve", "pickle", "socket", "ssl", "select", "selectors", "http", "urllib", "ftplib"),
    *("smtplib", "asyncio", "threading", "multiprocessing", "concurrent", "subprocess", "queue"),
    *("signal", "time", "sched", "random", "secrets", "uuid", "logging", "sys", "platform"),
    *("getpass", "locale", "importlib", "ctypes"),
}
CLOCKS = {"now", "utcnow", "today", "localtime", "gmtime"}
CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}


def parsed(source: str) -> ast.AST:
    """The syntax tree.

    Python 3.11 cannot parse within parsing, as when the collection of garbage logs a traceback.
    """
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        gc.enable()


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and first name of each import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            yield node.lineno, str(node.module).split(".")[0]


def called(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """Line and last name of each call, and whether it is an attribute's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, node.func.id, False
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.lineno, node.func.attr, True


def layer_breaches(layer: str, source: str) -> list[str]:
    """Imports of a later layer, or of the tests."""
    later = {*LAYERS[LAYERS.index(layer) + 1 :], "tests", "bench"}
    return [f"{line}: imports {name}" for line, name in imported(parsed(source)) if name in later]


def core_breaches(source: str) -> list[str]:
    """What a module of the core must not import or call."""
    tree = parsed(source)
    allowed = CORE_PACKAGES | (set(sys.stdlib_module_names) - OUTSIDE)
    found = [f"{line}: imports {name}" for line, name in imported(tree) if name not in allowed]
    for line, name, attribute in called(tree):
        if name in (CLOCKS if attribute else CALLS):
            found.append(f"{line}: calls {name}")
    return found


def sources(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_one_way(layer: str) -> None:
    assert sources(layer)
    breaches = {
        str(path.relative_to(ROOT)): found
        for path in sources(layer)
        if (found := layer_breaches(layer, path.read_text()))
    }
    assert not breaches


def test_the_core_does_no_input_or_output_and_reads_no_clock() -> None:
    breaches = {
        str(path.relative_to(ROOT)): found
        for path in sources("models")
        if (found := core_breaches(path.read_text()))
    }
    assert not breaches


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os", "1: imports os"),
        ("import numpy, socket", "1: imports socket"),
        ("def f():\n    from time import monotonic", "2: imports time"),
        ("from os.path import join", "1: imports os"),
        ("import redis", "1: imports redis"),
        ("import logging.config", "1: imports logging"),
        ("from datetime import datetime\nx = datetime.now()", "2: calls now"),
        ("import datetime as d\nx = d.date.today()", "2: calls today"),
        ("open('x')", "1: calls open"),
        ("if True:\n    print(1)", "2: calls print"),
        ("from streams.settings import Settings", "1: imports streams"),
    ],
)
def test_a_planted_breach_of_the_core_is_found(source: str, found: str) -> None:
    assert core_breaches(source) == [found]


def test_what_the_core_needs_is_no_breach() -> None:
    source = """
import math
from collections.abc import Sequence
from datetime import datetime
import numpy as np
from scipy.special import gammaln
import msgspec, orjson
from models.days import Days
x = datetime.fromisoformat("2026-03-01").timestamp()
"""
    assert core_breaches(source) == []


@pytest.mark.parametrize(
    ("layer", "source", "breaches"),
    [
        ("models", "from sinks.redis import x", 1),
        ("models", "def f():\n    import streams", 1),
        ("sinks", "import streams.app", 1),
        ("streams", "from tests.servers.kafka import Kafka", 1),
        ("sinks", "from models.events import Event", 0),
        ("streams", "import models, sinks", 0),
    ],
)
def test_a_planted_breach_of_the_layers_is_found(layer: str, source: str, breaches: int) -> None:
    assert len(layer_breaches(layer, source)) == breaches


def test_no_package_is_missing_its_init() -> None:
    """Without it a folder is left out of type checks, silently."""
    folders = {path.parent for layer in LAYERS for path in sources(layer)}
    assert not [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()]
