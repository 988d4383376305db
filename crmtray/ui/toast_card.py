"""What a toast says and offers, whoever draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Urgency = Literal["low", "normal", "critical"]


@dataclass(frozen=True, slots=True)
class ToastButton:
    label: str
    pressed: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Card:
    """`key` names it for taking it back. Plain text throughout."""

    key: str
    type: str
    title: str
    body: str
    buttons: tuple[ToastButton, ...]
    clicked: Callable[[], None]
    urgency: Urgency
    seconds: float


class Channel(Protocol):
    """Something that can put a card on the screen."""

    async def show(self, card: Card) -> bool:
        """Whether it is on the screen now."""

    async def withdraw(self, key: str) -> None:
        """Takes it off when it is still there."""

    async def close(self) -> None: ...
