"""The sample CRM's first state, and how its database is opened."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from crmtray_server.crm import demo, schema
from crmtray_server.crm.engine import CrmDatabaseError, crm_engine, write
from tests.server.sample_crm import (
    ANA,
    HOUR,
    NOW,
    conversations,
    count,
    disagreements,
    hot,
    leads,
    messages,
    overdue,
    overloaded,
    reminders,
    users,
)

# The first state.


@pytest.mark.parametrize(
    ("wanted_conversations", "wanted_leads", "sellers"),
    [(60, 120, 5), (90, 40, 3), (0, 7, 1), (0, 0, 2), (5, 5, 1), (1200, 1500, 40)],
)
def test_sample_has_exactly_as_much_as_asked_for(
    sqlite_url: str, wanted_conversations: int, wanted_leads: int, sellers: int
) -> None:
    summary = demo.create(sqlite_url, wanted_conversations, wanted_leads, sellers, now=NOW)
    engine = crm_engine(sqlite_url, read_only=True)
    with engine.connect() as connection:
        found = (
            count(connection, conversations),
            count(connection, leads),
            count(connection, users, users.c.role == "seller"),
        )
        assert found == (wanted_conversations, wanted_leads, sellers)
        assert (summary.conversations, summary.leads) == found[:2]
        assert summary.messages == count(connection, messages)
        assert disagreements(connection) == []
    engine.dispose()


def test_people_can_sign_in_by_role(sample: Engine) -> None:
    with sample.connect() as connection:
        people = connection.execute(sa.select(users)).all()
    assert Counter(person.role for person in people) == {"seller": 5, "secretary": 1, "ceo": 1, "admin": 1}
    assert people[0].email == "ana.lopez@demo.example"
    assert all(re.fullmatch(r"[a-z.]+@demo\.example", person.email) for person in people)


def test_emails_stay_unique_with_very_many_sellers(sqlite_url: str) -> None:
    summary = demo.create(sqlite_url, 0, 1, sellers=2000, now=NOW)
    assert len({person.email for person in summary.people}) == 2003


def test_leads_are_of_every_kind(sample: Engine) -> None:
    with sample.connect() as connection:
        rows = connection.execute(sa.select(leads)).all()
    assert {row.status for row in rows} == set(schema.STAGES)
    assert {row.source for row in rows} == set(schema.SOURCES)
    assert all(re.fullmatch(r"\+5491100\d{6}", row.phone_number) for row in rows)
    follow_ups = [row.next_follow_up for row in rows if row.next_follow_up]
    assert min(follow_ups) < NOW < max(follow_ups)
    assert all(row.created_at <= NOW for row in rows)
    assert all((row.converted_at is not None) == (row.status == "converted") for row in rows)


def test_a_dialogue_is_question_and_answer_in_the_order_of_time(sample: Engine) -> None:
    with sample.connect() as connection:
        assert disagreements(connection) == []
        rows = connection.execute(sa.select(messages).order_by(messages.c.conversation_id, messages.c.id)).all()
    assert all(row.created_at <= NOW for row in rows)
    for before, after in itertools.pairwise(rows):
        if before.conversation_id == after.conversation_id:
            assert before.created_at < after.created_at
            assert before.from_customer != after.from_customer
    assert not [row.body for row in rows if "{" in row.body]


def test_first_seller_has_something_of_everything(sample: Engine) -> None:
    mine = conversations.c.assigned_seller_id == ANA
    with sample.connect() as connection:
        waiting = overdue(connection, NOW, mine)
        assert len(waiting) >= 2
        assert overdue(connection, NOW + timedelta(seconds=19), mine) == waiting
        assert len(overdue(connection, NOW + timedelta(seconds=21), mine)) == len(waiting) + 1
        assert hot(connection, NOW, leads.c.assigned_seller_id == ANA)
        assert len(reminders(connection, NOW, leads.c.assigned_seller_id == ANA)) >= 2


def test_ceo_and_secretary_have_something_too(sample: Engine) -> None:
    with sample.connect() as connection:
        assert overdue(connection, NOW, after=4 * HOUR)
        assert hot(connection, NOW, leads.c.assigned_seller_id.is_(None))
        assert overloaded(connection, NOW) == {("slow", 5)}


def test_same_seed_gives_the_same_sample(tmp_path: Path) -> None:
    def sample(name: str, seed: int) -> list[Any]:
        url = f"sqlite:///{tmp_path / name}"
        demo.create(url, seed=seed, now=NOW)
        engine = crm_engine(url, read_only=True)
        with engine.connect() as connection:
            tables = (users, leads, conversations, messages)
            rows = [connection.execute(sa.select(table).order_by(table.c.id)).all() for table in tables]
        engine.dispose()
        return rows

    assert sample("one.db", 7) == sample("two.db", 7)
    assert sample("three.db", 8) != sample("four.db", 7)


def test_a_database_that_holds_a_crm_is_left_alone(crm_url: str) -> None:
    demo.create(crm_url, conversations=3, leads=3, sellers=1, now=NOW)
    with pytest.raises(CrmDatabaseError, match="already holds a CRM"):
        demo.create(crm_url)
    engine = crm_engine(crm_url, read_only=True)
    with engine.connect() as connection:
        assert count(connection, leads) == 3
    engine.dispose()


def test_somebody_elses_tables_are_left_alone(crm_url: str) -> None:
    engine = crm_engine(crm_url)
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT)")
    with pytest.raises(CrmDatabaseError, match="table users"):
        demo.create(crm_url)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["users"]
    engine.dispose()


def test_a_row_that_is_added_later_gets_the_next_id(sample: Engine) -> None:
    with write(sample) as connection:
        tenant = {"name": "Otra empresa", "timezone": "UTC"}
        assert connection.execute(schema.tenants.insert().values(tenant)).inserted_primary_key == (2,)


@pytest.mark.parametrize("numbers", [(-1, 1, 1), (1, 0, 1), (0, -1, 1), (1, 1, 0)])
def test_impossible_numbers_are_refused(sqlite_url: str, numbers: tuple[int, int, int]) -> None:
    with pytest.raises(CrmDatabaseError, match="at least 1 seller"):
        demo.create(sqlite_url, *numbers)


# The database.


@pytest.mark.parametrize("url", ["mysql://host/crm", "sqlite://", "sqlite:///:memory:", "crm.db", ""])
def test_other_addresses_are_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(CrmDatabaseError, match=r"must be sqlite:///path/to/file or postgresql://"):
        crm_engine(url)


def test_reading_a_file_that_is_not_there_says_what_to_do(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(CrmDatabaseError, match=r"does not exist.*demo-crm"):
        crm_engine(sqlite_url, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_database_server_that_is_away_is_one_sentence_without_the_password() -> None:
    with pytest.raises(CrmDatabaseError) as caught:
        demo.create("postgresql://crm:secret-word@127.0.0.1:1/crm")
    assert "127.0.0.1" in str(caught.value)
    assert "secret-word" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear customer, " * 100, encoding="utf-8")
    with pytest.raises(CrmDatabaseError, match="not a database"):
        demo.create(f"sqlite:///{path}")


def test_read_only_cannot_write(crm_url: str) -> None:
    demo.create(crm_url, conversations=0, leads=1, sellers=1, now=NOW)
    engine = crm_engine(crm_url, read_only=True)
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"(?i)read-?only"):
        connection.execute(leads.delete())
    engine.dispose()


def test_readers_and_the_writer_do_not_wait_for_each_other(sample: Engine, crm_url: str) -> None:
    reader = crm_engine(crm_url, read_only=True)
    with reader.connect() as reading:
        rows = reading.execute(sa.select(leads.c.id))
        with write(sample) as writing:
            writing.execute(leads.update().values(notes="just written"))
            assert count(reading, leads, leads.c.notes == "just written") == 0
        assert len(rows.all()) == 120
    reader.dispose()


def test_a_crms_own_file_keeps_its_journal_mode(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE users (id INTEGER PRIMARY KEY)")
    engine = crm_engine(f"sqlite:///{path}")
    with write(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    engine.dispose()


def test_times_written_by_plain_sql_are_read_as_utc(sqlite_sample: Engine) -> None:
    with write(sqlite_sample) as connection:
        connection.exec_driver_sql(
            "UPDATE conversations SET last_message_time = datetime('now', '-2 hours') WHERE id = 1"
        )
    with sqlite_sample.connect() as connection:
        query = sa.select(conversations.c.last_message_time).where(conversations.c.id == 1)
        at = connection.scalars(query).one()
        assert at is not None
        assert abs(datetime.now(UTC) - 2 * HOUR - at) < timedelta(minutes=1)
        assert overdue(connection, datetime.now(UTC), conversations.c.id == 1)


def test_the_detection_indexes_serve_plain_queries(sqlite_sample: Engine) -> None:
    waiting = (
        "SELECT id FROM conversations WHERE status = 'active' AND last_message_from_customer "
        "AND assigned_seller_id IS NOT NULL AND last_message_time < '2026-11-24 14:00:00'"
    )
    reminded = (
        "SELECT id FROM leads WHERE next_follow_up IS NOT NULL AND status IN ('interested', 'negotiation') "
        "AND assigned_seller_id IS NOT NULL AND next_follow_up <= '2026-11-25 15:00:00'"
    )
    with sqlite_sample.connect() as connection:
        plans = [str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()) for query in (waiting, reminded)]
    assert "conversations_waiting" in plans[0]
    assert "leads_planned" in plans[1]
