"""What a button orders in the CRM, and how that can fail: the one interface that the ways of changing a CRM share.

Owns the order's shape. `crm/writer` carries it out by SQL, `crm/webhook` hands it to the CRM.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crmtray.protocol import Json, Notification, User


class TargetGone(Exception):
    """No such row in this tenant, or it is no longer assigned to the one who acts."""


class CrmForbids(Exception):
    """The CRM does not let this person do this."""


class CrmRefuses(Exception):
    """The CRM does not carry this order out, now or later. `sentence` is what it said about it, or empty."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence


class CrmUnavailable(Exception):
    """The CRM did not take the change; nothing was changed, as far as is known. One sentence says why.

    `permanent`: the same order once more fails as well, before an administrator changes something.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Order:
    """One press of a button, checked: who wants what done to which row. `params` are resolved, times as text."""

    id: str
    action: str
    at: datetime
    user: User
    owner: str | None
    """Set for those who may only touch what is assigned to them."""
    notification: Notification
    target: Json
    params: Json


class Crm(Protocol):
    """A way of changing the CRM. The same order may come again, with the same id, after its answer was lost."""

    async def apply(self, order: Order) -> None:
        """Raises TargetGone, CrmForbids, CrmRefuses or CrmUnavailable."""
