"""What to say when an action has been carried out, and where an invitation goes. Decides; writes one file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..protocol import WireError, parse_time
from ..region import hour
from ..relative_time import day_month, weekday
from ..words import say
from .details import one_line


def outcome(action: str, result: Mapping[str, Any]) -> str:
    """A sentence for the person; empty when the row says enough by being read."""
    seller = one_line(str(result.get("seller_name") or ""))
    when = _when(result.get("at"))
    match action:
        case "reassign" | "assign_lead":
            return say("Asignado a {}.").format(seller) if seller else say("Asignado.")
        case "schedule_call":
            return say("Llamada agendada para el {}.").format(when) if when else say("Llamada agendada.")
        case "reschedule":
            return say("Pospuesto para el {}.").format(when) if when else say("Pospuesto.")
        case "schedule_meeting":
            return say("Reunión programada para el {}.").format(when) if when else say("Reunión programada.")
        case "mark_contacted":
            return say("Marcado como contactado.")
        case "notify_seller":
            return say("Mensaje enviado a {}.").format(seller) if seller else say("Mensaje enviado.")
        case _:
            return ""


def save_invitation(result: Mapping[str, Any], folder: Path) -> Path | None:
    """Writes the calendar file of a meeting, never over another file; None when there is none.

    The name is ours but for its letters: what comes from a server must not choose a folder or a file type.
    """
    text = result.get("ics")
    if not isinstance(text, str) or not text.startswith("BEGIN:VCALENDAR"):
        return None
    stem = re.sub(r"[^A-Za-z0-9_-]", "", str(result.get("filename") or "").removesuffix(".ics"))[:40] or "reunion"
    for number in range(1, 1000):
        path = folder / (f"{stem}.ics" if number == 1 else f"{stem}-{number}.ics")
        try:
            with path.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    return None


def _when(value: Any) -> str:
    """`martes 3 mar a las 9:00`, in this machine's time."""
    if not isinstance(value, str):
        return ""
    try:
        local: datetime = parse_time(value).astimezone()
    except WireError:
        return ""
    return say("{} {} a las {}").format(weekday(local), day_month(local), hour(local))
