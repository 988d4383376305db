"""Which indexes a big CRM should have: found by what they are of, told with their SQL, never made here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import Engine

from crmtray_server.checkup import check
from crmtray_server.config import Settings
from crmtray_server.crm import indexes
from crmtray_server.crm.reference import Dialect
from tests.server.reference_crm import ReferenceCrm

FOLDER = Path(__file__).parents[2] / "packaging" / "crm"
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgresql")


def statements(dialect: Dialect) -> list[str]:
    """Those of the script, on a line each."""
    text = re.sub(r"--[^\n]*", "", (FOLDER / f"indexes-{dialect}.sql").read_text(encoding="utf-8"))
    return [" ".join(one.split()) for one in text.split(";") if one.strip()]


def lacking(engine: Engine) -> dict[str, str]:
    return {wanted.name: state for wanted, state, _ in indexes.lacking(engine)}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_scripts_make_what_the_check_looks_for(dialect: Dialect) -> None:
    assert statements(dialect) == [wanted.sql(dialect) for wanted in indexes.WANTED]


def test_the_sample_has_them_all(sample: Engine) -> None:
    assert lacking(sample) == {}


def test_a_bare_crm_lacks_them_until_the_script_has_run(crm: ReferenceCrm) -> None:
    assert list(lacking(crm.engine)) == [wanted.name for wanted in indexes.WANTED]
    dialect: Dialect = "sqlite" if crm.engine.dialect.name == "sqlite" else "postgresql"
    for statement in statements(dialect):
        if dialect == "sqlite":
            crm.run(statement)
        else:
            with crm.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(statement)
    assert lacking(crm.engine) == {}


def test_an_index_counts_by_what_it_is_of(crm: ReferenceCrm) -> None:
    crm.run("CREATE INDEX conversations_waiting ON conversations (phone_number)")  # the name alone is nothing
    crm.run("CREATE INDEX by_date ON conversations (last_message_time) WHERE last_message_from_customer")
    crm.run("CREATE INDEX planned ON leads (next_follow_up, id) WHERE next_follow_up IS NOT NULL")
    crm.run("CREATE INDEX some_messages ON messages (created_at) WHERE from_customer")  # the sellers' are not in it
    found = lacking(crm.engine)
    assert "conversations_waiting" not in found and "leads_planned" not in found
    assert found["messages_by_time"] == found["conversations_recent"] == "missing"


def test_a_whole_index_is_no_substitute_for_the_few_that_wait(crm: ReferenceCrm) -> None:
    crm.run("CREATE INDEX by_date ON conversations (last_message_time)")
    assert "conversations_recent" not in (found := lacking(crm.engine))
    assert found["conversations_waiting"] == "missing"


def test_what_was_broken_off_is_told_and_does_not_count(postgres_url: str, tmp_path: Path) -> None:
    crm = ReferenceCrm(postgres_url)
    crm.run(
        "CREATE INDEX broken ON conversations (last_message_time) "
        "WHERE status = 'active' AND last_message_from_customer = true AND assigned_seller_id IS NOT NULL"
    )
    assert "conversations_waiting" not in lacking(crm.engine)
    crm.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass")
    assert lacking(crm.engine)["conversations_waiting"] == "invalid"
    sentence = _checked(tmp_path, crm_database_url=postgres_url)
    assert "the index broken is not valid: DROP INDEX CONCURRENTLY broken, then CREATE INDEX CONCURRENTLY" in sentence
    crm.close()


def test_check_names_the_sql_and_is_content_all_the_same(crm: ReferenceCrm, tmp_path: Path) -> None:
    sentence = _checked(tmp_path, crm_database_url=crm.url)
    assert sentence.startswith("ok, but a big CRM is read slowly without these (packaging/crm/indexes-")
    assert "IF NOT EXISTS messages_by_time ON messages (created_at)" in sentence
    assert len(lacking(crm.engine)) == len(indexes.WANTED)  # nothing was made


def test_with_a_mapping_nothing_is_looked_for(crm: ReferenceCrm, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('timezones = "SELECT id AS tenant_id, timezone FROM tenants"', encoding="utf-8")
    sentence = _checked(tmp_path, crm_database_url=crm.url, crm_mapping=str(mapping))
    assert sentence == "ok, not looked for: CRM_MAPPING may read other tables (docs/mapping.md, Speed)"


def _checked(folder: Path, **values: Any) -> str:
    made = Settings(jwt_secret_key=SecretStr("x" * 32), database_url=f"sqlite:///{folder / 'store.db'}", **values)
    return dict(check(made))["crm indexes"]
