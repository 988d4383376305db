"""Preferences: what may be written, what is kept on both databases, and that alerts follow them at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from crmtray.cache import Cache
from crmtray.local_server import LocalServer
from crmtray.protocol import ChangesPage, Json, Notification
from crmtray_server.api.preferences import READERS
from crmtray_server.once import detect_once
from crmtray_server.policy import Preferences
from crmtray_server.store import feed, migrate, preferences, suppressed
from crmtray_server.store.database import make_engine
from crmtray_server.store.feed import Scope
from crmtray_server.store.suppressed import Suppressed
from crmtray_server.store.tables import deliveries
from tests.server.live import ALICE, BOB, CHARLIE, Live, live_server, request
from tests.server.reference_crm import HOUR, MINUTE, NOW, ReferenceCrm, Told, Watch, lines, settings

PATH = "/notifications/settings"
ANA, BEA, ANA_ELSEWHERE = Scope("1", "7"), Scope("1", "8"), Scope("2", "7")
CHOSEN = Preferences(
    notification_types=("unanswered", "performance"),
    push_notifications=False,
    email_notifications=True,
    email_address="ana@example.com",
    quiet_hours=(time(22, 30), time(7)),
    work_days=("monday", "saturday"),
    min_priority="high",
    timezone="Europe/Madrid",
    locale="es-AR",
)
SELLER: Json = {
    "notification_types": ["unanswered", "hot_lead", "follow_up"],
    "push_notifications": True,
    "email_notifications": False,
    "email_address": None,
    "quiet_hours": {"start": "22:00", "end": "08:00"},
    "work_days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
    "min_priority": "medium",
    "timezone": None,
    "locale": "es",
}
ALL_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

# --- the rows --------------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    engine = make_engine(store_url)
    migrate.upgrade(engine)
    yield engine
    engine.dispose()


def save(engine: Engine, scope: Scope, wanted: Preferences, now: datetime = NOW) -> None:
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        preferences.save(connection, scope, wanted, now)


def load(engine: Engine, *scopes: Scope) -> dict[Scope, Preferences]:
    with engine.connect() as connection, connection.begin():
        return preferences.load(connection, scopes)


def test_what_is_saved_is_what_is_read(engine: Engine) -> None:
    save(engine, ANA, CHOSEN)
    quiet_never = replace(CHOSEN, quiet_hours=None, email_address=None, timezone=None, notification_types=())
    save(engine, ANA_ELSEWHERE, quiet_never)
    assert load(engine, ANA, BEA, ANA_ELSEWHERE) == {ANA: CHOSEN, ANA_ELSEWHERE: quiet_never}
    save(engine, ANA, quiet_never, NOW + HOUR)
    assert load(engine, ANA) == {ANA: quiet_never}
    with engine.connect() as connection, connection.begin():
        assert preferences.changed_at(connection, ANA) == NOW + HOUR
        assert preferences.changed_at(connection, BEA) is None


def test_many_people_are_read_at_once(engine: Engine) -> None:
    everybody = [Scope("1", str(number)) for number in range(1201)]
    for scope in everybody[::400]:
        save(engine, scope, CHOSEN)
    queries: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: queries.append(args[2]))
    assert set(load(engine, *everybody)) == set(everybody[::400])
    assert len([query for query in queries if "notification_settings" in query]) == 1


@pytest.mark.expects_log("cannot be read, the role's are used")
@pytest.mark.parametrize(
    ("column", "value"),
    [("min_priority", "loud"), ("work_days", "5"), ("notification_types", '{"unanswered": true}')],
)
def test_a_row_that_makes_no_sense_counts_as_none_and_spoils_no_other(engine: Engine, column: str, value: str) -> None:
    person = Scope("1", f"damaged {engine.dialect.name} {column}")
    save(engine, person, CHOSEN)
    save(engine, BEA, CHOSEN)
    kind = "" if column == "min_priority" or engine.dialect.name == "sqlite" else "::json"
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        statement = f"UPDATE notification_settings SET {column} = '{value}'{kind} WHERE user_id = :user"
        connection.execute(
            sa.text(statement.replace(":json", r"\:json").replace("::", r"\:\:")), {"user": person.user_id}
        )
    assert load(engine, person, BEA) == {BEA: CHOSEN}


@pytest.mark.expects_log("cannot be read, the role's are used")
@pytest.mark.parametrize("column", ["work_days", "quiet_hours_start"])
def test_text_that_no_column_type_reads_spoils_no_other(tmp_path: Path, column: str) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(engine)
    person = Scope("1", f"broken {column}")
    save(engine, person, CHOSEN)
    save(engine, BEA, CHOSEN)
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        statement = f"UPDATE notification_settings SET {column} = '{{ten' WHERE user_id = :user"
        connection.execute(sa.text(statement), {"user": person.user_id})
    assert load(engine, person, BEA) == {BEA: CHOSEN}
    engine.dispose()


def test_names_of_a_newer_version_are_passed_over(engine: Engine) -> None:
    save(engine, ANA, replace(CHOSEN, notification_types=("unanswered", "smoke_signals"), work_days=("noday",)))
    assert load(engine, ANA) == {ANA: replace(CHOSEN, notification_types=("unanswered",), work_days=())}


def test_what_was_suppressed_is_found_by_its_subject_and_by_nobody_else(engine: Engine) -> None:
    rows = [
        Suppressed(ANA, "k1", "hot_lead", "urgent", {"lead_id": "17", "lead_name": "Ñandú"}, "type_off"),
        Suppressed(ANA, "k2", "hot_lead", "urgent", {"lead_id": 17}, "below_min_priority"),
        Suppressed(ANA, "k3", "hot_lead", "urgent", {"lead_id": "170", "note": "17"}, "type_off"),
        Suppressed(BEA, "k1", "hot_lead", "urgent", {"lead_id": "17"}, "type_off"),
        Suppressed(ANA_ELSEWHERE, "k1", "hot_lead", "urgent", {"lead_id": "17"}, "type_off"),
    ]
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        for minute, row in enumerate(rows):
            suppressed.add(connection, [row], NOW + minute * MINUTE)
        suppressed.add(connection, [replace(rows[0], reason="other")], NOW + HOUR)  # the same once more
    with engine.connect() as connection, connection.begin():
        found = suppressed.about(connection, ANA, {"lead_id": "17"})
        assert suppressed.about(connection, ANA, {"lead_id": "1%"}) == []
    assert [(kept.item, kept.at) for kept in found] == [(rows[1], NOW + MINUTE), (rows[0], NOW)]


# --- HTTP ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        yield server


async def test_who_chose_nothing_has_the_preset_of_the_role(live: Live) -> None:
    assert (await request(live, "GET", PATH, live.token(ALICE)))[:2] == (200, SELLER)
    _, ceo, _ = await request(live, "GET", PATH, live.token(CHARLIE))
    assert ceo["quiet_hours"] is None and ceo["email_notifications"] and len(ceo["work_days"]) == 7
    assert (await request(live, "GET", PATH))[0] == 401


async def test_a_token_of_somebody_unknown_says_the_role(live: Live) -> None:
    stranger = replace(ALICE, user_id="99", role="secretary")
    _, found, _ = await request(live, "GET", PATH, live.token(stranger))
    assert (found["notification_types"], found["min_priority"]) == (["unanswered"], "high")


async def test_patch_changes_what_is_given_and_put_sets_everything(live: Live) -> None:
    token = live.token(ALICE)
    change = {"min_priority": "urgent", "quiet_hours": None, "email_address": "alicia+crm@example.com"}
    assert (await request(live, "PATCH", PATH, token, json=change))[:2] == (200, SELLER | change)
    more = {"locale": "en", "timezone": "Europe/Madrid", "work_days": ["sunday", "monday", "sunday"]}
    expected = SELLER | change | more | {"work_days": ["monday", "sunday"]}
    assert (await request(live, "PATCH", PATH, token, json=more))[:2] == (200, expected)
    assert (await request(live, "GET", PATH, token))[1] == expected
    assert (await request(live, "PATCH", PATH, token, json={}))[1] == expected
    assert (await request(live, "PATCH", PATH, token, json={"email_address": None}))[1]["email_address"] is None
    put = {"notification_types": ["follow_up"], "push_notifications": False}
    assert (await request(live, "PUT", PATH, token, json=put))[:2] == (200, SELLER | put)
    assert (await request(live, "PUT", PATH, token, json=expected))[1] == expected
    assert (await request(live, "GET", PATH, live.token(BOB)))[1] == SELLER
    assert (await request(live, "GET", PATH, live.token(CHARLIE)))[1]["min_priority"] == "low"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("notification_types", ["unanswered_conversation"]),
        ("notification_types", "unanswered"),
        ("notification_types", None),
        ("push_notifications", "true"),
        ("push_notifications", 1),
        ("email_notifications", None),
        ("email_address", ""),
        ("email_address", "ana"),
        ("email_address", "ana@"),
        ("email_address", "@example.com"),
        ("email_address", "ana@example.com, eva@example.com"),
        ("email_address", "ana@example.com;eva@example.com"),
        ("email_address", "Ana <ana@example.com>"),
        ("email_address", "ana@example.com\r\nBcc: eva@example.com"),
        ("email_address", "ana@example.com\n"),
        ("email_address", "ana..b@example.com"),
        ("email_address", "ana@example..com"),
        ("email_address", "ana@-"),
        ("email_address", "=?utf-8?q?ana?=@example.com"),
        ("email_address", '"ana b"@example.com'),
        ("email_address", "ana(eva)@example.com"),
        ("email_address", "ana@" + "a." * 130 + "com"),
        ("email_address", "ñandú@example.com"),
        ("quiet_hours", {"start": "22:00"}),
        ("quiet_hours", {"start": "22:00", "end": "8:00"}),
        ("quiet_hours", {"start": "22:00", "end": "24:00"}),
        ("quiet_hours", {"start": "22:00", "end": "08:60"}),
        ("quiet_hours", {"start": "22:00:00", "end": "08:00"}),
        ("quiet_hours", {"start": "22:00", "end": "08:00\n"}),
        ("quiet_hours", {"start": "22:00", "end": "08:00", "days": 2}),
        ("quiet_hours", "22:00-08:00"),
        ("work_days", ["Monday"]),
        ("work_days", ["lunes"]),
        ("min_priority", "none"),
        ("timezone", "Buenos Aires"),
        ("timezone", "localtime"),
        ("timezone", "../../etc/passwd"),
        ("timezone", "europe/madrid"),
        ("timezone", ""),
        ("locale", "fr"),
        ("locale", "es_AR"),
        ("locale", "es-AR-x"),
        ("locale", None),
        ("user_id", "2"),
    ],
)
async def test_what_is_not_allowed_is_refused_by_name(live: Live, field: str, value: Any) -> None:
    token = live.token(ALICE)
    for method in ("PUT", "PATCH"):
        status, problem, _ = await request(live, method, PATH, token, json={field: value})
        assert (status, problem["code"]) == (400, "invalid_request")
        assert problem["detail"].startswith(field)
    assert (await request(live, "GET", PATH, token))[1] == SELLER


# --- alerts follow ---------------------------------------------------------------------------------------------------

NIGHT = datetime(2026, 2, 28, 3, 0, tzinfo=UTC)  # Saturday, midnight in Buenos Aires
THURSDAY_NIGHT = datetime(2026, 2, 27, 2, 0, tzinfo=UTC)  # Thursday, 23:00 there


async def choose(watch: Watch, user_id: str, **changed: Any) -> None:
    everything = replace(
        CHOSEN,
        notification_types=("unanswered", "hot_lead", "follow_up", "performance"),
        push_notifications=True,
        email_notifications=False,
        email_address=None,
        quiet_hours=None,
        work_days=tuple(ALL_DAYS),
        min_priority="low",
        timezone=None,
    )
    await watch.store.write(preferences.save, Scope("1", user_id), replace(everything, **changed), watch.now)


def by_user(told: list[Told]) -> dict[str, tuple[bool, str | None]]:
    return {one.user_id: (one.notification.silent, one.notification.reason) for one in told}


async def test_the_night_is_silent_for_the_seller_and_not_for_the_secretary(crm: ReferenceCrm, watch: Watch) -> None:
    watch.now = THURSDAY_NIGHT
    crm.conversation(1, watch.now - 2 * HOUR)
    told = await watch.read()
    assert by_user(told) == {"7": (True, "quiet_hours"), "3": (False, None)}
    assert await watch.unread("7") == 1  # stored and counted


async def test_the_weekend_is_silent_for_who_works_from_monday_to_friday(crm: ReferenceCrm, watch: Watch) -> None:
    watch.now = NIGHT + 12 * HOUR
    crm.conversation(1, watch.now - 5 * HOUR)
    told = await watch.read()
    assert by_user(told) == {"7": (True, "day_off"), "3": (True, "day_off"), "2": (False, None)}


async def test_what_a_person_does_not_want_is_not_made_and_written_down_once(crm: ReferenceCrm, watch: Watch) -> None:
    await choose(watch, "7", notification_types=("hot_lead",))
    await choose(watch, "3", min_priority="urgent")
    crm.conversation(1, NOW - 2 * HOUR)
    assert lines(await watch.read()) == []
    assert lines(await watch.read(MINUTE)) == []  # the episode is known
    kept = {user: await watch.store.read(suppressed.about, Scope("1", user), {"conversation_id": "1"}) for user in "73"}
    assert [kept[user][0].item.reason for user in "73"] == ["type_off", "below_min_priority"]
    assert [len(kept[user]) for user in "73"] == [1, 1]


async def test_a_change_counts_from_the_next_notification_on(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(1, NOW - 2 * HOUR)
    assert by_user(await watch.read())["7"] == (False, None)
    await choose(watch, "7", push_notifications=False)
    crm.conversation(2, NOW - 2 * HOUR)
    assert by_user(await watch.read(MINUTE))["7"] == (True, "push_off")
    await choose(watch, "7", timezone="Asia/Tokyo", quiet_hours=(time(22), time(8)))  # there it is 22:02
    crm.conversation(3, NOW - 2 * HOUR)
    assert by_user(await watch.read(MINUTE))["7"] == (True, "quiet_hours")


async def test_each_reads_in_his_own_language_and_time_zone(crm: ReferenceCrm, watch: Watch) -> None:
    await choose(watch, "7", locale="en-GB", timezone="Europe/Madrid")
    crm.lead(4, first_name="María", last_name="González", next_follow_up=NOW + 2 * HOUR)
    crm.lead(5, first_name="Eva", last_name="Ruiz", next_follow_up=NOW + 2 * HOUR, assigned_seller_id=8)
    texts = {one.user_id: one.notification for one in await watch.read()}
    assert texts["7"].message == "Follow-up with María González scheduled for today 16:00"
    assert texts["7"].title == "⏰ Follow-up Reminder"
    assert [action.label for action in texts["7"].actions] == ["Schedule", "Postpone", "Mark as contacted"]
    assert texts["8"].message == "Follow-up con Eva Ruiz programado para hoy 12:00"


async def test_one_read_for_all_readers(crm: ReferenceCrm, watch: Watch) -> None:
    for number in range(20):
        crm.user(100 + number, f"Secretaria {number}", "secretary")
        crm.conversation(number, NOW - 2 * HOUR)
    queries: list[str] = []
    sa.event.listen(watch.store_engine, "before_cursor_execute", lambda *args: queries.append(args[2]))
    assert len(await watch.read()) == 20 * 22 + 1  # and one to the CEO: so many wait
    assert len([query for query in queries if "FROM notification_settings" in query]) == 1


@pytest.mark.expects_log("cannot be read, the role's are used")
async def test_damaged_preferences_stop_no_alert(crm: ReferenceCrm, watch: Watch) -> None:
    await choose(watch, "7")
    with watch.store_engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(sa.text("UPDATE notification_settings SET work_days = '['"))
    preferences._reported.clear()
    watch.now = THURSDAY_NIGHT
    crm.conversation(1, watch.now - 2 * HOUR)
    assert by_user(await watch.read())["7"] == (True, "quiet_hours")


@pytest.mark.expects_log("there is no time zone 'Atlantis/Sunken'")
async def test_a_time_zone_that_is_no_more_counts_as_the_companys(crm: ReferenceCrm, watch: Watch) -> None:
    await choose(watch, "7", timezone="Atlantis/Sunken", quiet_hours=(time(9), time(11)))
    crm.conversation(1, NOW - 2 * HOUR)
    assert by_user(await watch.read())["7"] == (True, "quiet_hours")  # 10:00 in Buenos Aires


async def emails(watch: Watch) -> list[tuple[str, str, datetime]]:
    def read(connection: Any) -> list[tuple[str, str, datetime]]:
        rows = connection.execute(deliveries.select().order_by(deliveries.c.user_id))
        return [(row.user_id, row.device, row.due_at) for row in rows]

    return await watch.store.read(read)


async def test_mail_is_planned_for_who_wants_it_silent_or_not(crm: ReferenceCrm, tmp_path: Path) -> None:
    watch = Watch(crm, f"sqlite:///{tmp_path / 'mail.db'}", smtp_url="smtp://localhost")
    watch.now = NIGHT  # a seller's and a secretary's day off
    await choose(watch, "7", email_notifications=True, email_address="ana@example.com", push_notifications=False)
    await choose(watch, "3", email_notifications=True, min_priority="urgent", email_address="sofia@example.com")
    crm.conversation(1, watch.now - 5 * HOUR)
    assert by_user(await watch.read()) == {"7": (True, "push_off"), "2": (False, None)}
    due = watch.now + timedelta(seconds=5)
    assert await emails(watch) == [("2", "2@demo.example", due), ("7", "ana@example.com", due)]
    await watch.close()


async def test_without_a_mail_server_no_mail_is_planned(crm: ReferenceCrm, watch: Watch) -> None:
    await choose(watch, "7", email_notifications=True)
    crm.conversation(1, NOW - 5 * HOUR)
    assert len(await watch.read()) == 3
    assert await emails(watch) == []


async def test_a_dry_run_shows_what_would_be_silent(crm: ReferenceCrm, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'once.db'}"
    watch = Watch(crm, store)
    await choose(watch, "7", push_notifications=False)
    await choose(watch, "3", notification_types=("hot_lead",))
    await choose(watch, "2")
    await watch.close()
    crm.conversation(1, datetime.now(UTC) - 5 * HOUR)
    made, failures = await detect_once(settings(database_url=store, crm_database_url=crm.url), dry_run=True)
    assert failures == {}
    assert {line["user_id"]: (line["silent"], line["reason"]) for line in made} == {
        "7": (True, "push_off"),
        "2": (False, None),
    }


async def test_the_demo_is_loud_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Bogota")
    demo = await asyncio.to_thread(LocalServer.start)
    try:
        async with aiohttp.ClientSession(demo.url) as session:
            signing_in = {"email": demo.email, "password": demo.password}
            async with session.post("/auth/login", json=signing_in) as response:
                token = (await response.json())["access_token"]
            async with session.get(PATH, headers={"Authorization": f"Bearer {token}"}) as response:
                assert await response.json() == SELLER | {
                    "quiet_hours": None,
                    "work_days": ALL_DAYS,
                    "timezone": "America/Bogota",
                }
    finally:
        await asyncio.to_thread(demo.stop)


# --- snooze ----------------------------------------------------------------------------------------------------------


async def snoozed(watch: Watch, user_id: str, until: datetime) -> Notification:
    [item], _ = await watch.store.read(feed.search, Scope("1", user_id), feed.Filter(), 1, 0)
    return await watch.inbox.snooze(Scope("1", user_id), item.id, until)


async def wake(watch: Watch, user_id: str, at: datetime) -> Notification:
    watch.now = at
    await watch.inbox.wake()
    [item], _ = await watch.store.read(feed.search, Scope("1", user_id), feed.Filter(), 1, 0)
    return item


async def pull(watch: Watch, cache: Cache) -> None:
    """As a client does, over the wire form."""
    epoch, since = cache.cursor or (None, None)
    page = await watch.store.read(feed.changes_since, Scope("1", "7"), epoch, since, 100)
    cache.apply(ChangesPage.from_wire(page.to_wire()), now=watch.now)


@pytest.mark.parametrize("first", ["the server", "the device"])
async def test_silent_at_night_and_snoozed_to_nine_it_is_a_toast_at_nine(
    crm: ReferenceCrm, watch: Watch, first: str
) -> None:
    watch.now, nine = THURSDAY_NIGHT, THURSDAY_NIGHT + 10 * HOUR
    cache = Cache.open(None)
    await pull(watch, cache)
    crm.conversation(1, watch.now - 2 * HOUR)
    assert by_user(await watch.read())["7"] == (True, "quiet_hours")
    await pull(watch, cache)
    assert cache.pending_toasts(now=watch.now) == []
    asleep = await snoozed(watch, "7", nine)
    assert (asleep.silent, asleep.reason, asleep.snoozed_until) == (False, None, nine)
    await pull(watch, cache)
    assert cache.pending_toasts(now=watch.now) == []
    if first == "the device":
        assert len(cache.wake(now=nine)) == 1
        assert len(cache.pending_toasts(now=nine)) == 1
    item = await wake(watch, "7", nine)
    assert (item.silent, item.reason, item.read, item.snoozed_until) == (False, None, False, None)
    await pull(watch, cache)
    assert [toast.id for toast in cache.pending_toasts(now=nine)] == [item.id]
    cache.close()


async def test_it_wakes_silently_in_quiet_hours_on_the_device_too(crm: ReferenceCrm, watch: Watch) -> None:
    cache = Cache.open(None)
    crm.conversation(1, NOW - 2 * HOUR)
    assert by_user(await watch.read())["7"] == (False, None)
    late = NOW.replace(hour=2) + 24 * HOUR  # 23:00
    asleep = await snoozed(watch, "7", late)
    assert (asleep.silent, asleep.reason) == (True, "quiet_hours")
    await pull(watch, cache)
    cache.wake(now=late)
    assert cache.pending_toasts(now=late) == []
    item = await wake(watch, "7", late)
    assert (item.silent, item.reason, item.read, item.snoozed_until) == (True, "quiet_hours", False, None)
    await pull(watch, cache)
    assert cache.pending_toasts(now=late) == []
    cache.close()


async def test_how_it_wakes_is_decided_by_the_preferences_of_then(crm: ReferenceCrm, watch: Watch) -> None:
    cache = Cache.open(None)
    crm.conversation(1, NOW - 2 * HOUR)
    await watch.read()
    await pull(watch, cache)
    late = NOW.replace(hour=2) + 24 * HOUR
    assert (await snoozed(watch, "7", late)).silent
    await pull(watch, cache)
    await choose(watch, "7")
    cache.wake(now=late)
    assert not (await wake(watch, "7", late)).silent
    await pull(watch, cache)
    assert len(cache.pending_toasts(now=late)) == 1
    await snoozed(watch, "7", late + HOUR)
    await choose(watch, "7", notification_types=())
    item = await wake(watch, "7", late + HOUR)  # it stays in the inbox, and makes no sound
    assert (item.silent, item.reason, item.snoozed_until) == (True, "type_off", None)
    cache.close()


async def test_after_a_start_the_night_is_the_companys_before_anything_is_detected(
    crm: ReferenceCrm, tmp_path: Path
) -> None:
    """The server's own parts, none of which has read the CRM yet."""
    crm.user(30, "Nora", "seller")
    async with live_server(tmp_path, crm_database_url=crm.url, detection_interval_seconds=86_400) as live:
        found = await live.server.web_app[READERS].load([Scope("1", "30")])
    assert found[Scope("1", "30")].zone.key == "America/Argentina/Buenos_Aires"
