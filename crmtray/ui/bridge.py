"""From the client below to Qt: each thing a session tells becomes a signal. The only crossing.

Owns no state and decides nothing. The connection state travels as its plain value, so that what only paints it does
not have to import the network libraries.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from ..protocol import Json, Notification

if TYPE_CHECKING:
    from ..session import ConnectionState


class Bridge(QObject):
    """The signals. All are emitted on the loop's thread, which is Qt's."""

    changed = Signal(object)
    """A frozenset of ids; empty: everything may have changed."""
    arrived = Signal(object, bool)
    """A list of notifications; whether they are the catch-up after an absence."""
    connected = Signal(str, str)
    """`real_time`, `polling` or `offline`, and a sentence."""
    logged_out = Signal(str)
    was_refused = Signal(object, str)
    """The notification's id or None, and a sentence."""
    performed = Signal(str, str, object)
    """The notification's id, the action's name, and what the server made of it."""


class SessionListener:
    """What the session is given: a Listener whose every method emits a signal of the bridge."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def changed(self, ids: Collection[str]) -> None:
        self._bridge.changed.emit(frozenset(ids))

    def arrived(self, notifications: Sequence[Notification], catching_up: bool) -> None:
        self._bridge.arrived.emit(list(notifications), catching_up)

    def connection(self, state: ConnectionState, detail: str) -> None:
        self._bridge.connected.emit(state.value, detail)

    def signed_out(self, message: str) -> None:
        self._bridge.logged_out.emit(message)

    def refused(self, notification_id: str | None, message: str) -> None:
        self._bridge.was_refused.emit(notification_id, message)

    def performed(self, notification_id: str, action: str, result: Json) -> None:
        self._bridge.performed.emit(notification_id, action, result)
