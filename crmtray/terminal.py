"""The terminal client: one line per alert, as they arrive, for people or (JSON) for programs.

Owns how things look in a terminal and how a live view starts and ends. Remote text is printed without control
characters: a customer's name must not be able to move the cursor or rewrite the screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import IO, Protocol, cast

from rich.console import Console
from rich.text import Text

from .alerts import summary_text
from .cache import Cache
from .protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED, Json, Notification, User
from .relative_time import clock_time, day_month
from .session import ConnectionState, Session
from .words import mark, say

ICONS: dict[str, str] = {HOT_LEAD: "🔥", UNANSWERED: "💬", FOLLOW_UP: "📅", PERFORMANCE: "📉"}
OTHER_ICON = "🔔"
ROLES = {
    "ceo": mark("dirección"),
    "seller": mark("ventas"),
    "secretary": mark("secretaría"),
    "admin": mark("administración"),
}
CATCH_UP_LINES = 10
_PRIORITY_STYLE = {"urgent": "bold red", "high": "bold yellow", "medium": "bold", "low": ""}
_STATE_STYLE = {
    ConnectionState.REAL_TIME: ("●", "green"),
    ConnectionState.POLLING: ("◐", "yellow"),
    ConnectionState.OFFLINE: ("○", "red"),
}


Stream = IO[str] | io.TextIOBase


class Lines(io.TextIOBase):
    """Standard output that notes when nobody reads it any more (`crmtray listen | head -3`)."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.gone = False

    def write(self, text: str) -> int:
        return self._unless_gone(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._unless_gone(lambda: self._stream.flush() or 0)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def _unless_gone(self, work: Callable[[], int]) -> int:
        try:
            return 0 if self.gone else work()
        except BrokenPipeError:
            self.gone = True
            with contextlib.suppress(OSError, ValueError):
                # What is still in the buffer would be an error once more when the program ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            return 0


class Output(Protocol):
    """Where a live view goes to."""

    def alert(self, item: Notification, *, catching_up: bool = False) -> None: ...
    def skipped(self, items: Sequence[Notification]) -> None: ...
    def updated(self, item: Notification) -> None: ...
    def removed(self, id: str) -> None: ...
    def connection(self, state: ConnectionState, detail: str) -> None: ...
    def refused(self, id: str | None, message: str) -> None: ...
    def unread(self, count: int) -> None: ...


class JsonOutput:
    """One object a line; a notification in its wire form with the name of what happened."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def alert(self, item: Notification, *, catching_up: bool = False) -> None:
        self._write({"event": "new_notification", "catching_up": catching_up, **item.to_wire()})

    def skipped(self, items: Sequence[Notification]) -> None:
        for item in items:
            self.alert(item, catching_up=True)

    def updated(self, item: Notification) -> None:
        self._write({"event": "notification_updated", **item.to_wire()})

    def removed(self, id: str) -> None:
        self._write({"event": "notification_removed", "id": id})

    def connection(self, state: ConnectionState, detail: str) -> None:
        self._write({"event": "connection", "state": state.value, "detail": detail})

    def refused(self, id: str | None, message: str) -> None:
        self._write({"event": "refused", "id": id, "message": message})

    def unread(self, count: int) -> None:
        self._write({"event": "notification_count_update", "count": count})

    def _write(self, value: Json) -> None:
        self._stream.write(json.dumps(value, ensure_ascii=False) + "\n")
        self._stream.flush()


class TextOutput:
    """For people: coloured on a terminal, plain in a pipe; in the language in use."""

    def __init__(self, stream: Stream, *, width: int | None = None) -> None:
        plain = not stream.isatty()
        # In a pipe every alert stays one line, however long; a terminal folds.
        self._console = Console(
            file=cast(IO[str], stream),
            width=100_000 if plain and width is None else width,
            highlight=False,
            emoji=False,
        )
        self._last_count: int | None = None

    def line(self, text: str, style: str = "") -> None:
        self._print(Text(text, style=style))

    def alert(self, item: Notification, *, catching_up: bool = False) -> None:
        self._print(alert_line(item))

    def skipped(self, items: Sequence[Notification]) -> None:
        if items:
            self._print(Text(say("… y antes: {}").format(summary_text(items)), style="dim"))

    def updated(self, item: Notification) -> None:
        what = say("leída") if item.read else say("sin leer")
        if item.snoozed_until is not None:
            what = say("pospuesta hasta {}").format(clock_time(item.snoozed_until, datetime.now(UTC)))
        self._print(Text(f"       {what}: {clean(item.title)}", style="dim"))

    def removed(self, id: str) -> None:
        """Nothing a reader of lines that have scrolled by could use."""

    def connection(self, state: ConnectionState, detail: str) -> None:
        mark, style = _STATE_STYLE[state]
        self._print(Text(f"{mark} {clean(detail)}", style=style))

    def refused(self, id: str | None, message: str) -> None:
        self._print(Text(f"✗ {clean(message)}", style="red"))

    def unread(self, count: int) -> None:
        if count != self._last_count:
            self._last_count = count
            unread = say("%n sin leer", "", count)
            self._print(Text(f"       {unread}", style="dim"))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)
        self._console.file.flush()


class View:
    """A Listener that turns what happens into lines."""

    def __init__(self, cache: Cache, output: Output) -> None:
        self._cache, self._output = cache, output
        self._printed: dict[str, tuple[bool, datetime | None]] = {}
        self.signed_out_message: str | None = None
        self.ended = asyncio.Event()

    def changed(self, ids: Collection[str]) -> None:
        known = [id for id in (ids or self._printed) if id in self._printed]
        for id in known:
            self._show_change(id)
        if known:  # what is new is counted when it has arrived
            self._output.unread(self._cache.unread_count())

    def arrived(self, notifications: Sequence[Notification], catching_up: bool) -> None:
        oldest_first = sorted(notifications, key=lambda item: (item.created_at, item.id))
        unread = [item for item in oldest_first if not item.read]
        cut = max(0, len(unread) - CATCH_UP_LINES) if catching_up else 0
        self._output.skipped(unread[:cut])
        for item in unread[cut:]:
            self._output.alert(item, catching_up=catching_up)
        for item in unread:
            self._printed[item.id] = (item.read, item.snoozed_until)
        self._cache.mark_toasted([item.id for item in notifications])
        self._output.unread(self._cache.unread_count())

    def connection(self, state: ConnectionState, detail: str) -> None:
        self._output.connection(state, detail)

    def signed_out(self, message: str) -> None:
        self.signed_out_message = message
        self.ended.set()

    def refused(self, notification_id: str | None, message: str) -> None:
        self._output.refused(notification_id, message)

    def performed(self, notification_id: str, action: str, result: Json) -> None:
        """Nothing to show: this view presses no buttons, and the item's own change is told like any other."""

    def _show_change(self, id: str) -> None:
        item = self._cache.get(id)
        if item is None:
            del self._printed[id]
            self._output.removed(id)
        elif self._printed[id] != (item.read, item.snoozed_until):
            self._printed[id] = (item.read, item.snoozed_until)
            self._output.updated(item)


def alert_line(item: Notification, *, show_date: bool = False) -> Text:
    """`15:04  🔥 Title · message  [Contactar] [Ver lead]`"""
    local = item.created_at.astimezone()
    line = Text()
    line.append(f"{day_month(local):>6} {local:%H:%M}  " if show_date else f"{local:%H:%M}  ", style="dim")
    title = clean(item.title)
    if unicodedata.category(title[:1] or " ") != "So":  # many titles bring a picture of their own
        line.append(f"{ICONS.get(item.type, OTHER_ICON)} ")
    line.append(title, style="dim" if item.read else _PRIORITY_STYLE[item.priority])
    if item.message:
        line.append(f" · {clean(item.message)}", style="dim" if item.read else "")
    for action in item.actions:
        line.append(f"  [{clean(action.label)}]", style="cyan")
    return line


def clean(text: str) -> str:
    """Printable characters on one line: no escape sequences, no line breaks, no reversed writing direction."""
    return "".join(c if c.isprintable() else " " for c in text)


def signed_in_line(user: User) -> str:
    role = say(ROLES.get(user.role, user.role))
    return say("Sesión iniciada: {}").format(clean(user.name or user.email)) + (f" ({clean(role)})" if role else "")


def print_list(items: Sequence[Notification], *, as_json: bool, stream: Stream) -> None:
    """What `crmtray list` shows: newest first, the wire form or a line each."""
    if as_json:
        for item in items:
            stream.write(json.dumps(item.to_wire(), ensure_ascii=False) + "\n")
        return
    output = TextOutput(stream)
    for item in items:
        output._print(alert_line(item, show_date=True))
    if not items:
        output.line(say("No hay notificaciones."))


async def watch(
    view: View,
    session: Session,
    lines: Lines,
    *,
    duration: float | None = None,
    failure: Callable[[], str | None] = lambda: None,
) -> str | None:
    """Shows alerts until Ctrl+C, SIGTERM, the duration, or the reader's end; the reason when something failed."""
    _end_on_signals(view.ended)
    try:
        return await _until_ended(view, lines, duration, failure)
    finally:
        await session.stop()


async def _until_ended(
    view: View, lines: Lines, duration: float | None, failure: Callable[[], str | None]
) -> str | None:
    loop = asyncio.get_running_loop()
    ends = None if duration is None else loop.time() + duration
    while not view.ended.is_set() and not lines.gone:
        if (reason := failure()) is not None:
            return reason
        left = 1.0 if ends is None else min(1.0, ends - loop.time())
        if left <= 0:
            break
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await view.ended.wait()
    return view.signed_out_message


def _end_on_signals(ended: asyncio.Event) -> None:
    if sys.platform == "win32":
        return  # Ctrl+C arrives as KeyboardInterrupt there
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
