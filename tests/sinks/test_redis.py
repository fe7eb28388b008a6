"""The Redis sink on a real server: what it writes, and what it does when Redis fails it."""

import asyncio
import logging
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from models.policy import Policy
from models.rescore import rescore
from sinks import redis_portions
from sinks.redis import MarkAhead, RedisScores
from sinks.redis_link import Link
from sinks.redis_portions import Scored
from sinks.sink import Answer, Unavailable, Unusable
from streams.embedded.child import ServerFailedError, free_port
from tests.servers.redis import Redis
from tests.sinks.batches import Shop, batch, score, scored

Database = redis.Redis
TIMEOUT_S = 0.5


@pytest.fixture
def database(redis_url: str) -> Iterator[Database]:
    """What other readers of the same Redis see."""
    client = Database.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
async def sink(redis_url: str) -> AsyncIterator[RedisScores]:
    scores = RedisScores(redis_url)
    await scores.open()
    yield scores
    await scores.close()


@pytest.fixture
async def other(redis_url: str) -> AsyncIterator[RedisScores]:
    """Another worker's sink."""
    scores = RedisScores(redis_url)
    yield scores
    await scores.close()


@pytest.fixture
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few customers take several transactions."""
    monkeypatch.setattr(redis_portions, "CUSTOMERS_MAX", 2)


def revisions(database: Database) -> dict[str, int]:
    """Revision by customer, as scores and both ranks agree on it."""
    keys: Any = database.keys("clv:score:*")
    found = {}
    for key in keys:
        customer = key.decode().removeprefix("clv:score:")
        stored: Any = database.get(key)
        revision: int = orjson.loads(stored)["revision"]
        assert database.zscore("clv:rank:total", customer) == 100 * revision
        assert database.zscore("clv:rank:risk", customer) == revision
        found[customer] = revision
    assert database.zcard("clv:rank:total") == database.zcard("clv:rank:risk") == len(found)
    return found


ALL = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}
NEXT = {"a": 2, "b": 2, "c": 2, "d": 2, "e": 2}


async def filled(sink: RedisScores, table: Mapping[str, int] = ALL, mark: int = 10) -> None:
    assert await sink.refill(0, mark, [scored(table)]) is Answer.WRITTEN


# -- what is written -------------------------------------------------------------------------


async def test_scores_ranks_and_mark(sink: RedisScores, database: Database) -> None:
    await filled(sink, {}, mark=-1)
    assert await sink.write(batch(-1, 4, {"42": 3, "ü\n": 5})) is Answer.WRITTEN
    assert database.get("clv:score:42") == score("42", 3)
    assert database.zrange("clv:rank:total", 0, -1, withscores=True) == [
        (b"42", 300),
        ("ü\n".encode(), 500),
    ]
    assert database.zrange("clv:rank:risk", 0, -1, desc=True) == ["ü\n".encode(), b"42"]
    assert database.get("clv:mark:0") == b"4"


async def test_negative_values_are_ranked(sink: RedisScores, database: Database) -> None:
    await filled(sink, {})
    result = batch(10, 11, {"a": 1})
    result.step.ranks[0] = (b"a", -250, 0)
    assert await sink.write(result) is Answer.WRITTEN
    assert database.zscore("clv:rank:total", "a") == -250


async def test_partitions_are_independent(sink: RedisScores, database: Database) -> None:
    answers = await asyncio.gather(
        *(sink.refill(number, number, [scored({f"c{number}": 1})]) for number in range(20))
    )
    assert set(answers) == {Answer.WRITTEN}
    assert {database.get(f"clv:mark:{number}") for number in range(20)} == {
        str(number).encode() for number in range(20)
    }


async def test_a_prefix_keeps_installations_apart(redis_url: str, database: Database) -> None:
    sink = RedisScores(redis_url, prefix="eu:clv:")
    await filled(sink)
    await sink.close()
    keys: Any = database.keys("*")
    assert all(key.startswith(b"eu:clv:") for key in keys)
    assert database.exists("eu:clv:score:a", "eu:clv:rank:total", "eu:clv:mark:0") == 3


async def test_what_is_written_again_from_the_table_is_what_was_written(
    sink: RedisScores, database: Database
) -> None:
    """The same bytes, so that a refill beside a repeated batch can do no harm."""
    shop = Shop()
    await filled(sink, {}, mark=-1)
    await sink.write(shop.buy("a", "b", "c"))
    await sink.write(shop.buy("b", "c"))
    before = snapshot(database)
    database.flushdb()
    again = rescore(Policy(), list(shop.states.items()))
    await sink.refill(
        0,
        shop.mark,
        [
            Scored(
                [(customer, json) for customer, json, _, _ in again],
                [(customer, total, risk) for customer, _, total, risk in again],
            )
        ],
    )
    assert snapshot(database) == before


def snapshot(database: Database) -> dict[bytes, object]:
    keys: Any = database.keys("*")
    return {
        key: database.zrange(key, 0, -1, withscores=True) if b":rank:" in key else database.get(key)
        for key in keys
    }


# -- several transactions a batch ------------------------------------------------------------


class Spy:
    """Does something when a transaction is about to be sent, counting from 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = 0
        self.before: dict[int, Callable[[], Any]] = {}
        real = Link.commit

        async def commit(link: Link, *args: Any, **kwargs: Any) -> Any:
            self.sent += 1
            outcome = self.before.pop(self.sent, lambda: None)()
            if asyncio.iscoroutine(outcome):
                await outcome
            return await real(link, *args, **kwargs)

        monkeypatch.setattr(Link, "commit", commit)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch, small_transactions: None) -> Spy:
    return Spy(monkeypatch)


async def test_a_large_batch_takes_several_transactions(
    sink: RedisScores, database: Database, spy: Spy
) -> None:
    await filled(sink)
    assert spy.sent == 3
    assert revisions(database) == ALL
    assert await sink.write(batch(10, 20, NEXT)) is Answer.WRITTEN
    assert spy.sent == 6
    assert revisions(database) == NEXT
    assert database.get("clv:mark:0") == b"20"


async def test_chunks_may_come_from_an_async_generator(
    sink: RedisScores, database: Database, spy: Spy
) -> None:
    async def chunks() -> AsyncIterator[Scored]:
        for customer in ALL:
            await asyncio.sleep(0)
            yield scored({customer: 1})
        yield scored({})

    assert await sink.refill(0, 10, chunks()) is Answer.WRITTEN
    assert revisions(database) == ALL


async def test_emptied_between_two_transactions(
    sink: RedisScores, database: Database, spy: Spy
) -> None:
    await filled(sink)
    spy.before[spy.sent + 2] = database.flushdb
    assert await sink.write(batch(10, 20, NEXT)) is Answer.BEHIND
    assert not await sink.reflects(0, 20)
    assert await sink.refill(0, 20, [scored(NEXT)]) is Answer.WRITTEN
    assert revisions(database) == NEXT


async def test_emptied_in_the_middle_of_a_refill(
    sink: RedisScores, database: Database, spy: Spy
) -> None:
    spy.before[3] = database.flushdb
    assert await sink.refill(0, 10, [scored(ALL)]) is Answer.BEHIND
    assert database.get("clv:mark:0") is None
    await filled(sink)


async def test_a_crash_between_two_transactions_is_found_by_the_next_owner(
    sink: RedisScores, other: RedisScores, database: Database, spy: Spy
) -> None:
    await filled(sink)

    def crash() -> None:
        raise asyncio.CancelledError

    spy.before[spy.sent + 2] = crash
    with pytest.raises(asyncio.CancelledError):
        await sink.write(batch(10, 20, NEXT))
    assert not await other.reflects(0, 20)
    assert await other.refill(0, 20, [scored(NEXT)]) is Answer.WRITTEN
    assert revisions(database) == NEXT


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_zombie_is_refused_wherever_the_new_owner_overtakes_it(
    sink: RedisScores, other: RedisScores, database: Database, spy: Spy, at: int
) -> None:
    """The new owner's write comes before the old owner's transaction number `at`."""
    await filled(sink)
    newest = dict.fromkeys(ALL, 3)

    async def overtake() -> None:
        assert not await other.reflects(0, 20)
        assert await other.refill(0, 20, [scored(NEXT)]) is Answer.WRITTEN
        assert await other.write(batch(20, 30, newest)) is Answer.WRITTEN

    spy.before[spy.sent + at] = overtake
    assert await sink.write(batch(10, 20, NEXT)) is Answer.NEWER
    assert revisions(database) == newest
    assert database.get("clv:mark:0") == b"30"


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("zombie_at", [1, 2, 3])
async def test_a_zombie_that_wakes_up_within_the_new_owners_batch(
    sink: RedisScores, other: RedisScores, database: Database, spy: Spy, at: int, zombie_at: int
) -> None:
    """The old owner stops before transaction `at`, and goes on within the new owner's batch."""
    await filled(sink)
    newest = dict.fromkeys(ALL, 3)
    awake = asyncio.Event()
    stopped = asyncio.Event()

    async def stop() -> None:
        stopped.set()
        await awake.wait()

    spy.before[spy.sent + at] = stop
    zombie = asyncio.create_task(sink.write(batch(10, 20, NEXT)))
    await stopped.wait()
    assert await other.refill(0, 20, [scored(NEXT)]) is Answer.WRITTEN

    async def wake() -> None:
        awake.set()
        await zombie

    spy.before[spy.sent + zombie_at] = wake
    assert await other.write(batch(20, 30, newest)) is Answer.WRITTEN
    assert revisions(database) == newest
    # Before the new owner's first transaction the old one may still repeat what is there.
    assert zombie_at == 1 or zombie.result() is Answer.NEWER


async def test_writers_without_end_are_reported(
    sink: RedisScores, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(sink)
    real = Link.commit

    async def commit(link: Link, *args: Any, **kwargs: Any) -> Any:
        database.set("clv:mark:0", "10")
        return await real(link, *args, **kwargs)

    monkeypatch.setattr(Link, "commit", commit)
    with pytest.raises(Unavailable, match="clv:mark:0") as raised:
        await sink.write(batch(10, 20, NEXT))
    assert raised.value.code == "conflict"


async def test_a_connection_goes_back_without_a_watch(
    sink: RedisScores, database: Database, spy: Spy
) -> None:
    """Or the next transaction on it would be refused for what happened long before."""
    await filled(sink)

    def breaks() -> Iterator[Scored]:
        yield scored({"a": 2, "b": 2, "c": 2})
        raise LookupError

    assert await sink.write(batch(3, 4, {"a": 1})) is Answer.NEWER
    with pytest.raises(LookupError):
        await sink.refill(0, 10, breaks())
    for prior in (10, 20):
        database.set("clv:mark:0", prior)
        sent = spy.sent
        assert await sink.write(batch(prior, prior + 10, {"a": 2})) is Answer.WRITTEN
        assert spy.sent == sent + 1
        assert await sink.write(batch(3, 4, {"a": 1})) is Answer.NEWER


# -- what take-over finds ---------------------------------------------------------------------


async def test_a_mark_ahead_of_the_changelog_says_what_to_do(sink: RedisScores) -> None:
    await filled(sink, mark=512)
    with pytest.raises(MarkAhead, match="CLV_REDIS_PREFIX") as raised:
        await sink.reflects(0, 40)
    assert (raised.value.stored, raised.value.mark, raised.value.partition) == (512, 40, 0)


async def test_first_start(sink: RedisScores) -> None:
    assert not await sink.reflects(0, -1)
    await filled(sink, {}, mark=-1)
    assert await sink.reflects(0, -1)


@pytest.mark.parametrize("key", ["clv:rank:total", "clv:rank:risk"])
async def test_a_ranks_key_that_holds_something_else(
    sink: RedisScores, database: Database, key: str
) -> None:
    await filled(sink)
    database.set(key, "mine")
    with pytest.raises(Unusable, match="delete that key"):
        await sink.write(batch(10, 20, NEXT))
    with pytest.raises(Unusable, match="delete that key"):
        await sink.open()
    database.delete(key)
    assert not await sink.reflects(0, 20), "what could not be written is missing"


async def test_a_mark_that_no_worker_wrote(sink: RedisScores, database: Database) -> None:
    database.set("clv:mark:0", "mine")
    with pytest.raises(Unusable, match=r"clv:mark:0.*delete that key"):
        await sink.write(batch(10, 20, NEXT))
    with pytest.raises(Unusable, match=r"clv:mark:0"):
        await sink.reflects(0, 20)
    database.delete("clv:mark:0")
    database.rpush("clv:mark:0", "x")
    with pytest.raises(Unusable, match="delete that key"):
        await sink.write(batch(10, 20, NEXT))


# -- a server that fails ------------------------------------------------------------------------


async def test_killed_and_started_again_empty() -> None:
    with Redis() as server:
        sink = RedisScores(server.url(), timeout_s=TIMEOUT_S)
        await filled(sink)
        server.kill()
        for call in (sink.write(batch(10, 20, NEXT)), sink.ping(), sink.open()):
            with pytest.raises(Unavailable) as raised:
                await call
            assert raised.value.code == "connection"
            assert server.address in str(raised.value)
        with pytest.raises(Unavailable):
            await sink.reflects(0, 10)
        server.start()
        await sink.ping()
        assert await sink.write(batch(10, 20, NEXT)) is Answer.BEHIND
        await filled(sink, NEXT, 20)
        assert revisions(Database.from_url(server.url())) == NEXT
        await sink.close()


async def test_killed_and_started_again_with_its_data(own_redis: Redis) -> None:
    sink = RedisScores(own_redis.url(), timeout_s=TIMEOUT_S)
    await filled(sink)
    own_redis.kill()
    with pytest.raises(Unavailable):
        await sink.write(batch(10, 20, NEXT))
    own_redis.start()
    assert await sink.write(batch(10, 20, NEXT)) is Answer.WRITTEN
    assert revisions(Database.from_url(own_redis.url())) == NEXT
    await sink.close()


async def test_a_server_that_hangs_is_noticed(own_redis: Redis) -> None:
    sink = RedisScores(own_redis.url(), timeout_s=TIMEOUT_S)
    await filled(sink)
    own_redis.pause()
    begun_s = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable) as raised:
        await sink.write(batch(10, 20, NEXT))
    assert asyncio.get_running_loop().time() - begun_s < 4 * TIMEOUT_S
    assert raised.value.code == "timeout"
    own_redis.resume()
    # The commands that it slept through are executed now; the repetition changes nothing.
    assert await sink.write(batch(10, 20, NEXT)) is Answer.WRITTEN
    assert revisions(Database.from_url(own_redis.url())) == NEXT
    await sink.close()


async def test_a_full_server_takes_nothing_rather_than_half() -> None:
    with Redis() as server:
        database = Database.from_url(server.url())
        sink = RedisScores(server.url())
        await filled(sink)
        database.config_set("maxmemory", "1mb")
        with pytest.raises(Unavailable, match="maxmemory") as raised:
            await sink.write(batch(10, 20, NEXT))
        assert raised.value.code == "oom"
        assert raised.value.pause_s >= 1
        assert revisions(database) == ALL
        database.config_set("maxmemory", "0")
        assert await sink.write(batch(10, 20, NEXT)) is Answer.WRITTEN
        await sink.close()


async def test_a_replica_takes_no_writes(redis_server: Redis) -> None:
    with Redis() as server:
        Database.from_url(server.url()).replicaof(*redis_server.address.split(":"))
        sink = RedisScores(server.url())
        with pytest.raises(Unavailable, match="replica"):
            await sink.refill(0, 10, [scored(ALL)])
        await sink.close()


@pytest.mark.parametrize(
    ("policy", "warns"),
    [("noeviction", False), ("volatile-lru", False), ("allkeys-lru", True)],
)
async def test_a_policy_that_evicts_is_reported(
    policy: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with Redis({"maxmemory-policy": policy}) as server:
        sink = RedisScores(server.url())
        assert sink.warning is None
        with caplog.at_level(logging.WARNING):
            await sink.open()
        await sink.close()
    assert (sink.warning is not None) == warns == bool(caplog.records)
    if sink.warning:
        assert policy in sink.warning
        assert "noeviction" in sink.warning


# -- access ---------------------------------------------------------------------------------------


async def test_passwords_are_used_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    with Redis() as server:
        admin = Database.from_url(server.url())
        admin.acl_setuser(
            "clv", enabled=True, passwords=["+s3cret"], keys=["clv:*"], categories=["+@all"]
        )
        admin.acl_setuser("default", enabled=False, nopass=True)
        good = RedisScores(f"redis://clv:s3cret@{server.address}/0")
        await good.open()
        await filled(good)
        wrong = [
            RedisScores(f"redis://clv:wr0ng@{server.address}/0"),
            RedisScores(server.url()),
            RedisScores(f"redis://clv:s3cret@{server.address}/0", prefix="not-ours:"),
        ]
        for sink in wrong:
            with pytest.raises(Unusable, match="CLV_REDIS_URL") as raised:
                await filled(sink)
            said = f"{raised.value} {sink.where} {sink!r} {caplog.text}"
            assert "s3cret" not in said
            assert "wr0ng" not in said
        for sink in (good, *wrong):
            await sink.close()


async def test_a_socket_instead_of_a_port(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with Redis({"unixsocket": str(path)}):
        sink = RedisScores(f"unix://{path}?db=1")
        assert sink.where == str(path)
        await filled(sink)
        await sink.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that nobody trusts by default, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=redis"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


async def test_tls(certificate: tuple[Path, Path]) -> None:
    port = free_port()
    tls = {
        "tls-port": str(port),
        "tls-cert-file": str(certificate[0]),
        "tls-key-file": str(certificate[1]),
        "tls-auth-clients": "no",
    }
    try:
        server = Redis(tls).start()
    except ServerFailedError:
        pytest.skip("this redis-server was built without TLS")
    try:
        trusting = RedisScores(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate[0]}")
        await filled(trusting)
        doubting = RedisScores(f"rediss://127.0.0.1:{port}/0")
        with pytest.raises(Unusable, match="certificate"):
            await doubting.ping()
        await trusting.close()
        await doubting.close()
    finally:
        server.remove()


async def test_nobody_there() -> None:
    sink = RedisScores("redis://user:s3cret@127.0.0.1:1/0")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/0") as raised:
        await sink.open()
    assert "s3cret" not in str(raised.value)
    await sink.close()
