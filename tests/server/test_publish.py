"""`POST /notifications`: who may publish, to whom it goes, what is refused, and that a repetition is harmless."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from crmtray.protocol import Json
from crmtray_server.api.publish import PUBLISHER
from crmtray_server.store.database import StoreUnavailable
from tests.server.live import ALICE, BOB, CHARLIE, Live, live_server, request, sockets
from tests.server.reference_crm import ReferenceCrm

WRITE: dict[str, Any] = {"scope": "notifications:write"}
FIELDS = ("type", "title", "message", "data", "priority", "actions")
STOCK: Json = {"user_id": 1, "type": "stock_low", "title": "Quedan 3", "message": "Modelo 208\tazul\nen Nordelta"}


@pytest.fixture
async def live(store_url: str, tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path, database_url=store_url) as server:
        yield server


async def publish(live: Live, body: Any, by: Any = ALICE, **claims: Any) -> tuple[int, Any]:
    status, answer, _ = await request(live, "POST", "/notifications", live.token(by, **(WRITE | claims)), json=body)
    return status, answer


async def sent(live: Live, body: Any) -> tuple[int, Any]:
    """As `publish`, for bodies of megabytes."""
    headers = {"Content-Type": "application/json"}
    data, token = io.BytesIO(json.dumps(body).encode()), live.token(ALICE, **WRITE)
    status, answer, _ = await request(live, "POST", "/notifications", token, data=data, headers=headers)
    return status, answer


async def inbox(live: Live, of: Any) -> list[Json]:
    _, found, _ = await request(live, "GET", "/notifications", live.token(of))
    return list(found)


async def test_what_is_published_reaches_the_person_and_nobody_else(live: Live) -> None:
    action = {
        "label": "Ver stock",
        "action": "open_stock",
        "params": {"model": "208"},
        "url": "https://crm.example/208",
    }
    entry = STOCK | {"data": {"left": 3}, "priority": "high", "actions": [action]}
    async with sockets(live, live.token(ALICE), live.token(BOB), live.token(CHARLIE)) as [alice, bob, charlie]:
        for socket in (alice, bob, charlie):
            await socket.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        status, [stored] = await publish(live, entry)
        [pushed] = await alice.wait("new_notification")
        assert bob.named("new_notification") == charlie.named("new_notification") == []
    assert status == 201
    assert pushed == stored
    assert {name: stored[name] for name in FIELDS} == {name: entry[name] for name in FIELDS}
    assert (stored["seq"], stored["read"]) == (1, False)
    assert (await inbox(live, ALICE), await inbox(live, BOB), await inbox(live, CHARLIE)) == ([stored], [], [])


async def test_a_role_is_everyone_active_in_it_of_the_tokens_company(live: Live) -> None:
    entry = {name: value for name, value in STOCK.items() if name != "user_id"}
    status, stored = await publish(live, entry | {"role": "seller"})
    assert (status, len(stored)) == (201, 2)
    assert [[item["title"] for item in await inbox(live, who)] for who in (ALICE, BOB, CHARLIE)] == [
        ["Quedan 3"],
        ["Quedan 3"],
        [],
    ]
    assert await publish(live, entry | {"role": "ceo"}) == (201, [])  # Charlie is of another company


async def test_the_company_is_the_tokens_whatever_the_ids(live: Live) -> None:
    status, [stored] = await publish(live, STOCK, by=CHARLIE)  # numbered from one as well
    assert status == 201
    assert await inbox(live, ALICE) == []
    assert await inbox(live, CHARLIE) == [stored]


async def test_many_are_stored_in_one_transaction_and_answered_in_order(live: Live) -> None:
    commits: list[int] = []
    live.server.store.observe = lambda writes, _seconds: commits.append(writes)
    entries = [STOCK | {"user_id": 1 + number % 2, "title": f"n{number}"} for number in range(1000)]
    status, stored = await publish(live, entries)
    assert (status, commits) == (201, [1])
    assert [item["title"] for item in stored] == [f"n{number}" for number in range(1000)]
    assert [item["seq"] for item in stored[::2]] == [item["seq"] for item in stored[1::2]] == list(range(1, 501))


async def test_a_repetition_answers_with_the_items_as_they_stand(live: Live) -> None:
    entries = [STOCK | {"dedupe_key": "208", "title": "one"}, STOCK | {"dedupe_key": "308", "title": "two"}]
    _, [one, two] = await publish(live, entries)
    _, read, _ = await request(live, "POST", f"/notifications/{one['id']}/read", live.token(ALICE))
    await request(live, "DELETE", f"/notifications/{two['id']}", live.token(ALICE))
    again = [entries[1], STOCK | {"dedupe_key": "508", "title": "three"}, entries[0] | {"title": "changed"}]
    status, [second, third, first] = await publish(live, again)
    assert status == 201
    assert (first, second["id"], third["title"]) == (read, two["id"], "three")
    assert {item["title"] for item in await inbox(live, ALICE)} == {"one", "three"}
    assert len((await publish(live, [entries[0], entries[0]]))[1]) == 2


async def test_without_a_dedupe_key_each_is_new(live: Live) -> None:
    await publish(live, [STOCK, STOCK])
    await publish(live, STOCK)
    assert len(await inbox(live, ALICE)) == 3


async def test_preferences_decide_who_gets_it(live: Live) -> None:
    wanted = {"min_priority": "high", "push_notifications": False}
    status, _, _ = await request(live, "PATCH", "/notifications/settings", live.token(ALICE), json=wanted)
    assert status == 200
    entries = [STOCK | {"title": "low"}, STOCK | {"title": "high", "priority": "high"}]
    status, [stored] = await publish(live, entries)
    assert (stored["title"], stored["silent"], stored["reason"]) == ("high", True, "push_off")
    assert await inbox(live, ALICE) == [stored]


@pytest.mark.parametrize("scope", [None, "", "notifications:read"])
async def test_a_token_without_the_scope_may_not_publish(live: Live, scope: str | None) -> None:
    status, problem = await publish(live, STOCK, scope=scope)
    assert (status, problem["code"]) == (403, "forbidden")
    assert await inbox(live, ALICE) == []


DEEP: Any = {}
for _ in range(8):
    DEEP = {"a": DEEP}
ACTION: Json = {"label": "Ver", "action": "see", "params": {}}


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        ({"user_id": None}, "notifications.1: expected either user_id or role."),
        ({"role": "seller"}, "notifications.1: expected either user_id or role."),
        ({"user_id": None, "role": "boss"}, "notifications.1.role: input should be 'ceo', "),
        ({"user_id": True}, "notifications.1.user_id: expected an id: a whole number or a text."),
        ({"user_id": ""}, "notifications.1.user_id: "),
        ({"type": "Stock"}, "notifications.1.type: "),
        ({"type": "x\n"}, "notifications.1.type: "),
        ({"type": "x" * 65}, "notifications.1.type: "),
        ({"title": ""}, "notifications.1.title: "),
        ({"title": "x" * 201}, "notifications.1.title: "),
        ({"title": "a\x1b[31mb"}, "notifications.1.title: expected plain text without control characters."),
        ({"message": "x" * 4001}, "notifications.1.message: "),
        ({"message": "a\x07"}, "notifications.1.message: expected plain text without control characters."),
        ({"message": None}, "notifications.1.message: "),
        ({"data": []}, "notifications.1.data: "),
        ({"data": {"x": "y" * 16384}}, "notifications.1.data: expected at most 16384 bytes of JSON."),
        ({"data": DEEP}, "notifications.1.data: expected at most 8 levels of objects and arrays."),
        ({"data": {"x": 10**400}}, "notifications.1.data: expected finite numbers"),
        ({"data": {"x": float("nan")}}, "notifications.1.data: expected finite numbers"),
        ({"priority": "huge"}, "notifications.1.priority: "),
        ({"actions": [ACTION] * 6}, "notifications.1.actions: "),
        ({"actions": [ACTION | {"action": "No"}]}, "notifications.1.actions.0.action: "),
        ({"actions": [ACTION | {"url": "javascript:alert(1)"}]}, "notifications.1.actions.0.url: expected an http or"),
        ({"actions": [ACTION | {"url": "https:///x"}]}, "notifications.1.actions.0.url: expected an http or"),
        ({"actions": [ACTION | {"url": "https://[x"}]}, "notifications.1.actions.0.url: expected an http or"),
        ({"actions": [ACTION | {"icon": "x"}]}, "notifications.1.actions.0.icon: unknown field."),
        ({"dedupe_key": "x" * 201}, "notifications.1.dedupe_key: "),
        ({"tenant_id": "2"}, "notifications.1.tenant_id: unknown field."),
    ],
)
async def test_one_wrong_entry_is_named_and_nothing_is_stored(tmp_path: Path, wrong: Json, detail: str) -> None:
    async with live_server(tmp_path) as live:
        status, problem = await publish(live, [STOCK, STOCK | wrong])
        assert (status, problem["code"]) == (400, "invalid_request")
        assert problem["detail"].startswith(detail), problem["detail"]
        assert await inbox(live, ALICE) == []


@pytest.mark.parametrize(
    ("body", "detail"), [([], "notifications: "), ("x", "notification: "), ([STOCK] * 1001, "notifications: ")]
)
async def test_one_to_a_thousand_entries(tmp_path: Path, body: Any, detail: str) -> None:
    async with live_server(tmp_path) as live:
        status, problem = await publish(live, body)
        assert (status, problem["code"]) == (400, "invalid_request")
        assert problem["detail"].startswith(detail)


async def test_data_of_eight_levels_and_a_body_of_megabytes_are_fine(tmp_path: Path) -> None:
    async with live_server(tmp_path) as live:
        full = STOCK | {"message": "ñ" * 4000, "data": {"text": "x" * 8000, "deep": DEEP["a"]["a"]}}
        status, stored = await sent(live, [full] * 200)
        assert (status, len(stored)) == (201, 200)
        status, problem = await sent(live, [full] * 300)
        assert (status, problem["code"]) == (413, "request_entity_too_large")


async def test_without_a_crm_any_id_will_do(live: Live) -> None:
    """People may be known by their tokens alone."""
    status, [stored] = await publish(live, STOCK | {"user_id": "de5a"})
    assert (status, stored["seq"]) == (201, 1)


async def test_an_id_that_nobody_has_is_named_once_a_crm_is_known(live: Live) -> None:
    event = {"event": "lead.created", "occurred_at": "2026-02-27T15:00:00Z", "lead": {"id": 1}}
    await request(live, "POST", "/crm/events", live.token(ALICE, **WRITE), json=event)
    status, problem = await publish(live, [STOCK, STOCK | {"user_id": "de5a"}])
    assert (status, problem["code"]) == (404, "unknown_user")
    assert problem["detail"] == "notifications.1.user_id: there is no active user 'de5a' in this company."
    assert await inbox(live, ALICE) == []
    assert (await publish(live, STOCK | {"user_id": "de5a"}, by=CHARLIE))[0] == 201  # whose CRM has pushed nothing


@pytest.mark.expects_log("users")
async def test_ids_are_those_of_the_crms_people(tmp_path: Path) -> None:
    crm = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}")
    crm.people()
    crm.user(12, "Se Fue", "seller", active=False)
    async with live_server(tmp_path, crm_database_url=crm.url) as live:
        assert (await publish(live, STOCK | {"user_id": "7"}))[0] == 201
        for unknown in (12, 99):
            status, problem = await publish(live, STOCK | {"user_id": unknown})
            assert (status, problem["code"]) == (404, "unknown_user")
        crm.run("ALTER TABLE users RENAME TO hidden")
        await live.server.web_app[PUBLISHER].directory.refresh(0)
        status, problem = await publish(live, STOCK | {"user_id": 99})
        assert (status, problem["code"]) == (503, "unavailable")  # not "unknown": nobody can tell now
    crm.close()


@pytest.mark.expects_log("disk full")
async def test_a_store_that_is_away_lets_the_publisher_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise StoreUnavailable("disk full")

    async with live_server(tmp_path) as live:
        monkeypatch.setattr(live.server.store, "write", away)
        status, problem = await publish(live, STOCK)
        assert (status, problem["code"]) == (503, "unavailable")
        monkeypatch.undo()
        assert (await publish(live, STOCK))[0] == 201
