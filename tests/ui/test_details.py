"""What one notification says in full: labels, values, why it was told, and what is marked in a search."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from crmtray.ui.details import kind_name
from crmtray.ui.explanation import CHANGED_SINCE, NOT_DELIVERED, explanation
from crmtray.ui.fields import LONGEST, fields
from crmtray.ui.matches import matches
from tests.client.support import NOW, item


def shown(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.label, one.value) for one in fields(replace(item("a", 1), data=data), NOW, UTC)]


def test_a_hot_lead_in_the_words_of_a_seller() -> None:
    data = {
        "lead_id": "17",
        "lead_name": "Carlos Rodríguez",
        "phone_number": "+54911",
        "source": "META_ADS",
        "probability": 0.855,
        "recommended_action": "contactar_inmediatamente",
        "estimated_value": 12500.5,
    }
    assert shown(data) == [
        ("Cliente", "Carlos Rodríguez"),
        ("Teléfono", "+54911"),
        ("Probabilidad de conversión", "85,5\u00a0%"),
        ("Valor estimado", "$\u00a012.500,5"),
        ("Origen", "Meta Ads"),
        ("Acción recomendada", "Contactar inmediatamente"),
    ]


@pytest.mark.parametrize(
    ("metric", "value", "threshold", "said"),
    [
        ("avg_response_time_minutes", 42.25, 30, ("42,2\u00a0min", "30\u00a0min")),
        ("unanswered_conversations", 7, 5, ("7", "5")),
        ("conversion_rate", 0.05, 0.1, ("5\u00a0%", "10\u00a0%")),
    ],
)
def test_a_figure_is_read_as_its_metric_says(
    metric: str, value: float, threshold: float, said: tuple[str, str]
) -> None:
    found = dict(shown({"metric": metric, "current_value": value, "threshold": threshold, "period": "today"}))
    assert (found["Valor actual"], found["Límite"]) == said and found["Período"] == "Hoy" and len(found) == 3


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("scheduled_time", "2026-02-28T09:05:00Z", "mañana 9:05"),
        ("scheduled_time", "no es una hora", "no es una hora"),
        ("due_date", "0001-01-01T00:00:00+23:00", "0001-01-01T00:00:00+23:00"),
        ("hours_without_response", 1.5, "1,5\u00a0horas"),
        ("hours_without_response", 1.0, "1\u00a0hora"),
        ("hours_without_response", 0.5, "30\u00a0min"),
        ("invoice", {"number": "F-1", "paid": False}, "Number: F-1; Paid: No"),
        ("tags", ["a", 2, None, True], "a, 2, Sí"),
        ("previous_notes", "<b>uno</b>\n\u202edos\x00", "<b>uno</b> dos"),
        ("empty", "", None),
        ("nothing", None, None),
        ("estimated_value", 0, None),
        ("score", 10**400, str(10**400)),
        ("score", float("nan"), "nan"),
        ("deep", [[[[[["x"]]]]]], None),
        ("long", "x" * 5000, "x" * LONGEST),
    ],
)
def test_values(key: str, value: Any, said: str | None) -> None:
    found = [value for _, value in shown({key: value})]
    assert found == ([] if said is None else [said])


def test_a_number_of_the_crm_is_shown_only_when_there_is_no_name_for_it() -> None:
    assert shown({"seller_id": "3", "seller_name": "Ana"}) == [("Vendedor", "Ana")]
    assert shown({"conversation_id": "9", "seller_id": "3", "order_number": "5"}) == [
        ("Order number", "5"),
        ("N.º de conversación", "9"),
        ("N.º de vendedor", "3"),
    ]


def test_a_kind_of_another_program_has_a_name_too() -> None:
    assert kind_name("hot_lead") == "Lead caliente" and kind_name("stock_alert") == "Stock alert"


# --- why --------------------------------------------------------------------------------------------------------


def told(answer: Any) -> dict[str, str]:
    return {one.label: one.value for one in explanation(answer, NOW, UTC)}


def test_rule_decision_and_deliveries() -> None:
    minute = (NOW - timedelta(minutes=2)).isoformat()
    answer = {
        "rule": "Un cliente esperaba.",
        "decision": {"outcome": "silent", "reason": "quiet_hours", "sentence": "Llegó sin aviso."},
        "decided_at": minute,
        "preferences": {"source": "chosen", "changed_since": True},
        "deliveries": [
            {"channel": "socket", "device": "laptop", "state": "acknowledged", "at": minute, "attempts": 1},
            {"channel": "email", "device": None, "state": "failed", "at": minute, "attempts": 3, "detail": "550 no"},
        ],
    }
    assert told(answer) == {
        "Regla": "Un cliente esperaba.",
        "Decisión": "Llegó sin aviso.",
        "Se decidió": "hoy 14:58",
        "Preferencias": f"Las que elegiste. {CHANGED_SINCE}",
        "Entregas": "En tiempo real · laptop: recibida, hoy 14:58\nCorreo: falló, hoy 14:58, 3 intentos, 550 no",
    }


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, {}),
        ({"rule": 5, "decision": "x", "decided_at": "never", "preferences": [], "deliveries": {}}, {}),
        ({"deliveries": []}, {"Entregas": NOT_DELIVERED}),
        ({"deliveries": [None, {"channel": "pigeon", "state": "lost"}]}, {"Entregas": "pigeon: lost"}),
    ],
)
def test_an_odd_answer_is_no_error(answer: Any, said: dict[str, str]) -> None:
    assert told(answer) == said


# --- search -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sought", "found"),
    [
        ("Pidió una reunión", "reunion", ["reunión"]),
        ("Pidió una REUNIÓN", "reu", ["REU"]),
        ("reunión de reuniones", "reunion", ["reunión", "reunion"]),
        ("🔥 Lead Caliente", "cal lead", ["Lead", "Cal"]),
        ("prereunión", "reunion", []),
        ("Straße İstanbul", "istan", ["İstan"]),
        ("hola", "", []),
        ("hola", '"* -', []),
    ],
)
def test_what_is_marked_is_what_was_searched_for(text: str, sought: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in matches(text, sought)] == found
