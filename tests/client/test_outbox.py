"""What the person does gets to the server once and in order, or is taken back with a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.credentials import Credentials
from crmtray.session import ConnectionState, Session
from tests.client.fake_server import PASSWORD, USER, FakeServer
from tests.client.support import Recorder, item, wait_until

pytestmark = pytest.mark.usefixtures("no_client_tasks_left")


@asynccontextmanager
async def signed_in(
    server: FakeServer, path: Path | None = None, credentials: Credentials | None = None
) -> AsyncIterator[tuple[Session, Recorder]]:
    recorder, cache = Recorder(), Cache.open(path)
    kept = credentials or Credentials("test", memory_only=True)
    session = Session(ClientConfig(server=server.url, poll_seconds=1), recorder, cache=cache, credentials=kept)
    try:
        if not await session.start():
            await session.login(server.url, USER["email"], PASSWORD)
        yield session, recorder
    finally:
        await session.stop()
        cache.close()


async def caught_up(session: Session, server: FakeServer) -> None:
    await wait_until(lambda: session.cache.cursor == (server.epoch, server.head), "the cache catches up")


async def test_every_intent_reaches_the_server_and_the_queue_empties() -> None:
    async with FakeServer.running() as server:
        await server.add(*(item(f"n{number}", 0) for number in range(1, 6)))
        async with signed_in(server) as (session, recorder):
            await caught_up(session, server)
            until = datetime.now(UTC) + timedelta(hours=1)
            session.outbox.mark_read("n1")
            session.outbox.mark_unread("n1")
            session.outbox.snooze("n2", until)
            session.outbox.remove("n3")
            session.outbox.perform("n4", "contact_lead", {"lead_id": "7"})
            session.outbox.mark_all_read()
            assert session.cache.get("n3") is None, "shown at once"
            await wait_until(lambda: not session.cache.outbox_rows() and not session.cache.sent_ids(), "all confirmed")
            sent = [(request.method, request.path) for request in server.requests if request.key]
            assert sent == [
                ("POST", "/notifications/n1/read"),
                ("POST", "/notifications/n1/unread"),
                ("POST", "/notifications/n2/snooze"),
                ("DELETE", "/notifications/n3"),
                ("POST", "/notifications/n4/actions/contact_lead"),
                ("POST", "/notifications/read"),
            ]
            assert server.asked("POST", "actions")[0].body == {"params": {"lead_id": "7"}}
            assert server.asked("POST", "/notifications/read")[0].body == {"all": True, "up_to_seq": 5}
            assert all(server.items[id].read for id in ("n1", "n4", "n5")) and server.items["n2"].snoozed_until == until
            session.outbox.clear_all()
            await wait_until(lambda: not server.items, "cleared")
            await wait_until(lambda: session.cache.page() == [], "the cleared list")
            assert recorder.refusals == []


async def test_offline_intents_wait_survive_a_restart_and_go_out_in_order(tmp_path: Path) -> None:
    path, credentials = tmp_path / "cache.db", Credentials("test", memory_only=True)
    async with FakeServer.running() as server:
        await server.add(item("n1", 0), item("n2", 0))
        async with signed_in(server, path, credentials) as (session, recorder):
            await caught_up(session, server)
            await server.down()
            await wait_until(lambda: recorder.state is ConnectionState.OFFLINE, "offline is noticed")
            first = session.outbox.mark_read("n1")
            second = session.outbox.remove("n2")
        await server.up()
        async with signed_in(server, path, credentials) as (session, _):
            assert session.cache.get("n2") is None, "still shown as done"
            await wait_until(lambda: not session.cache.outbox_rows(), "sent")
        assert [request.key for request in server.requests if request.key] == [first, second]
        assert server.items["n1"].read and "n2" not in server.items


async def test_a_lost_answer_is_asked_for_again_with_the_same_id_and_done_once() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        async with signed_in(server) as (session, _):
            await caught_up(session, server)
            server.lose_answers = 1
            op_id = session.outbox.perform("n1", "contact_lead", {})
            await wait_until(lambda: len(server.asked("POST", "actions")) == 2, "tried again")
            await wait_until(lambda: not session.cache.outbox_rows(), "sent")
            assert {request.key for request in server.asked("POST", "actions")} == {op_id}
            assert server.head == 2, "one change, not two"


async def test_a_fault_of_the_server_is_tried_again_and_holds_the_order() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0), item("n2", 0))
        async with signed_in(server) as (session, recorder):
            await caught_up(session, server)
            server.answers += [("n1/read", 503, "unavailable"), ("n1/read", 429, "too_many_requests")]
            session.outbox.mark_read("n1")
            session.outbox.mark_read("n2")
            await wait_until(lambda: not session.cache.outbox_rows(), "sent")
            paths = [request.path for request in server.requests if request.key]
            assert paths == ["/notifications/n1/read"] * 3 + ["/notifications/n2/read"]
            assert recorder.refusals == []


async def test_a_refused_action_is_taken_back_with_a_sentence() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0), item("n2", 0))
        async with signed_in(server) as (session, recorder):
            await caught_up(session, server)
            server.answers.append(("n1/actions", 403, "forbidden"))
            session.outbox.perform("n1", "reassign", {"seller_id": "9"})
            session.outbox.mark_read("n2")
            assert session.cache.unread_count() == 0
            await wait_until(lambda: recorder.refusals, "the refusal is told")
            await wait_until(lambda: not session.cache.outbox_rows(), "the next one still goes")
            assert recorder.refusals == [("n1", "No hay permiso para hacer esto.")]
            shown = session.cache.get("n1")
            assert shown is not None and not shown.read


async def test_removing_what_is_gone_already_is_no_error() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        async with signed_in(server) as (session, recorder):
            await caught_up(session, server)
            server.answers.append(("n1", 404, "not_found"))
            session.outbox.remove("n1")
            await wait_until(lambda: not session.cache.outbox_rows(), "settled")
            assert recorder.refusals == []


async def test_clear_all_spares_what_arrived_meanwhile() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        async with signed_in(server) as (session, _):
            await caught_up(session, server)
            server.pushing = False
            await server.add(item("n2", 0))
            session.outbox.clear_all()
            await wait_until(lambda: "n1" not in server.items, "cleared")
            await wait_until(lambda: [found.id for found in session.cache.page()] == ["n2"], "the new one is there")
            assert "n2" in server.items


async def test_mark_all_made_before_a_restored_backup_is_not_applied_to_another_feed() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0), item("n2", 0))
        async with signed_in(server) as (session, recorder):
            await caught_up(session, server)
            await server.down()
            await wait_until(lambda: recorder.state is ConnectionState.OFFLINE, "offline is noticed")
            session.outbox.mark_all_read()
            server.restore("e2")
            await server.up()
            await wait_until(lambda: recorder.refusals, "the person is told")
            assert "se restauró" in recorder.refusals[0][1] and recorder.refusals[0][0] is None
            assert not any(found.read for found in server.items.values())
            await wait_until(lambda: session.cache.unread_count() == 2, "shown as they are")
            assert server.asked("POST", "/notifications/read") == []


async def test_a_snooze_that_is_over_before_it_could_be_sent_is_let_go() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        async with signed_in(server) as (session, recorder):
            await caught_up(session, server)
            session.outbox.snooze("n1", datetime.now(UTC) - timedelta(seconds=1))
            await wait_until(lambda: not session.cache.outbox_rows(), "let go")
            assert server.asked("POST", "snooze") == [] and recorder.refusals == []
