"""`--engagements FILE` of `clv fit` and `clv evaluate`."""

import csv
import json

import pytest

from models.parameters import CDNOW, ModelParams
from streams.shop_history import day_of
from tests.models.browsing import browsing

FIRST_DAY = 17_000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A shop's purchases, and engagements that tell something and that do not."""
    folder = tmp_path_factory.mktemp("shop")
    for telling in (True, False):
        shop = browsing(CDNOW, 1_500, 700, 11, telling=telling)
        bought = zip(*(column.tolist() for column in vars(shop.purchases).values()), strict=True)
        write(
            folder / "purchases.csv",
            "customer_id,occurred_at,amount",
            ((f"c{who}", on(day), minor / 100) for who, day, minor in bought),
        )
        seen = zip(*(column.tolist() for column in shop.engagements), strict=True)
        name = "telling" if telling else "mute"
        write(
            folder / f"{name}.csv",
            "customer_id,occurred_at,type",
            [(f"c{who}", on(day), "page_view") for who, day in seen] + [("c1", "soon", "search")],
        )
    return folder


def on(day):
    return day_of(FIRST_DAY + day).isoformat()


def write(file, header, rows):
    with file.open("w", newline="") as text:
        out = csv.writer(text)
        out.writerow(header.split(","))
        out.writerows(rows)


def test_the_offset_is_part_of_the_parameters_and_explained(clv, files, tmp_path):
    saved = tmp_path / "params.json"
    arguments = ["fit", files / "purchases.csv", "--engagements", files / "telling.csv"]
    ran = clv(*arguments, "-o", saved)
    assert (ran.status, ran.err) == (0, "")
    words = " ".join(ran.out.split())
    assert "times the odds of buying again of one with none; each counts half after" in words
    assert "It was learned over 233 days and is used for a horizon of 365" in words
    assert "Left out of the engagements: 1, bad_time" in words
    document = json.loads(saved.read_text())
    params = ModelParams.from_json(document)
    assert params.engagement is not None
    assert params.engagement.slope == document["engagement_fit"]["coefficients"]["slope"] > 0
    assert document["engagement_fit"]["used"] is True
    assert document["engagement_fit"]["parting_day"] == "2017-10-27"
    # The tiers follow the value with the offset, which makes the best customers better.
    without = json.loads(clv("fit", files / "purchases.csv", "--json").out)
    assert "engagement" not in without
    assert without["version"] != document["version"]
    tiers = "tier_thresholds_minor"
    assert document[tiers]["platinum"] > without[tiers]["platinum"]


def test_what_says_nothing_is_left_out_and_so_said(clv, files):
    arguments = ["fit", files / "purchases.csv", "--engagements", files / "mute.csv"]
    words = " ".join(clv(*arguments).out.split())
    assert "Engagement says nothing that purchases do not say already" in words
    document = json.loads(clv(*arguments, "--json").out)
    assert document["engagement_fit"]["used"] is False
    plain = json.loads(clv("fit", files / "purchases.csv", "--json").out)
    assert "engagement" not in document
    assert document["version"] == plain["version"]


@pytest.mark.parametrize(
    ("model", "horizon", "says"),
    [
        ("pareto-nbd", "365d", "needs the model mbg-nbd or bg-nbd"),
        ("mbg-nbd", "10d", "only 10 days are left to see who buys"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(clv, files, model, horizon, says):
    arguments = ["fit", files / "purchases.csv", "--engagements", files / "telling.csv"]
    ran = clv(*arguments, "--model", model, horizon=horizon)
    assert ran.status == 1
    assert says in ran.err
    assert ran.err.count("\n") == 1


def evaluate(files, engagements, *options):
    end = ("--calibration-end", on(450), "--engagements", files / f"{engagements}.csv")
    return ("evaluate", files / "purchases.csv", *end, "--resamples", "20", *options)


def test_what_engagement_adds_is_judged_by_the_holdout(clv, files):
    ran = clv(*evaluate(files, "telling"))
    assert (ran.status, ran.err) == (0, "")
    words = " ".join(ran.out.split())
    assert "It was learned over 150 days and is used for a horizon of" in words
    assert "judged by the" in words
    document = json.loads(clv(*evaluate(files, "telling", "--json")).out)
    engaged = document["with_engagements"]
    alone = document["models"][engaged["model"]]
    brier = engaged["against_purchases_alone"]["brier"]
    assert brier["difference"] == pytest.approx(engaged["brier"] - alone["brier"])
    assert brier["high"] < 0
    assert f"{engaged['brier']:.4f}" in ran.out
    assert f"{brier['difference']:+.4f}" in ran.out
    assert engaged["engagement_fit"]["parting_day"] == on(300)


def test_engagement_that_adds_nothing_is_not_judged(clv, files):
    ran = clv(*evaluate(files, "mute"))
    assert ran.status == 0
    assert "the offset is left out" in " ".join(ran.out.split())
    assert "purchases alone" not in ran.out


def test_without_engagements_nothing_is_said_of_them(clv, files):
    end = ("--calibration-end", on(450), "--resamples", "0")
    ran = clv("evaluate", files / "purchases.csv", *end, "--json")
    assert "with_engagements" not in json.loads(ran.out)
