import json

import pytest

from models.parameters import ModelParams
from streams.cli.main import run

EVALUATE = ["evaluate", "cdnow", "--calibration-end", "1997-09-30"]


def test_fit_prints_a_table_and_tiers(capsys):
    assert run(["fit", "cdnow", "--until", "1997-09-30"]) == 0
    out = capsys.readouterr().out
    assert "mbg-nbd+gamma-gamma of 2,357 customers" in out
    assert "Converged" in out
    assert "CLV_TIERS=bronze:0,silver:" in out


def test_fit_as_json_is_a_parameter_file(capsys, tmp_path):
    file = tmp_path / "params.json"
    assert run(["fit", "cdnow", "--until", "1997-09-30", "--json", "-o", str(file)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads(file.read_text())
    params = ModelParams.from_json(document)
    assert params.alpha == pytest.approx(43.28, abs=0.01)  # MATHS.md
    assert params.version.startswith("mbg-nbd-1997-09-30-")
    assert document["extent"]["customers"] == 2357
    assert document["extent"]["repeat_customers"] == 946
    assert document["spend_customers"] == 946
    low, middle, high = (
        document["tier_thresholds_minor"][name] for name in ("silver", "gold", "platinum")
    )
    assert 0 < low < middle < high


def test_fit_in_the_units_of_the_literature(capsys):
    # MATHS.md: Pareto/NBD in weeks, Gamma-Gamma in dollars, with their log likelihoods.
    arguments = ["--model", "pareto-nbd", "--time-unit", "week", "--money-unit", "major"]
    assert run(["fit", "cdnow", "--calibration-end", "1997-09-30", *arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["purchases"]["alpha"] == pytest.approx(10.578, abs=0.001)
    assert document["purchases"]["beta"] == pytest.approx(11.669, abs=0.001)
    assert document["spend"]["v"] == pytest.approx(15.44, abs=0.006)
    assert document["log_likelihood"]["purchases"] == pytest.approx(-9594.98, abs=0.006)
    assert document["log_likelihood"]["spend"] == pytest.approx(-4055.92, abs=0.006)
    assert ModelParams.from_json(document).alpha == pytest.approx(7 * 10.578, abs=0.01)


def test_tier_thresholds_part_the_customers_as_asked(capsys):
    # 5, 15 and 30 % of 2,357 customers, by revenue of 365 days plus predicted value.
    import numpy as np

    from models.evaluation import predict
    from models.histories import histories, per_customer
    from streams.shop_history import load

    assert run(["fit", "cdnow", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    shop = load("cdnow", "USD", "UTC")
    customers = histories(shop.purchases, shop.last_day)
    year = shop.purchases.between(shop.last_day - 365, shop.last_day)
    value = per_customer(year, customers.customer)[1]
    value += predict(ModelParams.from_json(document), customers, 365.0).value_minor
    for tier, share in (("platinum", 0.05), ("gold", 0.15), ("silver", 0.30)):
        above = np.mean(value >= document["tier_thresholds_minor"][tier])
        assert above == pytest.approx(share, abs=0.001)


def test_evaluate_as_json_is_what_the_contract_says(capsys):
    assert run([*EVALUATE, "--json", "--resamples", "20"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["chosen"] == "mbg-nbd"
    assert set(document["models"]) == {"mbg-nbd", "bg-nbd", "pareto-nbd"}
    assert set(document["rivals"]) == {"past_rate", "recency"}
    named = {
        *("total", "actual_total", "mae", "rmse", "auc_purchases", "auc_active"),
        *("ece", "brier", "log_score", "top_decile_capture"),
    }
    for scored in [*document["models"].values(), *document["rivals"].values()]:
        assert named <= set(scored)
        assert named <= set(scored["intervals"])
    assert document["customers"] == 2357
    assert document["holdout_days"] == 273
    assert isinstance(document["left_out"], dict)
    assert any("since the last purchase alone rank better" in note for note in document["notes"])


def test_evaluate_for_people_with_a_picture(capsys, tmp_path):
    file = tmp_path / "picture.png"
    assert run([*EVALUATE, "--resamples", "0", "--plot", str(file)]) == 0
    out = capsys.readouterr().out
    assert "1.6072" in out
    assert "past rate" in out
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "cdnow", "--calibration-end", "1999-01-01"], "1997-01-01 to 1998-06-30"),
        ([*EVALUATE, "--holdout-days", "300"], "at most 273"),
        ([*EVALUATE, "--plot", "/nowhere/a.png", "--resamples", "0"], "cannot be drawn"),
        (["fit", "cdnow", "--until", "1996-01-01"], "no purchase to fit to"),
        (["fit", "cdnow", "-o", "/nowhere/a.json"], "cannot be written"),
        (["fit", "nothing.csv"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(capsys, arguments, says):
    assert run(arguments) == 1
    err = capsys.readouterr().err
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_a_wrong_date_is_wrong_usage(capsys):
    assert run(["evaluate", "cdnow", "--calibration-end", "soon"]) == 2
