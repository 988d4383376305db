"""Everything a notification carries, as labels and values a person can read. Pure.

All of it is plain text from the CRM or from another program. A field that is empty or odd is left out, never an
error; one nobody here knows is shown under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from ..protocol import Notification, WireError, parse_time
from ..region import NO_BREAK, number
from ..relative_time import clock_time
from ..words import mark, say
from .details import money, one_line

LONGEST = 1000
DEEPEST = 3
_LABELS: Mapping[str, str] = {
    "lead_name": mark("Cliente"),
    "phone_number": mark("Teléfono"),
    "email": mark("Correo"),
    "seller_name": mark("Vendedor"),
    "probability": mark("Probabilidad de conversión"),
    "estimated_value": mark("Valor estimado"),
    "source": mark("Origen"),
    "hours_without_response": mark("Sin respuesta desde hace"),
    "last_message": mark("Último mensaje"),
    "last_message_time": mark("Último mensaje"),
    "scheduled_time": mark("Programado para"),
    "time_until": mark("Plazo al avisar"),
    "previous_notes": mark("Notas"),
    "recommended_approach": mark("Sugerencia"),
    "recommended_action": mark("Acción recomendada"),
    "issue_type": mark("Problema"),
    "current_value": mark("Valor actual"),
    "threshold": mark("Límite"),
    "period": mark("Período"),
    "impact": mark("Impacto"),
    "recommendation": mark("Recomendación"),
    "from_name": mark("De"),
    "sender_name": mark("De"),
    "lead_id": mark("N.º de cliente"),
    "conversation_id": mark("N.º de conversación"),
    "seller_id": mark("N.º de vendedor"),
}
"""In the order in which they are shown; others come before the numbers."""
_VALUES: Mapping[str, str] = {
    "META_ADS": mark("Meta Ads"),
    "WEBSITE": mark("Sitio web"),
    "REFERRAL": mark("Referido"),
    "contactar_inmediatamente": mark("Contactar inmediatamente"),
    "slow_response": mark("Tarda en responder"),
    "high_unanswered": mark("Muchas conversaciones sin respuesta"),
    "low_conversion": mark("Conversión baja"),
    "today": mark("Hoy"),
    "high": mark("Alto"),
    "medium": mark("Medio"),
    "low": mark("Bajo"),
}
_MONEY = ("value", "amount", "price", "total")
_SHARES = ("probability", "rate", "share")
_HIDDEN = frozenset({"metric"})
"""Says how two other fields are to be read."""
_NAMED = {"seller_id": "seller_name", "lead_id": "lead_name"}
"""A number says nothing to whoever reads the name."""


@dataclass(frozen=True, slots=True)
class Shown:
    label: str
    value: str


def fields(item: Notification, now: datetime, zone: tzinfo | None = None) -> list[Shown]:
    data = item.data
    found = []
    for key in sorted(data, key=_rank):
        if key in _HIDDEN or data.get(_NAMED.get(key, "")):
            continue
        value = _value(key, data[key], data, now, zone)
        if value:
            found.append(Shown(label(key), value[:LONGEST]))
    return found


def label(key: str) -> str:
    return say(_LABELS.get(key, "")) or one_line(key.replace("_", " ")).capitalize() or key


def _rank(key: str) -> tuple[int, str]:
    order = list(_LABELS)
    if key in _LABELS:
        return order.index(key) + (1000 if key.endswith("_id") else 0), ""
    return 500, key


def _value(key: str, value: Any, data: Mapping[str, Any], now: datetime, zone: tzinfo | None, depth: int = 0) -> str:
    if isinstance(value, bool):
        return say("Sí") if value else say("No")
    if isinstance(value, int | float):
        return _number(key, value, data)
    if isinstance(value, str):
        return say(_VALUES.get(value, "")) or _moment(key, value, now, zone) or one_line(value)
    if depth == DEEPEST:
        return ""
    if isinstance(value, list):
        return ", ".join(part for part in (_value(key, one, data, now, zone, depth + 1) for one in value) if part)
    if isinstance(value, Mapping):
        parts = ((label(str(name)), _value(str(name), one, value, now, zone, depth + 1)) for name, one in value.items())
        return "; ".join(f"{name}: {text}" for name, text in parts if text)
    return ""


def _number(key: str, value: float, data: Mapping[str, Any]) -> str:
    metric = str(data.get("metric") or "") if key in ("current_value", "threshold") else key
    if key.endswith("_id"):
        return str(value)
    if metric.endswith(_SHARES):
        return say("{} %").format(number(value * 100, 1)).replace(" ", NO_BREAK)
    if "minutes" in metric:
        return f"{number(value, 1)}{NO_BREAK}min"
    if "hours" in metric:
        return _hours(value)
    if metric.endswith(_MONEY) and key != "current_value":
        return money(value, 2) if value > 0 else ""
    return number(value, 2)


def _hours(value: float) -> str:
    if value < 1:
        return f"{round(value * 60)}{NO_BREAK}min"
    # Only the whole number one is one: it is 1,5 hours.
    counted = say("{} horas", "", 1 if value == 1 else 2)
    return counted.format(number(value, 1)).replace(" ", NO_BREAK)


def _moment(key: str, value: str, now: datetime, zone: tzinfo | None) -> str:
    if not key.endswith(("_time", "_at", "time", "date")) or len(value) < 10 or not value[:4].isdigit():
        return ""
    try:
        return clock_time(parse_time(value), now, zone)
    except (WireError, OverflowError, OSError):
        return ""
