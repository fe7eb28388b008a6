"""Prometheus' own programs, where the machine has them."""

import os
import shutil

import pytest


def _program(name):
    path = shutil.which(name)
    if path is None:
        missing = f"{name} is not installed (apt-get install prometheus)"
        if os.environ.get("CLV_REQUIRE_PROMTOOL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture(scope="session")
def promtool():
    return _program("promtool")


@pytest.fixture(scope="session")
def prometheus():
    return _program("prometheus")
