"""The store's tables, as the newest migration leaves them. Alembic (migrations/) makes them, not create_all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData()


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on both databases; SQLite has no time zones and keeps text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))

feeds = Table(
    "feeds",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    # The number of the newest change; raised in the transaction that makes the change.
    Column("head", BigInteger, nullable=False),
    # Numbers up to here are no longer kept: a client that stopped before starts anew.
    Column("floor", BigInteger, nullable=False, server_default="0"),
    # Newest item that was sent to a client without a cursor; see realtime.
    Column("simple_sent", BigInteger, nullable=False, server_default="0"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    # Which change made it, and its newest one.
    Column("first_seq", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("dedupe_key", String, nullable=False),
    Column("type", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("actions", JSON, nullable=False),
    Column("priority", String, nullable=False),
    Column("audience", String),
    Column("created_at", UtcTime, nullable=False),
    Column("read_at", UtcTime),
    Column("snoozed_until", UtcTime),
    # When a snooze of it ended: from then on it is kept as long as a new one.
    Column("woken_at", UtcTime),
    # A removed item stays as a row until clean-up, so that its dedupe key keeps it from coming back.
    Column("removed_at", UtcTime),
    Column("silent", Boolean, nullable=False),
    Column("reason", String),
    UniqueConstraint("tenant_id", "user_id", "dedupe_key", name="notifications_once"),
)
Index("notifications_newest", notifications.c.tenant_id, notifications.c.user_id, notifications.c.created_at)
Index(
    "notifications_unread",
    notifications.c.tenant_id,
    notifications.c.user_id,
    sqlite_where=notifications.c.read_at.is_(None) & notifications.c.removed_at.is_(None),
    postgresql_where=notifications.c.read_at.is_(None) & notifications.c.removed_at.is_(None),
)
Index(
    "notifications_snoozed",
    notifications.c.snoozed_until,
    sqlite_where=notifications.c.snoozed_until.is_not(None),
    postgresql_where=notifications.c.snoozed_until.is_not(None),
)

# The feed: which item the change with this number concerned. What the item looks like stands in `notifications`.
changes = Table(
    "changes",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("notification_id", String, nullable=False),
)

# Answers of operations that a client may send again with the same id (Idempotency-Key).
operations = Table(
    "operations",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("operation_id", String, primary_key=True),
    Column("request", String, nullable=False),
    Column("result", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

# What is true in the CRM now and was already told; see detectors.
episodes = Table(
    "episodes",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("key", String, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("mark", String, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("email", String, nullable=False, unique=True),  # folded: the same in any case
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

# One row a login. The refresh token's hash only; the previous one is kept to tell a lost answer from a theft.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("refresh_hash", String, nullable=False),
    Column("previous_hash", String),
    Column("rotated_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    # Who it is, when the CRM's own login said so and there may be no other place to look.
    Column("person", JSON(none_as_null=True)),
)
Index("sessions_of_user", sessions.c.tenant_id, sessions.c.user_id)

# How a person wants to be told. Who has no row has the preset of the role; see policy.
notification_settings = Table(
    "notification_settings",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("notification_types", JSON, nullable=False),
    Column("push_notifications", Boolean, nullable=False),
    Column("email_notifications", Boolean, nullable=False),
    # None: the address that the directory has.
    Column("email_address", Text),
    # Both or none; the end is the first moment that is loud again.
    Column("quiet_hours_start", Time),
    Column("quiet_hours_end", Time),
    Column("work_days", JSON, nullable=False),
    Column("min_priority", String(20), nullable=False),
    # None: the tenant's.
    Column("timezone", String),
    Column("locale", String, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("tenant_id", "user_id", name="notification_settings_once"),
)

# What a person's preferences kept out of the inbox, so that "why did I not get one?" has an answer.
suppressed = Table(
    "suppressed",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("dedupe_key", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("priority", String, nullable=False),
    Column("data", JSON, nullable=False),
    Column("reason", String, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
Index("suppressed_age", suppressed.c.created_at)

# One row for each way an item took, or is to take, to a person: a device it was sent to, an e-mail.
deliveries = Table(
    "deliveries",
    metadata,
    Column("notification_id", String, primary_key=True),
    Column("channel", String, primary_key=True),  # socket | pull | email
    Column("device", String, primary_key=True),  # what the client says it is, or the e-mail address
    Column("tenant_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    # sent | acknowledged; an e-mail also: waiting | sending | failed | skipped
    Column("state", String, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    # An e-mail that waits is due then; one being sent may be taken by another worker after that.
    Column("due_at", UtcTime),
    Column("detail", Text),
)
Index(
    "deliveries_due",
    deliveries.c.due_at,
    sqlite_where=deliveries.c.due_at.is_not(None),
    postgresql_where=deliveries.c.due_at.is_not(None),
)
Index("deliveries_age", deliveries.c.updated_at)

# Who does what only one process may do at a time, and until when unless he says so again; see duty.
duties = Table(
    "duties",
    metadata,
    Column("work", String, primary_key=True),
    Column("holder", String, nullable=False),  # of one process, from its start to its end
    Column("node", String, nullable=False),  # host and process, for people
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    # What the holder says of its work, for the others' /health.
    Column("report", JSON(none_as_null=True)),
)

# What a CRM that cannot be read has pushed, in the shape of the reference tables; see mirror.
mirror_conversations = Table(
    "mirror_conversations",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("lead_id", String),
    Column("assigned_seller_id", String),
    Column("phone_number", String),
    Column("status", String),
    Column("last_message_time", UtcTime),
    Column("last_message_from_customer", Boolean),
    # When each column was said to be what it is: an older event never overwrites what a newer one said.
    Column("said", JSON, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)
Index("mirror_conversations_lead", mirror_conversations.c.lead_id)
mirror_messages = Table(
    "mirror_messages",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("conversation_id", String, nullable=False),
    Column("from_customer", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)
Index("mirror_messages_conversation", mirror_messages.c.conversation_id, mirror_messages.c.created_at)
Index("mirror_messages_newest", mirror_messages.c.tenant_id, mirror_messages.c.created_at)
mirror_leads = Table(
    "mirror_leads",
    metadata,
    Column("tenant_id", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("first_name", String),
    Column("last_name", String),
    Column("phone_number", String),
    Column("source", String),
    Column("location", String),
    Column("status", String),
    Column("assigned_seller_id", String),
    Column("estimated_value", Float),
    Column("next_follow_up", UtcTime),
    Column("notes", Text),
    Column("created_at", UtcTime),
    Column("converted_at", UtcTime),
    Column("last_contacted_at", UtcTime),
    Column("said", JSON, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)
