"""Who an e-mail goes to, as things are at the moment it goes out: still here, still wanting it, still at this address.

Owns the second look at the preferences, by which an e-mail was planned some time before. Decides nothing about items.
"""

from __future__ import annotations

from . import mail
from .directory import Directory
from .readers import Readers
from .store.feed import Scope


class Undecided(Exception):
    """Whether an e-mail is still wanted cannot be said now; ask again later."""


class Addressees:
    """What the preferences and the list of users say of one person."""

    def __init__(self, readers: Readers, directory: Directory) -> None:
        self._readers, self._directory = readers, directory

    async def unwanted(self, scope: Scope, address: str) -> str | None:
        """Why no e-mail should go to this person at this address, or None. Raises Undecided."""
        standing = await self._directory.standing(scope)
        if standing in ("left", "absent"):
            return "the user is not active"
        if standing == "unreadable":
            raise Undecided("the CRM's users cannot be read")
        reader = (await self._readers.load([scope]))[scope]
        if reader.email is None:
            return "e-mail is switched off"
        return None if reader.email == address else "the address was changed"

    async def reader(self, scope: Scope) -> mail.Reader:
        reader = (await self._readers.load([scope]))[scope]
        return mail.Reader(reader.locale, reader.zone)
