"""A CRM that pushes instead of being read: the reference queries over what the store's mirror keeps of it.

Owns putting the mirror's tables in the place of the CRM's, one tenant at a time: two companies may number their rows
alike, and neither must see the other's. People are this server's accounts; there are no time zones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from sqlalchemy.engine import RowMapping

from ..config import Settings
from ..store import mirror
from ..store.database import Store, StoreUnavailable
from . import reference
from .queries import CrmError, Statement
from .reference import Dialect
from .rows import Conversation, Lead
from .source import CrmSource, Ref

Row = TypeVar("Row", Conversation, Lead)
T = TypeVar("T")

TABLES: Final = {
    # A status that was never told counts as an active one.
    "conversations": "SELECT id, tenant_id, lead_id, assigned_seller_id, phone_number, "
    "COALESCE(status, 'active') AS status, last_message_time, last_message_from_customer "
    "FROM mirror_conversations WHERE tenant_id = :tenant",
    "messages": "SELECT id, conversation_id, from_customer, body, created_at "
    "FROM mirror_messages WHERE tenant_id = :tenant",
    "leads": "SELECT * FROM mirror_leads WHERE tenant_id = :tenant",
    "users": "SELECT user_id AS id, tenant_id, name AS full_name, email, role, active "
    "FROM accounts WHERE tenant_id = :tenant",
    "tenants": "SELECT tenant_id AS id, tenant_id AS timezone FROM accounts WHERE 1 = 0",
}
"""What stands for each table of the CRM, of one tenant."""


class MirrorSource(CrmSource):
    """As CrmSource, of what was pushed. Raises StoreUnavailable where that raises CrmError."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store.engine, settings)
        self._statements = _statements(cast(Dialect, store.engine.dialect.name))
        self._tenants: tuple[str, ...] = ()
        self._differ = True

    def prepare(self, now: datetime) -> None:
        self._tenants = tuple(mirror.ask(self._engine, mirror.tenants))

    def digests(self, name: str, until: datetime | None = None) -> None:
        """Each tenant is read by itself, so there is no one order of buckets."""
        return None

    def talking_leads(self, recent: datetime, min_points: float, area_points: int) -> None:
        return None

    def answers_to(self, pending: Sequence[Conversation]) -> dict[Ref, datetime]:
        return self._by_tenant(super().answers_to, pending)

    def messages_of(self, leads: Sequence[Lead]) -> dict[Ref, list[str]]:
        return self._by_tenant(super().messages_of, leads)

    def _by_tenant(self, question: Callable[[Sequence[Row]], dict[Ref, T]], rows: Sequence[Row]) -> dict[Ref, T]:
        """The answers to a question whose rows do not say of which tenant they are."""
        everyone, found = self._tenants, dict[Ref, T]()
        try:
            for tenant in sorted({row.tenant_id for row in rows}):
                self._tenants = (tenant,)
                found |= question([row for row in rows if row.tenant_id == tenant])
        finally:
            self._tenants = everyone
        return found

    def _run(
        self, statement: Statement, by_ids: Sequence[str] | None, **parameters: Any
    ) -> Generator[RowMapping, None, None]:
        try:
            for tenant in self._tenants:
                yield from super()._run(statement, by_ids, tenant=tenant, **parameters)
        except CrmError as error:
            raise StoreUnavailable(mirror.reason(error.__cause__ or error)) from error


def _statements(dialect: Dialect) -> dict[str, Statement]:
    texts = reference.texts(dialect).items()
    return {name: Statement(name, _mirrored(text), _mirrored(by_ids)) for name, (text, by_ids) in texts}


def _mirrored(text: str) -> str:
    names = "|".join(TABLES)
    return re.sub(
        rf"\b(FROM|JOIN) ({names})\b(?!\.)", lambda found: f"{found[1]} ({TABLES[found[2]]}) AS {found[2]}", text
    )
