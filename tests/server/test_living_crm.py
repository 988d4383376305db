"""The sample CRM's living mode: something happens at every step, and it never only grows."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from crmtray_server.crm import demo, schema
from crmtray_server.crm.engine import crm_engine, write
from crmtray_server.crm.living import LivingCrm
from tests.server.sample_crm import (
    ANA,
    HOUR,
    NOW,
    WAITING,
    conversations,
    count,
    disagreements,
    hot,
    leads,
    messages,
    overdue,
    overloaded,
    reminders,
    users,
)

TICK = timedelta(seconds=4)


def alerts_for(role: str, connection: Connection, now: datetime) -> set[tuple[Any, ...]]:
    if role == "secretary":
        return overdue(connection, now)
    if role == "ceo":
        unassigned = hot(connection, now, leads.c.assigned_seller_id.is_(None))
        return unassigned | overdue(connection, now, after=4 * HOUR) | overloaded(connection, now)
    mine = leads.c.assigned_seller_id == ANA
    own = overdue(connection, now, conversations.c.assigned_seller_id == ANA)
    return hot(connection, now, mine) | own | reminders(connection, now, mine)


# The living mode.


def living(engine: Engine, role: str = "seller", seed: int = 1) -> LivingCrm:
    return LivingCrm(engine, seed, focus_seller_id=ANA if role == "seller" else None, focus_role=role)


def test_a_lead_of_the_focused_seller_turns_hot_at_once(sample: Engine) -> None:
    mine = leads.c.assigned_seller_id == ANA
    now = NOW + TICK
    with sample.connect() as connection:
        before = hot(connection, now, mine)
    lines = living(sample).step(now)
    with sample.connect() as connection:
        assert len(hot(connection, now, mine) - before) == 1
    assert "decides to buy from Ana López" in lines[0]


@pytest.mark.parametrize("role", ["seller", "ceo", "secretary"])
def test_something_new_alerts_the_focused_user_within_eight_seconds(sample: Engine, role: str) -> None:
    soon = NOW + timedelta(seconds=8)
    with sample.connect() as connection:
        known = alerts_for(role, connection, soon)
    living(sample, role).step(NOW)
    with sample.connect() as connection:
        assert len(alerts_for(role, connection, soon) - known) == 1


def test_a_known_lead_heats_up_by_a_dialogue_that_goes_on(sqlite_url: str) -> None:
    demo.create(sqlite_url, conversations=0, leads=1, sellers=1, now=NOW)
    engine = crm_engine(sqlite_url)
    asked = NOW - timedelta(hours=3)
    with write(engine) as connection:
        connection.execute(leads.update().values(source="META_ADS", status="contacted", assigned_seller_id=ANA))
        chat = {
            "id": 1,
            "tenant_id": 1,
            "lead_id": 1,
            "assigned_seller_id": ANA,
            "phone_number": "",
            "status": "active",
        }
        last = {"last_message_time": asked + timedelta(minutes=5), "last_message_from_customer": False}
        connection.execute(conversations.insert().values(chat | last))
        for from_customer, minutes in ((True, 0), (False, 5)):
            at = asked + timedelta(minutes=minutes)
            said = {"conversation_id": 1, "from_customer": from_customer, "body": "Hola", "created_at": at}
            connection.execute(messages.insert().values(said))
    living(engine).step(NOW)
    with engine.connect() as connection:
        assert hot(connection, NOW) == {("hot", 1)}
        assert count(connection, messages, messages.c.from_customer) > 5
        times = connection.scalars(sa.select(messages.c.created_at).order_by(messages.c.id)).all()
        assert times == sorted(times)
        assert disagreements(connection) == []
    engine.dispose()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("role", ["seller", "ceo", "secretary"])
def test_something_new_alerts_the_focused_user_every_half_minute(sample: Engine, role: str, seed: int) -> None:
    now, crm_lives = NOW, living(sample, role, seed)
    with sample.connect() as connection:
        known = alerts_for(role, connection, now)
    kinds, silence = set(), timedelta(0)
    for _ in range(120):
        now += TICK
        crm_lives.step(now)
        with sample.connect() as connection:
            fresh = alerts_for(role, connection, now) - known
        known |= fresh
        kinds |= {alert[0] for alert in fresh}
        silence = timedelta(0) if fresh else silence + TICK
        assert silence <= timedelta(seconds=44)
    assert (
        kinds
        == {"seller": {"hot", "waiting", "call"}, "ceo": {"hot", "waiting", "slow"}, "secretary": {"waiting"}}[role]
    )


def test_every_step_leaves_messages_and_conversations_in_agreement(sample: Engine) -> None:
    now, crm_lives = NOW, living(sample)
    with sample.connect() as connection:
        before = count(connection, messages)
    for _ in range(60):
        now += TICK
        assert crm_lives.step(now)
    with sample.connect() as connection:
        assert disagreements(connection) == []
        assert count(connection, messages) > before
        assert count(connection, messages, messages.c.created_at > now) == 0
        assert not connection.scalars(sa.select(messages.c.body).where(messages.c.body.contains("{"))).all()


@pytest.mark.parametrize("role", ["seller", "ceo"])
def test_it_stays_bounded_however_long_it_runs(sqlite_sample: Engine, role: str) -> None:
    now, crm_lives = NOW, living(sqlite_sample, role)
    for _ in range(1200):
        now += 2 * TICK
        crm_lives.step(now)
    with sqlite_sample.connect() as connection:
        chats = count(connection, conversations, conversations.c.status == "active")
        prospects = count(connection, leads, leads.c.status.in_(schema.OPEN_STAGES))
        assert chats + prospects <= 310
        assert count(connection, conversations, WAITING) <= 80
        assert count(connection, leads, leads.c.status == "converted") > 25


def test_the_customers_go_on_when_the_focused_seller_is_gone(sqlite_sample: Engine) -> None:
    crm_lives = living(sqlite_sample)
    crm_lives.step(NOW + TICK)
    with write(sqlite_sample) as connection:
        connection.execute(users.update().where(users.c.id == ANA).values(active=False))
    assert crm_lives.step(NOW + 2 * timedelta(minutes=1))


def test_an_unknown_role_is_a_mistake_at_once(sqlite_sample: Engine) -> None:
    with pytest.raises(ValueError, match="no such role"):
        LivingCrm(sqlite_sample, focus_role="gardener")


class _Ticking:
    """A clock that is a tick further each time it is read; at the last tick it stops what reads it."""

    def __init__(self, ticks: int) -> None:
        self.stop = asyncio.Event()
        self._left = ticks
        self._now = NOW
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> datetime:
        self._left -= 1
        if self._left == 0:
            self._loop.call_soon_threadsafe(self.stop.set)
        self._now += TICK
        return self._now


async def test_running_goes_on_until_it_is_stopped(sample: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "crmtray_server.crm.living")
    clock = _Ticking(3)
    async with asyncio.timeout(20):
        await LivingCrm(sample, clock=clock).run(clock.stop, interval=0.01)
    assert len(caplog.records) >= 3
    assert {record.levelno for record in caplog.records} == {logging.INFO}


async def test_a_database_that_is_away_is_reported_once_and_tried_again(
    sqlite_sample: Engine, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    refusing = crm_engine(sqlite_url, read_only=True)
    clock = _Ticking(4)
    async with asyncio.timeout(20):
        await LivingCrm(refusing, clock=clock).run(clock.stop, interval=0.01)
    refusing.dispose()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "trying again" in caplog.text
