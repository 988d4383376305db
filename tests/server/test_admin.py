"""What administrators can ask the running server, and who else cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from crmtray.protocol import User, parse_time
from crmtray_server.api.admin import AlertsOut, ConnectionOut, StatsOut
from tests.server.live import ALICE, CHARLIE, Live, live_server, request, sockets

BOSS = User("9", "1", "Marta", "marta@demo.example", "ceo")
ADMIN = User("8", "1", "IT", "it@demo.example", "admin")
SECRETARY = User("7", "1", "Sofía", "sofia@demo.example", "secretary")
ROUTES = ("/admin/socketio/connections", "/admin/socketio/stats", "/admin/alerts")


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path, socketio_max_connections=1) as server:
        yield server


async def ask(live: Live, path: str, user: User = BOSS) -> Any:
    status, body, _ = await request(live, "GET", path, live.token(user))
    assert status == 200
    return body


@pytest.mark.parametrize("path", ROUTES)
async def test_only_admins_and_ceos_get_an_answer(live: Live, path: str) -> None:
    for user in (ALICE, SECRETARY):
        status, body, _ = await request(live, "GET", path, live.token(user))
        assert (status, body["code"]) == (403, "forbidden")
    assert (await request(live, "GET", path))[0] == 401
    assert (await request(live, "GET", path, live.token(ADMIN)))[0] == 200


async def test_connections_are_those_of_ones_own_company(live: Live) -> None:
    await live.tell(ALICE, "a", "b")
    async with sockets(live, live.token(ALICE), live.token(CHARLIE)) as [alice, _]:
        await alice.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 1})
        await alice.call("ack_notifications", {"seq": 1})
        [found] = await ask(live, ROUTES[0])
        assert ConnectionOut.model_validate(found)
        assert (found["user_id"], found["tenant_id"], found["role"]) == ("1", "1", "seller")
        assert (found["mode"], found["sent_seq"], found["acked_seq"]) == ("cursor", 2, 1)
        assert found["address"] == "127.0.0.1" and "aiohttp" in found["client"]
        assert parse_time(found["since"]) is not None
        [other] = await ask(live, ROUTES[0], CHARLIE)
        assert (other["tenant_id"], other["mode"]) == ("2", "none")


async def test_stats_count_what_has_happened(live: Live) -> None:
    nothing = await ask(live, ROUTES[1])
    assert StatsOut.model_validate(nothing)
    assert (nothing["connections_total"], nothing["connection_success_rate"], nothing["error_rate"]) == (0, 1.0, 0.0)
    async with sockets(live, live.token(ALICE)) as [alice]:
        await alice.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        await live.tell(ALICE, "a")
        await alice.wait("notification_count_update")
        found = await ask(live, ROUTES[1])
    assert (found["connections_total"], found["connections_active"], found["messages_received"]) == (1, 1, 1)
    assert found["messages_sent"] == 4 and 0 < found["avg_message_latency_ms"] < 5000
    assert 0 < found["latency_p50_ms"] <= found["latency_p99_ms"] <= 10_000
    assert found["uptime_seconds"] > 0 and found["window_seconds"] == 300


@pytest.mark.expects_log("alert high_connections")
async def test_alerts_say_what_is_wrong_since_when_and_by_how_much(live: Live) -> None:
    assert await ask(live, ROUTES[2]) == {"active": [], "recent": []}
    async with sockets(live, live.token(ALICE), live.token(ALICE)):
        await live.server.alerts.check()
        found = await ask(live, ROUTES[2])
    assert AlertsOut.model_validate(found)
    [alert] = found["active"]
    assert (alert["type"], alert["severity"], alert["value"], alert["threshold"]) == (
        "high_connections",
        "warning",
        2,
        1,
    )
    assert alert["until"] is None and "SOCKETIO_MAX_CONNECTIONS" in alert["message"]
