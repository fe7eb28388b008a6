"""What the pictures show is all of it, and no more; and what is said of their files."""

import sys
from collections import Counter

import numpy as np
import pytest
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from models.outlook import Day
from models.policy import Policy
from streams.cli import calendar_plot
from streams.cli.evaluation_plot import _noise
from streams.cli.plot_file import drawable, drawing_to
from streams.complaint import Complaint
from streams.shop_history import day_of


# Source: Newcombe (1998), Statistics in Medicine 17, table I, method 3.
@pytest.mark.parametrize(
    ("happened", "size", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_the_bars_of_chance_are_wilsons(happened, size, low, high):
    share = happened / size
    below, above = _noise(np.array([share]), np.array([size]))
    assert (share - below[0], share + above[0]) == (
        pytest.approx(low, abs=5e-5),
        pytest.approx(high, abs=5e-5),
    )


def test_the_bars_of_chance_stay_within_nothing_and_all():
    share = np.array([0.0, 0.01, 0.95, 1.0])
    below, above = _noise(share, np.array([10, 100, 20, 10]))
    assert (share - below).min() >= -1e-12
    assert (share + above).max() <= 1 + 1e-12


@pytest.mark.parametrize("days", [1, 3, 30, 400])
def test_every_tick_of_the_calendar_is_a_day_of_it(monkeypatch, tmp_path, days):
    first = 20_634  # 2026-06-30
    table = [
        Day(
            day=day,
            customers=1,
            tiers=Counter(bronze=1),
            levels=Counter(high=1),
            at_risk_minor=100,
            predicted_minor=100,
        )
        for day in range(first, first + days)
    ]
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, _: drawn.append(figure))
    calendar_plot.draw(tmp_path / "x.png", table, Policy())
    (figure,) = drawn
    low, high = figure.axes[-1].get_xlim()
    shown = [tick for tick in figure.axes[-1].get_xticks() if low <= tick <= high]
    assert shown
    assert {*shown} <= {date2num(day_of(day.day)) for day in table}


def test_a_picture_is_asked_for_before_the_work_and_its_place_is_said(tmp_path, capsys):
    assert drawable(tmp_path / "x") == tmp_path / "x.png"
    for file, why in (
        (tmp_path, "which is a directory"),
        (tmp_path / "x.doc", r"must end with \.png, \.svg or \.pdf"),
        (tmp_path / "no" / "x.png", "there is no directory"),
    ):
        with pytest.raises(Complaint, match=why) as refused:
            drawable(file)
        assert str(refused.value).count(str(file)) == 1
    with drawing_to(tmp_path / "x.png"):
        pass
    assert capsys.readouterr() == ("", f"The picture is in {tmp_path / 'x.png'}.\n")
    with (
        pytest.raises(Complaint, match=r"x\.png cannot be written: Permission denied\.$"),
        drawing_to(tmp_path / "x.png"),
    ):
        raise PermissionError(13, "Permission denied", "x.png")


def test_without_matplotlib_one_sentence_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    with pytest.raises(Complaint, match="`pip install matplotlib`"):
        drawable(tmp_path / "x.png")
