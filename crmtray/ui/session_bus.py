"""A connection to the session's D-Bus (Linux): made when it is first needed, and again after it died.

Owns the connection and the signals asked for. It knows no service. Every call has a time limit: on a bus that died an
answer never comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

TIME_LIMIT = 5.0
BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"


T = TypeVar("T")


class BusError(Exception):
    """No bus, nobody of that name on it, no answer in time, or an answer that is an error."""


class SessionBus:
    def __init__(self, rules: Sequence[str], told: Callable[[Message], None], *, limit: float = TIME_LIMIT) -> None:
        """`rules`: which signals to get; each that comes is `told`."""
        self._rules, self._told, self._limit = rules, told, limit
        self._bus: MessageBus | None = None
        self._connecting = asyncio.Lock()

    async def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
        *,
        start: bool = True,
    ) -> list[Any]:
        """`start` False: a service that does not run is not started for this. Raises BusError."""
        # Imported here: it costs 40 ms, and the first call comes long after the tray icon.
        from dbus_fast import Message, MessageFlag

        flags = MessageFlag.NONE if start else MessageFlag.NO_AUTOSTART
        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
            flags=flags,
        )
        return await self._within(f"{interface}.{member}", self._answer(message))

    async def property(self, destination: str, path: str, interface: str, name: str) -> Any:
        [value] = await self.call(destination, path, PROPERTIES, "Get", "ss", [interface, name], start=False)
        return value.value

    async def listen(self) -> None:
        """Connects, so that signals come before anything is called. Raises BusError."""
        await self._within("the session bus", self._connected())

    def close(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None and bus.connected:
            bus.disconnect()

    # --- inside -------------------------------------------------------------------------------------------------

    async def _within(self, what: str, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._limit):
                return await work
        except BusError:
            raise
        except TimeoutError:
            self.close()
            raise BusError(f"{what}: no answer in {self._limit:g} s") from None
        except Exception as error:  # the library passes on whatever its socket and its parser raise
            self.close()
            raise BusError(f"{what}: {error!r}") from error

    async def _answer(self, message: Message) -> list[Any]:
        from dbus_fast import MessageType

        reply = await (await self._connected()).call(message)
        if reply is None:
            raise BusError(f"{message.member}: no answer")
        if reply.message_type is MessageType.ERROR:
            raise BusError(f"{message.interface}.{message.member}: {reply.error_name}")
        return list(reply.body)

    async def _connected(self) -> MessageBus:
        from dbus_fast.aio import MessageBus

        async with self._connecting:
            if self._bus is None or not self._bus.connected:
                bus = await MessageBus().connect()
                bus.add_message_handler(self._heard)
                for rule in self._rules:
                    await _ask_for(bus, rule)
                self._bus = bus
        return self._bus

    def _heard(self, message: Message) -> None:
        from dbus_fast import MessageType

        if message.message_type is MessageType.SIGNAL:
            self._told(message)


async def _ask_for(bus: MessageBus, rule: str) -> None:
    from dbus_fast import Message

    await bus.call(
        Message(destination=BUS, path=BUS_PATH, interface=BUS, member="AddMatch", signature="s", body=[rule])
    )


def owner_rule(name: str) -> str:
    """The signal of a name that somebody takes, or leaves."""
    return f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{name}'"
