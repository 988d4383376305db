"""Socket.IO as clients see it: who gets in, who gets what, in which order, and what closes a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from crmtray.protocol import format_time
from crmtray_server import sockets as strict
from crmtray_server.frames import event_frame
from crmtray_server.store import feed
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import NewItem, Scope
from tests.server.live import ALICE, BOB, CHARLIE, Live, Socket, live_server, request, sockets, until

EVERYONE_ELSE = (BOB, CHARLIE)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    ("token", "code"),
    [(None, "authentication_required"), ("nonsense", "invalid_token"), ("expired", "token_expired")],
)
async def test_refused_connections_carry_a_code(live: Live, token: str | None, code: str) -> None:
    socket = Socket()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await socket.connect(live, live.token(ALICE, ttl=-5) if token == "expired" else token)
    assert socket.refusal["data"] == {"code": code}


async def test_a_cursor_client_gets_the_page_then_every_change_in_order(live: Live) -> None:
    await live.tell(ALICE, "a", "b")
    async with sockets(live, live.token(ALICE)) as [alice]:
        page = await alice.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 1})
        assert page["ok"] and [change["seq"] for change in page["changes"]] == [2] and not page["reset"]
        [third] = await live.tell(ALICE, "c")
        await live.server.inbox.mark_read(Scope("1", "1"), third)
        await live.server.inbox.clear(Scope("1", "1"))
        await alice.wait("notification_count_update", 3)
        pushed = [
            (name, body["seq"])
            for name, body in alice.events
            if name.startswith(("new_", "notification_u", "notification_r"))
        ]
        assert pushed == [
            ("new_notification", 3),
            ("notification_updated", 4),
            ("notification_removed", 5),
            ("notification_removed", 6),
            ("notification_removed", 7),
        ]
        assert alice.named("notification_count_update")[-1]["count"] == 0


async def test_nothing_is_missed_between_the_page_and_the_pushes(live: Live) -> None:
    async with sockets(live, live.token(ALICE)) as [alice]:
        cursor = {"epoch": live.server.store.epoch, "since": 0}
        telling = [asyncio.create_task(live.tell(ALICE, f"k{n}")) for n in range(40)]
        page = await alice.call("subscribe_notifications", cursor)
        await asyncio.gather(*telling)
        rest = 40 - len(page["changes"])
        if rest:
            await alice.wait("new_notification", rest)
        seqs = [change["seq"] for change in page["changes"]] + [n["seq"] for n in alice.named("new_notification")]
        assert seqs == list(range(1, 41))


async def test_a_simple_client_gets_what_it_was_never_sent_oldest_first(live: Live) -> None:
    await live.tell(ALICE, *[f"k{n:03}" for n in range(130)])
    async with sockets(live, live.token(ALICE)) as [alice]:
        await alice.call("subscribe_notifications", {"user_id": "1"})
        await alice.wait("notification_count_update")
        names = [name for name, _ in alice.events]
        assert names[:2] == ["notification_connected", "notification_subscribed"]
        assert names[2:] == ["new_notification"] * 130 + ["notification_count_update"]
        assert [n["title"] for n in alice.named("new_notification")] == [f"Título k{n:03}" for n in range(130)]
        await live.tell(ALICE, "later")
        assert (await alice.wait("new_notification", 131))[-1]["title"] == "Título later"
        assert (await alice.wait("notification_count_update", 2))[-1]["count"] == 131
    await asyncio.gather(*live.server.hub._tasks)
    await live.tell(ALICE, "while away")
    async with sockets(live, live.token(ALICE)) as [again]:
        await again.call("subscribe_notifications", {})
        await again.wait("notification_count_update")
        assert [n["title"] for n in again.named("new_notification")] == ["Título while away"]


async def test_a_long_backlog_reaches_a_simple_client_whole(live: Live) -> None:
    await live.tell(ALICE, *[f"k{n:04}" for n in range(strict.MAX_QUEUED + 200)])
    async with sockets(live, live.token(ALICE)) as [alice]:
        await alice.call("subscribe_notifications", {})
        await alice.wait("notification_count_update")
        titles = [n["title"] for n in alice.named("new_notification")]
        assert titles == [f"Título k{n:04}" for n in range(strict.MAX_QUEUED + 200)]


async def test_what_another_process_stored_meanwhile_is_not_jumped_over(live: Live) -> None:
    other = Store(make_engine(str(live.server.store.engine.url)))
    await asyncio.to_thread(other.open)
    try:
        async with sockets(live, live.token(ALICE)) as [simple]:
            await simple.call("subscribe_notifications", {})
            item = NewItem(Scope(ALICE.tenant_id, ALICE.user_id), "a", "hot_lead", "Título a", "", {}, "urgent")
            await other.write(feed.add, [item], datetime.now(UTC))
            await live.tell(ALICE, "b")
            shown = await simple.wait("new_notification", 2)
            assert [body["title"] for body in shown] == ["Título a", "Título b"]
    finally:
        await asyncio.to_thread(other.close)


async def test_a_burst_is_a_doorbell_for_a_cursor_client_and_pages_for_a_simple_one(live: Live) -> None:
    count = strict.MAX_QUEUED + 200
    async with sockets(live, live.token(ALICE), live.token(ALICE)) as [cursor, simple]:
        await cursor.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        await simple.call("subscribe_notifications", {})
        await live.tell(ALICE, *[f"k{n:04}" for n in range(count)])
        [body] = await cursor.wait("notification_count_update")
        assert body["seq"] == count and cursor.named("new_notification") == []
        assert (await cursor.call("get_notification_count"))["count"] == count
        await asyncio.wait_for(simple.closed.wait(), 5)
    async with sockets(live, live.token(ALICE)) as [again]:
        await again.call("subscribe_notifications", {})
        assert len(await again.wait("new_notification", count)) == count


async def test_nobody_else_gets_a_thing(live: Live) -> None:
    async with sockets(live, *[live.token(user) for user in (ALICE, *EVERYONE_ELSE)]) as [alice, *others]:
        for socket in (alice, *others):
            await socket.call("subscribe_notifications", {})
        [id] = await live.tell(ALICE, "secret")
        await alice.wait("new_notification")
        for other, user in zip(others, EVERYONE_ELSE, strict=True):
            for room in ("notifications:1", "notifications:3", id):
                if room != f"notifications:{user.user_id}":
                    assert (await other.call("join_room", {"room": room}))["code"] == "forbidden"
            if user.user_id != "1":
                assert (await other.call("subscribe_notifications", {"user_id": "1"}))["code"] == "forbidden"
            for event in ("mark_notification_read", "snooze_notification", "perform_action"):
                data = {"notification_id": id, "until": "2999-01-01T00:00:00Z", "action": "view_lead"}
                assert (await other.call(event, data))["code"] == "not_found"
            assert (await other.call("mark_all_notifications_read"))["changed"] == 0
            assert (await other.call("clear_notifications"))["changed"] == 0
            assert other.named("new_notification") == [] and other.named("notification_updated") == []
        assert (await alice.call("get_notification_count"))["count"] == 1


async def test_every_device_sees_what_one_does(live: Live) -> None:
    [id] = await live.tell(ALICE, "a")
    async with sockets(live, live.token(ALICE), live.token(ALICE)) as [desk, laptop]:
        for socket in (desk, laptop):
            await socket.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 1})
        answer = await desk.call("mark_notification_read", {"notification_id": id})
        assert answer["ok"] and answer["notification"]["read"]
        assert (await laptop.wait("notification_updated"))[0]["read"]
        until = format_time(datetime.now(UTC) + timedelta(hours=1))
        assert (await desk.call("snooze_notification", {"notification_id": id, "until": until}))["ok"]
        assert (await laptop.wait("notification_updated", 2))[1]["snoozed_until"] == until
        acted = await desk.call("perform_action", {"notification_id": id, "action": "view_lead", "request_id": "r"})
        assert acted["ok"] and acted["notification"]["read"]
        assert (await desk.call("ack_notifications", {"seq": 4})) == {"ok": True}
        assert (await desk.call("unsubscribe_notifications")) == {"ok": True}


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("mark_notification_read", {}),
        ("mark_notification_read", {"notification_id": 7}),
        ("snooze_notification", {"notification_id": "x", "until": "yesterday"}),
        ("snooze_notification", {"notification_id": "x", "until": "2001-01-01T00:00:00Z"}),
        ("subscribe_notifications", {"since": -1}),
        ("subscribe_notifications", {"since": "0"}),
        ("ack_notifications", {"seq": True}),
        ("mark_all_notifications_read", {"up_to_seq": "all"}),
        ("perform_action", {"notification_id": "x", "action": "view_lead", "params": []}),
    ],
)
async def test_wrong_arguments_are_answered_not_punished(live: Live, event: str, data: dict[str, Any]) -> None:
    async with sockets(live, live.token(ALICE)) as [alice]:
        answer = await alice.call(event, data)
        assert answer["ok"] is False and answer["code"] == "invalid_request" and answer["message"]
        assert (await alice.call("get_notification_count"))["ok"]


async def test_logout_closes_that_sessions_sockets_only(live: Live) -> None:
    credentials = {"email": "alice@demo.example", "password": "correcta-1"}
    _, first, _ = await request(live, "POST", "/auth/login", json=credentials)
    _, second, _ = await request(live, "POST", "/auth/login", json=credentials)
    async with sockets(live, first["access_token"], second["access_token"]) as [leaving, staying]:
        assert (await request(live, "POST", "/auth/logout", first["access_token"]))[0] == 204
        await asyncio.wait_for(leaving.closed.wait(), 5)
        assert (await staying.call("get_notification_count"))["ok"]
    assert (await request(live, "GET", "/auth/me", first["access_token"]))[1]["code"] == "invalid_token"


async def test_a_socket_ends_with_its_token_unless_it_is_renewed(live: Live) -> None:
    short, long = live.token(ALICE, ttl=2), live.token(ALICE, ttl=600)
    async with sockets(live, short, short) as [ending, renewed]:
        assert (await renewed.call("refresh_token", {"token": live.token(BOB)}))["code"] == "invalid_token"
        assert (await renewed.call("refresh_token", {"token": long}))["ok"]
        await asyncio.wait_for(ending.closed.wait(), 5)
        assert (await renewed.call("get_notification_count"))["ok"]


async def test_the_sweep_finds_what_another_process_wrote(live: Live) -> None:
    async with sockets(live, live.token(ALICE), live.token(ALICE)) as [cursor, simple]:
        await cursor.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        await simple.call("subscribe_notifications", {})
        item = NewItem(Scope("1", "1"), "k", "hot_lead", "De otro proceso", "…", {}, "urgent")
        await live.server.store.write(feed.add, [item], datetime.now(UTC))
        await live.server.hub.sweep()
        for socket in (cursor, simple):
            assert (await socket.wait("new_notification"))[0]["title"] == "De otro proceso"
        await live.server.hub.sweep()
        assert len(cursor.named("new_notification")) == 1


# --- frames no well-meaning client sends -----------------------------------------------------------------------


async def raw(live: Live, token: str | None, *frames: str | bytes) -> bool:
    """Sends frames over a bare websocket, after a CONNECT when there is a token; True when the server cut it."""
    address = live.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as websocket:
        assert (await websocket.receive_str(timeout=5)).startswith("0")
        if token is not None:
            await websocket.send_str('40{"token":"' + token + '"}')
            assert (await websocket.receive_str(timeout=5)).startswith("40")
        for frame in frames:
            try:
                await (websocket.send_bytes(frame) if isinstance(frame, bytes) else websocket.send_str(frame))
            except (ConnectionError, aiohttp.ClientError):
                return True
        while True:
            try:
                message = await websocket.receive(timeout=0.7)
            except TimeoutError:
                return False
            if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR):
                return True


@pytest.mark.parametrize(
    "frame",
    [
        "42",
        "42[]",
        '42{"a":1}',
        "42[1]",
        '42["connect",{}]',
        '42["disconnect"]',
        '42["evil"]',
        '42/other,["get_notification_count",{}]',
        "4z",
        "zzz",
        "9",
        "",
        b"\x04binary",
        '451-["get_notification_count",{"_placeholder":true,"num":0}]',
        '40{"token":"again"}',
        "4" + 100_000 * "[",
        "44{}",
    ],
)
async def test_a_malformed_frame_closes_the_socket_and_leaves_nothing(live: Live, frame: str | bytes) -> None:
    assert await raw(live, live.token(ALICE), frame)
    await until(lambda: not len(live.server.hub) and not live.server.realtime.sio.environ)


async def test_a_proper_frame_does_not(live: Live) -> None:
    assert not await raw(live, live.token(ALICE), '421["get_notification_count",{}]', '42["get_notification_count"]')


async def test_events_before_connect_close_the_socket(live: Live) -> None:
    assert await raw(live, None, '42["get_notification_count",{}]')


async def test_a_flood_closes_the_socket(live: Live) -> None:
    assert await raw(live, live.token(ALICE), *['42["get_notification_count"]'] * 400)


async def test_a_socket_that_never_signs_in_is_cut(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "CONNECT_SECONDS", 0.05)
    assert await raw(live, None)


async def test_a_client_that_does_not_read_is_cut_and_others_are_not(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strict, "MAX_QUEUED", 20)
    async with sockets(live, live.token(ALICE)) as [alice]:
        await alice.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        [connection] = live.server.hub._connections[Scope("1", "1")]
        eio_sid = alice.client.eio.sid
        for _ in range(30):
            connection.send('2["x"]')
        await asyncio.wait_for(alice.closed.wait(), 5)
        assert eio_sid not in live.server.realtime.sio.environ or len(live.server.hub) == 0
    async with sockets(live, live.token(ALICE)) as [back]:
        assert (await back.call("get_notification_count"))["ok"]


@pytest.mark.parametrize("size", [0, 124, 125, 126, 65_534, 65_535, 65_536, 300_000])
async def test_messages_of_every_size_arrive_whole_and_in_order(live: Live, size: int) -> None:
    """The server writes its frames itself, and the header depends on the size."""
    async with sockets(live, live.token(ALICE)) as [alice]:
        [connection] = live.server.hub._connections[Scope("1", "1")]
        empty = len(event_frame("x", "")) + 1
        texts = [f"{number}{'é' * 3}".ljust(max(0, size - empty), "x") for number in range(3)]
        for text in texts:
            connection.send(event_frame("x", text))
        assert (await alice.call("get_notification_count"))["ok"]
        assert alice.named("x") == texts


async def test_an_answer_comes_behind_what_was_pushed_before_it(live: Live) -> None:
    async with sockets(live, live.token(ALICE)) as [alice]:
        await alice.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        await live.tell(ALICE, "a", "b")
        await alice.call("get_notification_count")
        assert len(alice.named("new_notification")) == 2
        assert [body["seq"] for body in alice.named("notification_count_update")] == [2]


async def test_a_client_that_stops_reading_is_cut_when_the_network_takes_no_more(live: Live) -> None:
    address = live.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as websocket:
        await websocket.receive_str(timeout=5)
        await websocket.send_str('40{"token":"' + live.token(ALICE) + '"}')
        await websocket.receive_str(timeout=5)
        [connection] = live.server.hub._connections[Scope("1", "1")]
        beneath = websocket._response.connection
        assert beneath is not None and beneath.transport is not None
        beneath.transport.pause_reading()
        async with asyncio.timeout(10):
            for _ in range(4000):
                connection.send(event_frame("x", "y" * 10_000))
                await asyncio.sleep(0)
                if not len(live.server.hub):
                    break
        assert not len(live.server.hub)
    assert b'crmtray_socket_errors_total{reason="slow_reader"} 1.0' in live.server.monitor.text()


async def test_a_client_that_ignores_its_end_is_ended_all_the_same(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "FAREWELL_SECONDS", 0.1)
    address = live.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as websocket:
        await websocket.receive_str(timeout=5)
        await websocket.send_str('40{"token":"' + live.token(ALICE) + '"}')
        await websocket.receive_str(timeout=5)
        [connection] = live.server.hub._connections[Scope("1", "1")]
        connection.cut()
        async with asyncio.timeout(5):
            while (await websocket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
    assert len(live.server.hub) == 0


async def test_too_many_connections_are_refused(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, socketio_max_connections=1) as live,
        sockets(live, live.token(ALICE), live.token(BOB)),
    ):
        third = Socket()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await third.connect(live, live.token(CHARLIE))
        assert third.refusal["code"] == "too_many_connections"


@pytest.mark.expects_log("is not an accepted origin")
@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 400), (None, 101)])
async def test_pages_of_other_origins_cannot_connect(live: Live, origin: str | None, status: int) -> None:
    address = live.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session:
        headers = {"Origin": origin} if origin else {}
        try:
            async with session.ws_connect(address, headers=headers):
                got = 101
        except aiohttp.WSServerHandshakeError as error:
            got = error.status
    assert got == status


@pytest.mark.expects_log("Invalid transport")
async def test_polling_is_refused(live: Live) -> None:
    assert (await request(live, "GET", "/socket.io/?EIO=4&transport=polling"))[0] == 400
