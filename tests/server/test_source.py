"""Reading a CRM that is not ours: forms of times and ids, the CRM's own queries, and what is said when it fails."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from crmtray_server.crm.engine import crm_engine, write
from crmtray_server.crm.queries import CrmError, MappingError, load_mapping
from crmtray_server.crm.rows import parse_moment
from crmtray_server.crm.source import CrmSource
from tests.server.reference_crm import HOUR, MINUTE, NOW, ReferenceCrm, settings


@pytest.fixture(params=["sqlite", "postgres"])
def crm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReferenceCrm]:
    sqlite = request.param == "sqlite"
    crm = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}" if sqlite else request.getfixturevalue("postgres_url"))
    crm.people()
    yield crm
    crm.close()


@pytest.fixture
def sqlite_crm(tmp_path: Path) -> Iterator[ReferenceCrm]:
    crm = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}")
    crm.people()
    yield crm
    crm.close()


def source_of(crm: ReferenceCrm, mapping: dict[str, str] | None = None, **values: Any) -> CrmSource:
    return CrmSource(crm.engine, settings(**values), mapping)


# --- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-27 13:00:00",
        "2026-02-27T13:00:00",
        "2026-02-27 13:00:00.000000",
        "2026-02-27T13:00:00.000Z",
        "2026-02-27 13:00:00+00",
        "2026-02-27T10:00:00-03:00",
        " 2026-02-27 13:00 ",
        datetime(2026, 2, 27, 13),
        datetime(2026, 2, 27, 13, tzinfo=UTC),
    ],
)
def test_times_are_read_in_every_form_and_are_utc(value: object) -> None:
    assert parse_moment(value) == NOW


@pytest.mark.parametrize(
    "value", ["mañana", "27/02/2026 13:00", "", 1772197200, b"2026-02-27", "0001-01-01T00:00+14:00"]
)
def test_what_is_not_a_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        parse_moment(value)


@pytest.mark.parametrize(
    "text", ["2026-02-27 11:00:00", "2026-02-27T11:00:00", "2026-02-27T11:00:00.5Z", "2026-02-27 08:00:00-03:00"]
)
def test_all_queries_understand_the_time_forms_of_sqlite(sqlite_crm: ReferenceCrm, text: str) -> None:
    sqlite_crm.lead(9, next_follow_up=text)
    sqlite_crm.lead(10, next_follow_up="2026-02-27T20:00:00-03:00")  # 23:00 in UTC: by its letters it would be before
    for number in range(6):
        sqlite_crm.conversation(number, text, lead_id=9)
        for id, customer in ((1, True), (2, False)):
            at = text.replace("11:00", f"1{id}:00").replace("08:00", f"0{id + 7}:00")
            sqlite_crm.insert(
                "messages", id=number * 10 + id, conversation_id=number, from_customer=customer, body="", created_at=at
            )
    source = source_of(sqlite_crm)
    eleven = NOW - 2 * HOUR
    pending = list(source.pending_conversations())
    assert {row.last_message_time and row.last_message_time.replace(microsecond=0) for row in pending} == {eleven}
    assert [row.lead_id for row in source.followups(NOW)] == ["9"]
    metrics = {row.seller_id: row for row in source.seller_metrics(NOW, HOUR, source.zones())}
    assert metrics["7"].unanswered_conversations == 6
    assert metrics["7"].avg_response_time_minutes == pytest.approx(60, abs=0.01)
    answers = source.last_answers(["0"])
    assert answers is not None and abs(answers["0"] - NOW.replace(hour=12)) < timedelta(seconds=1)


@pytest.mark.expects_log("is not a time; the row is left out")
def test_an_unreadable_time_leaves_out_its_row_and_warns_once(
    sqlite_crm: ReferenceCrm, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_crm.lead(9, next_follow_up="27/02/2026 11:00")
    sqlite_crm.lead(10, next_follow_up="2026-02-27 11:00:00")
    source = source_of(sqlite_crm)
    with caplog.at_level(logging.WARNING):
        first = {row.lead_id: row.at for row in source.followups(NOW)}
        again = {row.lead_id: row.at for row in source.followups(NOW)}
    assert first == again == {"9": None, "10": NOW - 2 * HOUR}
    assert [record.message for record in caplog.records] == [
        "lead 9: next_follow_up '27/02/2026 11:00' is not a time; the row is left out"
    ]


@pytest.mark.expects_log("'infinity' is not a time")
def test_times_that_only_postgresql_knows_spoil_their_own_row_alone(postgres_url: str) -> None:
    crm = ReferenceCrm(postgres_url)
    crm.people()
    crm.run("INSERT INTO conversations VALUES (1, 1, 9, 7, '+1', 'active', 'infinity', TRUE)")
    crm.run("INSERT INTO messages VALUES (1, 1, FALSE, 'Hola', 'infinity')")
    crm.conversation(2, NOW, lead_id=9)
    source = source_of(crm)
    assert [row.last_message_time for row in source.pending_conversations()] == [None, NOW]
    assert source.last_answers(["1", "2"]) == {}
    metrics = {row.seller_id: row.unanswered_conversations for row in source.seller_metrics(NOW, timedelta(), {})}
    assert metrics == {"2": 0, "3": 0, "7": 1, "8": 0}
    crm.close()


def test_names_are_one_line_and_notes_are_not_endless(sqlite_crm: ReferenceCrm) -> None:
    name = "Ana\n María"
    sqlite_crm.lead(9, first_name=name, last_name=None, next_follow_up=NOW, notes="x" * 5000)
    sqlite_crm.lead(10, first_name="", last_name=" ", phone_number=None, next_follow_up=NOW, notes=" ")
    first, second = source_of(sqlite_crm).followups(NOW)
    assert (first.lead_name, len(first.notes or ""), second.lead_name, second.notes) == (
        "Ana María",
        2000,
        "Lead 10",
        None,
    )


def test_a_tenant_without_a_time_zone_has_utc_days(crm: ReferenceCrm) -> None:
    crm.user(20, "Sin Zona", "seller", tenant=2)
    source = source_of(crm)
    late = NOW.replace(hour=1)  # still yesterday in Buenos Aires
    days = {row.seller_id: row.day.day for row in source.seller_metrics(late, HOUR, source.zones())}
    assert (days["20"], days["7"], len(days)) == (27, 26, 5)


def test_users_and_their_tenants(crm: ReferenceCrm) -> None:
    crm.user(12, "Se Fue", "seller", active=False)
    source = source_of(crm)
    users = {user.user_id: user for user in source.users()}
    assert (users["7"].name, users["7"].tenant_id, users["7"].role, users["7"].active) == (
        "Juan Pérez",
        "1",
        "seller",
        True,
    )
    assert users["12"].active is False
    assert source.timezones() == {"1": "America/Argentina/Buenos_Aires"}
    assert source.timezone("1") == "America/Argentina/Buenos_Aires"
    assert source.timezone("2") is None


@pytest.mark.expects_log("is not a time zone")
def test_an_unknown_time_zone_counts_as_utc_and_warns(crm: ReferenceCrm, caplog: pytest.LogCaptureFixture) -> None:
    crm.insert("tenants", id=2, name="Otra", timezone="Luna/Tranquillitatis")
    with caplog.at_level(logging.WARNING):
        assert source_of(crm).zones()["2"] == UTC
    assert "'Luna/Tranquillitatis' is not a time zone" in caplog.text


def test_a_customers_last_ten_messages_oldest_first(crm: ReferenceCrm) -> None:
    crm.conversation(5, NOW, lead_id=9)
    for number in range(12):
        crm.message(5, NOW + number * MINUTE, body=str(number))
        crm.message(5, NOW + number * MINUTE, from_customer=False, body="respuesta")
    assert source_of(crm).lead_messages(["9", "404"]) == {"9": [str(number) for number in range(2, 12)]}


def test_candidates_are_those_that_can_reach_the_threshold(crm: ReferenceCrm) -> None:
    crm.lead(1, source="META_ADS")
    crm.lead(2, source="ORGANIC")
    crm.lead(3, source="META_ADS")  # nobody wrote lately
    crm.lead(4, source="META_ADS", status="lost")
    for lead, at in ((1, NOW), (2, NOW), (3, NOW - 2 * HOUR), (4, NOW)):
        crm.conversation(lead, at, lead_id=lead)
        for _ in range(6):
            crm.message(lead, at)
    crm.lead(5, source="META_ADS")  # too few messages
    crm.conversation(5, NOW, lead_id=5)
    crm.message(5, NOW)
    rows = list(source_of(crm).lead_candidates(NOW - HOUR, 80, 0))
    assert [(row.id, row.message_count, row.last_message_time) for row in rows] == [("1", 6, NOW)]
    talking = source_of(crm).talking_leads(NOW - HOUR, 80, 0)
    assert talking is not None and [lead.id for lead in talking] == ["1"]


def test_ids_of_another_crm_have_no_rows_and_hide_no_others(crm: ReferenceCrm) -> None:
    crm.lead(9)
    ids = ["c0ffee00-0000-4000-8000-000000000000", "9", "", "99999999999999999999"]
    assert [lead.id for lead in source_of(crm).leads(ids)] == ["9"]


def test_a_backlog_of_thousands_is_read_in_little_memory(crm: ReferenceCrm) -> None:
    with write(crm.engine) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO conversations (id, tenant_id, assigned_seller_id, phone_number, status, last_message_time,"
                " last_message_from_customer) VALUES (:id, 1, 7, '+5491100000000', 'active', :at, :yes)"
            ),
            [{"id": id, "at": "2026-02-27 11:00:00", "yes": True} for id in range(20_000)],
        )
    tracemalloc.start()
    number = sum(1 for _ in source_of(crm).pending_conversations())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number == 20_000
    assert peak < 5_000_000, f"{peak / 1e6:.1f} MB for rows that nobody keeps"


# --- the CRM's own queries -------------------------------------------------------------------------------------------


def test_a_mapped_query_takes_the_place_of_the_reference_one(crm: ReferenceCrm) -> None:
    crm.run("CREATE TABLE chats (nr INTEGER, firma INTEGER, tel TEXT, owner INTEGER, since TEXT)")
    crm.insert("chats", nr=5, firma=1, tel="+5491100000000", owner=7, since="2026-02-27T11:00:00Z")
    crm.insert("chats", nr=6, firma=1, tel="+5491100000001", owner=7, since="2026-02-27T12:00:00Z")
    query = """SELECT nr AS conversation_id, firma AS tenant_id, tel AS phone_number, owner AS seller_id,
               'Juan' AS seller_name, since AS last_message_time FROM chats"""
    source = source_of(crm, {"unanswered_conversations": query})
    assert [row.id for row in source.pending_conversations()] == ["5", "6"]
    (row,) = source.pending_conversations(["6"])
    assert (row.id, row.seller_ref, row.last_message_time) == ("6", 7, NOW - HOUR)


def test_a_mapped_query_may_say_when_it_was_answered(crm: ReferenceCrm) -> None:
    query = """SELECT 5 AS conversation_id, 1 AS tenant_id, '+54' AS phone_number, 7 AS seller_id, 'J' AS seller_name,
               '2026-02-27 13:00:00' AS last_message_time, '2026-02-27 12:00:00' AS last_answer_time"""
    (row,) = source_of(crm, {"unanswered_conversations": query}).pending_conversations()
    assert (row.last_message_time, row.last_answer) == (NOW, NOW - HOUR)


def test_mapped_messages_are_put_in_order(crm: ReferenceCrm) -> None:
    crm.conversation(5, NOW, lead_id=9)
    for number in range(12):
        crm.message(5, NOW + number * MINUTE, body=str(number))
    query = """SELECT 9 AS lead_id, body, created_at FROM messages WHERE from_customer ORDER BY created_at DESC"""
    messages = source_of(crm, {"lead_messages": query}).lead_messages(["9", "10"])
    assert messages == {"9": [str(number) for number in range(2, 12)]}


def test_mapped_queries_may_use_their_parameters(crm: ReferenceCrm) -> None:
    crm.lead(9, next_follow_up=NOW + HOUR)
    crm.lead(10, next_follow_up=NOW + 9 * HOUR)
    query = """SELECT id AS lead_id, tenant_id, first_name, last_name, phone_number, status,
               assigned_seller_id AS seller_id, next_follow_up, notes FROM leads WHERE next_follow_up <= :until"""
    source = source_of(crm, {"followups": query})
    assert [row.lead_id for row in source.followups(NOW + 2 * HOUR)] == ["9"]
    assert [row.lead_id for row in source.followups_of(["9", "10"], NOW + 2 * HOUR)] == ["9"]


def test_a_mapped_query_without_a_documented_column_is_named(crm: ReferenceCrm) -> None:
    crm.lead(9)
    source = source_of(crm, {"users": "SELECT id AS user_id, tenant_id, full_name AS name, email, role FROM users"})
    with pytest.raises(CrmError) as raised:
        source.users()
    assert str(raised.value) == "The query users of CRM_MAPPING returns no column active; add it there."


def test_check_runs_every_query_and_names_what_is_missing(crm: ReferenceCrm) -> None:
    assert set(source_of(crm).check(NOW).values()) == {"ok"}
    crm.run("ALTER TABLE leads DROP COLUMN notes")
    crm.run("DROP TABLE messages")
    answers = source_of(crm, {"users": "SELECT nickname FROM users"}).check(NOW)
    mend = "add it, or give a query {} in CRM_MAPPING."
    assert answers == {
        "users": "The CRM has no column nickname; correct the query users in CRM_MAPPING.",
        "unanswered_conversations": "ok",
        "lead_candidates": f"The CRM has no table messages; {mend.format('lead_candidates')}",
        "lead_messages": f"The CRM has no table messages; {mend.format('lead_messages')}",
        "followups": f"The CRM has no column leads.notes; {mend.format('followups')}",
        "seller_metrics": f"The CRM has no table messages; {mend.format('seller_metrics')}",
    }


def test_a_mapping_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "crm.toml"
    path.write_text('users = """\nSELECT 1 WHERE note <> \'at 10:30\' ;\n"""\n', encoding="utf-8")
    assert load_mapping(path) == {"users": "SELECT 1 WHERE note <> 'at 10:30'"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('user = "SELECT 1"', "user: unknown query; there are users, unanswered_conversations,"),
        ("users = 3", "users: must be the text of one SELECT statement."),
        ('followups = "SELECT 1 WHERE a < :when"', "followups: unknown parameter :when; allowed: :until."),
        ("users", "not a TOML file"),
    ],
)
def test_a_wrong_mapping_file_is_refused_with_a_sentence(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "crm.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MappingError) as raised:
        load_mapping(path)
    assert says in str(raised.value)


def test_a_mapping_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"absent\.toml: cannot be read: No such file"):
        load_mapping(tmp_path / "absent.toml")


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_crm_that_is_away_is_one_sentence() -> None:
    engine = crm_engine("postgresql://nobody@127.0.0.1:1/crm", read_only=True)
    with pytest.raises(CrmError) as raised:
        CrmSource(engine, settings()).users()
    engine.dispose()
    assert str(raised.value).startswith("The CRM's database does not answer (")
    assert str(raised.value).endswith("check that it runs and that CRM_DATABASE_URL is right.")


def test_a_crm_that_comes_back_is_read_again(postgres_url: str) -> None:
    crm = ReferenceCrm(postgres_url)
    crm.people()
    engine = crm_engine(postgres_url, read_only=True)
    source = CrmSource(engine, settings())
    assert len(source.users()) == 4
    crm.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )
    assert len(source.users()) == 4
    engine.dispose()
    crm.close()


def test_an_account_without_rights_is_told_what_to_grant(postgres_url: str) -> None:
    crm = ReferenceCrm(postgres_url)
    crm.run("SET ROLE pg_monitor")
    engine = crm_engine(postgres_url)

    @sa.event.listens_for(engine, "connect")
    def _become_somebody(connection: Any, _record: Any) -> None:
        connection.execute("SET ROLE pg_monitor")
        connection.commit()

    with pytest.raises(CrmError) as raised:
        CrmSource(engine, settings()).users()
    engine.dispose()
    crm.close()
    assert str(raised.value) == (
        "The CRM's database refuses to be read (permission denied for table users); "
        "grant SELECT to the account of CRM_DATABASE_URL."
    )
