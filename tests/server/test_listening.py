"""What any program writes into a CRM on PostgreSQL reaches its seller at once, with no reading in between."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from crmtray.protocol import Json, User
from crmtray_server.crm.engine import crm_engine
from crmtray_server.crm.listening import Listener, concern_of
from crmtray_server.events import Concern
from tests.server.live import Live, live_server, sockets
from tests.server.reference_crm import HOUR, ReferenceCrm

SCRIPTS = Path(__file__).parents[2] / "packaging" / "crm"
SELLER = User("7", "1", "Juan Pérez", "7@demo.example", "seller")
SOON = 20.0
"""Longest wait for what should be there at once."""


def run_script(crm: ReferenceCrm, name: str) -> None:
    """As psql -1 does."""
    with crm.engine.begin() as connection:
        connection.exec_driver_sql((SCRIPTS / name).read_text(encoding="utf-8").replace("%", "%%"))


@pytest.fixture
def crm(postgres_url: str) -> Iterator[ReferenceCrm]:
    crm = ReferenceCrm(postgres_url)
    crm.people()
    run_script(crm, "notify-postgresql.sql")
    run_script(crm, "notify-postgresql.sql")  # again: nothing is there twice
    yield crm
    crm.close()


class Heard:
    """What a listener says, and how often it asked for a look at everything."""

    def __init__(self) -> None:
        self.concern, self.everything = Concern(), 0
        self._changed = asyncio.Event()

    def look_at(self, concern: Concern) -> None:
        self.concern |= concern
        self._changed.set()

    def look_at_all(self) -> None:
        self.everything += 1
        self._changed.set()

    async def until(self, everything: int = 0, conversations: str = "", leads: str = "") -> None:
        """Ids with blanks between."""
        wanted = Concern(frozenset(conversations.split()), frozenset(leads.split()))
        async with asyncio.timeout(SOON):
            while self.everything < everything or self.concern | wanted != self.concern:
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def listening(crm: ReferenceCrm) -> AsyncIterator[Heard]:
    heard, engine = Heard(), crm_engine(crm.url, read_only=True)
    task = asyncio.create_task(Listener(engine, heard.look_at, heard.look_at_all).run())
    try:
        await heard.until(everything=1)
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await threads_ended()
        engine.dispose()


async def threads_ended() -> None:
    """They give their connections back themselves, shortly after they were told to end."""
    for thread in threading.enumerate():
        if thread.name.startswith(("crm-listen", "detection")):
            await asyncio.to_thread(thread.join, SOON)


async def test_a_row_that_any_program_writes_reaches_the_sellers_socket_at_once(
    crm: ReferenceCrm, tmp_path: Path
) -> None:
    settings = {"crm_database_url": crm.url, "detection_interval_seconds": 3600}
    async with live_server(tmp_path, **settings) as live, parts(live), sockets(live, live.token(SELLER)) as [seller]:
        await seller.call("subscribe_notifications", {"user_id": "7"})
        await until_read(live)
        now = live.server.scheduler.status().last_read
        assert now is not None
        crm.conversation(5, now - 2 * HOUR)
        (told,) = await seller.wait("new_notification")
    assert told["data"]["conversation_id"] == "5"


@asynccontextmanager
async def parts(live: Live) -> AsyncIterator[None]:
    """The server's background parts, as a running server has them."""
    tasks = [asyncio.ensure_future(function()) for _, function in live.server.background()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await live.server.duty.resign()
        live.server.duty.close()
        await threads_ended()


async def until_read(live: Live) -> None:
    """Until the first reading is over and the channel is listened to."""
    listens = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^LISTEN'")
    (engine, *_) = live.server.engines
    async with asyncio.timeout(SOON):
        while live.server.scheduler.status().last_read is None or not await asyncio.to_thread(_count, engine, listens):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _count(engine: sa.Engine, query: sa.TextClause) -> int:
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


async def test_the_triggers_say_what_matters_and_nothing_else(crm: ReferenceCrm) -> None:
    async with listening(crm) as heard:
        crm.conversation(5, None, lead_id=9)
        crm.lead(9)
        await heard.until(conversations="5", leads="9")
        heard.concern = Concern()
        crm.run("UPDATE conversations SET phone_number = '+54'")
        crm.run("UPDATE leads SET notes = 'x', first_name = 'Ana'")
        crm.run("UPDATE conversations SET status = status")
        crm.run("INSERT INTO messages (id, conversation_id, from_customer, body) VALUES (1, 6, true, 'Hola')")
        await heard.until(conversations="6")
        assert heard.concern == Concern(frozenset({"6"}))
        crm.run("UPDATE leads SET next_follow_up = now() WHERE id = 9")
        crm.run("DELETE FROM conversations WHERE id = 5")
        await heard.until(conversations="5 6", leads="9")
        assert heard.everything == 1


async def test_many_rows_of_one_statement_are_told_together(crm: ReferenceCrm) -> None:
    async with listening(crm) as heard:
        crm.run("INSERT INTO conversations (id, status) SELECT n, 'active' FROM generate_series(1, 250) n")
        await heard.until(conversations=" ".join(map(str, range(1, 251))))
        assert heard.everything == 1
        crm.run("UPDATE conversations SET status = 'closed'")
        crm.run("INSERT INTO leads (id) SELECT n FROM generate_series(1, 1001) n")
        await heard.until(everything=2)
        assert heard.concern.leads == frozenset()


async def test_nothing_is_left_when_the_triggers_are_taken_away(crm: ReferenceCrm) -> None:
    run_script(crm, "notify-postgresql-remove.sql")
    with crm.engine.connect() as connection:
        functions = connection.execute(sa.text("SELECT proname FROM pg_proc WHERE proname LIKE 'crmtray%'")).all()
        triggers = connection.execute(sa.text("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'crmtray%'")).all()
    assert functions == triggers == []
    crm.conversation(5, None)


@pytest.mark.expects_log("is not listened to")
async def test_a_lost_connection_is_made_anew_and_everything_is_looked_at(
    crm: ReferenceCrm, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with listening(crm) as heard:
        with psycopg.connect(crm.url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query ~ '^LISTEN'"
            ).fetchall()
        assert ended == [(True,)]
        await heard.until(everything=2)
        crm.conversation(5, None)
        await heard.until(conversations="5")
    assert "the CRM's database is listened to again" in caplog.text


async def test_sqlite_is_left_in_peace(tmp_path: Path) -> None:
    crm, heard = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}"), Heard()
    task = asyncio.create_task(Listener(crm.engine, heard.look_at, heard.look_at_all).run())
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert heard.everything == 0
    crm.close()


@pytest.mark.parametrize(
    ("said", "conversations", "leads"),
    [
        ({"conversation": 5}, {"5"}, set()),
        ({"lead": "a-b"}, set(), {"a-b"}),
        ({"conversations": [5, "6", None, True, ""], "lead": 9}, {"5", "6"}, {"9"}),
    ],
)
def test_a_notification_names_conversations_and_leads(said: Json, conversations: set[str], leads: set[str]) -> None:
    assert concern_of(json.dumps(said)) == Concern(frozenset(conversations), frozenset(leads))


@pytest.mark.parametrize("payload", ["", "{}", "[]", "5", "{", '{"conversation": null}', '{"conversations": "5"}'])
def test_what_cannot_be_read_concerns_everything(payload: str) -> None:
    assert concern_of(payload) is None
