"""The HTTP routes as clients see them: answers, errors, and that nobody reaches what is another's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crmtray.protocol import ChangesPage, Notification, format_time
from crmtray_server.api import routes
from tests.server.live import ALICE, BOB, CHARLIE, PASSWORD, Live, live_server, request


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        yield server


async def test_signing_in_renewing_and_out(live: Live) -> None:
    status, answer, _ = await request(
        live, "POST", "/auth/login", json={"email": "Alice@Demo.example", "password": PASSWORD}
    )
    assert status == 200 and answer["user"]["name"] == "Alice" and answer["token_type"] == "Bearer"
    status, renewed, _ = await request(live, "POST", "/auth/refresh", json={"refresh_token": answer["refresh_token"]})
    assert status == 200 and renewed["refresh_token"] != answer["refresh_token"]
    assert (await request(live, "GET", "/auth/me", renewed["access_token"]))[1]["email"] == "alice@demo.example"
    assert (await request(live, "POST", "/auth/logout", renewed["access_token"]))[0] == 204
    status, refused, _ = await request(live, "POST", "/auth/refresh", json={"refresh_token": renewed["refresh_token"]})
    assert (status, refused["code"]) == (401, "invalid_token")


async def test_a_sixth_failure_says_how_long_to_wait(live: Live) -> None:
    wrong = {"email": "alice@demo.example", "password": "no"}
    statuses = [(await request(live, "POST", "/auth/login", json=wrong))[0] for _ in range(5)]
    status, body, headers = await request(live, "POST", "/auth/login", json=wrong)
    assert statuses == [401] * 5 and status == 429
    assert body["code"] == "too_many_attempts" and 0 < int(headers["Retry-After"]) <= 61


async def test_the_list_pages_filters_and_counts(live: Live) -> None:
    ids = await live.tell(ALICE, "a", "b", "c")
    token = live.token(ALICE)
    await request(live, "POST", f"/notifications/{ids[0]}/read", token)
    status, body, headers = await request(live, "GET", "/notifications?limit=2&type=hot_lead", token)
    assert status == 200 and [n["title"] for n in body] == ["Título c", "Título b"]
    assert (headers["X-Total-Count"], headers["X-Unread-Count"]) == ("3", "2")
    assert headers["Link"] == '</notifications?limit=2&type=hot_lead&offset=2>; rel="next"'
    _, rest, headers = await request(live, "GET", "/notifications?limit=2&offset=2", token)
    assert [n["title"] for n in rest] == ["Título a"] and 'rel="prev"' in headers["Link"]
    for query, count in [("unread=true", 2), ("unread=false", 1), ("q=mensaje%20c", 1), ("priority=low", 0)]:
        assert len((await request(live, "GET", f"/notifications?{query}", token))[1]) == count
    assert Notification.from_wire(body[0]).to_wire() == body[0]


async def test_changes_follow_a_cursor(live: Live) -> None:
    ids = await live.tell(ALICE, "a", "b")
    token, epoch = live.token(ALICE), live.server.store.epoch
    _, everything, _ = await request(live, "GET", "/notifications/changes", token)
    assert everything["reset"] and everything["seq"] == 2 and everything["epoch"] == epoch
    await request(live, "DELETE", f"/notifications/{ids[0]}", token)
    _, after, _ = await request(live, "GET", f"/notifications/changes?epoch={epoch}&since=2", token)
    assert after["changes"] == [{"seq": 3, "op": "remove", "id": ids[0]}] and not after["reset"]
    assert ChangesPage.from_wire(after).to_wire() == after
    _, first, _ = await request(live, "GET", f"/notifications/changes?epoch={epoch}&since=0&limit=1", token)
    assert first["has_more"] and first["seq"] == 1


async def test_one_item(live: Live) -> None:
    [id] = await live.tell(ALICE, "a")
    token = live.token(ALICE)
    assert (await request(live, "POST", f"/notifications/{id}/read", token))[1]["read"] is True
    assert (await request(live, "POST", f"/notifications/{id}/unread", token))[1]["read"] is False
    until = format_time(datetime.now(UTC) + timedelta(hours=1))
    late = await request(live, "POST", f"/notifications/{id}/snooze", token, json={"until": "2001-01-01T00:00:00Z"})
    assert (late[0], late[1]["code"]) == (400, "invalid_request") and "time to come" in late[1]["detail"]
    snoozed = await request(live, "POST", f"/notifications/{id}/snooze", token, json={"until": until})
    assert snoozed[1]["snoozed_until"] == until
    assert (await request(live, "GET", f"/notifications/{id}", token))[1]["seq"] == 4
    assert (await request(live, "DELETE", f"/notifications/{id}", token))[0] == 204
    assert (await request(live, "GET", f"/notifications/{id}", token))[0] == 404


async def test_all_spares_what_came_after(live: Live) -> None:
    await live.tell(ALICE, "a", "b")
    await live.tell(ALICE, "unseen")
    token = live.token(ALICE)
    _, body, _ = await request(live, "POST", "/notifications/read", token, json={"all": True, "up_to_seq": 2})
    assert body == {"changed": 2, "unread_count": 1}
    _, body, _ = await request(live, "DELETE", "/notifications?up_to_seq=2", token)
    assert body == {"changed": 2, "unread_count": 1}
    _, rest, _ = await request(live, "GET", "/notifications", token)
    assert [n["title"] for n in rest] == ["Título unseen"]
    _, body, _ = await request(live, "POST", "/notifications/read", token, json={"ids": [rest[0]["id"], "unknown"]})
    assert body == {"changed": 1, "unread_count": 0}


async def test_an_action_with_a_key_is_done_once(live: Live) -> None:
    [id] = await live.tell(ALICE, "a")
    token, path = live.token(ALICE), f"/notifications/{id}/actions/view_lead"
    answers = [await request(live, "POST", path, token, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0][:2] == answers[1][:2] and answers[0][1]["notification"]["read"]
    _, page, _ = await request(live, "GET", f"/notifications/changes?epoch={live.server.store.epoch}&since=0", token)
    assert page["seq"] == 2
    status, body, _ = await request(live, "POST", f"/notifications/{id}/actions/reassign", token)
    assert (status, body["code"]) == (422, "action_not_offered")


async def test_sellers_are_those_of_ones_own_company(live: Live) -> None:
    _, sellers, _ = await request(live, "GET", "/sellers", live.token(ALICE))
    assert sellers == [{"id": "1", "name": "Alice"}, {"id": "2", "name": "Bob"}]
    assert (await request(live, "GET", "/sellers", live.token(CHARLIE)))[1] == []


ITEM_ROUTES = [
    ("GET", "/notifications/{id}", None),
    ("DELETE", "/notifications/{id}", None),
    ("POST", "/notifications/{id}/read", None),
    ("POST", "/notifications/{id}/unread", None),
    ("POST", "/notifications/{id}/snooze", {"until": "2999-01-01T00:00:00Z"}),
    ("POST", "/notifications/{id}/actions/view_lead", {}),
    ("GET", "/notifications/{id}/explain", None),
]


def test_no_route_of_an_item_is_left_out() -> None:
    declared = {(operation.method, operation.path) for operation in routes.operations() if "{id}" in operation.path}
    assert {(method, path.replace("view_lead", "{action}")) for method, path, _ in ITEM_ROUTES} == declared


@pytest.mark.parametrize(("method", "path", "body"), ITEM_ROUTES)
async def test_anothers_item_is_not_found_and_untouched(live: Live, method: str, path: str, body: Any) -> None:
    [id] = await live.tell(ALICE, "a")
    for other in (BOB, CHARLIE):
        status, answer, _ = await request(live, method, path.format(id=id), live.token(other), json=body)
        assert (status, answer["code"]) == (404, "not_found")
    assert (await request(live, "GET", f"/notifications/{id}", live.token(ALICE)))[1]["seq"] == 1


def item_of(path: str) -> str:
    return path.replace("{id}", "x").replace("{action}", "view_lead")


async def test_every_route_but_the_public_ones_asks_for_a_token(live: Live) -> None:
    public = {("POST", "/auth/login"), ("POST", "/auth/refresh"), ("GET", "/health"), ("HEAD", "/health")}
    public |= {("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/metrics")}
    pages = {("GET", "/admin"), ("GET", "/admin/login"), ("POST", "/admin/login"), ("POST", "/admin/logout")}
    asked = 0
    for route in live.server.web_app.router.routes():
        path = route.resource.canonical if route.resource else ""
        if (route.method, path) in public | pages or path.startswith("/socket.io"):
            continue
        status, body, headers = await request(live, route.method, item_of(path))
        assert (status, body["code"]) == (401, "authentication_required"), (route.method, path)
        assert headers["Content-Type"].startswith("application/problem+json")
        assert headers["WWW-Authenticate"] == "Bearer"
        status, body, _ = await request(live, route.method, item_of(path), "forged.token.here")
        assert (status, body["code"]) == (401, "invalid_token"), (route.method, path)
        asked += 1
    assert asked == len(routes.operations()) - len(public - {("HEAD", "/health")})


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/notifications?limit=0", {}),
        ("GET", "/notifications?limit=201", {}),
        ("GET", "/notifications?limit=ten", {}),
        ("GET", "/notifications?offset=-1", {}),
        ("GET", "/notifications?offset=99999999999999999999", {}),
        ("GET", "/notifications?priority=highest", {}),
        ("GET", "/notifications?unread=maybe", {}),
        ("GET", "/notifications/changes?since=minus", {}),
        ("GET", "/notifications/changes?limit=501", {}),
        ("POST", "/notifications/read", {"data": b"{"}),
        ("POST", "/notifications/read", {"json": []}),
        ("POST", "/notifications/read", {"json": {"ids": "all"}}),
        ("POST", "/notifications/read", {"json": {"ids": [1]}}),
        ("POST", "/notifications/read", {"json": {"all": True, "up_to_seq": "9"}}),
        ("POST", "/notifications/x/snooze", {"json": {}}),
        ("POST", "/notifications/x/actions/reassign", {"json": {"params": [1]}}),
        ("POST", "/auth/login", {"json": {"email": "x"}}),
        ("POST", "/auth/refresh", {"json": {"refresh_token": 7}}),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(live: Live, method: str, path: str, more: Any) -> None:
    status, body, _ = await request(live, method, path, live.token(ALICE), **more)
    assert (status, body["code"]) == (400, "invalid_request") and len(body["detail"]) > 10


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("PUT", "/notifications", None, 405),
        ("POST", "/notifications/read", b"x" * 70_000, 413),
    ],
)
async def test_even_unusual_errors_are_problem_documents(
    live: Live, method: str, path: str, data: bytes | None, status: int
) -> None:
    got, body, headers = await request(live, method, path, live.token(ALICE), data=data)
    assert got == body["status"] == status and headers["Content-Type"].startswith("application/problem+json")


async def test_health_names_the_parts(live: Live) -> None:
    status, body, headers = await request(live, "GET", "/health")
    assert status == 200 and body["status"] == "ok" and headers["X-Crmtray-Protocol"] == "1"
    assert set(body["services"]) == {"socket_io", "database", "redis", "crm", "smtp"}
