"""What a toast says and offers, whoever draws it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from .sounds import Sound

Urgency = Literal["low", "normal", "critical"]


@dataclass(frozen=True, slots=True)
class ToastButton:
    label: str
    pressed: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Card:
    """`key` names it: another card with this key takes its place. Plain text throughout."""

    key: str
    type: str
    title: str
    body: str
    buttons: tuple[ToastButton, ...]
    clicked: Callable[[], None]
    urgency: Urgency
    seconds: float | None
    """None: until it is closed, or taken back."""
    sound: Sound | None = None
    click_label: str = ""
    """What a click on the card itself does, for services that offer it in a menu."""


class Channel(Protocol):
    """Something that can put a card on the screen."""

    closed: Callable[[str], None]
    """Called with the key of a card that has gone by itself, or by the person."""
    lost: Callable[[Collection[str]], None]
    """Called with the keys of cards that are not on the screen any more through no act of anybody."""

    async def show(self, card: Card) -> bool:
        """Whether it is on the screen now."""

    async def withdraw(self, key: str) -> None:
        """Takes it off when it is still there."""

    async def close(self) -> None: ...


def nobody_listens(told: object) -> None:
    """What a channel calls until somebody listens."""
