"""Buttons: what they change, who may press them, and that a repeated order is one order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from crmtray.protocol import NotificationAction, User, format_time
from crmtray_server.actions import ActionRefused, Actions
from crmtray_server.crm.engine import crm_engine
from crmtray_server.crm.writer import CrmUnavailable, CrmWriter
from crmtray_server.directory import Directory
from crmtray_server.hub import Hub
from crmtray_server.inbox import Inbox, NotFound
from crmtray_server.store import accounts, feed, migrate
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import NewItem, Scope
from crmtray_server.store.operations import IdReused

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANA = User("1", "1", "Ana López", "ana@demo.example", "seller")
JUAN = User("2", "1", "Juan Pérez", "juan@demo.example", "seller")
CEO = User("3", "1", "Carla Díaz", "carla@demo.example", "ceo")
ELSEWHERE = User("4", "2", "De Otra", "otra@demo.example", "seller")

CRM = """
CREATE TABLE conversations (id INTEGER PRIMARY KEY, tenant_id INTEGER, assigned_seller_id INTEGER);
CREATE TABLE leads (id INTEGER PRIMARY KEY, tenant_id INTEGER, assigned_seller_id INTEGER,
                    next_follow_up TIMESTAMP, last_contacted_at TIMESTAMP);
INSERT INTO conversations VALUES (5, 1, 1);
INSERT INTO leads VALUES (8, 1, 1, '2026-03-02 15:00:00', NULL);
"""


@dataclass
class Office:
    """A store, a CRM, and everything between."""

    store: Store
    actions: Actions
    crm: Any

    async def tell(self, user: User, *actions: NotificationAction, **data: Any) -> str:
        item = NewItem(
            Scope(user.tenant_id, user.user_id), f"key-{actions}", "follow_up_reminder", "Título", "Mensaje", data,
            "medium", actions=actions,
        )  # fmt: skip
        [made] = await self.store.write(feed.add, [item], NOW)
        return made.changes[0].id

    def value(self, query: str) -> Any:
        with self.crm.connect() as connection:
            return connection.exec_driver_sql(query).scalar()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    await store.write(accounts.add, [(user, "-") for user in (ANA, JUAN, CEO, ELSEWHERE)], NOW)
    crm = crm_engine(f"sqlite:///{tmp_path / 'crm.db'}")
    with crm.begin() as connection:
        for statement in filter(str.strip, CRM.split(";")):
            connection.exec_driver_sql(statement)
    yield Office(store, build(store, CrmWriter(crm)), crm)
    await asyncio.to_thread(store.close)
    crm.dispose()


def build(store: Store, writer: CrmWriter | None) -> Actions:
    hub = Hub(store)
    clock = lambda: NOW  # noqa: E731
    return Actions(store, hub, Inbox(store, hub, clock), Directory(store, None), writer, clock)


REASSIGN = NotificationAction("Reasignar", "reassign", {"conversation_id": "5"})
CONTACTED = NotificationAction("Marcar como contactado", "mark_contacted", {"lead_id": "8"})
RESCHEDULE = NotificationAction("Posponer", "reschedule", {"lead_id": "8"})
MEETING = NotificationAction("Programar meeting", "schedule_meeting", {"seller_id": 1})
NOTIFY = NotificationAction("Enviar alerta", "notify_seller", {"seller_id": 1})
OPEN = NotificationAction("Responder", "open_chat", {"conversation_id": "5"}, "https://crm.example/5")


async def test_contacted_changes_the_crm_and_makes_the_item_read(office: Office) -> None:
    id = await office.tell(ANA, CONTACTED, scheduled_time="2026-03-02T15:00:00Z")
    answer = await office.actions.perform(ANA, id, "mark_contacted", {})
    assert answer["ok"] and answer["notification"]["read"]
    assert office.value("SELECT last_contacted_at FROM leads").startswith("2026-03-02 12:00:00")
    assert office.value("SELECT next_follow_up FROM leads") is None


async def test_reassign_gives_the_conversation_to_another_seller(office: Office) -> None:
    id = await office.tell(ANA, REASSIGN)
    answer = await office.actions.perform(ANA, id, "reassign", {"seller_id": "2"})
    assert answer["result"] == {"seller_id": "2", "seller_name": "Juan Pérez"}
    assert office.value("SELECT assigned_seller_id FROM conversations") == 2


async def test_the_same_order_twice_is_one_order(office: Office) -> None:
    id = await office.tell(ANA, REASSIGN)
    first = await office.actions.perform(ANA, id, "reassign", {"seller_id": "2"}, "order-1")
    with office.crm.begin() as connection:
        connection.exec_driver_sql("UPDATE conversations SET assigned_seller_id = 9")
    again = await office.actions.perform(ANA, id, "reassign", {"seller_id": "2"}, "order-1")
    assert again == first
    assert office.value("SELECT assigned_seller_id FROM conversations") == 9
    with pytest.raises(IdReused):
        await office.actions.perform(ANA, id, "open_chat", {}, "order-1")


async def test_two_at_the_same_time_make_one_change(office: Office) -> None:
    id = await office.tell(ANA, CONTACTED)
    orders = [office.actions.perform(ANA, id, "mark_contacted", {}, "order-1") for _ in range(4)]
    answers = await asyncio.gather(*orders)
    assert all(answer == answers[0] for answer in answers)
    page = await office.store.read(feed.changes_since, Scope("1", "1"), office.store.epoch, office.store.epoch, 0, 9)
    assert [change.seq for change in page.changes] == [1, 2]


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("reassign", {}, "invalid_params"),
        ("reassign", {"seller_id": "4"}, "unknown_seller"),
        ("reassign", {"seller_id": "3"}, "unknown_seller"),
        ("reschedule", {"at": "soon"}, "invalid_params"),
        ("reschedule", {"at": "2026-03-01T12:00:00Z"}, "invalid_params"),
        ("reschedule", {"at": "2099-03-01T12:00:00Z"}, "invalid_params"),
        ("notify_seller", {"message": "hola"}, "forbidden"),
        ("schedule_meeting", {"at": "2026-03-03T12:00:00Z"}, "forbidden"),
        ("assign_lead", {"seller_id": "2"}, "action_not_offered"),
        ("drop_tables", {}, "action_not_offered"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_nothing_changes(
    office: Office, action: str, params: dict[str, Any], code: str
) -> None:
    id = await office.tell(ANA, REASSIGN, RESCHEDULE, MEETING, NOTIFY)
    with pytest.raises(ActionRefused) as caught:
        await office.actions.perform(ANA, id, action, params)
    assert caught.value.code == code
    assert office.value("SELECT assigned_seller_id FROM conversations") == 1
    notification = await office.store.read(feed.get, Scope("1", "1"), id)
    assert notification is not None and not notification.read


async def test_a_seller_cannot_act_on_what_was_taken_from_him(office: Office) -> None:
    id = await office.tell(JUAN, CONTACTED)
    with pytest.raises(ActionRefused, match="ya no está a tu cargo"):
        await office.actions.perform(JUAN, id, "mark_contacted", {})
    assert office.value("SELECT last_contacted_at FROM leads") is None


async def test_nobody_acts_on_anothers_item(office: Office) -> None:
    id = await office.tell(ANA, CONTACTED)
    for other in (JUAN, CEO, ELSEWHERE, User("1", "2", "", "", "ceo")):
        with pytest.raises(NotFound):
            await office.actions.perform(other, id, "mark_contacted", {})


async def test_a_link_makes_the_item_read_even_where_the_crm_is_off_limits(office: Office) -> None:
    id = await office.tell(ANA, OPEN, CONTACTED)
    actions = build(office.store, None)
    assert (await actions.perform(ANA, id, "open_chat", {}))["notification"]["read"]
    with pytest.raises(ActionRefused, match="no tiene permiso para cambiar el CRM"):
        await actions.perform(ANA, id, "mark_contacted", {})


@pytest.mark.expects_log("an action could not change the CRM")
async def test_a_crm_that_is_away_loses_nothing(office: Office) -> None:
    id = await office.tell(ANA, CONTACTED)
    with office.crm.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE leads RENAME TO away")
    with pytest.raises(CrmUnavailable):
        await office.actions.perform(ANA, id, "mark_contacted", {}, "order-1")
    with office.crm.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO leads")
    assert (await office.actions.perform(ANA, id, "mark_contacted", {}, "order-1"))["ok"]


async def test_a_manager_reschedules_for_the_seller(office: Office) -> None:
    id = await office.tell(CEO, RESCHEDULE)
    at = format_time(NOW + timedelta(days=1))
    assert (await office.actions.perform(CEO, id, "reschedule", {"at": at}))["result"] == {"at": at}
    assert office.value("SELECT next_follow_up FROM leads").startswith("2026-03-03 12:00:00")


async def test_a_message_reaches_the_seller_once(office: Office) -> None:
    id = await office.tell(CEO, NOTIFY)
    for _ in range(2):
        await office.actions.perform(CEO, id, "notify_seller", {"message": " Llama a Carlos "}, "order-1")
    page = await office.store.read(feed.search, Scope("1", "1"), feed.Filter(), 10, 0)
    assert [(item.type, item.title, item.message) for item in page[0]] == [
        ("team_message", "Mensaje de Carla Díaz", "Llama a Carlos")
    ]


async def test_a_meeting_is_an_invitation_that_calendars_read(office: Office) -> None:
    id = await office.tell(CEO, MEETING)
    at = NOW + timedelta(days=1)
    answer = await office.actions.perform(CEO, id, "schedule_meeting", {"at": format_time(at)}, "order-1")
    event: Any
    [event] = Calendar.from_ical(answer["result"]["ics"]).walk("VEVENT")
    assert event["uid"] == "order-1@crmtray" and event["dtstart"].dt == at
    assert event["attendee"] == "mailto:ana@demo.example" and event["organizer"] == "mailto:carla@demo.example"
