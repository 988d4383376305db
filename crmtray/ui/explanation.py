"""Why the person was told, as the server answers it, in labels and sentences. Pure.

The answer comes from a server that may be newer: what is missing or odd is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from ..protocol import WireError, parse_time
from ..relative_time import clock_time
from ..words import mark, say
from .details import one_line
from .fields import Shown

_CHANNELS = {
    "socket": mark("En tiempo real"),
    "pull": mark("Al actualizar"),
    "email": mark("Correo"),
    "webhook": mark("Webhook"),
}
_STATES = {
    "sent": mark("enviada"),
    "acknowledged": mark("recibida"),
    "delivered": mark("entregada"),
    "waiting": mark("en espera"),
    "sending": mark("enviándose"),
    "skipped": mark("no hizo falta"),
    "failed": mark("falló"),
}
_SOURCES = {"chosen": mark("Las que elegiste."), "preset": mark("Las de tu puesto.")}
NOT_DELIVERED = mark("Todavía a ninguno de tus equipos.")
CHANGED_SINCE = mark("Tus preferencias cambiaron desde entonces.")


def explanation(answer: Mapping[str, Any], now: datetime, zone: tzinfo | None = None) -> list[Shown]:
    decision = answer.get("decision")
    shown = [
        Shown(say("Regla"), _text(answer, "rule")),
        Shown(say("Decisión"), _text(decision, "sentence")),
        Shown(say("Se decidió"), _moment(answer, "decided_at", now, zone)),
        Shown(say("Preferencias"), _preferences(answer.get("preferences"))),
        Shown(say("Entregas"), _deliveries(answer.get("deliveries"), now, zone)),
    ]
    return [one for one in shown if one.value]


def _text(data: Any, key: str) -> str:
    value = data.get(key) if isinstance(data, Mapping) else None
    return one_line(value) if isinstance(value, str) else ""


def _moment(data: Any, key: str, now: datetime, zone: tzinfo | None) -> str:
    try:
        return clock_time(parse_time(_text(data, key)), now, zone)
    except (WireError, OverflowError, OSError):
        return ""


def _preferences(data: Any) -> str:
    if not isinstance(data, Mapping):
        return ""
    own = say(_SOURCES.get(_text(data, "source"), ""))
    return " ".join(part for part in (own, say(CHANGED_SINCE) if data.get("changed_since") else "") if part)


def _deliveries(data: Any, now: datetime, zone: tzinfo | None) -> str:
    if not isinstance(data, list):
        return ""
    lines = [_delivery(one, now, zone) for one in data if isinstance(one, Mapping)]
    return "\n".join(line for line in lines if line) or say(NOT_DELIVERED)


def _delivery(one: Mapping[str, Any], now: datetime, zone: tzinfo | None) -> str:
    channel, state = _text(one, "channel"), _text(one, "state")
    where = [say(_CHANNELS.get(channel, "")) or channel, _text(one, "device")]
    what = [say(_STATES.get(state, "")) or state, _moment(one, "at", now, zone)]
    attempts = one.get("attempts")
    if isinstance(attempts, int) and attempts > 1:
        what.append(say("%n intentos", "", attempts))
    what.append(_text(one, "detail"))
    head, tail = " · ".join(filter(None, where)), ", ".join(filter(None, what))
    return f"{head}: {tail}" if head and tail else head or tail
