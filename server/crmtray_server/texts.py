"""What people read in a notification: titles, sentences, labels and phrases, in Spanish and in English.

Owns all wording of the four kinds. Pure: the moment and the time zone are arguments. Plain text, never markup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal

from crmtray.protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED, Json, Kind, parse_time

Locale = Literal["es", "en"]


def locale_of(name: str) -> Locale:
    """The language for a locale such as `es-AR`; Spanish for one that is not spoken here."""
    return "en" if name.replace("_", "-").split("-")[0].lower() == "en" else "es"


@dataclass(frozen=True, slots=True)
class Text:
    """`labels` by action; `data` is the event's, with its phrases in the reader's language."""

    title: str
    message: str
    labels: dict[str, str]
    data: Json


def render(kind: Kind, data: Json, *, locale: Locale, timezone: tzinfo, now: datetime) -> Text:
    """The words for one reader, with the times of day of his time zone."""
    return Text(
        title=TITLES[kind][locale],
        message=_MESSAGES[kind](data, locale, timezone, now),
        labels={action: labels[locale] for action, labels in LABELS.items() if action in _ACTIONS[kind]},
        data=_localized(kind, data, locale, now),
    )


TITLES: Final[dict[Kind, dict[Locale, str]]] = {
    UNANSWERED: {"es": "Conversación sin respuesta", "en": "Unanswered conversation"},
    HOT_LEAD: {"es": "🔥 Lead Caliente Detectado", "en": "🔥 Hot Lead Detected"},
    FOLLOW_UP: {"es": "⏰ Recordatorio de Follow-up", "en": "⏰ Follow-up Reminder"},
    PERFORMANCE: {"es": "📊 Alerta de Performance", "en": "📊 Performance Alert"},
}

LABELS: Final[dict[str, dict[Locale, str]]] = {
    "open_chat": {"es": "Responder", "en": "Reply"},
    "reassign": {"es": "Reasignar", "en": "Reassign"},
    "contact_lead": {"es": "Contactar", "en": "Contact"},
    "view_lead": {"es": "Ver detalles", "en": "View details"},
    "assign_lead": {"es": "Asignar", "en": "Assign"},
    "schedule_call": {"es": "Agendar", "en": "Schedule"},
    "reschedule": {"es": "Posponer", "en": "Postpone"},
    "mark_contacted": {"es": "Marcar como contactado", "en": "Mark as contacted"},
    "view_metrics": {"es": "Ver métricas", "en": "View metrics"},
    "schedule_meeting": {"es": "Programar meeting", "en": "Schedule meeting"},
    "notify_seller": {"es": "Enviar alerta", "en": "Send alert"},
}

_ACTIONS: Final[dict[Kind, tuple[str, ...]]] = {
    UNANSWERED: ("open_chat", "reassign"),
    HOT_LEAD: ("contact_lead", "view_lead", "assign_lead"),
    FOLLOW_UP: ("schedule_call", "reschedule", "mark_contacted"),
    PERFORMANCE: ("view_metrics", "schedule_meeting", "notify_seller"),
}

SOURCES: Final[dict[str, dict[Locale, str]]] = {
    "META_ADS": {"es": "Meta Ads", "en": "Meta Ads"},
    "WEBSITE": {"es": "Sitio web", "en": "Website"},
    "REFERRAL": {"es": "Referido", "en": "Referral"},
}

# --- sentences -------------------------------------------------------------------------------------------------------


def _unanswered(data: Json, locale: Locale, _timezone: tzinfo, _now: datetime) -> str:
    hours = duration_hours(float(data["hours_without_response"]), locale)
    if locale == "es":
        return f"Conversación con {data['phone_number'] or 'un cliente'} sin respuesta por {hours}"
    return f"Conversation with {data['phone_number'] or 'a customer'} unanswered for {hours}"


def _hot_lead(data: Json, locale: Locale, _timezone: tzinfo, _now: datetime) -> str:
    source, percent = source_name(str(data["source"] or ""), locale), round(float(data["probability"]) * 100)
    if locale == "es":
        return f"Lead{f' de {source}' if source else ''} con {percent}% probabilidad de conversión"
    return f"Lead{f' from {source}' if source else ''} with {percent}% probability of conversion"


def _follow_up(data: Json, locale: Locale, timezone: tzinfo, now: datetime) -> str:
    at = parse_time(str(data["scheduled_time"]))
    name, when = data["lead_name"], time_of(at, timezone, now, locale)
    if locale == "es":
        return f"Follow-up con {name} " + (f"vencido: {when}" if at < now else f"programado para {when}")
    return f"Follow-up with {name} " + (f"overdue: {when}" if at < now else f"scheduled for {when}")


def _performance(data: Json, locale: Locale, _timezone: tzinfo, _now: datetime) -> str:
    nobody: dict[Locale, str] = {"es": f"Vendedor {data['seller_id']}", "en": f"Seller {data['seller_id']}"}
    name, issue, value = data["seller_name"] or nobody[locale], data["issue_type"], float(data["current_value"])
    if issue == "slow_response":
        minutes, limit = _plain(value), _plain(float(data["threshold"]))
        return {
            "es": f"{name} responde en {minutes} min promedio (>{limit} min)",
            "en": f"{name} takes {minutes} min on average to reply (>{limit} min)",
        }[locale]
    if issue == "high_unanswered":
        return {
            "es": f"{name} tiene {value:.0f} conversaciones sin respuesta",
            "en": f"{name} has {value:.0f} unanswered conversations",
        }[locale]
    percent, least = _plain(value * 100), _plain(float(data["threshold"]) * 100)
    return {
        "es": f"{name} convierte el {percent}% de sus leads (<{least}%)",
        "en": f"{name} converts {percent}% of their leads (<{least}%)",
    }[locale]


_MESSAGES: Final[dict[Kind, Callable[[Json, Locale, tzinfo, datetime], str]]] = {
    UNANSWERED: _unanswered,
    HOT_LEAD: _hot_lead,
    FOLLOW_UP: _follow_up,
    PERFORMANCE: _performance,
}

# --- phrases ---------------------------------------------------------------------------------------------------------


def source_name(source: str, locale: Locale) -> str:
    """A lead's source as people say it; one that is not known is shown as a name."""
    known = SOURCES.get(source.upper())
    return known[locale] if known else source.replace("_", " ").title()


def duration_hours(hours: float, locale: Locale) -> str:
    """`1.5 horas`, `1 hora`; what rounds to nothing is said as what it is."""
    if hours < 0.1:
        return {"es": "menos de 6 minutos", "en": "less than 6 minutes"}[locale]
    return f"{_plain(hours)} {_UNITS['hour'][locale][hours != 1]}"


def time_until(at: datetime, now: datetime, locale: Locale) -> str:
    """`2 horas`, or `vencido hace 3 horas`."""
    if at < now:
        past = _duration(now - at, locale)
        return f"vencido hace {past}" if locale == "es" else f"overdue by {past}"
    return _duration(at - now, locale)


def time_of(at: datetime, timezone: tzinfo, now: datetime, locale: Locale) -> str:
    """`hoy 15:00`, `mañana 9:30`, `ayer 18:00`, `el 5/3 10:00`; the year only when it is another one."""
    local, today = at.astimezone(timezone), now.astimezone(timezone).date()
    clock = f"{local.hour}:{local.minute:02}"
    near = _DAYS.get((local.date() - today).days)
    if near is not None:
        return f"{near[locale]} {clock}"
    if locale == "es":
        year = "" if local.year == today.year else f"/{local.year}"
        return f"el {local.day}/{local.month}{year} {clock}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local.day} {_MONTHS[local.month - 1]}{year} {clock}"


def recommended_approach(status: str, notes: str, locale: Locale) -> str:
    """How to open the conversation, by what the seller noted and by how far the lead has come."""
    folded = notes.casefold()
    for words, approach in _APPROACHES:
        if any(word in folded for word in words):
            return approach[locale]
    return _BY_STATUS["negotiation" if status == "negotiation" else "interested"][locale]


def recommendation(issue_type: str, locale: Locale) -> str:
    """What a CEO may do about an issue."""
    return RECOMMENDATIONS[issue_type][locale]


RECOMMENDATIONS: Final[dict[str, dict[Locale, str]]] = {
    "slow_response": {"es": "Capacitación en respuesta rápida", "en": "Training in quick replies"},
    "high_unanswered": {
        "es": "Redistribuir las conversaciones pendientes entre el equipo",
        "en": "Share the waiting conversations out among the team",
    },
    "low_conversion": {
        "es": "Revisar el seguimiento y la calificación de sus leads",
        "en": "Review how their leads are qualified and followed up",
    },
}

_APPROACHES: Final[tuple[tuple[tuple[str, ...], dict[Locale, str]], ...]] = (
    (("demo", "muestra", "prueba", "probar"), {"es": "Ofrecer demo personalizada", "en": "Offer a personal demo"}),
    (
        ("financ", "cuota", "crédito", "credito", "installment"),
        {"es": "Explicar las opciones de financiación", "en": "Explain the financing options"},
    ),
    (
        ("precio", "presupuesto", "cotiz", "descuento", "caro", "price", "quote", "budget", "discount"),
        {"es": "Enviar una propuesta con precio y condiciones", "en": "Send a proposal with price and terms"},
    ),
    (
        ("entrega", "envío", "envio", "turno", "fecha", "delivery", "date"),
        {"es": "Confirmar fecha y disponibilidad", "en": "Confirm date and availability"},
    ),
    (
        ("visita", "reunión", "reunion", "llam", "visit", "meeting", "call"),
        {"es": "Coordinar una llamada o visita", "en": "Arrange a call or a visit"},
    ),
)

_BY_STATUS: Final[dict[str, dict[Locale, str]]] = {
    "interested": {
        "es": "Resolver dudas y proponer el próximo paso",
        "en": "Answer open questions and propose the next step",
    },
    "negotiation": {
        "es": "Confirmar condiciones y acordar el cierre",
        "en": "Confirm the terms and agree on closing",
    },
}

_DAYS: Final[dict[int, dict[Locale, str]]] = {
    -1: {"es": "ayer", "en": "yesterday"},
    0: {"es": "hoy", "en": "today"},
    1: {"es": "mañana", "en": "tomorrow"},
}
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS: Final[dict[str, dict[Locale, tuple[str, str]]]] = {
    "minute": {"es": ("minuto", "minutos"), "en": ("minute", "minutes")},
    "hour": {"es": ("hora", "horas"), "en": ("hour", "hours")},
    "day": {"es": ("día", "días"), "en": ("day", "days")},
}


def _duration(length: timedelta, locale: Locale) -> str:
    minutes = round(length / timedelta(minutes=1))
    if minutes < 1:
        return {"es": "menos de 1 minuto", "en": "less than 1 minute"}[locale]
    if minutes < 60:
        return _counted(minutes, "minute", locale)
    hours = round(minutes / 60)
    return _counted(hours, "hour", locale) if hours < 48 else _counted(round(hours / 24), "day", locale)


def _counted(number: int, unit: str, locale: Locale) -> str:
    return f"{number} {_UNITS[unit][locale][number != 1]}"


def _plain(value: float) -> str:
    """At most one digit after the point, and none that says nothing."""
    return f"{value:.1f}".removesuffix(".0")


def _localized(kind: Kind, data: Json, locale: Locale, now: datetime) -> Json:
    if kind == FOLLOW_UP:
        at = parse_time(str(data["scheduled_time"]))
        return data | {
            "time_until": time_until(at, now, locale),
            "recommended_approach": _in(locale, str(data["recommended_approach"])),
        }
    if kind == PERFORMANCE:
        return data | {"recommendation": recommendation(str(data["issue_type"]), locale)}
    return data


def _in(locale: Locale, approach: str) -> str:
    """The same advice in another language; one that is not ours stays as it is."""
    ours = [advice for _, advice in _APPROACHES] + list(_BY_STATUS.values())
    return next((advice[locale] for advice in ours if approach in advice.values()), approach)
