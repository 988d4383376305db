"""What actions change in the CRM: the right row and column, only within the tenant, only what is one's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from crmtray_server.crm.engine import crm_engine
from crmtray_server.crm.writer import Actor, CrmUnavailable, CrmWriter, TargetGone

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SELLER, MANAGER = Actor("1", "7"), Actor("1", None)
UUID = "6f1c2f1e-8a53-4c55-9d0c-0d6f3a0f9a11"

INTEGER_IDS = """
CREATE TABLE conversations (id INTEGER PRIMARY KEY, tenant_id INTEGER, assigned_seller_id INTEGER);
CREATE TABLE leads (id INTEGER PRIMARY KEY, tenant_id INTEGER, assigned_seller_id INTEGER,
                    next_follow_up TIMESTAMP, last_contacted_at TIMESTAMP);
INSERT INTO conversations VALUES (5, 1, 7), (6, 1, 8), (7, 2, 7);
INSERT INTO leads VALUES (5, 1, 7, '2026-03-02 15:00:00', NULL), (6, 1, 8, NULL, NULL);
"""


@pytest.fixture
def engine(crm_url: str) -> Iterator[Engine]:
    engine = crm_engine(crm_url)
    run(engine, INTEGER_IDS)
    yield engine
    engine.dispose()


def run(engine: Engine, script: str) -> None:
    with engine.begin() as connection:
        for statement in filter(str.strip, script.split(";")):
            connection.exec_driver_sql(statement)


def value(engine: Engine, query: str) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text(query)).scalar()


def test_reassign_changes_the_conversation_and_may_be_repeated(engine: Engine) -> None:
    writer = CrmWriter(engine)
    for _ in range(2):
        writer.reassign_conversation(SELLER, "5", "8")
    assert value(engine, "SELECT assigned_seller_id FROM conversations WHERE id = 5") == 8


@pytest.mark.parametrize("conversation", ["6", "7", "404", "not a number"])
def test_a_seller_cannot_touch_what_is_not_his(engine: Engine, conversation: str) -> None:
    with pytest.raises(TargetGone):
        CrmWriter(engine).reassign_conversation(SELLER, conversation, "9")
    assert value(engine, "SELECT assigned_seller_id FROM conversations WHERE id = 6") == 8
    assert value(engine, "SELECT assigned_seller_id FROM conversations WHERE id = 7") == 7


def test_a_manager_reaches_the_whole_tenant_and_no_other(engine: Engine) -> None:
    CrmWriter(engine).reassign_conversation(MANAGER, "6", "7")
    assert value(engine, "SELECT assigned_seller_id FROM conversations WHERE id = 6") == 7
    with pytest.raises(TargetGone):
        CrmWriter(engine).reassign_conversation(MANAGER, "7", "8")


def test_contacted_ends_the_follow_up_it_was_about(engine: Engine) -> None:
    CrmWriter(engine).mark_contacted(SELLER, "5", NOW, NOW + timedelta(hours=3))
    assert str(value(engine, "SELECT last_contacted_at FROM leads WHERE id = 5")).startswith("2026-03-02 12:00:00")
    assert value(engine, "SELECT next_follow_up FROM leads WHERE id = 5") is None


def test_contacted_keeps_a_follow_up_that_was_set_meanwhile(engine: Engine) -> None:
    CrmWriter(engine).mark_contacted(SELLER, "5", NOW, NOW + timedelta(hours=1))
    assert str(value(engine, "SELECT next_follow_up FROM leads WHERE id = 5")).startswith("2026-03-02 15:00:00")


def test_a_follow_up_is_moved(engine: Engine) -> None:
    CrmWriter(engine).set_follow_up(SELLER, "5", NOW + timedelta(days=1))
    assert str(value(engine, "SELECT next_follow_up FROM leads WHERE id = 5")).startswith("2026-03-03 12:00:00")


def test_ids_may_be_uuids(engine: Engine) -> None:
    kind = "UUID" if engine.dialect.name == "postgresql" else "TEXT"
    run(engine, "DROP TABLE conversations")
    run(engine, f"CREATE TABLE conversations (id {kind}, tenant_id {kind}, assigned_seller_id {kind})")
    run(engine, f"INSERT INTO conversations VALUES ('{UUID}', '{UUID}', NULL)")
    CrmWriter(engine).reassign_conversation(Actor(UUID, None), UUID, UUID)
    assert str(value(engine, "SELECT assigned_seller_id FROM conversations")) == UUID


def test_a_crm_without_the_column_is_named(engine: Engine) -> None:
    run(engine, "DROP TABLE leads")
    run(engine, "CREATE TABLE leads (id INTEGER, tenant_id INTEGER, assigned_seller_id INTEGER)")
    with pytest.raises(CrmUnavailable, match="last_contacted_at"):
        CrmWriter(engine).mark_contacted(MANAGER, "5", NOW, None)
