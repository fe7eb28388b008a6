"""Where inputs end is asked of all at once, and one that does not answer keeps none waiting."""

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.structs import TopicPartition

from streams import input_ends
from streams.input_ends import InputEnds
from streams.topics import INPUTS


class Kafka:
    """Logs whose ends are their partition numbers; `silent` ones never answer, `bad` ones fail."""

    def __init__(self) -> None:
        self.silent: set[int] = set()
        self.bad: dict[int, Exception] = {}
        self.asked: list[list[int]] = []

    async def end_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        numbers = sorted({tp.partition for tp in partitions})
        self.asked.append(numbers)
        await asyncio.sleep(0)
        while self.silent & set(numbers):
            await asyncio.sleep(0.001)
        for number in numbers:
            if number in self.bad:
                raise self.bad[number]
        return {tp: tp.partition for tp in partitions}


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    monkeypatch.setattr(input_ends, "ANSWER_S_MAX", 0.05)
    monkeypatch.setattr(input_ends, "ALONE_S_MAX", 0.05)
    monkeypatch.setattr(input_ends, "RETRY_S", 0.01)
    return Kafka()


def ends(*numbers: int) -> dict[int, dict[str, int]]:
    return {number: dict.fromkeys(INPUTS, number) for number in numbers}


async def test_all_are_asked_at_once(kafka: Kafka) -> None:
    inputs = InputEnds(kafka)
    assert await inputs.of([1, 2, 3]) == ends(1, 2, 3)
    assert await inputs.of([]) == {}
    assert kafka.asked == [[1, 2, 3]]
    assert inputs.silent == []


@pytest.mark.parametrize("how", ["silent", "bad"])
async def test_who_does_not_answer_is_asked_alone_until_it_does(kafka: Kafka, how: str) -> None:
    if how == "silent":
        kafka.silent.add(2)
    else:
        kafka.bad[2] = KafkaTimeoutError("no leader")
    inputs = InputEnds(kafka)
    for _ in range(3):
        assert await inputs.of([1, 2, 3]) == ends(1, 3)
        assert inputs.silent == [2]
    kafka.silent.clear()
    kafka.bad.clear()
    await asyncio.sleep(0.05)
    kafka.asked.clear()
    assert await inputs.of([1, 2, 3]) == ends(1, 2, 3)
    assert inputs.silent == []
    assert kafka.asked == [[1, 2, 3]], "what it had answered meanwhile is old"
    await inputs.aclose()


async def test_nobody_is_asked_after_the_end(kafka: Kafka) -> None:
    kafka.silent.add(2)
    inputs, before = InputEnds(kafka), asyncio.all_tasks()
    await inputs.of([2])
    await inputs.aclose()
    assert asyncio.all_tasks() == before


async def test_what_is_no_error_of_kafkas_is_not_swallowed(kafka: Kafka) -> None:
    kafka.bad[1] = KafkaError("first")
    inputs = InputEnds(kafka)
    await inputs.of([1])
    kafka.bad[1] = ValueError("a bug")
    await asyncio.sleep(0.05)
    with pytest.raises(ValueError, match="a bug"):
        await inputs.of([1])
