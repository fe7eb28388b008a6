"""docs/publishers.md names every reason, field, type and header as the program has them."""

import re
from pathlib import Path

from models.event_ids import REMEMBERED_MAX
from models.events import AMOUNT_MINOR_MAX, ENGAGEMENT_TYPES, VALUE_BYTES_MAX
from models.reasons import Reason
from models.refusals import ID_BYTES_MAX
from streams.replay import REPLAY_OF, REPLAYED
from streams.schemas import dead_letter_headers, message_schemas
from streams.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "publishers.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """What the table under a heading says, row by row."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_reason_has_a_row_in_its_order() -> None:
    assert [code.strip("`") for code, _ in rows("What is refused")] == [r.value for r in Reason]


def test_fields_are_those_that_are_required() -> None:
    schemas = message_schemas()
    required = {*schemas["purchase"]["required"], *schemas["engagement"]["required"]}
    assert {name.strip("`") for name, _ in rows("The events")} == required
    optional = {*schemas["purchase"]["properties"], *schemas["engagement"]["properties"]} - required
    assert all(f"`{name}`" in PAGE for name in optional)


def test_types_of_engagements_are_all_there() -> None:
    row = next(what for name, what in rows("The events") if name == "`type`")
    assert re.findall(r"`(\w+)`", row) == ["purchase", "refund", *ENGAGEMENT_TYPES]


def test_headers_of_dead_letters_are_all_there() -> None:
    names = {name for name in dead_letter_headers()["properties"] if name.startswith("clv-")}
    assert all(f"`{name}`" in PAGE for name in {*names, REPLAYED, REPLAY_OF})


def test_limits_are_those_of_the_program() -> None:
    assert (VALUE_BYTES_MAX, ID_BYTES_MAX) == (64 << 10, 256)
    assert (AMOUNT_MINOR_MAX, REMEMBERED_MAX) == (10**12, 64)
    for said in ("64 KiB", "1 to 256 bytes", "0 to 10^12", "last 64 purchases and refunds"):
        assert said in PAGE
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert defaults["future_tolerance"].total_seconds() == 3600
    assert defaults["retention"].days == 730
    assert "`CLV_FUTURE_TOLERANCE` (1 h)" in PAGE
    assert "`CLV_RETENTION` (730 days)" in PAGE
