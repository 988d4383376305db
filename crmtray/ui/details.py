"""The line under a message: who it is about, and what helps before one calls. Pure.

Everything here comes from the CRM and is plain text. A field that is missing or odd is left out, never an error:
other programs publish notifications too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED, Notification, Priority
from ..region import NO_BREAK, number
from ..words import mark, say

TEAM_MESSAGE = "team_message"
"""What `notify_seller` makes at the other person."""
PRIORITY_WORDS: Mapping[Priority, str] = {"urgent": mark("Urgente"), "high": mark("Alta")}
"""The priorities that are marked; the others are the normal case."""
PRIORITY_NAMES: Mapping[Priority, str] = {
    "urgent": mark("Urgente"),
    "high": mark("Alta"),
    "medium": mark("Media"),
    "low": mark("Baja"),
}
"""Of all of them, from the most pressing down."""
KIND_WORDS: Mapping[str, str] = {
    UNANSWERED: mark("Conversación sin respuesta"),
    HOT_LEAD: mark("Lead caliente"),
    FOLLOW_UP: mark("Recordatorio"),
    PERFORMANCE: mark("Rendimiento"),
    TEAM_MESSAGE: mark("Mensaje del equipo"),
}
_SEPARATOR = " · "


def details(item: Notification) -> str:
    data = item.data
    match item.type:
        case "hot_lead":
            parts = [_text(data, "lead_name"), _text(data, "phone_number"), _money(data.get("estimated_value"))]
        case "unanswered_conversation":
            seller = _text(data, "seller_name")
            parts = [say("Asignada a {}").format(seller) if seller else ""]
        case "follow_up_reminder":
            parts = [_text(data, "recommended_approach"), _text(data, "previous_notes")]
        case "performance_alert":
            parts = [_text(data, "recommendation")]
        case _:
            parts = []
    return _SEPARATOR.join(part for part in parts if part)


def kind_name(type: str) -> str:
    """A kind in words; one that another program invented by its own name."""
    return say(KIND_WORDS.get(type, "")) or one_line(type.replace("_", " ")).capitalize()


def one_line(text: str) -> str:
    """Remote text on one line: no line breaks, no control characters, no reversed writing direction."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def spoken(item: Notification, age: str) -> str:
    """What a screen reader says of a row."""
    parts = [
        "" if item.read else say("Sin leer"),
        say(PRIORITY_WORDS.get(item.priority, "")),
        _kind_unless_said(item),
        one_line(item.title),
        one_line(item.message),
        details(item),
        age,
        say("Llegó sin aviso") if item.silent else "",
        say("Acciones: {}").format(", ".join(one_line(action.label) for action in item.actions))
        if item.actions
        else "",
    ]
    return ". ".join(part for part in parts if part)


def _kind_unless_said(item: Notification) -> str:
    word = say(KIND_WORDS.get(item.type, ""))
    return "" if word.casefold() in item.title.casefold() else word


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return one_line(value) if isinstance(value, str) else ""


def _money(value: Any) -> str:
    """The CRM's own currency, whatever it is."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        return ""
    return money(value)


def money(value: float, places: int = 0) -> str:
    """`$ 1.500`, in English `$ 1,500`: only the sign everybody reads as money, and never on a line of its own."""
    return f"${NO_BREAK}{number(value, places)}"
