"""Buttons: what they change, who may press them, and that a repeated order is one order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from crmtray.protocol import CRM_ACTIONS, LINK_ACTIONS, Notification, NotificationAction, User, format_time
from crmtray_server.actions import ActionRefused, Actions
from crmtray_server.crm.orders import Crm, CrmUnavailable, Order
from crmtray_server.crm.rows import parse_moment
from crmtray_server.crm.writer import CrmWriter
from crmtray_server.directory import Directory
from crmtray_server.hub import Hub
from crmtray_server.inbox import Inbox, NotFound
from crmtray_server.store import feed, migrate
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import NewItem, Scope
from crmtray_server.store.operations import IdReused
from tests.server.live import Live, live_server, request, sockets
from tests.server.reference_crm import ReferenceCrm

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CALL, LATER = NOW + timedelta(hours=3), NOW + timedelta(days=1)

JUAN = User("7", "1", "Juan Pérez", "7@demo.example", "seller")
ANA = User("8", "1", "Ana López", "8@demo.example", "seller")
SOFIA = User("3", "1", "Sofía Díaz", "3@demo.example", "secretary")
CEO = User("2", "1", "Elena Ruiz", "2@demo.example", "ceo")
ADMIN = User("77", "1", "Ada", "77@demo.example", "admin")
ELSEWHERE = User("7", "2", "Otro Juan", "7@otra.example", "ceo")
"""Of another company, where people are numbered from the same numbers."""

OPEN = NotificationAction("Responder", "open_chat", {"conversation_id": "5"}, "https://crm.example/5")
CONTACT = NotificationAction("Contactar", "contact_lead", {"lead_id": 8})
VIEW = NotificationAction("Ver detalles", "view_lead", {"lead_id": 8})
METRICS = NotificationAction("Ver métricas", "view_metrics", {"seller_id": 7})
REASSIGN = NotificationAction("Reasignar", "reassign", {"conversation_id": "5"})
ASSIGN = NotificationAction("Asignar", "assign_lead", {"lead_id": "8"})
CALL_LATER = NotificationAction("Programar llamada", "schedule_call", {"lead_id": "8"})
RESCHEDULE = NotificationAction("Posponer", "reschedule", {"lead_id": 8})
CONTACTED = NotificationAction("Marcar como contactado", "mark_contacted", {"lead_id": "8"})
MEETING = NotificationAction("Programar meeting", "schedule_meeting", {"seller_id": 7})
NOTIFY = NotificationAction("Enviar alerta", "notify_seller", {"seller_id": "7"})
ALL = (OPEN, CONTACT, VIEW, METRICS, REASSIGN, ASSIGN, CALL_LATER, RESCHEDULE, CONTACTED, MEETING, NOTIFY)

PARAMS: dict[str, dict[str, Any]] = {
    "reassign": {"seller_id": "8"},
    "assign_lead": {"seller_id": 8},
    "schedule_call": {"at": format_time(LATER)},
    "reschedule": {"at": "2026-03-03T09:00:00-03:00"},
    "schedule_meeting": {"at": format_time(LATER)},
    "notify_seller": {"message": "Llama a Carlos"},
}


@dataclass(frozen=True)
class Rows:
    """What actions may change in the CRM."""

    conversation_seller: str = "7"
    lead_seller: str = "7"
    next_follow_up: datetime | None = CALL
    last_contacted_at: datetime | None = None


BEFORE = Rows()
AFTER = {
    "reassign": replace(BEFORE, conversation_seller="8"),
    "assign_lead": replace(BEFORE, lead_seller="8"),
    "schedule_call": replace(BEFORE, next_follow_up=LATER),
    "reschedule": replace(BEFORE, next_follow_up=LATER),
    "mark_contacted": replace(BEFORE, next_follow_up=None, last_contacted_at=NOW),
}


@dataclass
class Office:
    """A store, a CRM, and everything between."""

    store: Store
    crm: ReferenceCrm
    actions: Actions
    told: int = 0

    async def tell(self, user: User, *actions: NotificationAction, **data: Any) -> str:
        self.told += 1
        scope = Scope(user.tenant_id, user.user_id)
        item = NewItem(
            scope, f"{self.told}", "follow_up_reminder", "Título", "Mensaje", data, "medium", actions=actions
        )
        [made] = await self.store.write(feed.add, [item], NOW)
        return made.changes[0].id

    async def item(self, user: User, id: str) -> Notification:
        item = await self.store.read(feed.get, Scope(user.tenant_id, user.user_id), id)
        assert item is not None
        return item

    async def inbox(self, user: User) -> list[Notification]:
        page = await self.store.read(feed.search, Scope(user.tenant_id, user.user_id), feed.Filter(), 50, 0)
        return list(page[0])

    def as_before(self) -> None:
        self.crm.run("UPDATE conversations SET assigned_seller_id = 7")
        self.crm.run("UPDATE leads SET assigned_seller_id = 7, next_follow_up = :at, last_contacted_at = NULL", at=CALL)

    def rows(self) -> Rows:
        def moment(value: Any) -> datetime | None:
            return None if value is None else parse_moment(value)

        with self.crm.engine.connect() as connection:
            seller = connection.execute(sa.text("SELECT assigned_seller_id FROM conversations")).scalar()
            lead = connection.execute(
                sa.text("SELECT assigned_seller_id, next_follow_up, last_contacted_at FROM leads")
            ).one()
        return Rows(str(seller), str(lead[0]), moment(lead[1]), moment(lead[2]))


@pytest.fixture
async def office(crm: ReferenceCrm, tmp_path: Path) -> AsyncIterator[Office]:
    crm.conversation(5, NOW - timedelta(hours=2), seller=7)
    crm.lead(8, assigned_seller_id=7, next_follow_up=CALL)
    store = open_store(tmp_path)
    yield Office(store, crm, build(store, CrmWriter(crm.engine)))
    await asyncio.to_thread(store.close)


def open_store(folder: Path) -> Store:
    engine = make_engine(f"sqlite:///{folder / 'store.db'}")
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    return store


def build(store: Store, crm: Crm | None, locale: str = "es") -> Actions:
    async def locale_of(user: User) -> str:
        return locale

    hub = Hub(store)
    clock = lambda: NOW  # noqa: E731
    inbox = Inbox(store, hub, clock)
    directory = Directory(store, lambda: [JUAN, ANA, SOFIA, CEO, ELSEWHERE, Scope("1", "9")])
    return Actions(store, hub, inbox, directory, crm, clock, inbox.add, locale_of)


# --- who may do what -------------------------------------------------------------------------------------------

LINKS = dict.fromkeys(LINK_ACTIONS, "ok")
ON_THE_CRM = tuple(AFTER)
LEADING = ("schedule_meeting", "notify_seller")
OWN = {**LINKS, **dict.fromkeys(ON_THE_CRM, "ok"), **dict.fromkeys(LEADING, "forbidden")}
NOT_MINE = OWN | dict.fromkeys(ON_THE_CRM, "target_gone")
WHOLE_COMPANY = dict.fromkeys(OWN, "ok")
ANOTHER_COMPANY = {
    **LINKS,
    **dict.fromkeys(("reassign", "assign_lead", *LEADING), "unknown_seller"),
    **dict.fromkeys(("schedule_call", "reschedule", "mark_contacted"), "target_gone"),
}


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param(JUAN, OWN, id="the seller it is assigned to"),
        pytest.param(ANA, NOT_MINE, id="a seller it is not assigned to any more"),
        pytest.param(SOFIA, WHOLE_COMPANY, id="secretary"),
        pytest.param(CEO, WHOLE_COMPANY, id="ceo"),
        pytest.param(ADMIN, WHOLE_COMPANY, id="admin"),
        pytest.param(ELSEWHERE, ANOTHER_COMPANY, id="a ceo of another company"),
    ],
)
async def test_every_action_by_everybody(office: Office, user: User, expected: dict[str, str]) -> None:
    assert set(expected) == LINK_ACTIONS | CRM_ACTIONS == {action.action for action in ALL}
    for action in ALL:
        name = action.action
        office.as_before()
        id = await office.tell(user, *ALL, scheduled_time=format_time(CALL))
        assert (name, await outcome(office, user, id, name)) == (name, expected[name])
        done = expected[name] == "ok"
        assert (name, office.rows()) == (name, AFTER.get(name, BEFORE) if done else BEFORE)
        assert (await office.item(user, id)).read is done
    messages = [item for item in await office.inbox(JUAN) if item.type == "team_message"]
    assert len(messages) == (expected["notify_seller"] == "ok")


async def test_nobody_acts_on_anothers_item(office: Office) -> None:
    id = await office.tell(JUAN, *ALL)
    for other in (ANA, SOFIA, CEO, ADMIN, ELSEWHERE):
        for action in ALL:
            assert await outcome(office, other, id, action.action) == "not found"
    assert office.rows() == BEFORE and not (await office.item(JUAN, id)).read


async def outcome(office: Office, user: User, id: str, action: str) -> str:
    try:
        answer = await office.actions.perform(user, id, action, PARAMS.get(action, {}))
    except ActionRefused as refused:
        return refused.code
    except NotFound:
        return "not found"
    return "ok" if answer["ok"] and answer["notification"]["read"] else "unread"


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("reassign", {}, "invalid_params"),
        ("reassign", {"seller_id": True}, "invalid_params"),
        ("reassign", {"seller_id": {"id": 8}}, "invalid_params"),
        ("reassign", {"seller_id": "404"}, "unknown_seller"),
        ("reassign", {"seller_id": "3"}, "unknown_seller"),
        ("reassign", {"seller_id": "9"}, "unknown_seller"),
        ("reschedule", {}, "invalid_params"),
        ("reschedule", {"at": "soon"}, "invalid_params"),
        ("reschedule", {"at": 1772452800}, "invalid_params"),
        ("reschedule", {"at": format_time(NOW)}, "invalid_params"),
        ("reschedule", {"at": "2026-03-01T12:00:00Z"}, "invalid_params"),
        ("reschedule", {"at": "2099-03-01T12:00:00Z"}, "invalid_params"),
        ("reschedule", {"at": "0001-01-01T00:00:00+14:00"}, "invalid_params"),
        ("reschedule", {"at": "9999-12-31T23:59:59-14:00"}, "invalid_params"),
        ("notify_seller", {}, "invalid_params"),
        ("notify_seller", {"message": " \n\0 "}, "invalid_params"),
        ("notify_seller", {"message": "x" * 1001}, "invalid_params"),
        ("assign_lead", {"seller_id": "8"}, "action_not_offered"),
        ("drop_tables", {}, "action_not_offered"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_nothing_changes(
    office: Office, action: str, params: dict[str, Any], code: str
) -> None:
    id = await office.tell(CEO, REASSIGN, RESCHEDULE, MEETING, NOTIFY)
    with pytest.raises(ActionRefused) as caught:
        await office.actions.perform(CEO, id, action, params)
    assert caught.value.code == code and caught.value.message.endswith(".")
    assert office.rows() == BEFORE and not (await office.item(CEO, id)).read


@pytest.mark.parametrize("action", ["reassign", "mark_contacted", "notify_seller"])
async def test_an_item_that_does_not_say_what_it_is_about_is_refused(office: Office, action: str) -> None:
    """Such as another program may publish."""
    targets: list[dict[str, Any]] = [{}, {"conversation_id": None, "lead_id": [8], "seller_id": {}}]
    for target in targets:
        id = await office.tell(CEO, NotificationAction("Botón", action, target))
        assert await outcome(office, CEO, id, action) == "action_not_offered"


@pytest.mark.parametrize(("locale", "sentence"), [("es-AR", "Elige una fecha"), ("en-GB", "Choose a date")])
async def test_refusals_are_in_the_readers_language(office: Office, locale: str, sentence: str) -> None:
    id = await office.tell(CEO, RESCHEDULE)
    actions = build(office.store, None, locale)
    with pytest.raises(ActionRefused, match=sentence):
        await actions.perform(CEO, id, "reschedule", {"at": "2026-03-01T12:00:00Z"})


async def test_a_link_makes_the_item_read_even_where_the_crm_is_off_limits(office: Office) -> None:
    id = await office.tell(JUAN, OPEN, CONTACTED)
    actions = build(office.store, None)
    assert (await actions.perform(JUAN, id, "open_chat", {}))["notification"]["read"]
    with pytest.raises(ActionRefused, match="no tiene permiso para cambiar el CRM") as caught:
        await actions.perform(JUAN, id, "mark_contacted", {})
    assert caught.value.code == "crm_actions_off"


@pytest.mark.expects_log("an action could not change the CRM")
async def test_a_crm_that_is_away_loses_nothing(office: Office) -> None:
    id = await office.tell(JUAN, CONTACTED)
    office.crm.run("ALTER TABLE leads RENAME TO away")
    with pytest.raises(CrmUnavailable):
        await office.actions.perform(JUAN, id, "mark_contacted", {}, "order-1")
    assert not (await office.item(JUAN, id)).read
    office.crm.run("ALTER TABLE away RENAME TO leads")
    assert (await office.actions.perform(JUAN, id, "mark_contacted", {}, "order-1"))["ok"]


# --- once ------------------------------------------------------------------------------------------------------


async def test_the_same_order_twice_is_one_order(office: Office) -> None:
    id = await office.tell(JUAN, REASSIGN)
    first = await office.actions.perform(JUAN, id, "reassign", {"seller_id": "8"}, "order-1")
    office.as_before()
    again = await office.actions.perform(JUAN, id, "reassign", {"seller_id": "8"}, "order-1")
    assert again == first and office.rows() == BEFORE


async def test_an_id_belongs_to_one_order(office: Office) -> None:
    id, other = await office.tell(CEO, REASSIGN, OPEN), await office.tell(CEO, REASSIGN)
    await office.actions.perform(CEO, id, "reassign", {"seller_id": "8"}, "order-1")
    office.as_before()
    orders: list[tuple[str, str, dict[str, Any]]] = [
        (id, "open_chat", {}),
        (other, "reassign", {"seller_id": "8"}),
        (id, "reassign", {"seller_id": "7"}),
    ]
    for order in orders:
        with pytest.raises(IdReused):
            await office.actions.perform(CEO, *order, "order-1")
    assert office.rows() == BEFORE
    mine = await office.tell(JUAN, REASSIGN)
    assert (await office.actions.perform(JUAN, mine, "reassign", {"seller_id": "8"}, "order-1"))["ok"]


class Counting:
    """A CRM that takes its time, and counts."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.go_on = asyncio.Event()

    async def apply(self, order: Order) -> None:
        self.orders.append(order)
        await self.go_on.wait()


async def test_four_at_the_same_time_are_one_effect(office: Office) -> None:
    id, crm = await office.tell(JUAN, CONTACTED), Counting()
    actions = build(office.store, crm)
    tasks = [asyncio.create_task(actions.perform(JUAN, id, "mark_contacted", {}, "order-1")) for _ in range(4)]
    other = asyncio.create_task(actions.perform(JUAN, id, "mark_contacted", {"note": "x"}, "order-1"))
    async with asyncio.timeout(5):
        while not crm.orders:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    crm.go_on.set()
    answers = await asyncio.gather(*tasks)
    with pytest.raises(IdReused):
        await other
    assert len(crm.orders) == 1 and all(answer == answers[0] for answer in answers)
    page = await office.store.read(feed.changes_since, Scope("1", "7"), office.store.epoch, 0, 9)
    assert [change.seq for change in page.changes] == [1, 2]


async def test_two_processes_at_the_same_time_give_one_answer(crm: ReferenceCrm, store_url: str) -> None:
    """Each has its own writer; the CRM may be told twice, with the same id."""
    stores = [Store(make_engine(store_url)) for _ in range(2)]
    migrate.upgrade(stores[0].engine)
    for store in stores:
        store.open()
    office, slow = Office(stores[0], crm, build(stores[0], None)), Counting()
    id = await office.tell(JUAN, CONTACTED)
    tasks = [
        asyncio.create_task(build(store, slow).perform(JUAN, id, "mark_contacted", {}, "order-1")) for store in stores
    ]
    async with asyncio.timeout(5):
        while len(slow.orders) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    slow.go_on.set()
    first, second = await asyncio.gather(*tasks)
    assert first == second and {order.id for order in slow.orders} == {"order-1"}
    for store in stores:
        await asyncio.to_thread(store.close)


async def test_a_failed_try_does_not_use_up_its_id(office: Office) -> None:
    id = await office.tell(CEO, REASSIGN)
    with pytest.raises(ActionRefused):
        await office.actions.perform(CEO, id, "reassign", {"seller_id": "404"}, "order-1")
    assert (await office.actions.perform(CEO, id, "reassign", {"seller_id": "8"}, "order-1"))["ok"]


# --- late ------------------------------------------------------------------------------------------------------


async def test_an_order_made_offline_for_a_time_that_has_passed_is_refused(office: Office) -> None:
    id = await office.tell(JUAN, RESCHEDULE)
    with pytest.raises(ActionRefused, match="Elige una fecha y hora futuras"):
        await office.actions.perform(JUAN, id, "reschedule", {"at": format_time(NOW - timedelta(minutes=1))}, "late")
    assert office.rows() == BEFORE and not (await office.item(JUAN, id)).read


async def test_what_was_read_meanwhile_still_acts(office: Office) -> None:
    id = await office.tell(JUAN, CONTACTED, RESCHEDULE, scheduled_time=format_time(CALL))
    await office.store.write(feed.mark_read, Scope("1", "7"), [id], NOW)
    await office.actions.perform(JUAN, id, "mark_contacted", {}, "1")
    assert office.rows() == AFTER["mark_contacted"]
    await office.actions.perform(JUAN, id, "reschedule", PARAMS["reschedule"], "2")
    assert office.rows().next_follow_up == LATER


async def test_what_was_removed_meanwhile_does_nothing_but_answers_what_it_answered(office: Office) -> None:
    id = await office.tell(JUAN, CONTACTED, RESCHEDULE)
    first = await office.actions.perform(JUAN, id, "mark_contacted", {}, "1")
    await office.store.write(feed.remove, Scope("1", "7"), [id], NOW)
    assert await office.actions.perform(JUAN, id, "mark_contacted", {}, "1") == first
    office.as_before()
    with pytest.raises(NotFound):
        await office.actions.perform(JUAN, id, "reschedule", PARAMS["reschedule"], "2")
    assert office.rows() == BEFORE


async def test_contacted_keeps_a_follow_up_that_was_set_meanwhile(office: Office) -> None:
    id = await office.tell(JUAN, CONTACTED, scheduled_time=format_time(CALL))
    office.crm.run("UPDATE leads SET next_follow_up = :at", at=LATER)
    await office.actions.perform(JUAN, id, "mark_contacted", {})
    assert office.rows() == replace(BEFORE, next_follow_up=LATER, last_contacted_at=NOW)


# --- messages and meetings -------------------------------------------------------------------------------------


async def test_a_message_is_stored_once_as_plain_text(office: Office) -> None:
    id, params = await office.tell(CEO, NOTIFY), {"message": " Llama\0 a <b>Carlos</b>\n👍🏽 \ud800"}
    for _ in range(2):
        await office.actions.perform(CEO, id, "notify_seller", params, "1")
    [item] = await office.inbox(JUAN)
    assert (item.type, item.title, item.message) == (
        "team_message",
        "Mensaje de Elena Ruiz",
        "Llama a <b>Carlos</b>\n👍🏽",
    )
    assert item.data == {"from_user_id": "2", "from_name": "Elena Ruiz"} and not item.actions


async def test_a_message_reaches_the_sellers_socket(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "live"
    async with live_server(folder, crm_database_url=office.crm.url, crm_actions="sql") as live:
        [id] = await live.tell(SOFIA, "k", actions=(NOTIFY,))
        async with sockets(live, live.token(JUAN), live.token(ANA)) as [juan, ana]:
            for socket in (juan, ana):
                await socket.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
            answer = await press(live, SOFIA, id, "notify_seller", message="Llama a Carlos")
            assert answer["result"] == {"seller_id": "7", "seller_name": "Juan Pérez"}
            [item] = await juan.wait("new_notification")
            assert (item["type"], item["message"], item["priority"]) == ("team_message", "Llama a Carlos", "high")
            assert ana.named("new_notification") == []


async def press(live: Live, user: User, id: str, action: str, **params: Any) -> Any:
    path = f"/notifications/{id}/actions/{action}"
    status, body, _ = await request(live, "POST", path, live.token(user), json={"params": params})
    assert status == 200, body
    return body


@pytest.mark.parametrize(("locale", "words"), [("es", "Reunión con Juan Pérez"), ("en", "Meeting with Juan Pérez")])
async def test_a_meeting_is_an_invitation_that_calendars_read(office: Office, locale: str, words: str) -> None:
    id = await office.tell(CEO, MEETING)
    actions = build(office.store, None, locale)
    answer = await actions.perform(CEO, id, "schedule_meeting", {"at": "2026-03-03T09:00:00-03:00"}, "order-1")
    assert answer["result"]["at"] == format_time(LATER) and answer["result"]["filename"].endswith(".ics")
    text = answer["result"]["ics"]
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n")) and text.endswith("END:VCALENDAR\r\n")
    calendar = Calendar.from_ical(text)
    assert (calendar["version"], calendar["method"]) == ("2.0", "REQUEST")
    event: Any
    [event] = calendar.walk("VEVENT")
    assert event["uid"] == "order-1@crmtray" and event["summary"] == words and event["description"] == "Mensaje"
    assert event["dtstart"].dt == LATER and event["dtend"].dt == LATER + timedelta(minutes=30)
    assert event["dtstamp"].dt == NOW
    assert event["attendee"] == "mailto:7@demo.example" and event["attendee"].params["CN"] == "Juan Pérez"
    assert event["organizer"] == "mailto:2@demo.example"
    assert [alarm["trigger"].dt for alarm in event.walk("VALARM")] == [timedelta(minutes=-10)]


async def test_a_name_of_the_crm_cannot_write_lines_of_the_invitation(office: Office) -> None:
    evil = replace(JUAN, name='Juan\r\nATTENDEE:mailto:x@evil.example";X="', email="7@demo.example\r\nX-EVIL:1")
    directory = Directory(office.store, lambda: [evil, CEO])
    hub = Hub(office.store)
    actions = Actions(office.store, hub, Inbox(office.store, hub), directory, None, lambda: NOW)
    id = await office.tell(CEO, MEETING)
    answer = await actions.perform(CEO, id, "schedule_meeting", {"at": format_time(LATER)})
    event: Any
    [event] = Calendar.from_ical(answer["result"]["ics"]).walk("VEVENT")
    assert "attendee" not in event and "X-EVIL" not in event
    assert event["summary"] == 'Reunión con Juan ATTENDEE:mailto:x@evil.example";X="'
