"""One tray app per person and profile: a second start hands over what it was asked for, and the first does it.

Owns the local socket between the two and the message on it. Only this account can open the socket, and all that can be
asked is to show the center or one item. Who may use the cache is decided by its lock, not here: `listen` is called by
whoever holds that, so a socket that a crash left behind can be taken away without looking.
"""

from __future__ import annotations

import json
import logging
import struct
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QObject, QTimer, Signal

from ..paths import instance_socket

if TYPE_CHECKING:
    # At run time where it is needed: a start with nobody before it shows its icon sooner.
    from PySide6.QtNetwork import QLocalSocket

log = logging.getLogger(__name__)

LIMIT_MS = 2000
MOST_BYTES = 1024
TAKEN = b"\x06"
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Request:
    """What a start is asked for: nothing visible, the center, or an item of it."""

    show: bool = True
    notification: str | None = None


def hand_over(profile: str, request: Request) -> bool:
    """True: a running tray app has taken it. For the time before there is a loop: it waits, for a moment."""
    name = instance_socket(profile)
    if sys.platform != "win32" and not Path(name).exists():
        return False
    from PySide6.QtNetwork import QLocalSocket

    socket = QLocalSocket()
    socket.connectToServer(name)
    if not socket.waitForConnected(LIMIT_MS):
        return False
    try:
        socket.write(QByteArray(framed(request)))
        return socket.waitForBytesWritten(LIMIT_MS) and _taken(socket)
    finally:
        socket.abort()


def _taken(socket: QLocalSocket) -> bool:
    """One that hangs has not taken it: then the start says so, instead of ending as if all were well."""
    return socket.waitForReadyRead(LIMIT_MS) and bytes(socket.readAll().data()) == TAKEN


def framed(request: Request) -> bytes:
    body = json.dumps({"show": request.show, "notification": request.notification}).encode()
    return _LENGTH.pack(len(body)) + body


class Instance(QObject):
    """The first one's ear."""

    asked = Signal(object)
    """A Request."""

    def __init__(self, profile: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        from PySide6.QtNetwork import QLocalServer

        self._name, self._remove = instance_socket(profile), QLocalServer.removeServer
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._accept)
        self._callers: set[_Caller] = set()

    def listen(self) -> bool:
        """Call it with the cache's lock held: whatever socket is there belongs to nobody."""
        self._remove(self._name)
        if not self._server.listen(self._name):
            log.warning("a second start cannot be taken in: %s", self._server.errorString())
            return False
        return True

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            caller = _Caller(socket, self.asked.emit)
            self._callers.add(caller)
            socket.disconnected.connect(lambda gone=caller: self._callers.discard(gone))
            caller.read()


class _Caller(QObject):
    """One connection, until its message is whole, wrong or late."""

    def __init__(self, socket: QLocalSocket, tell: Callable[[Request], None]) -> None:
        super().__init__(socket)
        self._socket, self._tell, self._received = socket, tell, b""
        socket.readyRead.connect(self.read)
        socket.disconnected.connect(socket.deleteLater)
        QTimer.singleShot(LIMIT_MS, self, socket.abort)

    def read(self) -> None:
        self._received += bytes(self._socket.read(MOST_BYTES).data())
        if len(self._received) < _LENGTH.size:
            return
        (length,) = _LENGTH.unpack_from(self._received)
        if length + _LENGTH.size > MOST_BYTES:
            self._socket.abort()
        elif len(self._received) >= _LENGTH.size + length:
            self._take(self._received[_LENGTH.size :][:length])

    def _take(self, body: bytes) -> None:
        request = understood(body)
        if request is None:
            self._socket.abort()
            return
        self._socket.readyRead.disconnect(self.read)
        self._socket.write(QByteArray(TAKEN))
        self._socket.disconnectFromServer()
        self._tell(request)


def understood(body: bytes) -> Request | None:
    """None for what is not a request of ours."""
    try:
        said = json.loads(body)
        show, id = said["show"], said["notification"]
        if not isinstance(show, bool):
            return None
        return Request(show, None if id is None else str(uuid.UUID(id)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
