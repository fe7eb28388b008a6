import dataclasses
import json

import pytest

from models.parameters import CDNOW, InvalidParameters, ModelParams


def unsigned():
    return {name: value for name, value in CDNOW.to_json().items() if name != "checksum"}


def test_a_checksum_that_does_not_belong_is_refused():
    document = CDNOW.to_json()
    document["purchases"]["r"] *= 1.0001
    with pytest.raises(InvalidParameters, match="checksum"):
        ModelParams.from_json(document)
    del document["checksum"]
    assert ModelParams.from_json(document).r == pytest.approx(0.525 * 1.0001)


def test_the_checksum_survives_the_wire():
    again = json.loads(json.dumps(CDNOW.to_json(), indent=2))
    assert ModelParams.from_json(dict(reversed(again.items()))) == CDNOW


def test_the_defaults_are_those_of_cdnow_in_days_and_cents():
    # MATHS.md: MBG alpha 6.183 weeks is 43.28 days; Gamma-Gamma v 15.44 dollars is 1,544 cents.
    assert pytest.approx(43.281) == CDNOW.alpha
    assert pytest.approx(1544.0) == CDNOW.v
    assert (CDNOW.r, CDNOW.a, CDNOW.b, CDNOW.p, CDNOW.q) == (0.525, 0.891, 1.614, 6.25, 3.74)
    assert CDNOW.currency == "USD"
    assert CDNOW.name == "mbg-nbd+gamma-gamma"


def test_json_there_and_back():
    assert ModelParams.from_json(CDNOW.to_json()) == CDNOW
    assert ModelParams.from_json(CDNOW.to_json()).extent == CDNOW.extent


@pytest.mark.parametrize(("currency", "minor"), [("USD", 1544.0), ("JPY", 15.44), ("KWD", 15440.0)])
def test_major_units_are_converted_by_the_currency(currency, minor):
    # ISO 4217: the yen has no minor unit, the Kuwaiti dinar a thousandth.
    document = unsigned() | {"currency": currency, "money_unit": "major"}
    document["spend"] = {"p": 6.25, "q": 3.74, "v": 15.44}
    assert ModelParams.from_json(document).v == pytest.approx(minor)


def test_weeks_are_converted_for_times_only():
    document = {
        **unsigned(),
        "model": "pareto-nbd",
        "time_unit": "week",
        "purchases": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
    }
    params = ModelParams.from_json(document)
    assert (params.r, params.s) == (0.553, 0.606)
    assert params.alpha == pytest.approx(74.046)
    assert params.beta == pytest.approx(81.683)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"model": "nbd"}, "mbg-nbd, bg-nbd, pareto-nbd"),
        ({"model": "pareto-nbd"}, "purchases.s"),
        ({"time_unit": "month"}, "day, week"),
        ({"money_unit": "cents"}, "minor, major"),
        ({"schema": 2}, "schema 2"),
        ({"purchases": None}, "purchases must be an object"),
        ({"spend": {"p": 6.25, "q": True, "v": 1.0}}, "spend.q"),
        ({"spend": {"p": 6.25, "q": 1.0, "v": 1.0}}, "q must be above 1"),
        ({"spend": {"p": 6.25, "q": 2.0, "v": float("inf")}}, "v of mbg-nbd must be above 0"),
        ({"spend": {"p": 6.25, "q": 2.0, "v": 0}}, "v of mbg-nbd must be above 0"),
    ],
)
def test_a_wrong_document_names_what_is_wrong(change, names):
    with pytest.raises(InvalidParameters, match=names.replace(".", r"\.")):
        ModelParams.from_json(unsigned() | change)


@pytest.mark.parametrize("key", ["model", "currency", "time_unit", "money_unit", "purchases"])
def test_a_missing_key_is_named(key):
    document = unsigned()
    del document[key]
    with pytest.raises(InvalidParameters, match=f"{key} is missing"):
        ModelParams.from_json(document)


def test_an_unknown_model_is_refused_without_json_too():
    with pytest.raises(InvalidParameters, match="unknown model"):
        dataclasses.replace(CDNOW, model="nbd")
