"""What detection can find in the sample CRM, asked in the tests' own words, not in detection's."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray_server.crm import schema

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANA = 1

conversations, leads, messages, users = schema.conversations, schema.leads, schema.messages, schema.users
WAITING = conversations.c.last_message_from_customer & (conversations.c.status == "active")


def overdue(connection: Connection, now: datetime, *terms: Any, after: timedelta = HOUR) -> set[tuple[Any, ...]]:
    """Waiting conversations, each with the time of the message that waits: one episode each."""
    found = sa.select(conversations.c.id, conversations.c.last_message_time).where(
        WAITING,
        conversations.c.assigned_seller_id.is_not(None),
        conversations.c.last_message_time < now - after,
        *terms,
    )
    return {("waiting", after, *row) for row in connection.execute(found)}


def hot(connection: Connection, now: datetime, *terms: Any) -> set[tuple[Any, ...]]:
    """Leads that have 65 points of 100 without counting what they wrote, and whose newest sentence is about paying."""
    found = (
        sa.select(leads.c.id)
        .join(conversations, conversations.c.lead_id == leads.c.id)
        .join(messages, messages.c.conversation_id == conversations.c.id)
        .where(leads.c.source == "META_ADS", leads.c.status.in_(schema.OPEN_STAGES), *terms)
        .group_by(leads.c.id)
        .having(sa.func.count() > 5, sa.func.max(messages.c.created_at) > now - HOUR)
    )
    ids = set(connection.scalars(found))
    return {("hot", lead) for lead in ids if re.search(r"pag[ou]|pagar|transf|seña", newest_sentence(connection, lead))}


def newest_sentence(connection: Connection, lead_id: int) -> str:
    query = (
        sa.select(messages.c.body)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(conversations.c.lead_id == lead_id, messages.c.from_customer)
        .order_by(messages.c.created_at.desc(), messages.c.id.desc())
        .limit(1)
    )
    return str(connection.scalars(query).one())


def reminders(connection: Connection, now: datetime, *terms: Any) -> set[tuple[Any, ...]]:
    found = sa.select(leads.c.id, leads.c.next_follow_up).where(
        leads.c.next_follow_up <= now + timedelta(hours=24),
        leads.c.status.in_(("interested", "negotiation")),
        leads.c.assigned_seller_id.is_not(None),
        *terms,
    )
    return {("call", *row) for row in connection.execute(found)}


def overloaded(connection: Connection, now: datetime) -> set[tuple[Any, ...]]:
    found = sa.select(conversations.c.assigned_seller_id).where(WAITING, conversations.c.last_message_time < now - HOUR)
    counts = Counter(connection.scalars(found))
    return {("slow", seller) for seller, count in counts.items() if seller is not None and count > 5}


def disagreements(connection: Connection) -> list[int]:
    """Conversations whose last message is not what they say it is."""
    wrong = []
    for chat in connection.execute(sa.select(conversations)):
        newest = connection.execute(
            sa.select(messages)
            .where(messages.c.conversation_id == chat.id)
            .order_by(messages.c.created_at.desc(), messages.c.id.desc())
            .limit(1)
        ).one()
        said = (chat.last_message_time, chat.last_message_from_customer)
        if said != (newest.created_at, newest.from_customer):
            wrong.append(chat.id)
    return wrong


def count(connection: Connection, table: sa.Table, *terms: Any) -> int:
    return connection.scalars(sa.select(sa.func.count()).select_from(table).where(*terms)).one()
