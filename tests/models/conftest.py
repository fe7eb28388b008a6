"""CDNOW as summaries, from the independent implementation's own package."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest


class Summaries(NamedTuple):
    frequency: np.ndarray
    recency: np.ndarray
    age: np.ndarray


class Spend(NamedTuple):
    frequency: np.ndarray
    monetary_value: np.ndarray


def their_file(name: str) -> Path:
    """A data file of lifetimes; its own reader needs pkg_resources, which is no more."""
    return Path(find_spec("lifetimes").submodule_search_locations[0]) / "datasets" / name


@pytest.fixture(scope="session")
def cdnow_weeks() -> Summaries:
    """The 2,357 customers to week 39, in weeks."""
    table = np.genfromtxt(their_file("cdnow_customers_summary.csv"), delimiter=",", names=True)
    return Summaries(*(table[name].copy() for name in ("frequency", "recency", "T")))


@pytest.fixture(scope="session")
def cdnow_spend() -> Spend:
    """Their repeat orders and mean repeat order value, in dollars."""
    name = "cdnow_customers_summary_with_transactions.csv"
    table = np.genfromtxt(their_file(name), delimiter=",", names=True)
    return Spend(*(table[name].copy() for name in ("x", "zbar")))
