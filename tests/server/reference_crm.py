"""A small CRM for tests, made by plain SQL as docs/protocol.md gives it, and a desk that watches it.

The watch is the real thing: CRM source, detection, pipeline and store; only the clock is the test's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from crmtray.protocol import Notification, User
from crmtray_server.config import Settings
from crmtray_server.crm.engine import crm_engine, write
from crmtray_server.crm.source import CrmSource
from crmtray_server.detectors import Detection
from crmtray_server.directory import Directory
from crmtray_server.events import Detected
from crmtray_server.hub import Hub
from crmtray_server.inbox import Inbox
from crmtray_server.pipeline import Pipeline
from crmtray_server.readers import Readers
from crmtray_server.store import feed, migrate
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import Scope

NOW = datetime(2026, 2, 27, 13, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

TABLES = {
    "tenants": "id {id} PRIMARY KEY, name TEXT, timezone TEXT",
    "users": "id {id} PRIMARY KEY, tenant_id {id}, full_name TEXT, email TEXT, role TEXT, active {flag}",
    "conversations": "id {id} PRIMARY KEY, tenant_id {id}, lead_id {id}, assigned_seller_id {id}, phone_number TEXT, "
    "status TEXT, last_message_time {time}, last_message_from_customer {flag}",
    "messages": "id {id} PRIMARY KEY, conversation_id {id}, from_customer {flag}, body TEXT, created_at {time}",
    "leads": "id {id} PRIMARY KEY, tenant_id {id}, first_name TEXT, last_name TEXT, phone_number TEXT, source TEXT, "
    "location TEXT, status TEXT, assigned_seller_id {id}, estimated_value NUMERIC, next_follow_up {time}, notes TEXT, "
    "created_at {time}, converted_at {time}, last_contacted_at {time}",
}


class ReferenceCrm:
    """The tables, and short ways to put rows into them."""

    def __init__(self, url: str, ids: str = "INTEGER") -> None:
        self.url = url
        self.engine = crm_engine(url)
        self._sqlite = self.engine.dialect.name == "sqlite"
        self._message = 0
        if self._sqlite:
            types = {"id": "INTEGER" if ids == "INTEGER" else "TEXT", "time": "TEXT", "flag": "INTEGER"}
        else:
            types = {"id": ids, "time": "TIMESTAMPTZ", "flag": "BOOLEAN"}
        for name, columns in TABLES.items():
            self.run(f"CREATE TABLE {name} ({columns.format(**types)})")

    def close(self) -> None:
        self.engine.dispose()

    def run(self, sql: str, **parameters: Any) -> None:
        with write(self.engine) as connection:
            connection.execute(sa.text(sql), {key: self._value(value) for key, value in parameters.items()})

    def insert(self, table: str, **columns: Any) -> None:
        names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
        self.run(f"INSERT INTO {table} ({names}) VALUES ({values})", **columns)

    def people(self, tenant: Any = 1, timezone: str = "America/Argentina/Buenos_Aires") -> None:
        """One tenant with two sellers, a secretary and a CEO."""
        self.insert("tenants", id=tenant, name="Autos del Sur", timezone=timezone)
        for id, name, role in (
            (7, "Juan Pérez", "seller"),
            (8, "Ana López", "seller"),
            (3, "Sofía Díaz", "secretary"),
            (2, "Elena Ruiz", "ceo"),
        ):
            self.user(id, name, role, tenant)

    def user(self, id: Any, name: str, role: str, tenant: Any = 1, active: bool = True) -> None:
        email = f"{id}@demo.example"
        self.insert("users", id=id, tenant_id=tenant, full_name=name, email=email, role=role, active=active)

    def conversation(self, id: Any, at: Any, seller: Any = 7, **columns: Any) -> None:
        """Active, the last message at `at` is the customer's."""
        values = {"tenant_id": 1, "status": "active", "last_message_from_customer": True} | columns
        phone = values.pop("phone_number", f"+549110000{id:04}" if isinstance(id, int) else "+5491100000000")
        self.insert(
            "conversations", id=id, assigned_seller_id=seller, phone_number=phone, last_message_time=at, **values
        )

    def message(self, conversation: Any, at: datetime, from_customer: bool = True, body: str = "Hola") -> None:
        """A message, and the conversation says so."""
        self._message += 1
        self.insert(
            "messages",
            id=self._message,
            conversation_id=conversation,
            from_customer=from_customer,
            body=body,
            created_at=at,
        )
        self.run(
            "UPDATE conversations SET last_message_time = :at, last_message_from_customer = :customer WHERE id = :id",
            at=at,
            customer=from_customer,
            id=conversation,
        )

    def lead(self, id: Any, **columns: Any) -> None:
        values = {"tenant_id": 1, "first_name": "Carlos", "last_name": "Rodríguez", "phone_number": "+5491122233344"}
        values |= {"source": "META_ADS", "status": "interested", "assigned_seller_id": 7, "created_at": NOW}
        self.insert("leads", id=id, **(values | columns))

    def talk(self, lead: Any, bodies: Sequence[str], last: datetime, seller: Any = 7) -> None:
        """One conversation with the lead, a customer's message a minute, the last one at `last`."""
        id = int(lead) + 1000
        self.conversation(id, last, seller, lead_id=lead)
        for number, body in enumerate(bodies):
            self.message(id, last - (len(bodies) - 1 - number) * MINUTE, body=body)

    def _value(self, value: Any) -> Any:
        if isinstance(value, datetime) and self._sqlite:
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return value


def settings(**values: Any) -> Settings:
    return Settings(jwt_secret_key=SecretStr("0123456789abcdef0123456789abcdef"), **values)


@dataclass(frozen=True)
class Told:
    """Who was told what."""

    user_id: str
    notification: Notification

    @property
    def line(self) -> tuple[str, str, str]:
        return self.user_id, self.notification.type, self.notification.priority


class Watch:
    """Detection over one CRM with a store of its own. `restart` is a new process over the same store."""

    def __init__(self, crm: ReferenceCrm, store_url: str, **values: Any) -> None:
        self.now = NOW
        self._settings = settings(**values)
        self._crm_engine = crm_engine(crm.url, read_only=True)
        self.store_engine = make_engine(store_url)
        migrate.upgrade(self.store_engine)
        self.store = Store(self.store_engine)
        self.store.open()
        self.restart()

    def restart(self) -> None:
        self.source = CrmSource(self._crm_engine, self._settings)
        self.detection = Detection(self.source, self.store, self._settings)
        directory = Directory(self.store, self._people)
        readers = Readers(self.store, directory, self._settings, self.detection.timezone)
        self.inbox = Inbox(self.store, Hub(self.store), lambda: self.now, readers)
        mail_after = self._settings.email_after if self._settings.smtp_url else None
        self._pipeline = Pipeline(self.inbox, readers, directory, {}, mail_after, lambda: self.now)

    async def read(self, after: timedelta = timedelta()) -> list[Told]:
        """A reading, `after` the last look, and who was newly told because of it."""
        self.now += after
        return await self.tell(self.detection.read(self.now))

    async def due(self, after: timedelta) -> list[Told]:
        """What the clock alone made true."""
        self.now += after
        return await self.tell(self.detection.due(self.now))

    async def tell(self, detected: Detected) -> list[Told]:
        assert detected.failures == {}
        return [
            Told(entry.scope.user_id, change.notification)
            for entry in await self._pipeline.ingest(detected)
            for change in entry.changes
            if change.notification is not None
        ]

    async def unread(self, user_id: str, tenant_id: str = "1") -> int:
        return await self.store.read(feed.unread_count, Scope(tenant_id, user_id))

    async def close(self) -> None:
        await asyncio.to_thread(self.store.close)
        self._crm_engine.dispose()

    def _people(self) -> list[User]:
        return [
            User(user.user_id, user.tenant_id, user.name, user.email, user.role)
            for user in self.source.users()
            if user.active
        ]


def lines(told: Sequence[Told]) -> list[tuple[str, str, str]]:
    return sorted(one.line for one in told)


def store_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def of(kind: str, told: list[Told]) -> list[Told]:
    return [one for one in told if one.notification.type == kind]
