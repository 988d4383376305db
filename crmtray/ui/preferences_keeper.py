"""From the settings window to the server and back: what is known, what waits to be sent, what was refused.

Owns the order of it: changes wait for a moment of rest, go out one field at a time, and what the server answers is what
is shown. It must not know about widgets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from ..preferences import Preferences, refused_field
from ..protocol import INVALID_REQUEST, Json
from .tasks import Spawn

if TYPE_CHECKING:
    from ..api import ApiError

DELAY_MS = 400
FINISH_SECONDS = 2.0

State = Literal["signed_out", "loading", "ready", "offline", "failed"]
Load = Callable[[], Awaitable[Preferences]]
Save = Callable[[Json], Awaitable[Preferences]]


class PreferencesKeeper(QObject):
    shown = Signal(object, object)
    """The Preferences to show, and a frozenset of fields that the person is changing just now."""
    state_changed = Signal(str, str)
    """A State and a sentence, which may be empty."""
    saving = Signal()
    saved = Signal()
    refused = Signal(str, str, str)
    """A field, a sentence in Spanish when there is one, and the server's own words."""

    def __init__(self, load: Load, save: Save, known: Callable[[], Preferences | None], spawn: Spawn) -> None:
        super().__init__()
        self.state: State = "signed_out"
        self.known: Preferences | None = None
        self._load_from, self._save_to, self._known_here, self._spawn = load, save, known, spawn
        self._waiting: dict[str, Any] = {}
        self._sending: str | None = None
        self._busy = self._loading = self._again = self._online = False
        self._person = 0
        self._rest = asyncio.Event()
        self._rest.set()
        self._delay = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._delay.timeout.connect(self._begin)

    # --- who, and whether there is a connection -----------------------------------------------------------------

    def signed_in(self) -> None:
        self._forget()
        self.known = self._known_here()
        self._become("loading")
        self._show()

    def signed_out(self) -> None:
        self._forget()
        self._become("signed_out")

    def _forget(self) -> None:
        """An answer that is under way is for somebody who is gone."""
        self._person += 1
        self.known = None
        self._waiting.clear()
        self._delay.stop()

    def set_online(self, online: bool) -> None:
        self._online = online
        if self.state == "signed_out":
            return
        if not online:
            self._become("offline")
        elif self.state in ("offline", "failed"):
            self._become("loading")

    # --- loading ------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Asks the server. What is known stays on the screen meanwhile."""
        if self.state == "signed_out":
            return
        if self._loading:
            self._again = True
            return
        self._loading = True
        if self.state != "ready":
            self._become("loading")
        self._spawn(self._load(self._person), "load preferences")

    async def _load(self, person: int) -> None:
        try:
            await self._ask(person)
        finally:
            self._loading = False
        if self._again:
            self._again = False
            self.load()

    async def _ask(self, person: int) -> None:
        from ..api import ApiError  # with it come the network libraries

        before = self.known
        try:
            found = await self._load_from()
        except ApiError as error:
            if person == self._person:
                self._fail(error.status, error.message)
            return
        if person != self._person:
            return
        if self.known is before:  # else a save has answered meanwhile, and knows better
            self.known = found
        self._become("ready")
        self._show()

    def _fail(self, status: int, message: str) -> None:
        if status == 0 and not self._online:
            self._become("offline")
        else:
            self._become("failed", message)

    # --- saving -------------------------------------------------------------------------------------------------

    def change(self, field: str, value: Any) -> None:
        """In the form in which it travels. Sent when the person has rested for a moment."""
        if self.known is None:
            return
        if self._sending != field and self.known.value(field) == value:
            self._waiting.pop(field, None)
            return
        self._waiting[field] = value
        self._delay.start()

    def flush(self) -> None:
        """Sends what waits, at once."""
        if self._delay.isActive():
            self._delay.stop()
            self._begin()

    async def finish(self) -> None:
        """The program ends: what was changed a moment ago still gets its chance."""
        self.flush()
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                await self._rest.wait()
        except TimeoutError:
            return

    def _begin(self) -> None:
        if self._waiting and not self._busy:
            self._busy = True
            self._rest.clear()
            self._spawn(self._send(), "save preferences")

    async def _send(self) -> None:
        try:
            while self._waiting:
                field = next(iter(self._waiting))
                self._sending = field
                await self._send_one(field, self._waiting.pop(field))
        finally:
            self._sending, self._busy = None, False
            self._rest.set()

    async def _send_one(self, field: str, value: Any) -> None:
        from ..api import ApiError

        person = self._person
        self.saving.emit()
        try:
            answer = await self._save_to({field: value})
        except ApiError as error:
            if person == self._person:
                self._take_back(field, error)
            return
        if person == self._person:
            self.known = answer
            self._sending = None
            self._show()
            if not self._waiting:
                self.saved.emit()

    def _take_back(self, sent: str, error: ApiError) -> None:
        if error.code == INVALID_REQUEST:
            field, words = refused_field(error.detail, sent)
            self.refused.emit(field, "", words)
        else:
            self.refused.emit(sent, error.message, error.detail)
        self._sending = None
        self._show()
        if error.status == 0:
            self._fail(0, error.message)

    # --- telling ------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """How it stands, for who has just begun to listen."""
        self._show()
        self.state_changed.emit(self.state, "")

    def _become(self, state: State, sentence: str = "") -> None:
        self.state = state
        self.state_changed.emit(state, sentence)

    def _show(self) -> None:
        if self.known is not None:
            changing = frozenset(self._waiting) | ({self._sending} if self._sending else frozenset())
            self.shown.emit(self.known, changing)
