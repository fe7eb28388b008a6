"""A dead letter is replayed once, as it was or repaired, whoever replays and however often."""

import asyncio
import gc
import json
import uuid
from dataclasses import replace
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaError

from models.reasons import Refusal
from streams import kafka, topic_admin, topics
from streams.complaint import Complaint
from streams.dead_letters import dead_letter
from streams.reading import read_to_end
from streams.replay import REPLAY_OF, DeadLetter, repaired, replay, waiting


def letter(partition=0, offset=0, value=b"{}", key=None, **other):
    return DeadLetter(
        partition=partition,
        offset=offset,
        at_ms=0,
        reason=other.get("reason", "bad_type"),
        detail="",
        topic=topics.PURCHASES,
        source=(1, 2),
        key=key,
        value=value,
        truncated=other.get("truncated", False),
    )


@pytest.mark.parametrize("value", [b'{"id": "1"}', b"\xff\x00", b"", None])
def test_a_document_brings_the_value_back(value):
    line = json.dumps(letter(value=value, key=b"k").document()).encode()
    assert repaired([letter(value=value, key=b"k")], [line, b"\n"]) == [
        letter(value=value, key=b"k")
    ]


def test_a_repaired_value_is_whole_and_goes_under_its_own_key():
    broken = letter(offset=7, value=b'{"customer_id": 42', key=b"wrong", truncated=True)
    line = b'{"letter":"0/7","value":"{\\"customer_id\\":\\"42\\"}","reason":"whatever"}'
    (mended,) = repaired([broken], [line])
    assert (mended.value, mended.key, mended.truncated) == (b'{"customer_id":"42"}', b"42", False)
    value = b'{"customer_id":"43","note":"\\ud83d"}'  # half a character, where nobody minds it
    (mended,) = repaired(
        [broken], [json.dumps({"letter": "0/7", "value": value.decode()}).encode()]
    )
    assert (mended.value, mended.key) == (value, b"43")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "Line 1 is no dead letter"),
        (b'{"value":"x"}', "Line 1 is no dead letter"),
        (b'{"letter":"0/0","value_base64":"?"}', "Line 1 is no dead letter"),
        (b'{"letter":"3/9","value":"x"}', "3/9, which does not wait"),
    ],
)
def test_a_line_that_repairs_nothing_is_refused(line, said):
    with pytest.raises(Complaint, match=said):
        repaired([letter()], [line])


@pytest.mark.kafka
class TestOnKafka:
    """Each test has reasons of its own, as all share one topic."""

    @pytest.fixture
    async def settings(self, named_settings):
        await topic_admin.apply(named_settings)
        return named_settings

    @pytest.fixture
    def reason(self):
        return f"reason-{uuid.uuid4().hex[:8]}"

    async def publish(self, settings, reason, *values):
        async with kafka.producer(settings) as producer:
            for number, (key, value) in enumerate(values):
                record = SimpleNamespace(
                    topic=topics.PURCHASES,
                    partition=1,
                    offset=number,
                    key=key,
                    value=value,
                    timestamp=1_700_000_000_000,
                )
                made = dead_letter(record, Refusal(reason, "so it is"))
                await producer.send_and_wait(
                    topics.DEAD_LETTERS, made.value, key=made.key, headers=made.headers
                )

    async def waiting(self, settings, reason):
        letters = await waiting(settings, settings.partitions)
        return [letter for letter in letters if letter.reason == reason]

    async def replay(self, settings, letters, identity="replay"):
        async with kafka.producer(settings, transactional_id=identity) as producer:
            partitions = dict.fromkeys([topics.PURCHASES, topics.DEAD_LETTERS], settings.partitions)
            await replay(producer, partitions, letters)

    async def replayed(self, settings, letters):
        """What came back to the purchases of these letters."""
        places = {letter.place.encode() for letter in letters}
        found = []
        async for records in read_to_end(settings, topics.PURCHASES, settings.partitions):
            found += [
                (record.key, record.value)
                for record in records
                if dict(record.headers).get(REPLAY_OF) in places
            ]
        return found

    async def test_a_letter_is_read_as_it_was_written(self, settings, reason):
        await self.publish(settings, reason, (b"42", b"x" * 70_000), (None, b"\xff"), (b"7", None))
        letters = {letter.source[1]: letter for letter in await self.waiting(settings, reason)}
        assert [letters[number].key for number in range(3)] == [b"42", None, b"7"]
        assert letters[0].truncated
        assert len(letters[0].value) == 65_536
        assert not letters[1].truncated
        assert (letters[1].value, letters[2].value) == (b"\xff", None)
        assert (letters[1].topic, letters[1].source) == (topics.PURCHASES, (1, 1))
        assert letters[1].detail == "so it is"

    async def test_what_was_replayed_waits_no_more(self, settings, reason):
        values = [(b"%d" % n, b"value %d" % n) for n in range(20)]
        await self.publish(settings, reason, *values, (None, b"keyless"))
        letters = await self.waiting(settings, reason)
        await self.replay(settings, letters[:7])
        rest = await self.waiting(settings, reason)
        assert rest == letters[7:]
        await self.replay(settings, rest)
        assert await self.waiting(settings, reason) == []
        assert sorted(await self.replayed(settings, letters), key=str) == sorted(
            [*values, (None, b"keyless")], key=str
        )

    async def test_a_replay_that_breaks_off_replays_nothing(self, settings, reason):
        await self.publish(settings, reason, (b"1", b"one"))
        letters = await self.waiting(settings, reason)
        async with kafka.producer(settings, transactional_id="breaks-off") as producer:
            partitions = dict.fromkeys([topics.PURCHASES, topics.DEAD_LETTERS], settings.partitions)
            lost = replace(letters[0], topic="nowhere")
            with pytest.raises(KeyError, match="nowhere"):
                await replay(producer, partitions, [*letters, lost])
        assert await self.waiting(settings, reason) == letters
        assert await self.replayed(settings, letters) == []

    async def test_of_two_replays_at_once_one_is_fenced(self, settings, reason):
        await self.publish(settings, reason, (b"1", b"one"))
        letters = await self.waiting(settings, reason)
        partitions = dict.fromkeys([topics.PURCHASES, topics.DEAD_LETTERS], settings.partitions)
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        async def stalled():
            async with kafka.producer(settings, transactional_id="both") as producer:
                await self.replay(settings, letters, "both")
                await asyncio.wait_for(replay(producer, partitions, letters), 30)

        with pytest.raises((kafka.KafkaAway, KafkaError)):
            await stalled()
        assert await self.replayed(settings, letters) == [(b"1", b"one")]
        gc.collect()
        assert told == []
