"""Follow-ups and performance, end to end: rows in a CRM, detection, and who has what in the inbox."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.server.reference_crm import HOUR, MINUTE, NOW, ReferenceCrm, Watch, lines, of, store_url

FOLLOW_UP, PERFORMANCE = "follow_up_reminder", "performance_alert"
SECOND = timedelta(seconds=1)


# --- follow-ups ------------------------------------------------------------------------------------------------------


async def test_a_follow_up_reminds_its_seller(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(
        4,
        first_name="María",
        last_name="González",
        next_follow_up=NOW + 2 * HOUR,
        notes="Interesada en producto premium, requiere demo",
    )
    told = await watch.read()
    assert lines(told) == [("7", FOLLOW_UP, "medium")]
    assert told[0].notification.title == "⏰ Recordatorio de Follow-up"
    assert told[0].notification.message == "Follow-up con María González programado para hoy 12:00"  # Buenos Aires
    assert told[0].notification.data == {
        "lead_id": "4",
        "lead_name": "María González",
        "seller_id": 7,
        "scheduled_time": "2026-02-27T15:00:00Z",
        "time_until": "2 horas",
        "previous_notes": "Interesada en producto premium, requiere demo",
        "recommended_approach": "Ofrecer demo personalizada",
    }
    assert await watch.read(HOUR) == []


async def test_an_overdue_follow_up_says_so(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(4, next_follow_up=NOW - 3 * HOUR, status="negotiation")
    told = await watch.read()
    assert told[0].notification.data["time_until"] == "vencido hace 3 horas"
    assert told[0].notification.message == "Follow-up con Carlos Rodríguez vencido: hoy 7:00"


@pytest.mark.parametrize(
    "columns",
    [{"status": "new"}, {"status": "converted"}, {"assigned_seller_id": None}, {"next_follow_up": NOW + 25 * HOUR}],
)
async def test_other_follow_ups_do_not_remind(crm: ReferenceCrm, watch: Watch, columns: dict[str, Any]) -> None:
    crm.lead(4, **({"next_follow_up": NOW + HOUR} | columns))
    assert await watch.read() == []


async def test_a_new_date_is_a_new_reminder_and_the_old_date_is_not(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(4, next_follow_up=NOW + HOUR)
    await watch.read()
    crm.run("UPDATE leads SET next_follow_up = :at", at=NOW + 5 * HOUR)
    assert lines(await watch.read(MINUTE)) == [("7", FOLLOW_UP, "medium")]
    crm.run("UPDATE leads SET next_follow_up = :at", at=NOW + HOUR)
    assert await watch.read(MINUTE) == []


async def test_a_follow_up_fires_when_it_comes_near(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(4, next_follow_up=NOW + 24 * HOUR + 40 * SECOND)
    crm.lead(6, next_follow_up=NOW + 24 * HOUR + 45 * SECOND)
    assert await watch.read() == []
    crm.run("UPDATE leads SET next_follow_up = :at WHERE id = 6", at=NOW + 48 * HOUR)
    told = await watch.due(50 * SECOND)
    assert [one.notification.data["lead_id"] for one in told] == ["4"]


async def test_a_reassigned_follow_up_reminds_the_new_seller(crm: ReferenceCrm, watch: Watch) -> None:
    crm.lead(4, next_follow_up=NOW + HOUR)
    await watch.read()
    crm.run("UPDATE leads SET assigned_seller_id = 8")
    assert lines(await watch.read(MINUTE)) == [("8", FOLLOW_UP, "medium")]
    assert await watch.read(MINUTE) == []


# --- performance -----------------------------------------------------------------------------------------------------


async def test_the_ceo_hears_of_slow_answers(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW)
    crm.message(5, NOW - 3 * HOUR)
    crm.message(5, NOW - 3 * HOUR + 5 * MINUTE)  # still waiting: the turn began before
    crm.message(5, NOW - 2 * HOUR, from_customer=False)
    crm.message(5, NOW - HOUR)
    crm.message(5, NOW - 30 * MINUTE, from_customer=False)
    told = await watch.read()
    assert lines(told) == [("2", PERFORMANCE, "medium")]
    assert told[0].notification.audience == "ceo"
    assert told[0].notification.title == "📊 Alerta de Performance"
    assert told[0].notification.message == "Juan Pérez responde en 45 min promedio (>30 min)"
    assert told[0].notification.data == {
        "seller_id": 7,
        "seller_name": "Juan Pérez",
        "issue_type": "slow_response",
        "metric": "avg_response_time_minutes",
        "current_value": 45,
        "threshold": 30,
        "period": "today",
        "impact": "high",
        "recommendation": "Capacitación en respuesta rápida",
    }
    assert await watch.read(MINUTE) == []


async def test_only_today_counts_and_today_is_the_tenants(crm: ReferenceCrm, watch: Watch) -> None:
    midnight = NOW.replace(hour=3)  # in Buenos Aires
    crm.conversation(5, NOW)
    crm.message(5, midnight - 2 * MINUTE)
    crm.message(5, midnight + 4 * HOUR, from_customer=False)
    assert await watch.read() == []
    crm.message(5, midnight + 5 * HOUR)
    crm.message(5, midnight + 6 * HOUR, from_customer=False)
    assert lines(await watch.read(MINUTE)) == [("2", PERFORMANCE, "medium")]


async def test_the_ceo_hears_of_many_unanswered_and_of_few_conversions(crm: ReferenceCrm, watch: Watch) -> None:
    for number in range(6):
        crm.conversation(number, NOW - 2 * HOUR)
    for number in range(11):
        crm.lead(number, assigned_seller_id=8, source="ORGANIC", status="converted" if number == 0 else "new")
    told = of(PERFORMANCE, await watch.read())
    assert [one.notification.message for one in told] == [
        "Juan Pérez tiene 6 conversaciones sin respuesta",
        "Ana López convierte el 9.1% de sus leads (<10%)",
    ]
    assert [one.notification.data["impact"] for one in told] == ["medium", "medium"]
    assert [one.notification.data["current_value"] for one in told] == [6, 0.091]


async def test_five_unanswered_ten_leads_and_thirty_minutes_are_still_fine(crm: ReferenceCrm, watch: Watch) -> None:
    for number in range(5):
        crm.conversation(number, NOW - 2 * HOUR)
    for number in range(10):
        crm.lead(number, source="ORGANIC", status="new")
    crm.conversation(99, NOW)
    crm.message(99, NOW - HOUR)
    crm.message(99, NOW - 30 * MINUTE, from_customer=False)
    assert of(PERFORMANCE, await watch.read()) == []


async def test_a_new_day_is_a_new_performance_alert(crm: ReferenceCrm, watch: Watch) -> None:
    for number in range(11):
        crm.lead(number, source="ORGANIC", status="new")
    assert lines(await watch.read()) == [("2", PERFORMANCE, "medium")]
    assert await watch.read(13 * HOUR) == []  # 23:00 in Buenos Aires
    assert lines(await watch.read(2 * HOUR)) == [("2", PERFORMANCE, "medium")]


async def test_issues_below_the_wanted_severity_are_not_sent(crm: ReferenceCrm, tmp_path: Path) -> None:
    for number in range(11):
        crm.lead(number, source="ORGANIC", status="new")
    crm.conversation(99, NOW)
    crm.message(99, NOW - 2 * HOUR)
    crm.message(99, NOW - HOUR, from_customer=False)
    strict = Watch(crm, store_url(tmp_path), performance_alert_threshold=0.6)
    told = await strict.read()
    await strict.close()
    assert [one.notification.data["issue_type"] for one in told] == ["slow_response"]


async def test_who_has_left_makes_no_performance_alert(crm: ReferenceCrm, watch: Watch) -> None:
    crm.user(12, "Se Fue", "seller", active=False)
    for number in range(11):
        crm.lead(number, source="ORGANIC", status="new", assigned_seller_id=12)
    assert await watch.read() == []
