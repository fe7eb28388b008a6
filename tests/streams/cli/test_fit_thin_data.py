"""Data that no model can be fitted to: one sentence and exit status 1, never parameters."""

from pathlib import Path

import pytest

from models.days import Days
from models.stored_histories import stored_histories
from streams.cli import fit
from streams.cli.main import run
from streams.complaint import Complaint
from streams.fit_data import from_states
from streams.settings import Settings
from streams.stored import StoredStates

Row = tuple[str, int, float]


ONE_CUSTOMER = [("a", day, 10.0 + day) for day in range(0, 300, 20)]
ONE_DAY = [(f"c{n}", 0, 10.0 + n) for n in range(200)]
ONE_TIME = [(f"c{n}", n % 100, 10.0 + n) for n in range(200)]
FEW_CAME_BACK = [*ONE_TIME, *((f"c{n}", 200, 7.0) for n in range(9))]
CONSTANT = [(f"c{n}", (n * 7 + k * (n % 9 + 3)) % 400, 10.0) for n in range(300) for k in range(4)]
# Once in 30 days for 7.50 or 15.00, until they leave.
BOXES = [(f"c{n}", n % 30 + k * 30, 7.5 * (n % 2 + 1)) for n in range(300) for k in range(n % 13)]
ALIKE = [(f"c{n}", day, 10.0 + (n * day) % 7) for n in range(50) for day in range(0, 300, 30)]
FREE = [(who, day, 0.0) for who, day, _ in CONSTANT]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "no purchase"),
        (ONE_CUSTOMER, "only one customer"),
        (ONE_DAY, "none of the 200 customers bought on a second day"),
        (ONE_TIME, "none of the 200 customers bought on a second day"),
        (FEW_CAME_BACK, "only 9 of 200 customers"),
        (CONSTANT, "spends the same"),
        (BOXES, "the purchases do not determine"),
        (ALIKE, "do not determine"),
        (FREE, "only 0 customers have repeat orders with a value"),
    ],
)
def test_one_sentence_instead_of_nonsense(
    rows: list[Row], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "thin.csv"
    lines = ["customer_id,occurred_at,amount"]
    for who, day, amount in rows:
        lines.append(f"{who},{1_700_000_000_000 + day * 86_400_000},{amount:.2f}")
    file.write_text("\n".join(lines) + "\n")
    assert run(["fit", str(file), "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"clv: {file}")


def test_workers_that_have_stored_nobody() -> None:
    data = from_states(StoredStates(), Settings())
    with pytest.raises(Complaint, match="clv-state-changelog: there is no purchase to fit to"):
        fit._fitted("mbg-nbd", data)
    assert stored_histories([], Days("UTC"), 0).without_purchase == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["cdnow", "--from-kafka"],
        ["--from-kafka", "--until", "1997-09-30"],
        ["--parameters", "a.json"],
        ["--parameters", "a.json", "--from-kafka", "--publish"],
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_parameters_that_workers_would_refuse_are_not_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "params.json"
    file.write_text("{}")
    assert run(["fit", "--parameters", str(file), "--publish"]) == 1
    assert "version is missing" in capsys.readouterr().err
    # CDNOW is in dollars, and customers are scored in euros unless it is set otherwise.
    assert run(["fit", "cdnow", "--publish", "--json"]) == 1
    assert "set CLV_CURRENCY=USD" in capsys.readouterr().err
