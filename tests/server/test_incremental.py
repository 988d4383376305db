"""Reading only what may have changed finds what reading everything finds, each thing once, whatever happens to the CRM.

Two desks watch one CRM: one reads everything each time, the other once, and from then on what its digests say.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmtray.protocol import FOLLOW_UP, UNANSWERED, Kind
from crmtray.protocol import HOT_LEAD as HOT
from crmtray_server.crm import buckets
from crmtray_server.crm.buckets import bucket_of
from crmtray_server.crm.rows import Conversation
from crmtray_server.crm.source import CrmSource
from crmtray_server.detectors import Detection
from crmtray_server.events import Episode
from crmtray_server.store import episodes, migrate, tables
from crmtray_server.store.database import make_engine
from tests.server.reference_crm import HOUR, MINUTE, NOW, ReferenceCrm, Told, Watch, lines, of, store_url
from tests.server.reference_crm import settings as desk_settings

NEVER = timedelta(days=1000)
IDS = st.sampled_from((5, 6, 1005, 2005, 77))
"""Some share a bucket, some do not."""
SELLERS = st.sampled_from((7, 8, None))
BUYING = ("Hola", "Me interesa", "¿Qué precio tiene?", "Bien", "Lo quiero comprar hoy", "Pasame el link para pagar")


class Apart(Watch):
    """A desk whose detection reads everything so often; with `large` 0 as one with very many leads."""

    def __init__(
        self, crm: ReferenceCrm, url: str, whole_every: timedelta, large: int = 100_000, **values: Any
    ) -> None:
        self._whole_every, self._large = whole_every, large
        super().__init__(crm, url, **values)

    def restart(self) -> None:
        super().restart()
        self.detection = Detection(self.source, self.store, self._settings, self._whole_every, self._large)


def opened(desk: Watch, kind: Kind) -> dict[tuple[str, str], Episode]:
    return episodes.Reader(desk.store_engine)(kind, None)


def whole(crm: ReferenceCrm, folder: Path) -> Apart:
    return Apart(crm, f"sqlite:///{folder / 'whole.db'}", timedelta())


def partly(crm: ReferenceCrm, folder: Path, **more: Any) -> Apart:
    return Apart(crm, f"sqlite:///{folder / 'partly.db'}", NEVER, **more)


# --- the same as reading everything ----------------------------------------------------------------------------------

Step = Callable[[ReferenceCrm, timedelta], None]
"""Something that a program does to the CRM at a moment after NOW."""


def _conversation(id: int, seller: int | None, waited: int) -> Step:
    def do(crm: ReferenceCrm, at: timedelta) -> None:
        crm.run("DELETE FROM conversations WHERE id = :id", id=id)
        crm.conversation(id, NOW + at - waited * MINUTE, seller=seller)

    return do


def _column(table: str, id: int, column: str, value: Any) -> Step:
    def do(crm: ReferenceCrm, _at: timedelta) -> None:
        crm.run(f"UPDATE {table} SET {column} = :value WHERE id = :id", id=id, value=value)

    return do


def _message(id: int, from_customer: bool, late: int) -> Step:
    """Committed so many minutes after the time that it bears."""

    def do(crm: ReferenceCrm, at: timedelta) -> None:
        crm.message(id, NOW + at - late * MINUTE, from_customer)

    return do


def _planned(id: int, hours: int) -> Step:
    def do(crm: ReferenceCrm, at: timedelta) -> None:
        crm.run("DELETE FROM leads WHERE id = :id", id=id)
        crm.lead(id, source="ORGANIC", next_follow_up=NOW + at + hours * HOUR)

    return do


def _gone(table: str, id: int) -> Step:
    return lambda crm, _at: crm.run(f"DELETE FROM {table} WHERE id = :id", id=id)


STEPS = st.one_of(
    st.builds(_conversation, IDS, SELLERS, st.integers(0, 300)),
    st.builds(_column, st.just("conversations"), IDS, st.just("assigned_seller_id"), SELLERS),
    st.builds(_column, st.just("conversations"), IDS, st.just("status"), st.sampled_from(("active", "closed"))),
    st.builds(_message, IDS, st.booleans(), st.integers(0, 200)),
    st.builds(_planned, IDS, st.integers(-5, 40)),
    st.builds(_column, st.just("leads"), IDS, st.just("assigned_seller_id"), SELLERS),
    st.builds(_column, st.just("leads"), IDS, st.just("status"), st.sampled_from(("interested", "lost"))),
    st.builds(_gone, st.sampled_from(("conversations", "leads")), IDS),
)
History = list[tuple[list[Step], float]]
PAUSES = st.sampled_from((0.5, 1, 20, 61, 200))
"""Minutes from one reading to the next."""
HISTORIES: st.SearchStrategy[History] = st.lists(st.tuples(st.lists(STEPS, max_size=4), PAUSES), max_size=8)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(history=HISTORIES)
def test_reading_in_part_tells_what_reading_everything_tells(crm: ReferenceCrm, history: History) -> None:
    asyncio.run(_tell(crm, history))


async def _tell(crm: ReferenceCrm, history: History) -> None:
    for table in ("conversations", "messages", "leads"):
        crm.run(f"DELETE FROM {table}")
    with tempfile.TemporaryDirectory() as name:
        one, other = whole(crm, Path(name)), partly(crm, Path(name))
        try:
            await _compare(crm, one, other, history)
        finally:
            await one.close()
            await other.close()


async def _compare(crm: ReferenceCrm, one: Apart, other: Apart, history: History) -> None:
    at = timedelta()
    for steps, minutes in [([], 0.0), *history, ([], 0.5)]:
        for step in steps:
            step(crm, at)
        at += minutes * MINUTE
        everything, changed = [await desk.read(minutes * MINUTE) for desk in (one, other)]
        assert _said(changed) == _said(everything)
        assert max(_said(changed).values(), default=1) == 1
    assert opened(one, UNANSWERED).keys() == opened(other, UNANSWERED).keys()
    assert opened(one, FOLLOW_UP).keys() == opened(other, FOLLOW_UP).keys()


def _said(told: list[Told]) -> Counter[tuple[str, ...]]:
    return Counter((*one.line, str(sorted(one.notification.data.items()))) for one in told)


# --- what is read ----------------------------------------------------------------------------------------------------


async def test_nothing_new_is_asked_once_and_no_row_is_read(
    crm: ReferenceCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = partly(crm, tmp_path)
    for id in range(100, 140):
        crm.conversation(id, NOW - 2 * HOUR)
    await desk.read()
    await desk.read()
    asked: list[frozenset[str] | None] = []
    waiting = desk.source.waiting

    def noted(buckets: frozenset[str] | None = None) -> Iterator[Conversation]:
        asked.append(buckets)
        return waiting(buckets)

    monkeypatch.setattr(desk.source, "waiting", noted)
    assert await desk.read(MINUTE) == []
    assert asked == []
    crm.run("UPDATE conversations SET assigned_seller_id = 8 WHERE id = 105")
    assert lines(await desk.read(MINUTE)) == [("8", UNANSWERED, "high")]
    assert asked == [frozenset({"105"})]
    await desk.close()


async def test_what_could_not_be_stored_is_found_by_the_next_reading(crm: ReferenceCrm, tmp_path: Path) -> None:
    desk = partly(crm, tmp_path)
    await desk.read()
    crm.conversation(5, NOW - 2 * HOUR)
    crm.lead(9, source="ORGANIC", next_follow_up=NOW + HOUR)
    dropped = desk.detection.read(desk.now)
    assert len(dropped.events) == 2
    assert lines(await desk.read(MINUTE)) == [
        ("3", UNANSWERED, "high"),
        ("7", FOLLOW_UP, "medium"),
        ("7", UNANSWERED, "high"),
    ]
    await desk.close()


async def test_what_fell_due_and_could_not_be_stored_is_found_again(crm: ReferenceCrm, tmp_path: Path) -> None:
    desk = partly(crm, tmp_path)
    crm.conversation(5, NOW - 59.5 * MINUTE)
    assert await desk.read() == [] and await desk.read() == []
    desk.now += MINUTE
    assert len(desk.detection.due(desk.now).events) == 1  # and nobody stored it
    assert lines(await desk.read()) == [("3", UNANSWERED, "high"), ("7", UNANSWERED, "high")]
    await desk.close()


async def test_a_moment_far_off_is_met_though_its_row_is_not_read_meanwhile(crm: ReferenceCrm, tmp_path: Path) -> None:
    desk = partly(crm, tmp_path, detection_interval_seconds=600)
    crm.conversation(5, NOW)
    for _ in range(5):
        assert await desk.read(10 * MINUTE) == []
    assert len(await desk.due(10 * MINUTE)) == 2
    for _ in range(17):
        assert await desk.read(10 * MINUTE) == []
    assert lines(await desk.due(10 * MINUTE)) == [("2", UNANSWERED, "urgent")]
    await desk.close()


async def test_a_restored_store_is_filled_again(crm: ReferenceCrm, tmp_path: Path) -> None:
    desk = partly(crm, tmp_path)
    crm.conversation(5, NOW - 2 * HOUR)
    await desk.read()
    assert await desk.read() == []
    with desk.store_engine.begin() as connection:
        connection.execute(tables.episodes.delete())
    desk.store.epoch = "of a copy"
    assert len(desk.detection.read(desk.now).events) == 1
    await desk.close()


async def test_ids_that_a_database_writes_in_its_own_way_are_read_whole(postgres_url: str, tmp_path: Path) -> None:
    """5.00 there is 5 here."""
    crm = ReferenceCrm(postgres_url, "NUMERIC(10, 2)")
    crm.people()
    desk = partly(crm, tmp_path)
    for id in range(119, 99, -1):
        crm.conversation(id, NOW - 2 * HOUR)
    assert len(of(UNANSWERED, await desk.read())) == 40
    assert desk.source.digests("unanswered_conversations") is None
    assert await desk.read(MINUTE) == []
    crm.run("UPDATE conversations SET status = 'closed' WHERE id = 105")
    await desk.read(MINUTE)
    assert len(opened(desk, UNANSWERED)) == 19
    await desk.close()
    crm.close()


async def test_a_backlog_longer_than_a_look_is_told_to_its_end(
    crm: ReferenceCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crmtray_server.detectors.findings.Found.takes_more", _three_at_a_time)
    desk = partly(crm, tmp_path)
    for id in range(100, 110):
        crm.conversation(id, NOW - 2 * HOUR)
    told: list[Told] = []
    for _ in range(10):
        told += await desk.read()
    assert len(of(UNANSWERED, told)) == 20
    await desk.close()


def _three_at_a_time(found: Any) -> bool:
    found.more = found.more or len(found.events) >= 3
    return not found.more


# --- a CRM with very many leads --------------------------------------------------------------------------------------


async def test_with_many_leads_whoever_writes_is_hot_at_once(crm: ReferenceCrm, tmp_path: Path) -> None:
    desk = partly(crm, tmp_path, large=0, high_value_areas=("Palermo",), hot_lead_probability_threshold=0.7)
    crm.lead(9, location="Palermo")
    crm.lead(10, location="Palermo", source="ORGANIC")
    assert of(HOT, await desk.read()) == []
    crm.talk(9, BUYING, NOW + MINUTE)
    assert [one.line for one in of(HOT, await desk.read(2 * MINUTE))] == [("7", HOT, "urgent")]
    crm.run("UPDATE leads SET assigned_seller_id = 8 WHERE id = 9")
    assert [one.line for one in of(HOT, await desk.read(MINUTE))] == [("8", HOT, "urgent")]
    assert of(HOT, await desk.read(MINUTE)) == []
    crm.run("UPDATE leads SET status = 'won' WHERE id = 9")
    await desk.read(3 * HOUR)
    assert opened(desk, HOT) == {}
    await desk.close()


async def test_a_hot_lead_that_could_not_be_stored_is_found_again(crm: ReferenceCrm, tmp_path: Path) -> None:
    desk = partly(crm, tmp_path, large=0)
    crm.lead(1, source="ORGANIC")
    await desk.read()
    crm.lead(9, location="Palermo")
    crm.talk(9, BUYING, NOW + MINUTE)
    assert [event.kind for event in desk.detection.read(NOW + 2 * MINUTE).events] == [HOT]
    assert len(of(HOT, await desk.read(3 * MINUTE))) == 1
    await desk.close()


# --- buckets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["5", "1005", "a1b2", "ñandú", "", "🦜🦜🦜🦜"])
def test_the_store_and_python_agree_on_buckets(id: str, tmp_path: Path) -> None:
    engine = make_engine(store_url(tmp_path))
    migrate.upgrade(engine)
    with engine.begin() as connection:
        episodes.save(connection, [Episode(UNANSWERED, "1", id, "k", NOW, "")], [])
    assert episodes.Reader(engine).suffixes(UNANSWERED, buckets.LENGTH) == {bucket_of(id)}
    engine.dispose()


async def test_rows_that_postgresql_cannot_hash_are_all_read(postgres_url: str) -> None:
    crm = ReferenceCrm(postgres_url)
    crm.conversation(5, NOW - 2 * HOUR)
    query = """SELECT id AS conversation_id, tenant_id, phone_number, assigned_seller_id AS seller_id,
        '' AS seller_name, last_message_time, '{}'::json AS extra FROM conversations"""
    source = CrmSource(crm.engine, desk_settings(), {"unanswered_conversations": query})
    assert source.digests("unanswered_conversations") is None
    assert [row.id for row in source.waiting()] == ["5"]
    assert source.digests("followups", NOW) == {}
    crm.close()


async def test_a_mapped_answer_is_summed_up_whole(postgres_url: str) -> None:
    crm = ReferenceCrm(postgres_url)
    crm.conversation(5, NOW - 2 * HOUR)
    query = """SELECT id AS conversation_id, tenant_id, phone_number, assigned_seller_id AS seller_id,
        '' AS seller_name, last_message_time, lead_id AS last_answer_time FROM conversations"""
    source = CrmSource(crm.engine, desk_settings(), {"unanswered_conversations": query})
    before = source.digests("unanswered_conversations")
    assert before is not None and list(before) == ["5"]
    crm.run("UPDATE conversations SET lead_id = 3")
    assert source.digests("unanswered_conversations") != before
    crm.close()
