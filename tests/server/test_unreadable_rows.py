"""A value of another kind than its column's: its row is left out and named, and the others are read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy.engine import RowMapping

from crmtray_server.crm import rows
from crmtray_server.crm.queries import MappingError, load_mapping
from crmtray_server.crm.rows import Unreadable
from crmtray_server.crm.source import CrmSource
from tests.server.reference_crm import HOUR, NOW, ReferenceCrm, settings

SOMEBODY = UUID("c0ffee00-0000-4000-8000-000000000000")


@pytest.fixture
def crm(crm_url: str) -> Iterator[ReferenceCrm]:
    crm = ReferenceCrm(crm_url)
    crm.people()
    yield crm
    crm.close()


def refuse(error: Unreadable) -> None:
    raise error


def person(**columns: Any) -> RowMapping:
    row = {"user_id": 7, "tenant_id": 1, "name": "Ana", "email": "ana@demo.example", "role": "seller", "active": True}
    return cast(RowMapping, row | columns)


def figures(**columns: Any) -> RowMapping:
    row = {"tenant_id": 1, "seller_id": 7, "seller_name": "Ana", "avg_response_time_minutes": 12.5}
    row |= {"unanswered_conversations": 2, "conversion_rate": 0.25, "leads_generated": 8}
    return cast(RowMapping, row | columns)


@pytest.mark.parametrize("value", [True, 1, 1.0, Decimal(1), "1", "t", "TRUE", " true ", "y", "Yes", "on"])
def test_every_spelling_of_active(value: object) -> None:
    assert rows.user(person(active=value), refuse).active is True


@pytest.mark.parametrize("value", [False, None, 0, Decimal(0), "0", "f", "False", "n", "no", "off", ""])
def test_every_spelling_of_not_active(value: object) -> None:
    assert rows.user(person(active=value), refuse).active is False


@pytest.mark.parametrize(
    ("value", "text"),
    [(7, "7"), ("7", "7"), (7.0, "7"), (Decimal("7"), "7"), ("A-7", "A-7"), (SOMEBODY, str(SOMEBODY))],
)
def test_ids_of_every_kind_are_compared_as_text(value: object, text: str) -> None:
    assert rows.user(person(user_id=value), refuse).user_id == text


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"active": "si"},
            "user 7: active 'si' is not true or false (also 1 or 0, t or f, y or n, yes or no, on or off)",
        ),
        ({"active": 2}, "user 7: active 2 is not true or false"),
        ({"user_id": None}, "a user: user_id None is not an id (text, a UUID or a whole number)"),
        ({"user_id": ""}, "a user: user_id '' is not an id"),
        ({"user_id": True}, "a user: user_id True is not an id"),
        ({"user_id": 7.5}, "a user: user_id 7.5 is not an id"),
        ({"user_id": Decimal("NaN")}, "a user: user_id NaN is not an id"),
        ({"user_id": b"\x01"}, r"a user: user_id b'\x01' is not an id"),
        ({"tenant_id": None}, "user 7: tenant_id None is not an id"),
    ],
)
def test_a_person_that_cannot_be_read(columns: dict[str, Any], says: str) -> None:
    with pytest.raises(Unreadable) as raised:
        rows.user(person(**columns), refuse)
    assert str(raised.value).startswith(says) and str(raised.value).endswith("; the row is left out")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"avg_response_time_minutes": "treinta"}, "'treinta' is not a number of minutes, at most a day's"),
        ({"avg_response_time_minutes": 2400}, "2400 is not a number of minutes"),
        ({"avg_response_time_minutes": -1}, "-1 is not a number of minutes"),
        ({"avg_response_time_minutes": timedelta(minutes=5)}, "0:05:00 is not a number of minutes"),
        ({"avg_response_time_minutes": float("nan")}, "nan is not a number of minutes"),
        ({"conversion_rate": 25}, "25 is not a share from 0 to 1"),
        ({"conversion_rate": "25 %"}, "'25 %' is not a share from 0 to 1"),
        ({"unanswered_conversations": "pocas"}, "'pocas' is not a whole number of 0 or more"),
        ({"leads_generated": 2.5}, "2.5 is not a whole number of 0 or more"),
        ({"leads_generated": True}, "True is not a whole number of 0 or more"),
        ({"leads_generated": "x" * 100}, f"'{'x' * 58}… is not a whole number"),
    ],
)
def test_figures_that_cannot_be_read(columns: dict[str, Any], says: str) -> None:
    with pytest.raises(Unreadable) as raised:
        rows.metrics(figures(**columns), NOW.date())
    assert str(raised.value).startswith(f"seller 7: {next(iter(columns))} {says}")


def test_figures_that_are_not_there_are_none_or_nought() -> None:
    names = ("avg_response_time_minutes", "unanswered_conversations", "conversion_rate", "leads_generated")
    found = rows.metrics(figures(**dict.fromkeys(names)), NOW.date())
    assert [getattr(found, name) for name in names] == [None, 0, None, 0]


LEADS = """
SELECT id AS lead_id, tenant_id, first_name, last_name, phone_number, source, location, status,
       assigned_seller_id AS seller_id, CASE id WHEN 3 THEN 'USD 5' ELSE '10' END AS estimated_value, converted_at,
       CASE id WHEN 2 THEN 'treinta' ELSE '6' END AS message_count, created_at AS last_message_time
FROM leads
"""


@pytest.mark.expects_log("the row is left out")
@pytest.mark.expects_log("the lead is shown without it")
def test_one_bad_row_does_not_stop_the_others(crm: ReferenceCrm, caplog: pytest.LogCaptureFixture) -> None:
    for id in (1, 2, 3):
        crm.lead(id)
    source = CrmSource(crm.engine, settings(), {"lead_candidates": LEADS})
    for _ in range(2):
        found = {lead.id: lead.estimated_value for lead in source.lead_candidates(NOW, 0, 0)}
        assert found == {"1": 10, "3": None}
    assert sorted(record.message for record in caplog.records) == [
        "lead 2: message_count 'treinta' is not a whole number of 0 or more; the row is left out",
        "lead 3: estimated_value 'USD 5' is not a number; the lead is shown without it",
    ]


@pytest.mark.expects_log("is not an id")
def test_rows_of_nobody_are_left_out(crm: ReferenceCrm) -> None:
    """Unassigned ones are nobody's business; one without a tenant is an error of the query."""
    query = """SELECT id AS conversation_id, CASE id WHEN 3 THEN NULL ELSE tenant_id END AS tenant_id, phone_number,
               assigned_seller_id AS seller_id, NULL AS seller_name, last_message_time FROM conversations"""
    crm.conversation(1, NOW)
    crm.conversation(2, NOW, seller=None)
    crm.conversation(3, NOW)
    source = CrmSource(crm.engine, settings(), {"unanswered_conversations": query})
    assert [row.id for row in source.pending_conversations()] == ["1"]


@pytest.mark.expects_log("is not true or false")
def test_a_column_of_another_kind_does_not_fill_the_log(crm: ReferenceCrm, caplog: pytest.LogCaptureFixture) -> None:
    for id in range(100, 150):
        crm.user(id, "Alguien", "seller")
    query = "SELECT id AS user_id, tenant_id, full_name AS name, email, role, 'si' AS active FROM users"
    source = CrmSource(crm.engine, settings(), {"users": query})
    with caplog.at_level(logging.WARNING):
        assert source.users() == source.users() == []
    assert len(caplog.records) == 11
    assert caplog.records[-1].message.endswith("no more rows are named for active: run `crmtray-server check`")


@pytest.mark.expects_log("Answers between two readings cannot be seen")
def test_a_table_of_the_same_name_is_not_the_reference_one(postgres_url: str) -> None:
    """Answers are looked for in `messages`; another CRM's may be anything."""
    crm = ReferenceCrm(postgres_url)
    crm.people()
    crm.run("DROP TABLE messages")
    crm.run("CREATE TABLE messages (conversation_id INTEGER, from_customer TEXT, created_at TIMESTAMPTZ)")
    assert CrmSource(crm.engine, settings()).last_answers(["1"]) is None
    crm.close()


def test_a_date_style_of_the_database_changes_nothing(postgres_url: str) -> None:
    crm = ReferenceCrm(postgres_url)
    crm.people()
    crm.lead(9, next_follow_up=NOW + HOUR)
    crm.run(f"ALTER DATABASE {crm.engine.url.database} SET datestyle TO 'German'")
    crm.engine.dispose()
    [row] = CrmSource(crm.engine, settings()).followups(NOW + 2 * HOUR)
    assert row.at == NOW + HOUR
    crm.close()


@pytest.mark.parametrize("text", ["DELETE FROM users", "-- a note\nUPDATE users SET active = NULL", "users"])
def test_a_mapping_holds_questions_only(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(f'users = """{text}"""', encoding="utf-8")
    with pytest.raises(MappingError, match="users: must be one SELECT statement"):
        load_mapping(path)


@pytest.mark.parametrize(
    "text", ["select 1", "WITH a AS (SELECT 1) SELECT * FROM a", "-- all: of them\n/* * */ (SELECT 1) UNION SELECT 2"]
)
def test_forms_of_a_question(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(f'users = """{text}"""', encoding="utf-8")
    assert load_mapping(path) == {"users": text}


def test_colons_and_percents_in_quotes_are_what_they_are(crm: ReferenceCrm, tmp_path: Path) -> None:
    crm.lead(9, next_follow_up=NOW, notes="50% :pronto")
    crm.lead(10, next_follow_up=NOW, notes="no")
    path = tmp_path / "mapping.toml"
    query = """SELECT id AS lead_id, tenant_id, first_name, last_name, phone_number, status,
               assigned_seller_id AS seller_id, next_follow_up, notes FROM leads /* :until */
               WHERE notes LIKE '%\\% :pronto' ESCAPE '\\' OR notes = ' :until'"""
    path.write_text(f"followups = '''{query}'''", encoding="utf-8")
    source = CrmSource(crm.engine, settings(), load_mapping(path))
    assert [row.lead_id for row in source.followups(NOW)] == ["9"]


def test_a_function_that_is_not_there_is_the_mappings_error(crm: ReferenceCrm) -> None:
    """Not a database that is away: SQLite has one class of error for both."""
    query = "SELECT lima(id) AS user_id, tenant_id, full_name AS name, email, role, active FROM users"
    sentence = CrmSource(crm.engine, settings(), {"users": query}).check_query("users", NOW)
    assert sentence.startswith("The CRM's database refuses the query users (")
    assert sentence.endswith("); correct the query users in CRM_MAPPING.")
