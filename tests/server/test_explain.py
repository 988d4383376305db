"""Why was I told, and why was I not: one item, a conversation, a lead; and nobody learns what is not his."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crmtray.protocol import Json, User, format_time
from crmtray_server.store.tables import deliveries
from tests.server.live import ALICE, BOB, CHARLIE, Live, live_server, request
from tests.server.reference_crm import HOUR, ReferenceCrm

SELLER, OTHER_SELLER = User("7", "1", "Juan Pérez", "", "seller"), User("8", "1", "Ana López", "", "seller")
SECRETARY, CEO = User("3", "1", "Sofía Díaz", "", "secretary"), User("20", "1", "Elena Gil", "", "ceo")
ADMIN = User("9", "1", "Ada", "", "admin")
ELSEWHERE = User("12", "2", "Elena Paz", "", "ceo")
SUBJECT = {"conversation_id": "5", "phone_number": "+549", "seller_id": 7, "seller_name": "Juan Pérez"}
LOUD_ALWAYS = {
    "quiet_hours": None,
    "work_days": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
}


@pytest.fixture
async def live(store_url: str, tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path, database_url=store_url) as server:
        yield server


def more_people(crm: ReferenceCrm) -> None:
    """With ids that no account of this server has."""
    crm.user(20, "Elena Gil", "ceo")
    crm.insert("tenants", id=2, name="Autos del Norte", timezone="America/Argentina/Buenos_Aires")
    crm.user(12, "Elena Paz", "ceo", 2)


async def prefer(live: Live, user: User, **wanted: Any) -> None:
    status, problem, _ = await request(
        live, "PATCH", "/notifications/settings", live.token(user), json=LOUD_ALWAYS | wanted
    )
    assert status == 200, problem


async def ask(live: Live, user: User, path: str) -> Json:
    status, body, _ = await request(live, "GET", f"/notifications/{path}", live.token(user))
    assert status == 200, body
    return dict(body)


async def publish(live: Live, user: User, key: str, data: Json, **fields: Any) -> None:
    """As another program does; through the policy, as every new item comes."""
    entry = {"user_id": user.user_id, "type": "unanswered_conversation", "title": f"Título {key}", "priority": "high"}
    entry |= {"message": "Mensaje", "data": data, "dedupe_key": key} | fields
    token = live.token(user, scope="notifications:write")
    status, problem, _ = await request(live, "POST", "/notifications", token, json=entry)
    assert status == 201, problem


# --- one item --------------------------------------------------------------------------------------------------------


async def only_id(live: Live, user: User) -> str:
    [item] = (await request(live, "GET", "/notifications", live.token(user)))[1]
    return str(item["id"])


async def test_an_item_is_explained_in_the_readers_language(live: Live) -> None:
    await prefer(live, ALICE, locale="en")
    await publish(live, ALICE, "a", SUBJECT | {"hours_without_response": 1.5})
    found = await ask(live, ALICE, f"{await only_id(live, ALICE)}/explain")
    assert found["rule"] == "A customer had waited 1.5 hours for an answer; the limit is 1 hour."
    assert found["decision"] == {"outcome": "loud", "reason": None, "sentence": "It was shown as an alert."}
    await prefer(live, ALICE, locale="es-AR")
    found = await ask(live, ALICE, f"{await only_id(live, ALICE)}/explain")
    assert found["rule"] == "Un cliente esperaba respuesta desde hacía 1.5 horas; se avisa después de 1 hora."
    assert found["preferences"]["changed_since"] is True and found["preferences"]["source"] == "chosen"
    assert found["preferences"]["values"]["locale"] == "es-AR" and found["preferences"]["timezone"] == "UTC"


async def test_a_silent_item_says_why(live: Live) -> None:
    await prefer(live, ALICE, push_notifications=False, timezone="Europe/Madrid")
    await publish(live, ALICE, "a", SUBJECT | {"hours_without_response": 5}, priority="urgent")
    found = await ask(live, ALICE, f"{await only_id(live, ALICE)}/explain")
    assert found["decision"]["outcome"] == "silent" and found["decision"]["reason"] == "push_off"
    assert found["decision"]["sentence"] == "Llegó sin aviso: en tus preferencias los avisos están desactivados."
    assert found["rule"].endswith("se avisa después de 4 horas.")
    force = found["preferences"]
    assert force["changed_since"] is False and force["timezone"] == "Europe/Madrid"
    decided = datetime.fromisoformat(found["decided_at"])
    assert abs(datetime.fromisoformat(force["local_time"]) - decided) < timedelta(seconds=1)


async def test_a_snoozed_item_says_how_it_will_come_back(live: Live) -> None:
    await prefer(live, ALICE, push_notifications=False)
    await publish(live, ALICE, "a", SUBJECT)
    id, until = await only_id(live, ALICE), format_time(datetime.now(UTC) + HOUR)
    for push, sentence in (
        (True, "Está pospuesta; volverá como alerta."),
        (False, "Está pospuesta; volverá sin aviso, según tus preferencias."),
    ):
        await prefer(live, ALICE, push_notifications=push)
        until = format_time(datetime.fromisoformat(until) + HOUR)
        await request(live, "POST", f"/notifications/{id}/snooze", live.token(ALICE), json={"until": until})
        assert (await ask(live, ALICE, f"{id}/explain"))["decision"]["sentence"] == sentence


@pytest.mark.parametrize(
    ("type", "data", "sentence"),
    [
        ("hot_lead", {"probability": 0.85}, "La puntuación del lead era 85 %; se avisa desde 80 %."),
        (
            "follow_up_reminder",
            {"scheduled_time": "2020-02-27T18:00:00Z"},
            "Un follow-up estaba programado para: el 27/2/2020 18:00; se recuerda desde 24 horas antes.",
        ),
        (
            "performance_alert",
            {"seller_name": "Juan", "issue_type": "slow_response", "current_value": 45, "threshold": 30},
            "Juan tardaba 45 min en responder, en promedio; se avisa desde más de 30 min.",
        ),
        (
            "performance_alert",
            {"seller_name": "Juan", "issue_type": "low_conversion", "current_value": 0.091, "threshold": 0.1},
            "Juan convertía el 9.1 % de sus leads; se avisa por debajo de 10 %.",
        ),
        (
            "performance_alert",
            {"seller_name": "Juan", "issue_type": "high_unanswered", "current_value": 8, "threshold": 5},
            "Juan tenía 8 conversaciones sin respuesta; se avisa desde más de 5.",
        ),
        ("team_message", {"from_name": "Elena Ruiz"}, "Elena Ruiz te envió este mensaje."),
        ("team_message", {}, "Alguien de tu equipo te envió este mensaje."),
        ("contract_signed", {}, "Otro programa la publicó para ti, con el tipo contract_signed."),
        # Of a kind of ours, but not made by detection:
        ("hot_lead", {"probability": "high"}, "Otro programa la publicó para ti, con el tipo hot_lead."),
        ("unanswered_conversation", {}, "Otro programa la publicó para ti, con el tipo unanswered_conversation."),
    ],
)
async def test_the_rule_of_each_type(live: Live, type: str, data: Json, sentence: str) -> None:
    await prefer(live, ALICE, notification_types=["unanswered", "hot_lead", "follow_up", "performance"])
    await publish(live, ALICE, "a", data, type=type)
    assert (await ask(live, ALICE, f"{await only_id(live, ALICE)}/explain"))["rule"] == sentence


async def test_how_it_travelled_is_told(live: Live) -> None:
    await prefer(live, ALICE)
    await publish(live, ALICE, "a", SUBJECT | {"hours_without_response": 1})
    id, sent = await only_id(live, ALICE), datetime(2026, 2, 27, 13, 0, tzinfo=UTC)
    rows = [
        _delivery(id, "socket", "Tray 1.0", "acknowledged", sent, None),
        _delivery(id, "email", "alice@demo.example", "failed", sent, "550 no such user"),
    ]
    await live.server.store.write(lambda connection: connection.execute(deliveries.insert(), rows) and None)
    found = (await ask(live, ALICE, f"{id}/explain"))["deliveries"]
    at = format_time(sent)
    assert found == [
        {
            "channel": "email",
            "device": "alice@demo.example",
            "state": "failed",
            "at": at,
            "attempts": 1,
            "detail": "550 no such user",
        },
        {
            "channel": "socket",
            "device": "Tray 1.0",
            "state": "acknowledged",
            "at": at,
            "attempts": 1,
            "detail": None,
        },
    ]


def _delivery(id: str, channel: str, device: str, state: str, at: datetime, detail: str | None) -> dict[str, Any]:
    owner = {"tenant_id": ALICE.tenant_id, "user_id": ALICE.user_id, "notification_id": id}
    more = {"channel": channel, "device": device, "state": state, "created_at": at, "updated_at": at, "attempts": 1}
    return owner | more | {"detail": detail, "due_at": None}


async def test_what_is_anothers_is_not_explained(live: Live) -> None:
    await prefer(live, ALICE)
    await publish(live, ALICE, "a", SUBJECT | {"hours_without_response": 1})
    id = await only_id(live, ALICE)
    for stranger in (BOB, CHARLIE):
        status, problem, _ = await request(live, "GET", f"/notifications/{id}/explain", live.token(stranger))
        assert (status, problem["code"]) == (404, "not_found")
        about = await ask(live, stranger, "explain?conversation_id=5")
        assert about["items"] == [] and about["now"] is None  # no CRM is read here
    assert (await request(live, "GET", f"/notifications/{id}/explain"))[0] == 401
    await request(live, "DELETE", f"/notifications/{id}", live.token(ALICE))
    assert (await request(live, "GET", f"/notifications/{id}/explain", live.token(ALICE)))[0] == 404


# --- a subject -------------------------------------------------------------------------------------------------------


async def test_a_conversations_history_has_what_was_told_silent_and_suppressed(live: Live) -> None:
    await prefer(live, ALICE)
    await publish(live, ALICE, "loud", SUBJECT)
    await prefer(live, ALICE, push_notifications=False)
    await publish(live, ALICE, "silent", SUBJECT)
    await prefer(live, ALICE, min_priority="urgent")
    await publish(live, ALICE, "unimportant", SUBJECT)
    await prefer(live, ALICE, notification_types=["hot_lead"])
    await publish(live, ALICE, "off", SUBJECT)
    await publish(live, ALICE, "another", SUBJECT | {"conversation_id": "55"}, type="team_message", priority="urgent")
    ids = {n["title"]: n["id"] for n in (await request(live, "GET", "/notifications", live.token(ALICE)))[1]}
    await request(live, "DELETE", f"/notifications/{ids['Título loud']}", live.token(ALICE))
    found = await ask(live, ALICE, "explain?conversation_id=5")
    assert [(one["outcome"], one["reason"], one["title"], one["removed"]) for one in found["items"]] == [
        ("suppressed", "type_off", None, False),
        ("suppressed", "below_min_priority", None, False),
        ("silent", "push_off", "Título silent", False),
        ("loud", None, "Título loud", True),
    ]
    assert [one["notification_id"] for one in found["items"][2:]] == [ids["Título silent"], ids["Título loud"]]
    assert all(one["sentence"] for one in found["items"])
    assert found["conversation_id"] == "5" and found["lead_id"] is None
    assert (await ask(live, ALICE, "explain?lead_id=5"))["items"] == []


async def test_both_subjects_or_none(live: Live) -> None:
    await prefer(live, ALICE, min_priority="high")
    await publish(live, ALICE, "a", SUBJECT)
    await publish(live, ALICE, "b", {"lead_id": 17}, type="note", priority="low")
    await publish(live, ALICE, "c", {"lead_id": "1"}, type="note")
    reasons = {"": 3, "?lead_id=17&conversation_id=5": 2, "?lead_id=17": 1, "?conversation_id=17": 0}
    for query, count in reasons.items():
        assert len((await ask(live, ALICE, f"explain{query}"))["items"]) == count


@pytest.mark.parametrize("query", ["conversation_id=", "lead_id=" + "9" * 201])
async def test_a_subject_that_is_none(live: Live, query: str) -> None:
    status, problem, _ = await request(live, "GET", f"/notifications/explain?{query}", live.token(ALICE))
    assert (status, problem["code"]) == (400, "invalid_request")
    assert problem["detail"].startswith(query.partition("=")[0])


# --- the rule, looked at now -----------------------------------------------------------------------------------------


async def now(live: Live, user: User, subject: str) -> list[Json]:
    return list((await ask(live, user, f"explain?{subject}"))["now"])


async def codes(live: Live, user: User, subject: str) -> list[str]:
    return [entry["code"] for entry in await now(live, user, subject)]


@pytest.fixture
async def reading(crm: ReferenceCrm, tmp_path: Path) -> AsyncIterator[Live]:
    """A server that reads this CRM, by the real clock."""
    more_people(crm)
    async with live_server(tmp_path, crm_database_url=crm.url) as server:
        yield server


async def test_how_long_a_conversation_waits(crm: ReferenceCrm, reading: Live) -> None:
    crm.conversation(5, datetime.now(UTC) - 0.4 * HOUR)
    [waits] = await now(reading, SELLER, "conversation_id=5")
    assert waits["code"] == "waits"
    assert waits["sentence"] == "Un cliente espera respuesta desde hace 0.4 horas; se te avisa después de 1 hora."
    [waits] = await now(reading, CEO, "conversation_id=5")
    assert waits["sentence"].endswith("se te avisa después de 4 horas.")
    crm.conversation(6, datetime.now(UTC) - 2 * HOUR)
    assert await codes(reading, SELLER, "conversation_id=6") == ["waits_too_long"]
    assert await codes(reading, SECRETARY, "conversation_id=6") == ["waits_too_long"]
    assert await codes(reading, CEO, "conversation_id=6") == ["waits"]
    assert await codes(reading, ADMIN, "conversation_id=6") == ["not_for_your_role"]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"last_message_from_customer": False}, "answered"),
        ({"status": "closed"}, "not_active"),
        ({"seller": None}, "not_assigned"),
    ],
)
async def test_why_a_conversation_does_not_wait(
    crm: ReferenceCrm, reading: Live, columns: dict[str, Any], code: str
) -> None:
    crm.conversation(5, datetime.now(UTC) - 2 * HOUR, **columns)
    assert await codes(reading, SECRETARY, "conversation_id=5") == [code]


async def test_another_sellers_and_another_companys_do_not_exist(crm: ReferenceCrm, reading: Live) -> None:
    waiting = datetime.now(UTC) - 2 * HOUR
    crm.conversation(5, waiting)
    crm.conversation(6, waiting, last_message_from_customer=False)
    crm.conversation(7, waiting, seller=None)
    crm.lead(4, source="REFERRAL")
    for subject in ("conversation_id=5", "conversation_id=6", "conversation_id=7", "lead_id=4"):
        nothing = "conversation_id=404" if subject.startswith("conversation") else "lead_id=404"
        strangers = [OTHER_SELLER, ELSEWHERE]
        for stranger in strangers:
            assert await now(reading, stranger, subject) == await now(reading, stranger, nothing)
        assert await now(reading, CEO, subject) != await now(reading, CEO, nothing)
    for odd in ("x'y", "00000000-0000-0000-0000-000000000000", "9" * 40, "-1", "5%25"):
        assert await codes(reading, CEO, f"conversation_id={odd}") == ["no_such_conversation"]
        assert await codes(reading, CEO, f"lead_id={odd}") == ["no_such_lead"]


async def test_who_was_told_hears_that_it_went_to_somebody_else(crm: ReferenceCrm, reading: Live) -> None:
    crm.conversation(5, datetime.now(UTC) - 2 * HOUR)
    await publish(reading, SELLER, "a", SUBJECT)
    crm.run("UPDATE conversations SET assigned_seller_id = 8")
    found = await ask(reading, SELLER, "explain?conversation_id=5")
    assert [entry["code"] for entry in found["now"]] == ["not_assigned_to_you"] and len(found["items"]) == 1
    assert "Ana" not in str(found["now"])
    assert await codes(reading, OTHER_SELLER, "conversation_id=5") == ["waits_too_long"]


async def test_a_leads_score_part_by_part_and_its_follow_up(crm: ReferenceCrm, reading: Live) -> None:
    crm.lead(4, source="META_ADS", next_follow_up=datetime.now(UTC) + 30 * HOUR)
    heat, follow_up = await now(reading, SELLER, "lead_id=4")
    assert heat["code"] == "below_threshold"
    assert heat["sentence"] == "La puntuación del lead es 30 %; se avisa desde 80 %."
    assert heat["score"]["parts"] == {"source": 30, "messages": 0, "recency": 0, "intent": 0.0, "area": 0}
    assert follow_up["code"] == "follow_up_later"
    crm.run("UPDATE leads SET next_follow_up = :at", at=datetime.now(UTC) + HOUR)
    assert await codes(reading, SELLER, "lead_id=4") == ["below_threshold", "follow_up_near"]
    assert await codes(reading, CEO, "lead_id=4") == ["not_for_your_role", "not_for_your_role"]
    crm.run("UPDATE leads SET status = 'converted'")
    assert await codes(reading, SELLER, "lead_id=4") == ["lead_closed", "no_follow_up"]


async def test_the_ceo_is_told_of_hot_leads_of_nobody(crm: ReferenceCrm, reading: Live) -> None:
    bodies = ["Quiero comprarlo hoy mismo, ¿cómo pago?"] * 6
    crm.lead(4, source="META_ADS", assigned_seller_id=None)
    crm.talk(4, bodies, datetime.now(UTC), seller=None)
    assert (await codes(reading, CEO, "lead_id=4"))[0] == "reaches_threshold"
    assert await codes(reading, SELLER, "lead_id=4") == ["no_such_lead"]


@pytest.mark.expects_log("a rule could not be explained")
async def test_a_crm_that_cannot_be_read_says_so(crm: ReferenceCrm, reading: Live) -> None:
    await publish(reading, SELLER, "a", SUBJECT)
    await ask(reading, SELLER, "explain?conversation_id=5")  # people are known from now on
    crm.run("ALTER TABLE conversations RENAME TO talks")
    found = await ask(reading, SELLER, "explain?conversation_id=5")
    assert len(found["items"]) == 1
    assert [entry["code"] for entry in found["now"]] == ["crm_unavailable"]
    assert "conversations" not in str(found["now"])


async def test_a_mapped_crm_says_only_what_waits(crm: ReferenceCrm, tmp_path: Path) -> None:
    crm.run("ALTER TABLE conversations RENAME TO talks")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        'unanswered_conversations = """SELECT id AS conversation_id, tenant_id, phone_number, '
        "assigned_seller_id AS seller_id, 'Juan' AS seller_name, last_message_time FROM talks "
        'WHERE last_message_from_customer AND status = \'active\'"""\n'
    )
    for id, customer in ((5, True), (6, False)):
        crm.insert(
            "talks",
            id=id,
            tenant_id=1,
            assigned_seller_id=7,
            phone_number="+549",
            status="active",
            last_message_time=datetime.now(UTC) - 2 * HOUR,
            last_message_from_customer=customer,
        )
    async with live_server(tmp_path, crm_database_url=crm.url, crm_mapping=str(mapping)) as server:
        assert await codes(server, SELLER, "conversation_id=5") == ["waits_too_long"]
        assert await codes(server, SELLER, "conversation_id=6") == ["does_not_wait"]
        assert await codes(server, SELLER, "conversation_id=404") == ["does_not_wait"]
