"""`POST /crm/events` over the wire: who may push, what is wrong with a push, and whose socket hears of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crmtray.protocol import Json
from crmtray_server.store.database import StoreUnavailable
from tests.server.live import ALICE, BOB, CHARLIE, Live, Socket, live_server, request, sockets, until
from tests.server.pushing_crm import BUYING, event, hot, lead, received
from tests.server.reference_crm import HOUR, MINUTE, ReferenceCrm

UNANSWERED, HOT = "unanswered_conversation", "hot_lead"
WRITE: dict[str, Any] = {"scope": "notifications:write"}


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        yield server


@asynccontextmanager
async def detecting(live: Live) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(run()) for run in (live.server.duty.keep, live.server.scheduler.run)]
    try:
        await until(lambda: live.server.scheduler.status().last_read is not None)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def push(live: Live, body: Any, token: str | None = None) -> tuple[int, Any]:
    given = live.token(ALICE, **WRITE) if token is None else token
    status, answer, _ = await request(live, "POST", "/crm/events", given, json=body)
    return status, answer


async def cursor(socket: Socket, live: Live) -> None:
    await socket.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})


def now() -> datetime:
    return datetime.now(UTC)


def hot_for(seller: str) -> list[Json]:
    events = hot(now())
    for one in events:
        for part in ("lead", "conversation"):
            if part in one:
                one[part]["assigned_seller_id"] = seller
    return events


async def test_a_push_alone_reaches_the_sellers_socket(live: Live) -> None:
    async with detecting(live), sockets(live, live.token(ALICE), live.token(BOB), live.token(CHARLIE)) as [a, b, c]:
        for socket in (a, b, c):
            await cursor(socket, live)
        assert await push(live, hot_for("1")) == (202, {"accepted": 7})
        [told] = await a.wait("new_notification")
        assert (told["type"], told["priority"], told["data"]["lead_id"]) == (HOT, "urgent", "9")
        assert await push(live, hot_for("1")[-1]) == (202, {"accepted": 1})
        assert await push(live, received(50, now() - 2 * HOUR, conversation=77, assigned_seller_id=2)) == (
            202,
            {"accepted": 1},
        )
        [second] = await b.wait("new_notification")
        assert second["type"] == UNANSWERED
        assert len(a.named("new_notification")) == 1 and c.named("new_notification") == []


async def test_a_push_reaches_the_socket_without_waiting_for_the_next_reading(tmp_path: Path) -> None:
    crm = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}")
    crm.people()
    crm.lead(9, assigned_seller_id=1)
    crm.talk(9, BUYING[:5], now() - 10 * MINUTE, seller=1)
    async with (
        live_server(tmp_path, crm_database_url=crm.url, detection_interval_seconds=3600) as live,
        detecting(live),
        sockets(live, live.token(ALICE)) as [alice],
    ):
        await cursor(alice, live)
        at = now()
        message = {"id": 6, "conversation_id": 1009, "body": BUYING[5], "created_at": at}
        assert await push(live, event("message.received", at, message=message)) == (202, {"accepted": 1})
        [told] = await alice.wait("new_notification")
        assert told["type"] == HOT
        crm.message(1009, at, body=BUYING[5])
        read = live.server.scheduler.status().last_read
        live.server.scheduler.wake()
        await until(lambda: live.server.scheduler.status().last_read != read)
        assert len(alice.named("new_notification")) == 1
        _, health, _ = await request(live, "GET", "/health")
        assert health["services"]["crm"] == {"status": "ok", "failing": []}
    crm.close()


async def test_the_documents_examples_are_taken(live: Live) -> None:
    text = (Path(__file__).parents[2] / "docs" / "push.md").read_text(encoding="utf-8")
    examples = re.findall(r'"\$CRMTRAY(\S+)".*?-d \'(.*?)\'\n', text, re.DOTALL)
    assert [path for path, _ in examples] == ["/notifications", "/crm/events"]
    for path, body in examples:
        status, _, _ = await request(live, "POST", path, live.token(ALICE, **WRITE), json=json.loads(body))
        assert status in (201, 202), path


async def test_health_says_that_a_crm_is_expected_to_push(live: Live) -> None:
    _, before, _ = await request(live, "GET", "/health")
    assert before["services"]["crm"] == {"status": "starting", "mode": "push"}
    async with detecting(live):
        _, after, _ = await request(live, "GET", "/health")
    assert after["services"]["crm"] == {"status": "ok", "failing": [], "mode": "push"}


async def test_only_a_token_with_the_scope_may_push(live: Live) -> None:
    status, problem = await push(live, [], live.token(ALICE))
    assert (status, problem["code"]) == (403, "forbidden")
    status, problem = await push(live, [], "nonsense")
    assert (status, problem["code"]) == (401, "invalid_token")


@pytest.mark.parametrize("part", ["conversation", "lead"])
async def test_rows_of_another_company_are_refused_and_nothing_is_kept(live: Live, part: str) -> None:
    good = lead(now(), id=1)
    rows: dict[str, Json] = {"lead": {"id": 9}, "conversation": {"id": 5, "assigned_seller_id": 1}}
    rows[part]["tenant_id"] = 2
    status, problem = await push(live, [good, event("conversation.assigned", now(), **rows)])
    assert (status, problem["code"]) == (403, "forbidden")
    assert problem["detail"] == f"events.1.{part}.tenant_id: the access token is for another tenant."
    rows[part]["tenant_id"] = "1"
    assert (await push(live, [good, event("conversation.assigned", now(), **rows)]))[0] == 202


AT = "2026-02-27T15:00:00Z"
CREATED: Json = {"event": "lead.created", "occurred_at": AT, "lead": {"id": 1}}
SENT: Json = {"event": "message.sent", "occurred_at": AT}
TALK: Json = {"conversation": {"id": 5, "assigned_seller_id": 7}}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ([], "events: list should have at least 1 item after validation, not 0."),
        (5, "event: input should be an object."),
        (CREATED | {"event": "lead.deleted"}, "event.event: input should be 'message.received', "),
        ({"event": "lead.created", "lead": {"id": 1}}, "event.occurred_at: field required."),
        (CREATED | {"occurred_at": "soon"}, "event.occurred_at: "),
        (CREATED | {"lead": None}, "event: lead.created needs lead."),
        (CREATED | {"lead": {}}, "event.lead.id: field required."),
        (CREATED | {"lead": {"id": 1, "points": 3}}, "event.lead.points: unknown field."),
        (CREATED | {"lead": {"id": True}}, "event.lead.id: expected an id"),
        (CREATED | {"lead": {"id": 1.5}}, "event.lead.id: expected an id"),
        (CREATED | {"lead": {"id": ""}}, "event.lead.id: "),
        (CREATED | {"lead": {"id": 1, "notes": 3}}, "event.lead.notes: "),
        (CREATED | {"lead": {"id": 1, "next_follow_up": "x"}}, "event.lead.next_follow_up: "),
        (SENT, "event: message.sent needs message."),
        (SENT | {"message": {"id": 1}}, "event: message.sent needs conversation, or message.conversation_id."),
        (SENT | {"message": {"conversation_id": 1}}, "event.message.id: field required."),
        (
            SENT | TALK | {"message": {"id": 1, "from_customer": True}},
            "event: message.from_customer: expected false with message.sent.",
        ),
        (
            {"event": "conversation.assigned", "occurred_at": AT, "conversation": {"id": 5}},
            "event: conversation.assigned needs conversation with assigned_seller_id.",
        ),
        (CREATED | {"message": {"id": 1, "conversation_id": 1}}, "event: lead.created has no message; "),
        ([CREATED, {}], "events.1.event: field required."),
        ([CREATED] * 1001, "events: list should have at most 1000 items"),
    ],
)
async def test_what_is_wrong_with_an_event_is_named(live: Live, body: Any, detail: str) -> None:
    status, problem = await push(live, body)
    assert (status, problem["code"]) == (400, "invalid_request")
    assert problem["detail"].startswith(detail), problem["detail"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-02-27T15:00:00"])
async def test_any_time_that_can_be_written_is_taken(live: Live, at: str) -> None:
    row = {"id": 1, "next_follow_up": at, "status": "interested", "assigned_seller_id": 1}
    assert await push(live, {"event": "lead.created", "occurred_at": at, "lead": row}) == (202, {"accepted": 1})
    async with detecting(live):
        pass  # nothing is logged


async def test_a_thousand_events_are_one_commit(live: Live) -> None:
    commits: list[int] = []
    live.server.store.observe = lambda writes, _seconds: commits.append(writes)
    events = [received(number, now(), conversation=number) for number in range(1000)]
    assert await push(live, events) == (202, {"accepted": 1000})
    assert commits == [1]


@pytest.mark.expects_log("disk full")
async def test_a_store_that_is_away_lets_the_pusher_try_again(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> None:
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(live.server.store, "write", away)
        status, problem, headers = await request(
            live, "POST", "/crm/events", live.token(ALICE, **WRITE), json=hot_for("1")
        )
    assert (status, problem["code"], headers["Retry-After"]) == (503, "unavailable", "2")
    assert (await push(live, hot_for("1")))[0] == 202


@pytest.mark.expects_log("is not detected")
async def test_what_is_pushed_while_the_database_is_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    crm = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}")
    crm.people()
    crm.lead(9, assigned_seller_id=1)
    crm.talk(9, BUYING[:5], now() - 10 * MINUTE, seller=1)
    async with (
        live_server(tmp_path, crm_database_url=crm.url, detection_interval_seconds=0.3) as live,
        detecting(live),
        sockets(live, live.token(ALICE)) as [alice],
    ):
        await cursor(alice, live)
        crm.run("ALTER TABLE leads RENAME TO hidden")
        message = {"id": 6, "conversation_id": 1009, "body": BUYING[5], "created_at": now()}
        assert (await push(live, event("message.received", now(), message=message)))[0] == 202
        await until(lambda: not live.server.scheduler.status().ok)
        crm.run("ALTER TABLE hidden RENAME TO leads")
        [told] = await alice.wait("new_notification")
        assert told["type"] == HOT
    crm.close()
