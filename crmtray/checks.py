"""What a check found out, how it is told in a terminal or to a program, and the time it may take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from .protocol import Json
from .redaction import redact

Status = Literal["ok", "warning", "broken", "not_checked"]


@dataclass(frozen=True, slots=True)
class Check:
    """`hint`: what to do about it."""

    name: str
    status: Status
    detail: str
    hint: str = ""


def passed(checks: Sequence[Check]) -> bool:
    """A warning is something to know, and no reason to send somebody there."""
    return all(check.status != "broken" for check in checks)


def lines(checks: Sequence[Check]) -> list[str]:
    return [_line(check) for check in checks]


def to_json(checks: Sequence[Check]) -> Json:
    return {"ok": passed(checks), "checks": [asdict(_clean(check)) for check in checks]}


def _line(check: Check) -> str:
    clean = _clean(check)
    status = "-" if clean.status == "not_checked" else clean.status
    said = f"not checked: {clean.detail}" if clean.status == "not_checked" else clean.detail
    return f"{status:8} {clean.name:14} {said}" + (f"  → {clean.hint}" if clean.hint else "")


def _clean(check: Check) -> Check:
    """Servers and systems have their words in it: printable ones on one line, and no secret."""
    detail, hint = (redact(_one_line(text)) for text in (check.detail, check.hint))
    return Check(check.name, check.status, detail, hint)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


async def in_time(seconds: float, names: Sequence[str], work: Awaitable[Sequence[Check]]) -> list[Check]:
    """The checks of these names, in this order; those that did not come in time say so."""
    try:
        async with asyncio.timeout(seconds):
            found = {check.name: check for check in await work}
    except TimeoutError:
        found = {}
    late = f"no answer in {seconds:g} s"
    return [
        found.get(name) or Check(name, "broken", late, "look at what it depends on, then try again") for name in names
    ]
