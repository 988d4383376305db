"""What the server counts, when it calls itself unwell, and who it says got what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from pydantic import SecretStr

from crmtray import identity
from crmtray.protocol import Json
from crmtray_server import receipts as receipts_module
from crmtray_server import sockets as strict
from crmtray_server.alerts import CALM, Alerts
from crmtray_server.config import Settings
from crmtray_server.monitor import WINDOW_SECONDS, Monitor, quantile
from crmtray_server.receipts import Device, Receipts, clean, device_of
from crmtray_server.store import device_deliveries, feed, migrate
from crmtray_server.store.database import Store, StoreUnavailable, make_engine
from crmtray_server.store.device_deliveries import Receipt
from crmtray_server.store.feed import Scope
from tests.server.live import ALICE, BOB, SECRET, Live, Socket, live_server, request, sockets, until

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SCOPE = Scope("1", "1")


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        yield server


class Hands:
    """A clock that is moved by hand; seconds for the monitor, the same moment for the alerts."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


async def samples(live: Live) -> dict[str, float]:
    """What /metrics says, by name and labels."""
    async with aiohttp.ClientSession() as session, session.get(f"{live.url}/metrics") as response:
        assert response.status == 200 and response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = (await response.text()).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


# --- /metrics ----------------------------------------------------------------------------------------------------


async def test_a_delivery_is_counted_from_its_commit_to_the_transport(live: Live) -> None:
    async with sockets(live, live.token(ALICE), live.token(BOB)) as [alice, _]:
        await alice.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        await live.tell(ALICE, "a", "b", silent=True, reason="quiet_hours")
        await alice.wait("notification_count_update")
        await alice.call("ack_notifications", {"seq": 2})
        found = await samples(live)
    assert found["crmtray_connections_active"] == found["crmtray_connections_total"] == 2
    assert found["crmtray_delivery_seconds_count"] == found["crmtray_acknowledgement_seconds_count"] == 2
    assert 0 < found["crmtray_delivery_seconds_sum"] < 5 and found['crmtray_delivery_seconds_bucket{le="10.0"}'] == 2
    # Greetings, the answer to the subscription, two items and the count; acks and pings are not messages.
    assert found["crmtray_messages_sent_total"] == 6
    assert found['crmtray_messages_received_total{event="ack_notifications"}'] == 1
    assert found['crmtray_notifications_stored_total{type="hot_lead"}'] == 2
    assert found['crmtray_notifications_silent_total{reason="quiet_hours"}'] == 2
    assert found["crmtray_store_commit_seconds_count"] >= 2 and found["crmtray_store_batch_writes_sum"] >= 2


async def test_what_goes_wrong_with_sockets_is_counted_by_reason(live: Live) -> None:
    for _ in range(2):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Socket().connect(live, "forged")
    async with sockets(live, live.token(ALICE)) as [alice]:
        await alice.client.emit("drop_tables", {})
        await asyncio.wait_for(alice.closed.wait(), 5)
    found = await samples(live)
    assert found['crmtray_connections_refused_total{code="invalid_token"}'] == 2
    assert found['crmtray_socket_errors_total{reason="violation"}'] == 1
    assert found["crmtray_connections_active"] == 0
    stats = live.server.monitor.stats()
    assert stats.connection_success_rate == pytest.approx(1 / 3) and stats.errors == 1


async def test_a_reader_that_does_not_read_is_an_error(live: Live) -> None:
    async with sockets(live, live.token(ALICE)) as [alice]:
        [connection] = live.server.hub.connections()
        for _ in range(strict.MAX_QUEUED + 1):  # without a turn of the loop nothing is sent
            connection.send("2[]")
        await asyncio.wait_for(alice.closed.wait(), 5)
    assert (await samples(live))['crmtray_socket_errors_total{reason="slow_reader"}'] == 1


async def test_requests_are_counted_by_template_never_by_path(live: Live) -> None:
    token = live.token(ALICE)
    [id] = await live.tell(ALICE, "a")
    await request(live, "GET", f"/notifications/{id}", token)
    await request(live, "GET", "/notifications/x1234", token)
    await request(live, "GET", "/wp-login.php")
    async with aiohttp.ClientSession() as session, session.request("PROPFIND", f"{live.url}/health") as response:
        assert response.status == 405
    found = await samples(live)
    counted = "crmtray_http_request_seconds_count"
    assert found[f'{counted}{{method="GET",route="/notifications/{{id}}",status="200"}}'] == 1
    assert found[f'{counted}{{method="GET",route="/notifications/{{id}}",status="404"}}'] == 1
    assert found[f'{counted}{{method="GET",route="(none)",status="404"}}'] == 1
    assert found[f'{counted}{{method="OTHER",route="(none)",status="405"}}'] == 1
    assert not any(id in name or "x1234" in name or "wp-login" in name for name in found)


async def test_metrics_tell_strangers_nothing_about_anyone(live: Live) -> None:
    async with sockets(live, live.token(ALICE)) as [alice]:
        await alice.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        await live.tell(ALICE, "secret-key")
        found = "\n".join(await samples(live))
    for word in (
        "alice",
        "Alice",
        "tenant",
        "user_id",
        "secret-key",
        "python_info",
        "_created",
        live.server.store.epoch,
    ):
        assert word not in found


def test_a_label_does_not_grow_without_end() -> None:
    monitor = Monitor()
    for number in range(500):
        monitor.stored(f"type {number}", True, f"reason {number}")
    lines = monitor.text().decode().splitlines()
    assert sum(line.startswith("crmtray_notifications_stored_total{") for line in lines) == 1
    assert sum(line.startswith("crmtray_notifications_silent_total{") for line in lines) <= 31


# --- the last five minutes ---------------------------------------------------------------------------------------


def test_who_comes_back_within_a_minute_has_reconnected() -> None:
    hands = Hands()
    monitor = Monitor(hands)
    for who, away in (("a", 59.0), ("b", 61.0)):
        monitor.connected(who)
        monitor.disconnected(who)
        hands.seconds += away
        monitor.connected(who)
    monitor.connected("c")
    stats = monitor.stats()
    assert (stats.reconnects, stats.connections_total, stats.connections_active) == (1, 5, 3)
    assert stats.reconnect_rate == pytest.approx(1 / 5)


def test_rates_forget_what_is_older_than_five_minutes() -> None:
    hands = Hands()
    monitor = Monitor(hands)
    monitor.refused("invalid_token")
    monitor.sent(4.0)
    assert monitor.stats().connection_success_rate == 0 and monitor.stats().avg_message_latency_ms == 4000
    hands.seconds += WINDOW_SECONDS + 10
    stats = monitor.stats()
    assert (stats.connection_success_rate, stats.avg_message_latency_ms, stats.latency_p99_ms) == (1.0, 0.0, 0.0)
    assert (stats.connections_refused, stats.messages_sent) == (1, 1)
    assert sum(count for _, count in monitor.latencies()) == 0


def test_quantiles_lie_within_the_bucket_that_holds_them() -> None:
    monitor = Monitor()
    for _ in range(98):
        monitor.sent(0.0015)
    monitor.sent(0.4)
    monitor.sent(60.0)
    stats = monitor.stats()
    assert 1 < stats.latency_p50_ms <= 2 and 250 < stats.latency_p99_ms <= 500
    assert quantile([0] * 14 + [3], 0.5) == 10.0, "above all bounds: the highest that is known"


# --- alerts ------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings() -> Settings:
    return Settings(jwt_secret_key=SecretStr(SECRET), socketio_max_connections=2, socketio_avg_latency_ms_threshold=100)


class Watched:
    """Alerts over a monitor and services that the test sets."""

    def __init__(self, settings: Settings) -> None:
        self.hands = Hands()
        self.monitor = Monitor(self.hands)
        self.services: Json = {name: {"status": "ok"} for name in ("socket_io", "database", "redis", "crm", "smtp")}
        self.alerts = Alerts(settings, self.monitor, self._health, self.hands.now)

    async def _health(self) -> tuple[bool, Json]:
        return True, {"status": "ok", "services": self.services}

    async def after(self, seconds: float) -> list[str]:
        self.hands.seconds += seconds
        await self.alerts.check()
        return [alert.type for alert in self.alerts.active]


@pytest.fixture
def watched(settings: Settings) -> Watched:
    return Watched(settings)


async def test_an_alert_is_logged_when_it_begins_and_when_it_ends(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for who in range(3):
        watched.monitor.connected(who)
    assert await watched.after(10) == ["high_connections"]
    [alert] = watched.alerts.active
    assert (alert.value, alert.threshold, alert.severity) == (3, 2, "warning") and "3 open" in alert.message
    began = watched.hands.now()
    watched.monitor.connected(3)
    assert await watched.after(10) == ["high_connections"]
    assert watched.alerts.active[0].value == 4 and watched.alerts.active[0].since == began
    for who in range(4):
        watched.monitor.disconnected(who)
    assert await watched.after(10) == ["high_connections"], "not before it has been calm for a minute"
    assert await watched.after(CALM.total_seconds()) == []
    [ended] = watched.alerts.recent
    assert ended.since == began and ended.until == watched.hands.now()
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "INFO"] and "high_connections" in said[1][1]


@pytest.mark.expects_log("alert high_connections")
async def test_a_value_on_the_edge_does_not_flap(watched: Watched) -> None:
    for who in range(3):
        watched.monitor.connected(who)
    await watched.after(10)
    for _ in range(10):
        watched.monitor.disconnected(0)  # two: not above the threshold, and not calm either
        assert await watched.after(60) == ["high_connections"]
        watched.monitor.connected(0)
        assert await watched.after(60) == ["high_connections"]
    assert watched.alerts.recent == []


@pytest.mark.expects_log("alert high_")
async def test_slow_delivery_errors_and_reconnections_are_told(watched: Watched) -> None:
    for number in range(20):
        watched.monitor.sent(0.15)
        watched.monitor.connected("x")
        watched.monitor.disconnected("x")
        watched.monitor.failed("violation")
        assert number > 0 or await watched.after(0) == [], "one of anything is no rate"
    assert sorted(await watched.after(10)) == ["high_error_rate", "high_latency", "high_reconnect_rate"]
    assert "150 ms" in next(alert.message for alert in watched.alerts.active if alert.type == "high_latency")
    await watched.after(WINDOW_SECONDS + 10)
    assert await watched.after(CALM.total_seconds()) == []


@pytest.mark.expects_log("alert ")
@pytest.mark.parametrize(
    ("service", "type"),
    [("database", "store_unavailable"), ("crm", "crm_unreachable"), ("smtp", "mail_failing"), ("redis", "bus_down")],
)
async def test_a_service_that_is_down_is_an_alert(watched: Watched, service: str, type: str) -> None:
    watched.services[service] = {"status": "off"}
    assert await watched.after(10) == []
    watched.services[service] = {"status": "down"}
    assert await watched.after(10) == [type]
    watched.services[service] = {"status": "ok"}
    assert await watched.after(10) == [type]
    assert await watched.after(CALM.total_seconds()) == []


@pytest.mark.expects_log("alert store_unavailable")
@pytest.mark.expects_log("the store is not available")
async def test_health_and_alerts_see_a_store_that_goes_and_comes_back(
    live: Live, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> Any:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(live.server.store, "_read", away)
    for _ in range(3):
        status, body, _ = await request(live, "GET", "/health")
        assert (status, body["status"], body["services"]["database"]) == (503, "down", {"status": "down"})
    await live.server.alerts.check()
    assert [alert.type for alert in live.server.alerts.active] == ["store_unavailable"]
    assert sum("the disk is gone" in record.getMessage() for record in caplog.records) == 1, "said once, not each time"
    monkeypatch.undo()
    assert (await request(live, "GET", "/health"))[0] == 200


# --- receipts ----------------------------------------------------------------------------------------------------


async def told(live: Live, id: str) -> list[tuple[str, str, str]]:
    await live.server.receipts.flush()
    found = await live.server.store.read(device_deliveries.of, SCOPE, id)
    return [(delivery.channel, delivery.device, delivery.state) for delivery in found]


@asynccontextmanager
async def device(live: Live, name: str) -> AsyncIterator[Socket]:
    socket = Socket()
    auth = {"token": live.token(ALICE), "client": "crmtray 9.9 Test", "device": name}
    await socket.client.connect(live.url, transports=["websocket"], auth=auth, wait_timeout=5)
    try:
        await socket.wait("notification_connected")
        yield socket
    finally:
        await socket.client.disconnect()


async def test_receipts_say_which_device_got_an_item_and_which_keeps_it(live: Live) -> None:
    [before] = await live.tell(ALICE, "before")
    cursor = {"epoch": live.server.store.epoch, "since": 0}
    async with device(live, "laptop") as laptop, device(live, "desk") as desk:
        await laptop.call("subscribe_notifications", cursor)
        [after] = await live.tell(ALICE, "after")
        await laptop.wait("new_notification")
        assert await told(live, before) == await told(live, after) == [("socket", "laptop", "sent")]
        await laptop.call("ack_notifications", {"seq": 1})
        assert await told(live, before) == [("socket", "laptop", "acknowledged")]
        assert await told(live, after) == [("socket", "laptop", "sent")]
        await laptop.call("ack_notifications", {"seq": 2})
        await desk.call("subscribe_notifications", {})
        assert sorted(await told(live, after)) == [("socket", "desk", "sent"), ("socket", "laptop", "acknowledged")]
    async with device(live, "laptop") as laptop:
        await laptop.call("subscribe_notifications", cursor)
        assert ("socket", "laptop", "acknowledged") in await told(live, after), "what was acknowledged stays so"
    assert await live.server.store.read(device_deliveries.of, Scope("2", "1"), after) == []


async def test_what_a_device_pulled_is_acknowledged_on_its_socket(live: Live) -> None:
    async with device(live, "laptop") as laptop:
        await laptop.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        await laptop.call("unsubscribe_notifications")
        [id] = await live.tell(ALICE, "a")
        epoch = live.server.store.epoch
        page = await live.server.store.read(feed.changes_since, SCOPE, epoch, 0, 10)
        live.server.hub.pulled(SCOPE, "laptop", page.changes)
        live.server.hub.pulled(SCOPE, "phone", page.changes)
        await laptop.call("ack_notifications", {"seq": 1})
        assert sorted(await told(live, id)) == [("pull", "laptop", "acknowledged"), ("pull", "phone", "sent")]


async def test_receipts_are_written_in_the_background_and_at_the_end(live: Live) -> None:
    running = asyncio.create_task(live.server.receipts.flush_forever())
    try:
        live.server.receipts.note(SCOPE, "laptop", "socket", "sent", ["n1"])
        async with asyncio.timeout(5):
            while not await live.server.store.read(device_deliveries.of, SCOPE, "n1"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    live.server.receipts.note(SCOPE, "laptop", "socket", "sent", ["n2"])
    await live.server.realtime.close()
    assert len(await live.server.store.read(device_deliveries.of, SCOPE, "n2")) == 1


async def test_without_the_store_receipts_wait_then_are_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(engine)
    store, monitor = Store(engine), Monitor()
    store.open()
    waiting = Receipts(store, lambda: NOW, monitor.receipts_dropped)
    monkeypatch.setattr(receipts_module, "MOST_WAITING", 3)

    async def away(*_: Any) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as gone:
        gone.setattr(store, "write", away)
        waiting.note(SCOPE, "laptop", "socket", "sent", ["a", "b", "c", "d", "e"])
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await waiting.flush()
        await waiting.finish()  # the end does not fail for it
    await waiting.flush()
    found = [len(await store.read(device_deliveries.of, SCOPE, id)) for id in "abcde"]
    assert found == [1, 1, 1, 0, 0]
    assert "crmtray_receipts_dropped_total 2.0" in monitor.text().decode()
    store.close()


async def test_the_first_time_is_kept_on_both_databases(store_url: str) -> None:
    engine = make_engine(store_url)
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    later = NOW + timedelta(minutes=1)

    async def record(state: Any, at: datetime) -> None:
        await store.write(device_deliveries.record, [Receipt(SCOPE, "n", "socket", "laptop", state, at)])

    await record("sent", NOW)
    await record("sent", later)
    [delivery] = await store.read(device_deliveries.of, SCOPE, "n")
    assert (delivery.state, delivery.created_at, delivery.updated_at) == ("sent", NOW, NOW)
    await record("acknowledged", later)
    await record("sent", later + timedelta(minutes=1))
    [delivery] = await store.read(device_deliveries.of, SCOPE, "n")
    assert (delivery.state, delivery.created_at, delivery.updated_at) == ("acknowledged", NOW, later)
    await asyncio.to_thread(store.close)


@pytest.mark.parametrize(
    ("auth", "user_agent", "device"),
    [
        ({"client": "crmtray 0.1.0 Linux", "device": "ana"}, "x", Device("crmtray 0.1.0 Linux", "ana")),
        ({"token": "t"}, "crmtray/0.1.0 (Linux; ana-laptop)", Device("crmtray 0.1.0 Linux", "ana-laptop")),
        ("token", "Mozilla/5.0", Device("Mozilla/5.0", "Mozilla/5.0")),
        ({"client": 7, "device": ["x"]}, None, Device("unknown", "unknown")),
        ({"device": "  a\n\x00\u202eb  \ud800 "}, "", Device("unknown", "a b")),
    ],
)
def test_a_device_is_what_its_client_says_made_fit_to_show(auth: Any, user_agent: str | None, device: Device) -> None:
    assert device_of(auth, user_agent) == device


def test_names_do_not_get_long() -> None:
    assert len(clean("x" * 10_000)) == 100


def test_both_ways_of_our_client_name_the_same_device() -> None:
    by_socket = device_of({"client": identity.client(), "device": identity.device()}, "aiohttp")
    by_http = device_of(None, identity.user_agent())
    assert by_socket == by_http and by_socket.client.startswith("crmtray ")


async def test_the_socket_that_ended_is_no_longer_counted(live: Live) -> None:
    async with sockets(live, live.token(ALICE)):
        assert live.server.monitor.stats().connections_active == 1
    await until(lambda: live.server.monitor.stats().connections_active == 0)
