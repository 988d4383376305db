"""How numbers and times of day are written where the person lives. Owns which region that is; the program begins with
what Spain, Argentina and most others have in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

NO_BREAK = "\u00a0"


@dataclass(frozen=True, slots=True)
class Region:
    decimal: str = ","
    group: str = "."
    two_digits: bool = False
    """`09:00`."""
    twelve_hours: bool = False
    """`3:04 PM`."""
    month_first: bool = False
    """`Mar 3`."""


_region = Region()


def use(region: Region) -> None:
    global _region
    _region = region


def current() -> Region:
    return _region


def number(value: float, places: int = 0) -> str:
    """`1.500,5`, without needless zeros."""
    try:
        text = f"{value:,.{places}f}"
    except OverflowError:
        return str(value)
    if places:
        text = text.rstrip("0").rstrip(".")
    return text.translate({ord(","): _region.group, ord("."): _region.decimal})


def hour(moment: datetime | time) -> str:
    """`9:00`, `09:00` or `9:00 AM`. On one line."""
    if not _region.twelve_hours:
        return f"{moment.hour:02}:{moment.minute:02}" if _region.two_digits else f"{moment.hour}:{moment.minute:02}"
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.hour % 12 or 12}:{moment.minute:02}{NO_BREAK}{half}"
