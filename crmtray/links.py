"""`crmtray://notification/ID`: the links that lead from an e-mail to an item of the center.

Anybody can put a link in front of a person, so it can do one thing only: show an item. Whatever is not exactly that
is refused; there is no action, no address and no text in it.
"""

from __future__ import annotations

import re

from .words import say

SCHEME = "crmtray"
_LINK = re.compile(
    r"crmtray://notification/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/?", re.IGNORECASE
)


class BadLink(ValueError):
    """Not a link that we make: `message` for windows, the text for logs and terminals."""

    @property
    def message(self) -> str:
        return say("Ese enlace no lleva a una notificación de crmtray.")


def is_link(text: str) -> bool:
    """Meant for us, be it good or bad."""
    return text[: len(SCHEME) + 1].lower() == f"{SCHEME}:"


def notification_id(link: str) -> str:
    """The id of the item that a link leads to. Raises BadLink."""
    found = _LINK.fullmatch(link)
    if found is None:
        raise BadLink("a link of crmtray looks like crmtray://notification/ID, with the id of a notification")
    return found[1].lower()


def link(id: str) -> str:
    return f"{SCHEME}://notification/{id}"
