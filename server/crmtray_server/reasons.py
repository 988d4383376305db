"""Why a person was told, was told quietly, or was not: the sentences, in Spanish and in English.

Owns the wording of every code. Pure; decides nothing and reads nothing. Plain text, never markup.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Final

from crmtray.protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, TEAM_MESSAGE, UNANSWERED, Notification, parse_time

from .config import Settings
from .texts import Locale, duration_hours, time_of

ESCALATION: Final = 4
"""Times the limit, after which the CEO is told of a conversation (detectors/unanswered)."""

Said = dict[Locale, str]


def asleep(silent: bool, locale: Locale) -> str:
    """Of a snoozed item."""
    return _ASLEEP["silent" if silent else "loud"][locale]


_ASLEEP: Final[dict[str, Said]] = {
    "loud": {"es": "Está pospuesta; volverá como alerta.", "en": "It is snoozed; it will come back as an alert."},
    "silent": {
        "es": "Está pospuesta; volverá sin aviso, según tus preferencias.",
        "en": "It is snoozed; it will come back silently, as your preferences are.",
    },
}


def decided(reason: str | None, locale: Locale) -> str:
    """What a preference did; without a reason: nothing was in the way."""
    return _DECIDED.get(reason or "", _DECIDED["other"])[locale]


_DECIDED: Final[dict[str, Said]] = {
    "": {"es": "Se mostró como alerta.", "en": "It was shown as an alert."},
    "type_off": {
        "es": "No se te avisó: en tus preferencias este tipo de notificación está desactivado.",
        "en": "You were not told: this type of notification is switched off in your preferences.",
    },
    "below_min_priority": {
        "es": "No se te avisó: su prioridad es menor que la mínima de tus preferencias.",
        "en": "You were not told: its priority is below the least that your preferences let through.",
    },
    "push_off": {
        "es": "Llegó sin aviso: en tus preferencias los avisos están desactivados.",
        "en": "It came silently: alerts are switched off in your preferences.",
    },
    "day_off": {
        "es": "Llegó sin aviso: no era uno de tus días de trabajo.",
        "en": "It came silently: it was not one of your work days.",
    },
    "quiet_hours": {
        "es": "Llegó sin aviso: eran tus horas de silencio.",
        "en": "It came silently: it was within your quiet hours.",
    },
    "other": {"es": "Llegó sin aviso.", "en": "It came silently."},
}


def rule(item: Notification, settings: Settings, locale: Locale, zone: tzinfo) -> str:
    """What had become true, from what the item itself says."""
    try:
        return _RULES.get(item.type, _published)(item, settings, locale, zone)
    except (KeyError, TypeError, ValueError):  # of a kind of ours, but made by somebody else
        return _published(item, settings, locale, zone)


def _unanswered(item: Notification, settings: Settings, locale: Locale, _zone: tzinfo) -> str:
    waited = duration_hours(float(item.data["hours_without_response"]), locale)
    escalated = item.priority == "urgent"
    limit = duration_hours(settings.unanswered_conversation_hours * (ESCALATION if escalated else 1), locale)
    return {
        "es": f"Un cliente esperaba respuesta desde hacía {waited}; se avisa después de {limit}.",
        "en": f"A customer had waited {waited} for an answer; the limit is {limit}.",
    }[locale]


def _hot_lead(item: Notification, settings: Settings, locale: Locale, _zone: tzinfo) -> str:
    return _scored(float(item.data["probability"]), settings.hot_lead_probability_threshold, locale, "era", "was")


def _scored(probability: float, threshold: float, locale: Locale, spanish: str, english: str) -> str:
    return {
        "es": f"La puntuación del lead {spanish} {percent(probability)} %; se avisa desde {percent(threshold)} %.",
        "en": f"The lead's score {english} {percent(probability)}%; it is told from {percent(threshold)}%.",
    }[locale]


def _follow_up(item: Notification, settings: Settings, locale: Locale, zone: tzinfo) -> str:
    at = time_of(parse_time(str(item.data["scheduled_time"])), zone, item.created_at, locale)
    within = duration_hours(settings.followup_reminder_hours, locale)
    return {
        "es": f"Un follow-up estaba programado para: {at}; se recuerda desde {within} antes.",
        "en": f"A follow-up was scheduled for {at}; the reminder comes within {within} of it.",
    }[locale]


def _performance(item: Notification, _settings: Settings, locale: Locale, _zone: tzinfo) -> str:
    name, value, limit = item.data["seller_name"], float(item.data["current_value"]), float(item.data["threshold"])
    issue = str(item.data["issue_type"])
    if issue == "low_conversion":
        value, limit = value * 100, limit * 100
    figures = {"name": name, "value": f"{value:g}", "limit": f"{limit:g}"}
    return _ISSUES[issue][locale].format_map(figures)


_ISSUES: Final[dict[str, Said]] = {
    "slow_response": {
        "es": "{name} tardaba {value} min en responder, en promedio; se avisa desde más de {limit} min.",
        "en": "{name} took {value} min to answer on average; the limit is {limit} min.",
    },
    "high_unanswered": {
        "es": "{name} tenía {value} conversaciones sin respuesta; se avisa desde más de {limit}.",
        "en": "{name} had {value} unanswered conversations; the limit is {limit}.",
    },
    "low_conversion": {
        "es": "{name} convertía el {value} % de sus leads; se avisa por debajo de {limit} %.",
        "en": "{name} converted {value}% of their leads; the limit is {limit}%.",
    },
}


def _team_message(item: Notification, _settings: Settings, locale: Locale, _zone: tzinfo) -> str:
    name = str(item.data.get("from_name") or "")
    nobody: Said = {"es": "Alguien de tu equipo", "en": "Somebody of your team"}
    return {
        "es": f"{name or nobody['es']} te envió este mensaje.",
        "en": f"{name or nobody['en']} sent you this message.",
    }[locale]


def _published(item: Notification, _settings: Settings, locale: Locale, _zone: tzinfo) -> str:
    return {
        "es": f"Otro programa la publicó para ti, con el tipo {item.type}.",
        "en": f"Another program published it for you, as {item.type}.",
    }[locale]


_RULES: Final[dict[str, Callable[[Notification, Settings, Locale, tzinfo], str]]] = {
    UNANSWERED: _unanswered,
    HOT_LEAD: _hot_lead,
    FOLLOW_UP: _follow_up,
    PERFORMANCE: _performance,
    TEAM_MESSAGE: _team_message,
}

# --- how the rule stands now -----------------------------------------------------------------------------------------


def now(code: str, locale: Locale, **figures: str) -> str:
    """The sentence of a code; `figures` are what it mentions."""
    return _NOW[code][locale].format_map(figures)


def hours(value: float, locale: Locale) -> str:
    return duration_hours(value, locale)


def moment(at: datetime, zone: tzinfo, today: datetime, locale: Locale) -> str:
    return time_of(at, zone, today, locale)


def percent(fraction: float) -> int:
    return round(fraction * 100)


_NOW: Final[dict[str, Said]] = {
    "no_such_conversation": {"es": "No hay tal conversación.", "en": "There is no such conversation."},
    "not_assigned_to_you": {
        "es": "Ya no está a tu cargo: se avisa a quien la tiene asignada.",
        "en": "It is no longer assigned to you: whoever has it is told.",
    },
    "not_assigned": {
        "es": "La conversación no está asignada a nadie; se avisa solo de las asignadas.",
        "en": "The conversation is assigned to nobody; only assigned ones are told.",
    },
    "not_active": {"es": "La conversación no está activa.", "en": "The conversation is not active."},
    "answered": {
        "es": "No espera respuesta: el último mensaje ({at}) no es del cliente.",
        "en": "It does not wait: the last message ({at}) is not the customer's.",
    },
    "does_not_wait": {
        "es": "No hay tal conversación que espere respuesta.",
        "en": "There is no such conversation that waits for an answer.",
    },
    "waits": {
        "es": "Un cliente espera respuesta desde hace {waited}; se te avisa después de {limit}.",
        "en": "A customer has waited {waited} for an answer; you are told after {limit}.",
    },
    "waits_too_long": {
        "es": "Un cliente espera respuesta desde hace {waited}, más que el límite de {limit}.",
        "en": "A customer has waited {waited} for an answer, longer than the limit of {limit}.",
    },
    "not_for_your_role": {"es": "De esto no se avisa a tu rol.", "en": "People of your role are not told of this."},
    "no_such_lead": {"es": "No hay tal lead.", "en": "There is no such lead."},
    "lead_closed": {"es": "El lead ya está ganado o perdido.", "en": "The lead is won or lost already."},
    "below_threshold": {
        "es": "La puntuación del lead es {score} %; se avisa desde {threshold} %.",
        "en": "The lead's score is {score}%; it is told from {threshold}%.",
    },
    "reaches_threshold": {
        "es": "La puntuación del lead es {score} % y llega al umbral de {threshold} %.",
        "en": "The lead's score is {score}% and reaches the threshold of {threshold}%.",
    },
    "no_follow_up": {
        "es": "El lead no tiene un follow-up pendiente: hace falta una fecha, un responsable y el estado interesado o "
        "en negociación.",
        "en": "The lead has no follow-up due: it takes a date, a seller, and the status interested or negotiation.",
    },
    "follow_up_later": {
        "es": "El follow-up es {at}; se recuerda desde {within} antes.",
        "en": "The follow-up is {at}; the reminder comes within {within} of it.",
    },
    "follow_up_near": {
        "es": "El follow-up es {at}, dentro del plazo de {within}.",
        "en": "The follow-up is {at}, within the {within} of the reminder.",
    },
    "crm_unavailable": {
        "es": "El CRM no se puede leer en este momento; inténtalo más tarde.",
        "en": "The CRM cannot be read at the moment; try again later.",
    },
}
