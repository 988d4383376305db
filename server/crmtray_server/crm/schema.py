"""The reference CRM's tables, as the sample CRM has them and as detection reads them by default.

Owns names, types and indexes of a database that is not ours: only the sample CRM creates these tables. The ids here
are whole numbers; a real CRM may use UUIDs, so nothing outside may count on that.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, Numeric, String, Table, Text

from ..store.tables import UtcTime
from . import indexes

metadata = MetaData()

ROLES: Final = ("ceo", "seller", "secretary", "admin")
SOURCES: Final = ("META_ADS", "WEBSITE", "REFERRAL", "ORGANIC")
STAGES: Final = ("new", "contacted", "interested", "negotiation", "converted", "lost")
OPEN_STAGES: Final = ("new", "contacted", "interested", "negotiation")

tenants = Table(
    "tenants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("full_name", String(200), nullable=False),
    Column("email", String(254), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("active", Boolean, nullable=False, server_default=sa.true()),
)
Index("users_of_tenant", users.c.tenant_id, users.c.role)

leads = Table(
    "leads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("first_name", String(100), nullable=False),
    Column("last_name", String(100), nullable=False),
    Column("phone_number", String(32), nullable=False),
    Column("source", String(20), nullable=False),
    Column("location", String(100)),
    Column("status", String(20), nullable=False),
    Column("assigned_seller_id", ForeignKey("users.id")),
    Column("estimated_value", Numeric(12, 2, asdecimal=False)),
    Column("next_follow_up", UtcTime),
    Column("notes", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("converted_at", UtcTime),
    Column("last_contacted_at", UtcTime),
)
Index("leads_of_seller", leads.c.assigned_seller_id, leads.c.status)
Index("leads_newest", leads.c.tenant_id, leads.c.created_at)
conversations = Table(
    "conversations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("lead_id", ForeignKey("leads.id"), nullable=False),
    Column("assigned_seller_id", ForeignKey("users.id")),
    Column("phone_number", String(32), nullable=False),
    Column("status", String(20), nullable=False),
    Column("last_message_time", UtcTime),
    Column("last_message_from_customer", Boolean, nullable=False),
)
Index("conversations_of_seller", conversations.c.assigned_seller_id, conversations.c.status)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("from_customer", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

# The same that the owner of a CRM is advised to have. In plain words: SQLite takes a partial index only for a query
# with the very same terms, and SQLAlchemy would write `= 1` for the flag.
for _wanted in indexes.WANTED:
    _table = metadata.tables[_wanted.table]
    _where = sa.text(_wanted.where) if _wanted.where else None
    Index(
        _wanted.name,
        *(_table.c[column] for column in _wanted.columns),
        sqlite_where=_where,
        postgresql_where=_where,
        postgresql_include=list(_wanted.include),
    )
