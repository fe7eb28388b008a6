import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.parameters import ModelParams
from streams.cli.main import run
from streams.settings import Settings

START = datetime(2025, 1, 1, tzinfo=UTC)
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


@pytest.mark.parametrize("discount_rate", [0.0, 1.0])
def test_tier_thresholds_part_the_customers_as_asked(capsys, monkeypatch, discount_rate):
    # 5, 15 and 30 % of 2,357 customers, by revenue of 365 days plus predicted value, which is
    # discounted as workers do it.
    from models.gamma_gamma import expected_order_value
    from models.histories import histories, per_customer
    from models.purchases import model_for
    from streams.shop_history import load

    monkeypatch.setenv("CLV_DISCOUNT_RATE", str(discount_rate))
    assert run(["fit", "cdnow", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    shop = load("cdnow", "USD", "UTC")
    customers = histories(shop.purchases, shop.last_day)
    year = shop.purchases.between(shop.last_day - 365, shop.last_day)
    value = per_customer(year, customers.customer)[1]
    params = ModelParams.from_json(document)
    x, t_x, age, mean = customers[2:]
    purchases = model_for(params).expected_purchases(params, x, t_x, age, 365.0, discount_rate)
    value += purchases * expected_order_value(params, x, mean)
    for tier, share in (("platinum", 0.05), ("gold", 0.15), ("silver", 0.30)):
        above = np.mean(value >= document["tier_thresholds_minor"][tier])
        assert above == pytest.approx(share, abs=0.001)


def test_days_after_the_file_are_said_to_be_silent_and_tiers_stay_a_setting(capsys):
    # In thirty years of silence as good as nobody is left to be worth a cent.
    assert run(["fit", "cdnow", "--until", "2030-01-01"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "the last purchase is of 1998-06-30, and the time from then until 2030-01-01" in out
    told = re.search(r"CLV_TIERS=(\S+)", out)
    assert told[1] == "bronze:0,silver:1"
    assert Settings(tiers=told[1]).tiers == (("bronze", 0), ("silver", 1))
    assert run(["fit", "cdnow", "--until", "1997-09-30"]) == 0
    assert "the last purchase is of" not in capsys.readouterr().out


def test_evaluate_as_json_is_what_the_contract_says(capsys):
    assert run([*EVALUATE, "--json", "--resamples", "50"]) == 0
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
    notes = " ".join(document["notes"])
    # MATHS.md: 1,577 for 1,882; AUC .7714 by recency and .7601 by P(active), either with a standard
    # deviation of .0115.
    assert "expected 1,577 purchases where 1,882 came: 305 too few" in notes
    # PyPI lifetimes, MBG/NBD by Gamma-Gamma as it fits them: $57,129 for $70,976.
    low = re.search(r"model.s expected revenue is ([\d,.]+) USD too low, where chance", notes)
    assert float(low[1].replace(",", "")) == pytest.approx(70_976 - 57_129, abs=5)
    assert "alone rank better (AUC 0.7714)" in notes
    ahead = document["rivals"]["recency"]["against_chosen"]["auc_active"]
    assert ahead["low"] < 0 < ahead["high"]
    assert "probability of a purchase (0.7601), by no more than chance." in notes


def test_evaluate_for_people_with_a_picture(capsys, tmp_path):
    file = tmp_path / "picture.png"
    assert run([*EVALUATE, "--resamples", "0", "--plot", str(file)]) == 0
    out = capsys.readouterr().out
    assert "1.6072" in out
    assert "past rate" in out
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def grocery(tmp_path_factory):
    """Weekly shoppers who all stay, as a spreadsheet exports them: some rows of no use."""
    rng = np.random.default_rng(3)
    lines = ["Occurred_At, CUSTOMER_ID ,amount,type,note"]
    for customer in range(300):
        rate, value = rng.gamma(2.0, 1 / 14.0), rng.gamma(6.0, 8.0)
        for day in np.flatnonzero(rng.uniform(size=200) < -np.expm1(-rate)).tolist():
            amount = round(value * rng.gamma(8.0, 1 / 8.0), 2)
            at = datetime(2025, 1, 1, 9, tzinfo=UTC) + timedelta(days=day)
            lines.append(f'{at.isoformat()},c{customer},{amount},,"bread, milk"')
            if day == 50:
                lines += [lines[-1], f"{at.date()},c{customer},0,purchase,", ""]
                lines.append(f"{at.date()},c{customer},5,refund,")
    lines += ["01/02/2025,c1,3,,", "2025-02-01,c1", "2025-02-01,c1,-3,,"]
    file = tmp_path_factory.mktemp("shop") / "grocery.csv"
    file.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", newline="")
    return str(file)


def test_what_a_season_does_to_the_total_is_told_and_large_money_fits(capsys, tmp_path):
    # Who buys in November and December only, and next year again by half: a calibration that
    # ends with the season expects far too much of the twelve months after it.
    rng = np.random.default_rng(8)
    lines = ["customer_id,occurred_at,amount"]
    for customer in range(600):
        value = rng.gamma(6.0, 1e8) / rng.gamma(4.0, 0.25)
        for year in range(1 + rng.geometric(0.5)):
            for _ in range(1 + rng.poisson(rng.gamma(0.8, 1.5))):
                at = datetime(2023 + year, 11, 1, tzinfo=UTC) + timedelta(
                    days=rng.integers(61).item()
                )
                lines.append(f"c{customer},{at.date()},{value * rng.gamma(6.0, 1 / 6.0):.2f}")
    file = tmp_path / "season.csv"
    file.write_text("\n".join(lines))
    end = ["--calibration-end", "2023-12-31", "--holdout-days", "365"]
    assert run(["evaluate", str(file), *end, "--resamples", "0"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert re.search(r"came: [\d,]+ too many, where chance explains up to [\d,]+ \(95 %\)", out)
    assert "EUR 10^6" in out
    assert "…" not in out
    # In January nobody buys: no share of nothing, and nobody to rank before others.
    end[-1] = "30"
    assert run(["evaluate", str(file), *end, "--resamples", "5"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "nan" not in out
    assert "bg-nbd * pareto-nbd" in out
    assert "clv fit takes mbg-nbd, unless --model bg-nbd is given." in out
    assert "Nobody bought in the holdout: there is no telling who ranks before whom." in out


def test_two_prices_that_customers_keep_to_are_fitted_and_said(capsys, tmp_path):
    rng = np.random.default_rng(5)
    lines = ["customer_id,occurred_at,amount"]
    for customer in range(500):
        price, rate = rng.choice(["9.90", "19.90"]), rng.gamma(1.0, 1 / 20)
        day = rng.integers(60).item()
        while day < 400:
            lines.append(f"c{customer},{START + timedelta(days=day):%F},{price}")
            day = 400 if rng.uniform() < 0.2 else day + 1 + round(rng.exponential(1 / rate))
    file = tmp_path / "boxes.csv"
    file.write_text("\n".join(lines))
    assert run(["fit", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["held"][-3:] == ["p", "q", "v"]
    assert run(["fit", str(file)]) == 0
    assert "Mind: the data hardly say how order values differ" in capsys.readouterr().out
    end = ["--calibration-end", "2025-10-01"]
    assert run(["evaluate", str(file), *end, "--json", "--resamples", "0"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["fits"]["gamma-gamma"]["held"] == ["p", "q", "v"]
    assert any(note.startswith("gamma-gamma: the data hardly say") for note in document["notes"])


def test_a_shop_that_nobody_leaves_is_fitted_and_says_so(capsys, grocery):
    assert run(["fit", grocery, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["held"] == ["a", "b"]
    assert run(["fit", grocery]) == 0
    assert "Mind: the data hardly say how customers leave" in capsys.readouterr().out


def test_heavy_repeat_buyers_are_evaluated(capsys, grocery, tmp_path):
    end = ["--calibration-end", "2025-04-15"]
    picture = tmp_path / "picture.png"
    assert (
        run(["evaluate", grocery, *end, "--json", "--resamples", "0", "--plot", str(picture)]) == 0
    )
    document = json.loads(capsys.readouterr().out)
    chosen, rate = document["models"][document["chosen"]], document["rivals"]["past_rate"]
    assert chosen["rmse"] < rate["rmse"]
    assert chosen["log_score"] < rate["log_score"]
    refunds = document["left_out"]["refund"]
    assert refunds > 10
    assert document["left_out"]["bad_time"] == 1
    assert document["left_out"]["bad_amount"] == 1
    assert document["left_out"]["missing_field"] == 1
    # Two more orders of the same customer and day with each refund, one of them free.
    assert document["merged"] == {"same_day_orders": 2 * refunds}
    assert document["free_orders"] == refunds
    assert run(["evaluate", grocery, *end, "--resamples", "10"]) == 0
    out = capsys.readouterr().out
    assert "…" not in out  # every interval is whole in 80 columns
    assert f"Left out: {refunds} (refund)." in out
    assert f"Merged: {2 * refunds} orders" in out


def test_frequent_buyers_are_drawn_by_tenths_and_rare_ones_by_number():
    from streams.cli.evaluation_plot import _groups

    group, names = _groups(np.array([0] * 7 + [1, 2, 9]))
    assert names == ["0", "1", "2", "7+"]
    assert group.tolist() == [0] * 7 + [1, 2, 3]
    group, names = _groups(np.arange(100))
    assert names[0] == "0-9"
    assert names[-1] == "90-99"
    assert np.bincount(group).tolist() == [10] * 10


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "cdnow", "--calibration-end", "1999-01-01"], "1997-01-01 to 1998-06-30"),
        ([*EVALUATE, "--holdout-days", "300"], "at most 273"),
        ([*EVALUATE, "--plot", "/nowhere/a.png", "--resamples", "0"], "no directory /nowhere"),
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
