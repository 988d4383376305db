"""A CRM that pushes, for tests: events as docs/push.md gives them, and a desk that watches what they make true.

The watch is the real thing: mirror, detection, pipeline and store; only the clock is the test's.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from crmtray.protocol import Json, User, format_time
from crmtray_server.api.crm_events import CrmEvent, taken_apart
from crmtray_server.crm.mirror import MirrorSource
from crmtray_server.crm.pushed import AHEAD, OverlaidSource
from crmtray_server.crm_events import CrmEvents
from crmtray_server.detectors import Detection
from crmtray_server.directory import Directory
from crmtray_server.events import Concern, Detected
from crmtray_server.hub import Hub
from crmtray_server.inbox import Inbox
from crmtray_server.pipeline import Pipeline
from crmtray_server.readers import Readers
from crmtray_server.store import accounts, migrate
from crmtray_server.store.database import Store, make_engine
from tests.server.reference_crm import MINUTE, NOW, Told, Watch, settings

PEOPLE = (
    User("7", "1", "Juan Pérez", "juan@demo.example", "seller"),
    User("8", "1", "Ana López", "ana@demo.example", "seller"),
    User("3", "1", "Sofía Díaz", "sofia@demo.example", "secretary"),
    User("2", "1", "Elena Ruiz", "elena@demo.example", "ceo"),
    User("7", "2", "Otro Pérez", "otro@otra.example", "seller"),
    User("2", "2", "Otra Ruiz", "otra@otra.example", "ceo"),
)
BUYING = [
    "Hola",
    "Me interesa el auto",
    "¿Qué precio tiene?",
    "Bien",
    "Lo quiero comprar hoy",
    "Pasame el link para pagar",
]
_events = TypeAdapter(list[CrmEvent])


def stamped(row: Json) -> Json:
    return {name: format_time(value) if isinstance(value, datetime) else value for name, value in row.items()}


def event(kind: str, at: datetime, **rows: Json) -> Json:
    return {"event": kind, "occurred_at": format_time(at)} | {name: stamped(row) for name, row in rows.items()}


def received(id: Any, at: datetime, body: str = "Hola", conversation: Any = 5, **columns: Any) -> Json:
    """A customer's message in a conversation with a seller."""
    row = {"id": conversation, "assigned_seller_id": 7, "phone_number": "+5491100000000", "status": "active"} | columns
    return event("message.received", at, conversation=row, message={"id": id, "body": body, "created_at": at})


def sent(id: Any, at: datetime, conversation: Any = 5) -> Json:
    """A seller's answer."""
    return event(
        "message.sent", at, message={"id": id, "conversation_id": conversation, "body": "Sí", "created_at": at}
    )


def lead(at: datetime, kind: str = "lead.updated", **columns: Any) -> Json:
    values = {"id": 9, "first_name": "Carlos", "last_name": "Rodríguez", "source": "META_ADS", "status": "interested"}
    return event(kind, at, lead=values | {"assigned_seller_id": 7} | columns)


class PushWatch:
    """Detection over what is pushed, no CRM to read. `restart` is a new process over the same store."""

    def __init__(self, store_url: str, **values: Any) -> None:
        self.now, self.settings = NOW, settings(**values)
        engine = make_engine(store_url)
        migrate.upgrade(engine)
        self.store = Store(engine)
        self.store.open()
        self.concern = Concern()
        self.restart()

    async def people(self) -> None:
        await self.store.write(accounts.add, [(user, "no password") for user in PEOPLE], NOW)

    def restart(self) -> None:
        self.detection = Detection(MirrorSource(self.store, self.settings), self.store, self.settings)
        directory = Directory(self.store, None)
        readers = Readers(self.store, directory, self.settings, self.detection.timezone)
        inbox = Inbox(self.store, Hub(self.store), lambda: self.now, readers)
        self._pipeline = Pipeline(inbox, readers, directory, {}, None, lambda: self.now)
        self._events = CrmEvents(self.store, self._note, None)

    async def push(self, *events: Json, tenant: str = "1") -> list[Told]:
        """Who is told when these arrive, without a reading."""
        self.concern = Concern()
        await accept(self._events, self.now, events, tenant)
        return await self.tell(self.detection.concerning(self.now, self.concern))

    async def read(self) -> list[Told]:
        return await self.tell(self.detection.read(self.now))

    async def due(self) -> list[Told]:
        return await self.tell(self.detection.due(self.now))

    async def tell(self, detected: Detected) -> list[Told]:
        assert detected.failures == {}
        return [
            Told(entry.scope.user_id, change.notification)
            for entry in await self._pipeline.ingest(detected)
            for change in entry.changes
            if change.notification is not None
        ]

    async def close(self) -> None:
        await asyncio.to_thread(self.store.close)

    def _note(self, concern: Concern) -> None:
        self.concern |= concern


class OverlaidWatch(Watch):
    """Detection over a CRM that is read and pushes as well."""

    def restart(self) -> None:
        super().restart()
        self.concern = Concern()
        self.source = OverlaidSource(self._crm_engine, self._settings, None, self.store)
        self.detection = Detection(self.source, self.store, self._settings)
        self._events = CrmEvents(self.store, self._note, AHEAD)

    async def push(self, *events: Json, tenant: str = "1") -> list[Told]:
        self.concern = Concern()
        await accept(self._events, self.now, events, tenant)
        return await self.tell(self.detection.concerning(self.now, self.concern))

    def _note(self, concern: Concern) -> None:
        self.concern |= concern


async def accept(events: CrmEvents, now: datetime, bodies: tuple[Json, ...], tenant: str) -> None:
    """As the route does it."""
    parsed = _events.validate_json(TypeAdapter(list[Any]).dump_json(list(bodies)))
    await events.accept(taken_apart(tenant, parsed, now), now)


def hot(at: datetime, first: int = 1) -> list[Json]:
    """A lead that has all it takes, and its six messages, the last at `at`."""
    talk = [received(first + number, at - (5 - number) * MINUTE, body, lead_id=9) for number, body in enumerate(BUYING)]
    return [lead(at, "lead.created"), *talk]
