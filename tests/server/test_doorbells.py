"""What a node does when it is told of another's changes: it sends what is missing, once and in order, or nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crmtray_server.auth import Claims
from crmtray_server.hub import Connection, Hub
from crmtray_server.monitor import Monitor
from crmtray_server.receipts import Device
from crmtray_server.store import feed, migrate
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import NewItem, Scope
from tests.server.live import until

ANA, BRUNO = Scope("1", "7"), Scope("1", "8")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Node:
    """A hub over a store that it shares with another."""

    def __init__(self, url: str) -> None:
        engine = make_engine(url)
        migrate.upgrade(engine)
        self.store, self.monitor = Store(engine), Monitor()
        self.store.open()
        self.hub = Hub(self.store, self.monitor)
        self.rung: list[tuple[Scope, int]] = []
        self.hub.ring = lambda scope, head: self.rung.append((scope, head))

    async def tell(self, scope: Scope, *keys: str) -> None:
        items = [NewItem(scope, key, "hot_lead", key, "", {}, "high") for key in keys]
        self.hub.publish(await self.store.write(feed.add, items, NOW))

    def found(self, by: str) -> float:
        return self.monitor.registry.get_sample_value("crmtray_foreign_changes_total", {"by": by}) or 0.0

    async def close(self) -> None:
        await self.hub.close()
        self.store.close()


class Desk:
    """A socket of one person: the titles it was sent, in that order."""

    def __init__(self, node: Node, scope: Scope = ANA) -> None:
        self.titles: list[str] = []
        self.cuts = 0
        claims = Claims(scope, "seller", NOW + timedelta(days=1))
        self.connection = Connection(claims, self._send, self._drained, self._cut, Device("desk", "test"), NOW)
        node.hub.add(self.connection)

    def _send(self, frame: str, _since: float | None = None) -> None:
        name, body = json.loads(frame[1:])
        if name == "new_notification":
            self.titles.append(body["title"])

    async def _drained(self) -> bool:
        return True

    def _cut(self) -> None:
        self.cuts += 1


@pytest.fixture
async def nodes(store_url: str) -> AsyncIterator[tuple[Node, Node]]:
    made = [await asyncio.to_thread(Node, store_url) for _ in range(2)]
    yield made[0], made[1]
    for node in made:
        await node.close()


async def test_whoever_stores_rings_with_the_newest_number(nodes: tuple[Node, Node]) -> None:
    here, _ = nodes
    await here.tell(ANA, "a", "b")
    await here.tell(ANA, "a")
    assert here.rung == [(ANA, 2)]


async def test_a_doorbell_has_what_is_missing_sent_and_a_second_one_nothing(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    desk, other = Desk(there), Desk(there, BRUNO)
    for one in (desk, other):
        there.hub.start(one.connection, "cursor", 0)
    await here.tell(ANA, "a", "b")
    for _ in range(3):
        there.hub.doorbell(ANA, 2)
    await until(lambda: desk.titles == ["a", "b"])
    there.hub.doorbell(ANA, 1)
    await there.hub.sweep()
    assert desk.titles == ["a", "b"] and other.titles == [] and there.found("doorbell") == 2


async def test_sockets_that_were_sent_differently_far_each_get_the_rest(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    await here.tell(ANA, "a", "b", "c")
    first, last, simple = Desk(there), Desk(there), Desk(there)
    there.hub.start(first.connection, "cursor", 0)
    there.hub.start(last.connection, "cursor", 2)
    there.hub.start(simple.connection, "simple", 1)
    there.hub.doorbell(ANA, 3)
    await until(lambda: (first.titles, last.titles, simple.titles) == (["a", "b", "c"], ["c"], ["b", "c"]))


async def test_what_another_node_stored_goes_before_what_this_one_stores(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    desk, simple = Desk(there), Desk(there)
    there.hub.start(desk.connection, "cursor", 0)
    there.hub.start(simple.connection, "simple", 0)
    for number in range(0, 10, 2):
        await here.tell(ANA, str(number))
        await there.tell(ANA, str(number + 1))
    everything = [str(number) for number in range(10)]
    await until(lambda: desk.titles == everything and simple.titles == everything)
    assert there.found("gap") > 0


async def test_a_doorbell_while_somebody_subscribes_is_not_forgotten(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    by_bell, by_sweep = Desk(there), Desk(there, BRUNO)
    for desk in (by_bell, by_sweep):
        desk.connection.mode = "subscribing"  # its page has been read, its answer is on the way
    await here.tell(ANA, "a")
    await here.tell(BRUNO, "b")
    there.hub.doorbell(ANA, 1)
    await there.hub.sweep()
    for desk in (by_bell, by_sweep):
        there.hub.start(desk.connection, "cursor", 0)
    await until(lambda: by_bell.titles == ["a"] and by_sweep.titles == ["b"])


async def test_a_flood_of_false_doorbells_makes_few_readings(
    nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, there = nodes
    desk = Desk(there)
    there.hub.start(desk.connection, "cursor", 0)
    readings = 0
    read = there.store.read

    async def counted(*args: Any) -> Any:
        nonlocal readings
        readings += 1
        return await read(*args)

    monkeypatch.setattr(there.store, "read", counted)
    for number in range(2000):
        there.hub.doorbell(ANA, 10**9 + number)
        there.hub.doorbell(Scope("1", f"nobody {number}"), 5)
        if number % 20 == 0:
            await asyncio.sleep(0)
    await until(lambda: there.hub._looking is None)
    assert 0 < readings < 50 and desk.titles == [] and desk.cuts == 0


async def test_more_than_a_queue_holds_is_told_by_the_count_alone(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    desk = Desk(there)
    there.hub.start(desk.connection, "cursor", 0)
    await here.tell(ANA, *(f"n{number}" for number in range(700)))
    there.hub.doorbell(ANA, 700)
    await until(lambda: desk.connection.sent == 700)
    assert len(desk.titles) <= 500


WITHOUT_THE_PACKAGE = """
import sys
sys.modules["redis"] = None  # as if it were not installed
from crmtray_server import app, checkup, config
try:
    app.build(config.load()).store.close()
except config.SettingsError as error:
    print(error)
print(dict(checkup.check(config.load())).get("redis"))
"""


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:6379"])
def test_the_package_is_needed_with_redis_url_only(url: str, tmp_path: Path) -> None:
    environment = os.environ | {"JWT_SECRET_KEY": "x" * 40, "DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}"}
    command = [sys.executable, "-P", "-c", WITHOUT_THE_PACKAGE]
    done = subprocess.run(
        command, env=environment | {"REDIS_URL": url}, capture_output=True, text=True, timeout=60, check=True
    )
    said = "REDIS_URL is set, but the Python package redis is missing: pip install 'crmtray[postgres]'."
    assert done.stdout.splitlines() == ([said, said] if url else ["None"])
