"""What people read, in Spanish and in English, in their own time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from crmtray.protocol import CRM_ACTIONS, FOLLOW_UP, HOT_LEAD, KINDS, LINK_ACTIONS, PERFORMANCE, UNANSWERED, Json, Kind
from crmtray_server import texts
from crmtray_server.texts import Locale, Text

NOW = datetime(2026, 2, 27, 13, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BUENOS_AIRES = ZoneInfo("America/Argentina/Buenos_Aires")

DATA: dict[Kind, Json] = {
    UNANSWERED: {"phone_number": "+5491100000000", "hours_without_response": 1.5},
    HOT_LEAD: {"source": "META_ADS", "probability": 0.85},
    FOLLOW_UP: {
        "lead_name": "María González",
        "scheduled_time": "2026-02-27T18:00:00Z",
        "time_until": "5 horas",
        "recommended_approach": "Ofrecer demo personalizada",
    },
    PERFORMANCE: {
        "seller_id": 7,
        "seller_name": "Juan Pérez",
        "issue_type": "slow_response",
        "current_value": 45,
        "threshold": 30,
        "recommendation": "Capacitación en respuesta rápida",
    },
}


def render(kind: Kind, locale: Locale = "es", **data: Any) -> Text:
    return texts.render(kind, DATA[kind] | data, locale=locale, timezone=BUENOS_AIRES, now=NOW)


@pytest.mark.parametrize(
    ("kind", "spanish", "english"),
    [
        (
            UNANSWERED,
            "Conversación con +5491100000000 sin respuesta por 1.5 horas",
            "Conversation with +5491100000000 unanswered for 1.5 hours",
        ),
        (
            HOT_LEAD,
            "Lead de Meta Ads con 85% probabilidad de conversión",
            "Lead from Meta Ads with 85% probability of conversion",
        ),
        (
            FOLLOW_UP,
            "Follow-up con María González programado para hoy 15:00",
            "Follow-up with María González scheduled for today 15:00",
        ),
        (
            PERFORMANCE,
            "Juan Pérez responde en 45 min promedio (>30 min)",
            "Juan Pérez takes 45 min on average to reply (>30 min)",
        ),
    ],
)
def test_the_sentence_of_each_kind(kind: Kind, spanish: str, english: str) -> None:
    assert (render(kind).message, render(kind, "en").message) == (spanish, english)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("locale", get_args(Locale))
def test_each_kind_has_a_title_and_labels_for_known_actions(kind: Kind, locale: Locale) -> None:
    text = render(kind, locale)
    assert text.title
    assert text.labels and set(text.labels) <= LINK_ACTIONS | CRM_ACTIONS
    assert all(text.labels.values())


@pytest.mark.parametrize(
    ("hours", "spanish"),
    [(1.0, "1 hora"), (2.0, "2 horas"), (0.5, "0.5 horas"), (0.0, "menos de 6 minutos"), (26.3, "26.3 horas")],
)
def test_waiting_times(hours: float, spanish: str) -> None:
    assert render(UNANSWERED, hours_without_response=hours).message.endswith(f"sin respuesta por {spanish}")


@pytest.mark.parametrize(
    ("source", "spanish"),
    [
        ("WEBSITE", "Lead de Sitio web con 85% probabilidad de conversión"),
        ("REFERRAL", "Lead de Referido con 85% probabilidad de conversión"),
        ("GOOGLE_ADS", "Lead de Google Ads con 85% probabilidad de conversión"),
        ("", "Lead con 85% probabilidad de conversión"),
    ],
)
def test_sources(source: str, spanish: str) -> None:
    assert render(HOT_LEAD, source=source).message == spanish


@pytest.mark.parametrize(
    ("at", "spanish", "english"),
    [
        ("2026-02-27T18:00:00Z", "programado para hoy 15:00", "scheduled for today 15:00"),
        ("2026-02-28T02:30:00Z", "programado para hoy 23:30", "scheduled for today 23:30"),
        ("2026-02-28T12:30:00Z", "programado para mañana 9:30", "scheduled for tomorrow 9:30"),
        ("2026-03-05T13:00:00Z", "programado para el 5/3 10:00", "scheduled for 5 Mar 10:00"),
        ("2026-02-27T12:00:00Z", "vencido: hoy 9:00", "overdue: today 9:00"),
        ("2026-02-26T21:00:00Z", "vencido: ayer 18:00", "overdue: yesterday 18:00"),
        ("2025-12-31T13:00:00Z", "vencido: el 31/12/2025 10:00", "overdue: 31 Dec 2025 10:00"),
    ],
)
def test_moments_are_said_as_the_reader_says_them(at: str, spanish: str, english: str) -> None:
    said = [render(FOLLOW_UP, locale, scheduled_time=at).message for locale in get_args(Locale)]
    assert said == [f"Follow-up con María González {spanish}", f"Follow-up with María González {english}"]


@pytest.mark.parametrize(
    ("data", "spanish"),
    [
        ({"issue_type": "slow_response", "current_value": 45.5}, "Juan Pérez responde en 45.5 min promedio (>30 min)"),
        (
            {"issue_type": "high_unanswered", "current_value": 8, "threshold": 5},
            "Juan Pérez tiene 8 conversaciones sin respuesta",
        ),
        (
            {"issue_type": "low_conversion", "current_value": 0.05, "threshold": 0.1},
            "Juan Pérez convierte el 5% de sus leads (<10%)",
        ),
    ],
)
def test_a_performance_sentence_fits_its_issue(data: Json, spanish: str) -> None:
    assert render(PERFORMANCE, **data).message == spanish


@pytest.mark.parametrize(
    ("distance", "spanish", "english"),
    [
        (2 * HOUR, "2 horas", "2 hours"),
        (HOUR, "1 hora", "1 hour"),
        (HOUR / 2, "30 minutos", "30 minutes"),
        (HOUR / 60, "1 minuto", "1 minute"),
        (HOUR / 600, "menos de 1 minuto", "less than 1 minute"),
        (24 * HOUR, "24 horas", "24 hours"),
        (72 * HOUR, "3 días", "3 days"),
        (-3 * HOUR, "vencido hace 3 horas", "overdue by 3 hours"),
        (-49 * HOUR, "vencido hace 2 días", "overdue by 2 days"),
    ],
)
def test_time_until(distance: timedelta, spanish: str, english: str) -> None:
    assert [texts.time_until(NOW + distance, NOW, locale) for locale in get_args(Locale)] == [spanish, english]


@pytest.mark.parametrize(
    ("status", "notes", "approach"),
    [
        ("interested", "Interesada en producto premium, requiere demo", "Ofrecer demo personalizada"),
        ("interested", "Pidió PRESUPUESTO por mail", "Enviar una propuesta con precio y condiciones"),
        ("negotiation", "¿Se puede en cuotas?", "Explicar las opciones de financiación"),
        ("interested", "", "Resolver dudas y proponer el próximo paso"),
        ("negotiation", "", "Confirmar condiciones y acordar el cierre"),
    ],
)
def test_the_recommended_approach_follows_notes_and_status(status: str, notes: str, approach: str) -> None:
    assert texts.recommended_approach(status, notes, "es") == approach


def test_the_phrases_in_the_data_are_in_the_readers_language() -> None:
    follow_up, performance = render(FOLLOW_UP, "en").data, render(PERFORMANCE, "en").data
    assert (follow_up["time_until"], follow_up["recommended_approach"]) == ("5 hours", "Offer a personal demo")
    assert performance["recommendation"] == "Training in quick replies"
    assert render(FOLLOW_UP).data == DATA[FOLLOW_UP]


@pytest.mark.parametrize(
    ("name", "locale"),
    [("es", "es"), ("es-AR", "es"), ("en", "en"), ("en-GB", "en"), ("EN_us", "en"), ("pt-BR", "es"), ("", "es")],
)
def test_a_regional_form_has_its_language(name: str, locale: Locale) -> None:
    assert texts.locale_of(name) == locale


def test_what_the_crm_does_not_name_is_still_a_sentence() -> None:
    assert render(UNANSWERED, phone_number="").message == "Conversación con un cliente sin respuesta por 1.5 horas"
    assert render(PERFORMANCE, seller_name="").message == "Vendedor 7 responde en 45 min promedio (>30 min)"
