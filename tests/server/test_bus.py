"""Doorbells over a real Redis: what is heard, what is ignored, and how a connection that died comes back."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crmtray.protocol import INVALID_CREDENTIALS, TOO_MANY_ATTEMPTS
from crmtray_server import bus as bus_module
from crmtray_server import checkup, redis_counts
from crmtray_server.bus import LARGEST, MOST_WAITING, Bus
from crmtray_server.config import Settings
from crmtray_server.login_limit import SharedLimit
from crmtray_server.monitor import Monitor
from crmtray_server.redis_counts import RedisCounts
from crmtray_server.redis_server import CHANNEL, RULES, Wrong, probe
from crmtray_server.store.feed import Scope
from crmtray_server.tokens import Refused
from tests.harness.redis import LossyProxy, RedisServer, running_redis
from tests.server.live import ALICE, BOB, live_server, sockets, until

ANA, BRUNO = Scope("1", "7"), Scope("1", "8")
GARBAGE: list[bytes] = [
    b"",
    b"\xff\xfe\x00",
    b"[1, 2",
    b"null",
    b'{"node": "x"}',
    b'{"node": "x", "bells": "all"}',
    b'{"node": "x", "bells": [["1", "7"]]}',
    b'{"node": "x", "bells": [["1", 7, 3]]}',
    b'{"node": "x", "bells": [["1", "7", 3.5]]}',
    b'{"node": "x", "bells": [["1", "7", true]]}',
    b'{"node": "x", "bells": [["1", "7", 9999999999999999999999999999]]}',
    b'{"node": "x", "bells": [["1", "7", 3], null]}',
    b"[" * 10_000,
    json.dumps({"node": "x", "bells": [["1", "7", 3]] * 5000}).encode(),
    b"x" * (LARGEST + 1),
    b"x" * 3_000_000,
]


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """For what ends it."""
    with running_redis() as server:
        yield server


@dataclass
class Node:
    monitor: Monitor = field(default_factory=Monitor)
    heard: list[tuple[Scope, int]] = field(default_factory=list)
    sweeps: int = 0
    bus: Bus = field(init=False)

    def count(self, name: str) -> float:
        return self.monitor.registry.get_sample_value(f"crmtray_{name}") or 0.0

    @property
    def hears(self) -> bool:
        return self.count("bus_connected") == 1.0

    def missed(self) -> None:
        self.sweeps += 1


@asynccontextmanager
async def node(url: str, *, hears: bool = True) -> AsyncIterator[Node]:
    made = Node()
    made.bus = Bus(url, lambda scope, head: made.heard.append((scope, head)), made.missed, made.monitor)
    running = asyncio.create_task(made.bus.run())
    try:
        if hears:
            await eventually(lambda: made.hears)
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in less than seconds."""
    monkeypatch.setattr(bus_module, "PROBE_SECONDS", 0.1)
    monkeypatch.setattr(bus_module, "DEAF_SECONDS", 0.6)
    monkeypatch.setattr(bus_module, "SAID_DOWN_SECONDS", 0.2)


async def test_a_doorbell_is_heard_by_the_others_and_not_by_whoever_rang(shared_redis: RedisServer) -> None:
    async with node(shared_redis.url) as one, node(shared_redis.url) as two, node(shared_redis.url) as three:
        one.bus.ring(ANA, 5)
        await eventually(lambda: two.heard == three.heard == [(ANA, 5)])
        two.bus.ring(BRUNO, 1)
        await eventually(lambda: one.heard == [(BRUNO, 1)])
        assert two.heard == [(ANA, 5)]
        assert one.count("doorbells_sent_total") == 1 and three.count("doorbells_received_total") == 2
        assert one.bus.status() == {"status": "ok"}


async def test_only_the_newest_head_of_a_feed_waits(shared_redis: RedisServer) -> None:
    async with node(shared_redis.url) as one, node(shared_redis.url) as two:
        for head in (1, 2, 9, 3):
            one.bus.ring(ANA, head)
        one.bus.ring(BRUNO, 4)
        await eventually(lambda: two.heard == [(ANA, 9), (BRUNO, 4)])
        assert one.count("doorbells_sent_total") == 2


async def test_hundreds_of_people_at_once_are_all_told(shared_redis: RedisServer) -> None:
    async with node(shared_redis.url) as one, node(shared_redis.url) as two:
        everybody = [(Scope("1", str(number)), number) for number in range(1000)]
        for scope, head in everybody:
            one.bus.ring(scope, head)
        await eventually(lambda: len(two.heard) == len(everybody))
        assert two.heard == everybody


@pytest.mark.expects_log("is no doorbell")
async def test_what_is_no_doorbell_is_ignored_counted_and_said_once(
    shared_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with node(shared_redis.url) as one, node(shared_redis.url) as two:
        for message in GARBAGE:
            shared_redis.admin("PUBLISH", CHANNEL, message)
        one.bus.ring(ANA, 5)
        await eventually(lambda: two.heard == [(ANA, 5)])
        assert two.count("doorbells_ignored_total") == len(GARBAGE)
        assert two.count("bus_reconnects_total") == 0
    said = [record for record in caplog.records if "no doorbell" in record.getMessage()]
    assert len(said) == 2, "one for each of the two nodes"


async def test_nothing_but_the_feeds_name_and_number_is_published(own_redis: RedisServer, tmp_path: Path) -> None:
    with own_redis.listening() as published:
        async with live_server(tmp_path, redis_url=own_redis.url) as live:
            assert live.server.bus is not None
            running = asyncio.create_task(live.server.bus.run())
            await live.tell(ALICE, "secret-key")
            bells = await asyncio.to_thread(lambda: next(one for one in published if "bells" in json.loads(one)))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    body = json.loads(bells)
    assert set(body) == {"node", "bells"} and body["bells"] == [["1", "1", 1]]


async def test_a_forged_doorbell_changes_nothing(shared_redis: RedisServer, tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, redis_url=shared_redis.url) as live,
        sockets(live, live.token(ALICE), live.token(BOB)) as (alice, bob),
    ):
        assert live.server.bus is not None
        for one in (alice, bob):
            await one.call("subscribe_notifications", {"since": 0, "epoch": live.server.store.epoch})
        running = asyncio.create_task(live.server.bus.run())
        await until(lambda: live.server.monitor.registry.get_sample_value("crmtray_bus_connected") == 1.0)
        forged = [["1", "1", 1_000_000], ["2", "1", 50], ["1", "nobody", 3], ["1", "1", -4]]
        for number in range(50):
            shared_redis.admin("PUBLISH", CHANNEL, json.dumps({"node": f"x{number}", "bells": forged}).encode())
        [id] = await live.tell(ALICE, "true")
        await alice.wait("new_notification")
        received = live.server.monitor.registry.get_sample_value
        await until(lambda: received("crmtray_doorbells_received_total") == 200.0)
        await live.server.hub.sweep()
        assert [item["id"] for item in alice.named("new_notification")] == [id]
        assert bob.named("new_notification") == [] and not alice.closed.is_set() and not bob.closed.is_set()
        assert not received("crmtray_foreign_changes_total", {"by": "doorbell"})
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# --- Redis goes and comes ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
@pytest.mark.expects_log("Redis is away")
async def test_after_redis_was_gone_all_is_swept_and_rung_again(own_redis: RedisServer) -> None:
    async with node(own_redis.url) as one, node(own_redis.url) as two:
        await asyncio.to_thread(own_redis.kill)
        await eventually(lambda: not one.hears and one.bus.status() == {"status": "down"})
        one.bus.ring(ANA, 3)
        before = two.sweeps
        await asyncio.to_thread(own_redis.start)
        await eventually(lambda: one.hears and two.hears)
        assert two.sweeps > before and one.bus.status() == {"status": "ok"}
        one.bus.ring(ANA, 4)
        await eventually(lambda: (ANA, 4) in two.heard)
        assert two.count("bus_reconnects_total") >= 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.expects_log("Redis is away")
async def test_a_redis_that_stands_still_is_noticed_and_taken_again(own_redis: RedisServer) -> None:
    async with node(own_redis.url) as one, node(own_redis.url) as two:
        own_redis.pause()
        one.bus.ring(ANA, 3)
        await eventually(lambda: one.bus.status() == two.bus.status() == {"status": "down"})
        own_redis.resume()
        await eventually(lambda: one.hears and two.hears)
        one.bus.ring(ANA, 4)
        await eventually(lambda: (ANA, 4) in two.heard)


async def test_who_is_cut_off_by_redis_comes_back(own_redis: RedisServer) -> None:
    async with node(own_redis.url) as one, node(own_redis.url) as two:
        own_redis.admin("CLIENT", "KILL", "TYPE", "pubsub")
        await eventually(lambda: one.count("bus_reconnects_total") == two.count("bus_reconnects_total") == 1)
        await eventually(lambda: one.hears and two.hears)
        one.bus.ring(ANA, 2)
        await eventually(lambda: (ANA, 2) in two.heard)
        assert two.sweeps == 2


@pytest.mark.usefixtures("hasty")
@pytest.mark.expects_log("passes nothing on")
async def test_a_connection_that_is_deaf_without_a_word_is_replaced(shared_redis: RedisServer) -> None:
    async with LossyProxy(shared_redis.port).running() as proxy, node(shared_redis.through(proxy.port)) as one:
        proxy.swallow = True
        await eventually(lambda: not one.hears and one.count("bus_reconnects_total") >= 2)
        assert one.bus.status() == {"status": "down"} and proxy.swallowed > 2
        proxy.swallow = False
        await eventually(lambda: one.hears)
        assert one.bus.status() == {"status": "ok"}


@pytest.mark.expects_log("Redis is away")
@pytest.mark.usefixtures("hasty")
async def test_without_redis_ringing_costs_no_more_than_its_bound() -> None:
    with socket.socket() as nobody:  # bound and not listening: nobody answers there
        nobody.bind(("127.0.0.1", 0))
        async with node(f"redis://127.0.0.1:{nobody.getsockname()[1]}", hears=False) as one:
            for number in range(MOST_WAITING + 10):
                one.bus.ring(Scope("1", str(number)), 1)
            assert one.count("doorbells_dropped_total") == 10
            await eventually(lambda: one.bus.status() == {"status": "down"})


# --- is it as it should be? ----------------------------------------------------------------------------------------


async def ask(url: str) -> str:
    try:
        await probe(url, redis_counts.every_command())
    except Wrong as wrong:
        return str(wrong)
    return "ok"


async def test_the_documented_account_over_tls_is_enough() -> None:
    with running_redis(tls=True) as server:
        assert await ask(server.url) == "ok"
        untrusted = await ask(server.url.partition("?")[0])
        assert "no encrypted connection" in untrusted and "ssl_ca_certs" in untrusted
        async with node(server.url) as one, node(server.url) as two:
            one.bus.ring(ANA, 1)
            await eventually(lambda: two.heard == [(ANA, 1)])


async def test_what_is_wrong_with_redis_is_said_with_how_to_mend_it(shared_redis: RedisServer) -> None:
    assert await ask(shared_redis.url) == "ok"
    wrong_password = await ask(f"redis://crmtray:geheim@127.0.0.1:{shared_redis.port}")
    no_password = await ask(f"redis://127.0.0.1:{shared_redis.port}")
    for answer in (wrong_password, no_password):
        assert "account or the password is wrong" in answer and "geheim" not in answer
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = await ask(f"redis://127.0.0.1:{nobody.getsockname()[1]}")
    assert "Correct REDIS_URL, or start Redis" in away


@pytest.mark.parametrize("missing", ["+publish", "+subscribe", "+incr", "+multi", "&crmtray:*", "~crmtray:*"])
async def test_an_account_that_may_too_little_is_told_what_it_needs(missing: str) -> None:
    with running_redis(rules=RULES.replace(missing, "")) as server:
        assert "ACL SETUSER" in await ask(server.url)


async def test_the_account_may_do_nothing_else(shared_redis: RedisServer) -> None:
    for command in (["GET", "other"], ["PUBLISH", "other", "x"], ["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"]):
        answer = shared_redis.admin("ACL", "DRYRUN", "crmtray", *command)
        assert answer != b"OK", command


async def test_check_has_a_line_for_redis(shared_redis: RedisServer, tmp_path: Path) -> None:
    for url, sentence in ((shared_redis.url, "ok"), ("redis://127.0.0.1:1", "start Redis"), (None, "")):
        given = {"redis_url": url, "database_url": f"sqlite:///{tmp_path / 's.db'}", "jwt_secret_key": "x" * 40}
        settings = Settings.model_validate(given)
        lines = await asyncio.to_thread(lambda: dict(checkup.check(settings)))  # noqa: B023
        assert sentence in lines["redis"] if url else "redis" not in lines


async def test_a_redis_that_says_nothing_is_given_up(own_redis: RedisServer) -> None:
    own_redis.pause()
    assert "no answer in 2 seconds" in await ask(own_redis.url)


# --- failed logins -------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WRONG = Refused(INVALID_CREDENTIALS, "wrong")


async def attempt(
    limit: SharedLimit, email: str = "ana@demo.example", address: str = "10.0.0.1", good: bool = False
) -> str:
    try:
        async with limit.attempt(email, address, NOW):
            if not good:
                raise WRONG
    except Refused as refused:
        return refused.code
    return "in"


def limits(server: RedisServer, count: int = 2) -> list[SharedLimit]:
    return [SharedLimit(RedisCounts(server.url, "a secret of the tests")) for _ in range(count)]


async def test_nodes_count_failed_logins_together(own_redis: RedisServer) -> None:
    one, two = limits(own_redis)
    assert {await attempt(limit) for limit in (one, two, one, two, one)} == {INVALID_CREDENTIALS}
    assert await attempt(two) == await attempt(one) == await attempt(two, good=True) == TOO_MANY_ATTEMPTS
    assert await attempt(two, "bruno@demo.example", "10.0.0.2", good=True) == "in"
    keys = own_redis.admin("KEYS", "*")
    assert keys and all(key.startswith(b"crmtray:login:") and b"ana" not in key for key in keys)
    assert all(0 < own_redis.admin("PTTL", key) <= 60_000 for key in keys)


async def test_an_address_is_counted_by_all_nodes_too(own_redis: RedisServer) -> None:
    one, two = limits(own_redis)
    for number in range(20):
        assert await attempt((one, two)[number % 2], f"a{number}@demo.example") == INVALID_CREDENTIALS
    assert await attempt(one, "another@demo.example") == TOO_MANY_ATTEMPTS


async def test_a_success_forgets_and_an_error_of_ours_does_not_count(own_redis: RedisServer) -> None:
    one, two = limits(own_redis)
    for _ in range(4):
        assert await attempt(one) == INVALID_CREDENTIALS
    assert await attempt(two, good=True) == "in"
    for _ in range(4):
        with pytest.raises(OSError):
            async with two.attempt("ana@demo.example", "10.0.0.1", NOW):
                raise OSError("the CRM is away")
    fresh = limits(own_redis, 1)[0]
    assert {await attempt(fresh) for _ in range(5)} == {INVALID_CREDENTIALS}
    assert await attempt(fresh) == TOO_MANY_ATTEMPTS


async def test_many_at_once_are_not_more_than_one_after_the_other(own_redis: RedisServer) -> None:
    nodes = limits(own_redis, 4)
    outcomes = await asyncio.gather(*(attempt(nodes[number % 4]) for number in range(16)))
    assert outcomes.count(INVALID_CREDENTIALS) == 5


async def test_without_redis_each_node_limits_by_its_own_count(own_redis: RedisServer) -> None:
    own_redis.pause()
    one, two = limits(own_redis)
    for limit in (one, two):
        assert [await attempt(limit) for _ in range(6)] == [INVALID_CREDENTIALS] * 5 + [TOO_MANY_ATTEMPTS]


async def test_a_redis_that_hangs_is_asked_once_and_then_left_alone(own_redis: RedisServer) -> None:
    clock = [0.0]
    counts = RedisCounts(own_redis.url, "a secret", lambda: clock[0])
    limit = SharedLimit(counts)
    own_redis.pause()
    assert await attempt(limit, good=True) == "in"
    own_redis.resume()
    assert await attempt(limit) == INVALID_CREDENTIALS
    assert own_redis.admin("DBSIZE") == 0, "not asked again so soon"
    clock[0] += 6
    assert await attempt(limit) == INVALID_CREDENTIALS
    assert own_redis.admin("DBSIZE") == 2
