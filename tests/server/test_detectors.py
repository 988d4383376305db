"""Conversations, leads, and what all kinds share: rows in a CRM, detection, and who has what in the inbox.

Once per episode is the promise that most of these tests are about.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.server.reference_crm import HOUR, MINUTE, NOW, ReferenceCrm, Watch, lines, of, store_url

UNANSWERED, HOT, FOLLOW_UP, PERFORMANCE = (
    "unanswered_conversation",
    "hot_lead",
    "follow_up_reminder",
    "performance_alert",
)
SECOND = timedelta(seconds=1)
BUYING = [
    "Hola",
    "Me interesa el auto",
    "¿Qué precio tiene?",
    "Bien",
    "Lo quiero comprar hoy",
    "Pasame el link para pagar",
]
IDLE = ["hola", "buen día", "ok", "gracias", "jaja", "saludos"]


# --- unanswered conversations ----------------------------------------------------------------------------------------


async def test_seller_and_secretary_are_told_of_an_unanswered_conversation(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 1.5 * HOUR, phone_number="+5491100000000")
    told = await watch.read()
    assert lines(told) == [("3", UNANSWERED, "high"), ("7", UNANSWERED, "high")]
    notification = told[0].notification
    assert notification.title == "Conversación sin respuesta"
    assert notification.message == "Conversación con +5491100000000 sin respuesta por 1.5 horas"
    assert notification.data == {
        "conversation_id": "5",
        "phone_number": "+5491100000000",
        "hours_without_response": 1.5,
        "seller_id": 7,
        "seller_name": "Juan Pérez",
    }
    assert [(action.label, action.action, action.params) for action in notification.actions] == [
        ("Responder", "open_chat", {"conversation_id": "5"}),
        ("Reasignar", "reassign", {"conversation_id": "5"}),
    ]


async def test_what_does_not_wait_for_a_seller_is_no_alert(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(1, NOW - 2 * HOUR, seller=None)
    crm.conversation(2, NOW - 2 * HOUR, status="closed")
    crm.conversation(3, NOW - 2 * HOUR, last_message_from_customer=False)
    crm.conversation(4, NOW - 59 * MINUTE)
    crm.conversation(5, None)
    assert await watch.read() == []


async def test_an_episode_alerts_once_however_often_it_is_read(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    assert len(await watch.read()) == 2
    assert await watch.read(30 * SECOND) == []
    watch.restart()
    assert await watch.read(30 * SECOND) == []


async def test_a_crash_before_the_alert_is_stored_loses_and_doubles_nothing(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    lost = watch.detection.read(NOW)  # found, and then the process is gone
    watch.restart()
    again = watch.detection.read(NOW + 30 * SECOND)
    assert [event.key for event in again.events] == [event.key for event in lost.events]
    assert len(await watch.tell(again)) == 2
    assert await watch.tell(lost) == []  # the first process was only slow


async def test_a_customer_who_writes_again_does_not_alert_again(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW)
    crm.message(5, NOW - 2 * HOUR)
    await watch.read()
    crm.message(5, NOW + MINUTE, body="¿Hola?")
    assert await watch.read(90 * MINUTE) == []


async def test_answered_and_unanswered_again_is_a_new_alert(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW)
    crm.message(5, NOW - 2 * HOUR)
    await watch.read()
    crm.message(5, NOW + MINUTE, from_customer=False)
    assert of(UNANSWERED, await watch.read(2 * MINUTE)) == []
    crm.message(5, NOW + 3 * MINUTE)
    assert of(UNANSWERED, await watch.read(2 * MINUTE)) == []
    assert lines(of(UNANSWERED, await watch.read(1 * HOUR))) == [("3", UNANSWERED, "high"), ("7", UNANSWERED, "high")]


async def test_an_answer_that_no_reading_saw_still_ends_the_episode(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW)
    crm.message(5, NOW - 2 * HOUR)
    await watch.read()
    crm.message(5, NOW + MINUTE, from_customer=False)
    crm.message(5, NOW + 2 * MINUTE)
    assert of(UNANSWERED, await watch.read(3 * MINUTE)) == []
    assert lines(of(UNANSWERED, await watch.read(1 * HOUR))) == [("3", UNANSWERED, "high"), ("7", UNANSWERED, "high")]


@pytest.mark.expects_log("The CRM has no table messages")
async def test_without_a_messages_table_the_state_alone_tells_episodes(
    crm: ReferenceCrm, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    crm.run("DROP TABLE messages")
    opened = watch.detection.read(NOW)
    opened.failures.clear()  # of the kinds that do need messages
    assert len(await watch.tell(opened)) == 2
    crm.run("UPDATE conversations SET last_message_time = :at", at=NOW + MINUTE)
    with caplog.at_level(logging.WARNING):
        later = watch.detection.read(NOW + 90 * MINUTE)
    assert (UNANSWERED in later.failures, later.events) == (False, [])
    assert "The CRM has no table messages" in caplog.text
    crm.run("UPDATE conversations SET last_message_from_customer = :no", no=False)
    assert len(watch.detection.read(NOW + 91 * MINUTE).closed) == 1


async def test_a_new_seller_of_an_open_episode_is_told_and_nobody_else(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    await watch.read()
    crm.run("UPDATE conversations SET assigned_seller_id = 8")
    assert lines(await watch.read(MINUTE)) == [("8", UNANSWERED, "high")]
    assert await watch.read(MINUTE) == []


async def test_the_ceo_is_told_urgently_after_four_times_as_long(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW)
    crm.message(5, NOW - 2 * HOUR)
    await watch.read()
    crm.message(5, NOW + HOUR)  # writing again does not put the CEO off
    assert await watch.read(119 * MINUTE) == []
    told = await watch.read(MINUTE)
    assert lines(told) == [("2", UNANSWERED, "urgent")]
    assert told[0].notification.data["hours_without_response"] == 1.0
    watch.restart()
    assert await watch.read(HOUR) == []


async def test_an_old_backlog_tells_seller_secretary_and_ceo_at_once(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 30 * HOUR)
    assert lines(await watch.read()) == [
        ("2", UNANSWERED, "urgent"),
        ("3", UNANSWERED, "high"),
        ("7", UNANSWERED, "high"),
    ]


async def test_what_is_nearly_due_fires_at_its_moment_by_the_clock_alone(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - HOUR + 20 * SECOND)
    assert await watch.read() == []
    assert watch.detection.next_due == NOW + 20 * SECOND
    assert await watch.due(19 * SECOND) == []
    assert len(await watch.due(SECOND)) == 2
    assert watch.detection.next_due is None


async def test_what_was_answered_meanwhile_does_not_fire(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - HOUR + 20 * SECOND)
    await watch.read()
    crm.message(5, NOW + 10 * SECOND, from_customer=False)
    assert await watch.due(25 * SECOND) == []


async def test_the_escalation_fires_at_its_moment_too(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 4 * HOUR + 20 * SECOND)
    await watch.read()
    assert lines(await watch.due(20 * SECOND)) == [("2", UNANSWERED, "urgent")]


async def test_tenants_hear_nothing_of_each_other(crm: ReferenceCrm, watch: Watch) -> None:
    crm.insert("tenants", id=2, name="Otra", timezone="UTC")
    crm.user(20, "Otra CEO", "ceo", tenant=2)
    crm.user(21, "Otra Secretaria", "secretary", tenant=2)
    crm.conversation(5, NOW - 9 * HOUR)
    assert {one.user_id for one in await watch.read()} == {"2", "3", "7"}


# --- hot leads -------------------------------------------------------------------------------------------------------


async def test_a_hot_lead_goes_to_its_seller(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(9, estimated_value=1500)
    crm.talk(9, BUYING, NOW - MINUTE)
    told = of(HOT, await watch.read())
    assert [one.line for one in told] == [("7", HOT, "urgent")]
    notification, data = told[0].notification, told[0].notification.data
    assert notification.title == "🔥 Lead Caliente Detectado"
    percent = round(data["probability"] * 100)
    assert notification.message == f"Lead de Meta Ads con {percent}% probabilidad de conversión"
    assert 80 <= percent <= 90
    assert data == {
        "lead_id": "9",
        "lead_name": "Carlos Rodríguez",
        "phone_number": "+5491122233344",
        "source": "META_ADS",
        "probability": data["probability"],
        "recommended_action": "contactar_inmediatamente",
        "estimated_value": 1500,
    }
    assert [action.action for action in notification.actions] == ["contact_lead", "view_lead", "assign_lead"]
    assert await watch.read(MINUTE) == []


async def test_an_unassigned_hot_lead_goes_to_the_ceo_and_then_to_whom_it_is_assigned(
    crm: ReferenceCrm, watch: Watch
) -> None:
    crm.lead(9, assigned_seller_id=None)
    crm.talk(9, BUYING, NOW - MINUTE, seller=None)
    assert lines(await watch.read()) == [("2", HOT, "urgent")]
    crm.run("UPDATE leads SET assigned_seller_id = 8")
    assert lines(await watch.read(MINUTE)) == [("8", HOT, "urgent")]
    assert await watch.read(MINUTE) == []


@pytest.mark.parametrize(
    "columns", [{"status": "converted"}, {"status": "won"}, {"status": "lost"}, {"converted_at": NOW}]
)
async def test_won_and_lost_leads_are_never_hot(crm: ReferenceCrm, watch: Watch, columns: dict[str, Any]) -> None:
    crm.lead(9, **columns)
    crm.talk(9, BUYING, NOW - MINUTE)
    assert await watch.read() == []


async def test_talk_without_any_wish_to_buy_is_not_hot(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(9)
    crm.talk(9, IDLE, NOW - MINUTE)
    assert await watch.read() == []


async def test_a_score_that_falls_a_little_does_not_alert_again(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(9)
    crm.talk(9, BUYING, NOW - MINUTE, seller=None)
    await watch.read()
    assert await watch.read(2 * HOUR) == []  # no recent message any more: 15 points less
    crm.message(1009, watch.now, body="Sigo queriendo comprarlo")
    assert await watch.read(MINUTE) == []


async def test_a_lead_that_cooled_down_and_heats_up_again_is_a_new_alert(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(9)
    crm.talk(9, BUYING, NOW - MINUTE, seller=None)
    await watch.read()
    crm.run("UPDATE leads SET source = 'ORGANIC'")
    assert await watch.read(2 * HOUR) == []
    crm.run("UPDATE leads SET source = 'META_ADS'")
    crm.message(1009, watch.now, body="Lo quiero comprar, ¿cómo pago?")
    assert lines(await watch.read(MINUTE)) == [("7", HOT, "urgent")]


async def test_a_high_value_area_counts_whatever_its_accents(crm: ReferenceCrm, tmp_path: Path) -> None:
    crm.lead(9, location="NUNEZ")
    crm.talk(9, IDLE, NOW - MINUTE, seller=None)
    plain = Watch(crm, f"sqlite:///{tmp_path / 'plain.db'}", hot_lead_probability_threshold=0.72)
    areas = ("Núñez", "Palermo")
    valued = Watch(crm, store_url(tmp_path), hot_lead_probability_threshold=0.72, high_value_areas=areas)
    without, with_area = await plain.read(), await valued.read()
    await plain.close()
    await valued.close()
    assert (lines(without), lines(with_area)) == ([], [("7", HOT, "urgent")])


# --- all kinds -------------------------------------------------------------------------------------------------------


async def test_a_missing_column_stops_its_kind_alone(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    crm.run("ALTER TABLE leads DROP COLUMN next_follow_up")
    detected = watch.detection.read(NOW)
    assert detected.failures == {
        FOLLOW_UP: "The CRM has no column leads.next_follow_up; add it, or give a query followups in CRM_MAPPING."
    }
    assert [event.kind for event in detected.events] == [UNANSWERED]


async def test_a_failed_reading_closes_no_episode(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    await watch.read()
    crm.run("ALTER TABLE conversations RENAME TO hidden")
    failed = watch.detection.read(NOW + MINUTE)
    assert (failed.closed, UNANSWERED in failed.failures) == ([], True)
    crm.run("ALTER TABLE hidden RENAME TO conversations")
    assert await watch.read(2 * MINUTE) == []


async def test_a_long_backlog_is_told_in_parts(
    crm: ReferenceCrm, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crmtray_server.detectors.findings.LIMIT", 4)
    for number in range(10):
        crm.lead(number, next_follow_up=NOW - HOUR)
    told: list[str] = []
    for _ in range(3):
        detected = watch.detection.read(NOW)
        told += [one.notification.data["lead_id"] for one in await watch.tell(detected)]
    assert (sorted(told, key=int), detected.more) == ([str(number) for number in range(10)], False)


async def test_ids_may_be_uuids(crm_url: str, tmp_path: Path) -> None:
    def id(number: int) -> Any:
        return UUID(int=number) if crm_url.startswith("postgresql") else str(UUID(int=number))

    crm = ReferenceCrm(crm_url, ids="UUID")
    crm.insert("tenants", id=id(1), name="Uno", timezone="UTC")
    crm.user(id(7), "Juan Pérez", "seller", tenant=id(1))
    crm.conversation(id(5), NOW - HOUR + 9 * SECOND, id(7), tenant_id=id(1), lead_id=id(4))
    crm.lead(id(4), tenant_id=id(1), assigned_seller_id=id(7), next_follow_up=NOW + 24 * HOUR + 9 * SECOND)
    watch = Watch(crm, store_url(tmp_path))
    first, then = await watch.read(), await watch.due(10 * SECOND)
    await watch.close()
    crm.close()
    assert first == []
    assert lines(then) == [(str(UUID(int=7)), FOLLOW_UP, "medium"), (str(UUID(int=7)), UNANSWERED, "high")]
    assert {one.notification.data["seller_id"] for one in then} == {str(UUID(int=7))}
