"""Every route and every socket event, asked for by everybody: who gets what, and that nobody gets another's.

The tables must name all there are: a new route or event without a row fails.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest

from crmtray.protocol import Json, User
from crmtray_server.api import routes
from tests.server.live import ALICE, BOB, CHARLIE, PASSWORD, Live, live_server, request, sockets

Kind = Literal["public", "own", "item", "admin", "program"]
BOSS = User("5", "1", "Elena", "elena@demo.example", "ceo")
CANARY = "palabra-de-alice"
NOT_ALICE = (BOB, BOSS, CHARLIE)
"""A colleague, the CEO of the company, and somebody elsewhere who has the same number."""

ROWS: dict[tuple[str, str], tuple[Kind, int, Any]] = {
    ("POST", "/auth/login"): ("public", 200, {"email": BOB.email, "password": PASSWORD}),
    ("POST", "/auth/refresh"): ("public", 401, {"refresh_token": "x.y"}),
    ("POST", "/auth/logout"): ("own", 204, None),
    ("GET", "/auth/me"): ("own", 200, None),
    ("GET", "/notifications"): ("own", 200, None),
    ("GET", "/notifications/changes"): ("own", 200, None),
    ("POST", "/notifications/read"): ("own", 200, {"ids": ["{id}"]}),
    ("DELETE", "/notifications"): ("own", 200, None),
    ("GET", "/notifications/{id}"): ("item", 200, None),
    ("DELETE", "/notifications/{id}"): ("item", 204, None),
    ("POST", "/notifications/{id}/read"): ("item", 200, None),
    ("POST", "/notifications/{id}/unread"): ("item", 200, None),
    ("POST", "/notifications/{id}/snooze"): ("item", 200, {"until": "2999-01-01T00:00:00Z"}),
    ("POST", "/notifications/{id}/actions/{action}"): ("item", 200, {}),
    ("GET", "/notifications/{id}/explain"): ("item", 200, None),
    ("GET", "/notifications/explain"): ("own", 200, None),
    ("GET", "/notifications/settings"): ("own", 200, None),
    ("PUT", "/notifications/settings"): ("own", 200, {"locale": "en"}),
    ("PATCH", "/notifications/settings"): ("own", 200, {"locale": "en"}),
    ("GET", "/sellers"): ("own", 200, None),
    ("POST", "/notifications"): (
        "program",
        201,
        {"user_id": "77", "type": "news", "title": "t", "message": "m", "dedupe_key": "k"},
    ),
    ("POST", "/crm/events"): (
        "program",
        202,
        {"event": "lead.updated", "occurred_at": "2026-01-01T00:00:00Z", "lead": {"id": 17}},
    ),
    ("GET", "/admin/socketio/connections"): ("admin", 200, None),
    ("GET", "/admin/socketio/stats"): ("admin", 200, None),
    ("GET", "/admin/alerts"): ("admin", 200, None),
    ("GET", "/health"): ("public", 200, None),
    ("GET", "/metrics"): ("public", 200, None),
    ("GET", "/openapi.json"): ("public", 200, None),
    ("GET", "/docs"): ("public", 200, None),
}
EVENTS: dict[str, tuple[str | None, Json]] = {
    "subscribe_notifications": ("forbidden", {"user_id": "other", "since": 0, "epoch": "x"}),
    "unsubscribe_notifications": (None, {}),
    "join_room": ("forbidden", {"room": "notifications:other"}),
    "mark_notification_read": ("not_found", {"notification_id": "{id}"}),
    "mark_all_notifications_read": (None, {}),
    "clear_notifications": (None, {}),
    "snooze_notification": ("not_found", {"notification_id": "{id}", "until": "2999-01-01T00:00:00Z"}),
    "get_notification_count": (None, {}),
    "perform_action": ("not_found", {"notification_id": "{id}", "action": "view_lead"}),
    "ack_notifications": (None, {"seq": 1}),
    "refresh_token": ("invalid_token", {"token": "{token}"}),
}
"""What a stranger is answered: a refusal, or None for what can only concern his own."""


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        yield server


def filled(body: Any, **values: str) -> Any:
    text = json.dumps(body)
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return json.loads(text)


async def ask(live: Live, key: tuple[str, str], id: str, token: str | None) -> tuple[int, str]:
    method, path = key
    where = path.replace("{id}", id).replace("{action}", "view_lead")

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = filled(ROWS[key][2], id=id)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, live.url + where, json=body) as answer,
    ):
        return answer.status, await answer.text()


def expected(kind: Kind, good: int, user: User) -> int:
    if kind == "item":
        return good if user is ALICE else 404
    if kind == "admin":
        return good if user.role == "ceo" else 403
    return 403 if kind == "program" else good


async def feed_of_alice(live: Live) -> Any:
    _, page, _ = await request(live, "GET", "/notifications/changes", live.token(ALICE))
    return page


def test_every_route_has_a_row() -> None:
    assert set(ROWS) == {(operation.method, operation.path) for operation in routes.operations()}


@pytest.mark.parametrize("key", ROWS, ids=" ".join)
async def test_everybody_gets_his_own_and_nobody_anothers(live: Live, key: tuple[str, str]) -> None:
    kind, good, _ = ROWS[key]
    [id] = await live.tell(ALICE, CANARY)
    before = await feed_of_alice(live)
    assert (await ask(live, key, id, None))[0] == (good if kind == "public" else 401)
    for user in NOT_ALICE:
        status, text = await ask(live, key, id, live.token(user))
        assert status == expected(kind, good, user), user
        assert CANARY not in text and ALICE.email not in text, user
        if kind == "program":
            status, text = await ask(live, key, id, live.token(user, scope="notifications:write"))
            assert status == good and CANARY not in text
    assert await feed_of_alice(live) == before
    assert (await ask(live, key, id, live.token(ALICE)))[0] == expected(kind, good, ALICE)


async def test_a_program_reaches_its_own_company_alone(live: Live) -> None:
    token = live.token(CHARLIE, scope="notifications:write")
    body = {"user_id": ALICE.user_id, "type": "news", "title": "t", "message": "m"}
    assert (await request(live, "POST", "/notifications", token, json=body))[0] == 201
    assert (await feed_of_alice(live))["changes"] == []
    row = {"id": 17, "tenant_id": ALICE.tenant_id}
    event = {"event": "lead.updated", "occurred_at": "2026-01-01T00:00:00Z", "lead": row}
    assert (await request(live, "POST", "/crm/events", token, json=event))[0] == 403


async def test_every_event_has_a_row(live: Live) -> None:
    assert set(EVENTS) == set(live.server.realtime.sio.handlers["/"]) - {"connect", "disconnect"}


@pytest.mark.parametrize("event", EVENTS)
async def test_no_event_reaches_anothers_feed(live: Live, event: str) -> None:
    [id] = await live.tell(ALICE, CANARY)
    before = await feed_of_alice(live)
    refusal, data = EVENTS[event]
    async with sockets(live, *[live.token(user) for user in NOT_ALICE]) as strangers:
        for stranger in strangers:
            answer = await stranger.call(event, filled(data, id=id, token=live.token(ALICE)))
            assert (answer["ok"], answer.get("code")) == (refusal is None, refusal)
            assert CANARY not in json.dumps([answer, stranger.events])
    assert await feed_of_alice(live) == before
