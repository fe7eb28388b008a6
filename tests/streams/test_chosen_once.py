"""Who is set to another currency or time zone than the states are of, is told so in time."""

from dataclasses import replace
from typing import Any

import pytest

from models.policy import Policy
from streams import progress
from streams.chosen_once import hold_chosen
from streams.fit_data import from_states
from streams.progress import Progress
from streams.settings import Settings
from streams.stored import StoredStates
from streams.wrong_settings import WrongSettings
from tests.streams.one_partition import NUMBER, Partition, purchase
from tests.streams.test_intake import residents

ANN, BEA = residents(NUMBER, 2)
BERLIN = Progress(currency="EUR", timezone="Europe/Berlin")


def set_to(partition: Partition, **changed: Any) -> None:
    partition.shared = replace(partition.shared, policy=replace(Policy(), **changed))


@pytest.mark.redis
@pytest.mark.parametrize("changed", [{"currency": "USD"}, {"timezone": "Asia/Tokyo"}])
async def test_a_worker_takes_no_partition_of_another_currency_or_of_other_days(
    partition: Partition, changed: dict[str, str]
) -> None:
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    written = len(partition.changelog)
    set_to(partition, **changed)
    with pytest.raises(WrongSettings):
        await partition.keeper()
    assert len(partition.changelog) == written
    set_to(partition, timezone="Etc/UTC")  # UTC by another name
    await partition.work(await partition.keeper(), partition.batch(purchases=[purchase(1, BEA)]))
    assert len(partition.changelog) > written


@pytest.mark.redis
async def test_a_worker_takes_no_partition_whose_customers_are_placed_by_another_number(
    partition: Partition,
) -> None:
    """All topics may have been altered alike, so that their numbers agree with the setting."""
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    partition.shared = replace(partition.shared, partitions=8)
    with pytest.raises(WrongSettings, match=r"CLV_PARTITIONS is 8, .* in 4 part"):
        await partition.keeper()


@pytest.mark.redis
async def test_what_an_older_version_stored_is_of_what_is_set_now(partition: Partition) -> None:
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    told = progress.decode(partition.changelog[0].value)
    partition.changelog[0].value = progress.encode(Progress(told.now_ms, told.offsets))
    set_to(partition, timezone="Asia/Tokyo")
    await partition.work(await partition.keeper(), partition.batch(purchases=[purchase(1, BEA)]))
    written = [progress.decode(one.value) for one in partition.changelog if not one.key]
    assert (written[-1].currency, written[-1].timezone) == ("EUR", "Asia/Tokyo")


@pytest.mark.redis
async def test_where_nobody_is_stored_all_may_be_chosen(partition: Partition) -> None:
    keeper = await partition.keeper()
    (stranger,) = residents(NUMBER + 1, 1)
    await partition.work(keeper, partition.batch(purchases=[purchase(0, stranger)]))
    assert [one.key for one in partition.changelog] == [progress.KEY]
    set_to(partition, timezone="Asia/Tokyo")
    await partition.keeper()


def test_what_is_wrong_and_what_to_do_is_said_of_each() -> None:
    with pytest.raises(WrongSettings) as told:
        hold_chosen(BERLIN, "USD", "UTC")
    currency, timezone = str(told.value).splitlines()
    way = "or see 'Reset and replay' in grafana/RUNBOOK.md."
    assert currency == (
        "CLV_CURRENCY is 'USD', and the stored amounts are in EUR: set CLV_CURRENCY=EUR, " + way
    )
    assert timezone == (
        "CLV_TIMEZONE is 'UTC', and the stored days are those of Europe/Berlin: set "
        "CLV_TIMEZONE=Europe/Berlin, " + way
    )
    hold_chosen(BERLIN, "EUR", "Europe/Berlin")
    hold_chosen(Progress(), "USD", "UTC")
    with pytest.raises(WrongSettings, match="those of Mars/Olympus"):
        hold_chosen(Progress(currency="EUR", timezone="Mars/Olympus"), "EUR", "UTC")


def test_a_fit_to_what_is_stored_and_a_look_ahead_are_told_so_too() -> None:
    found = StoredStates()
    found.reached(progress.encode(BERLIN))
    found.reached(progress.encode(Progress(now_ms=1)))  # as of a partition not written since
    with pytest.raises(WrongSettings, match="CLV_TIMEZONE"):
        from_states(found, Settings())
    with pytest.raises(WrongSettings, match="CLV_CURRENCY"):
        found.scored_by(Policy(currency="USD", timezone="Europe/Berlin"))
