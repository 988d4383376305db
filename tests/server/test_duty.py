"""Who is on duty: one at a time, whoever dies is followed soon, and whoever was cut off has stopped before that.

Time is the test's: `now` is both the database's clock and, shifted, each process's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from crmtray.protocol import UNANSWERED
from crmtray_server import duty as module
from crmtray_server.duty import BEAT, DETECTION, LEASE, MAIL, MARGIN, MOVES_WITHIN, WORKS, Duty
from crmtray_server.events import Episode
from crmtray_server.store import episodes, migrate
from crmtray_server.store.database import IDLE_SECONDS, QUICK_SECONDS, make_engine, make_quick_engine
from crmtray_server.store.tables import duties
from tests.server.live import live_server, request, until

pytestmark = pytest.mark.expects_log("no longer on duty")
BEGINNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Office:
    """A store, and a time that goes on only when it is told to."""

    def __init__(self, url: str) -> None:
        self.now = 0.0
        self.engine = make_engine(url)
        self.quick = make_quick_engine(url)
        migrate.upgrade(self.engine)
        self.made: list[Duty] = []
        self.during: Callable[[], None] = lambda: None
        """What happens between a process's question and the answer."""

    def process(self, **more: Any) -> Duty:
        shift = 1000.0 * len(self.made)  # processes were not started together
        made = Duty(self.quick, clock=lambda: self.now + shift, database_clock=self._database_clock, **more)
        self.made.append(made)
        return made

    def _database_clock(self, _connection: Connection) -> datetime:
        moment = BEGINNING + timedelta(seconds=self.now)
        self.during()
        return moment

    def held(self) -> dict[str, Any]:
        with self.engine.connect() as connection:
            return {row.work: row for row in connection.execute(sa.select(duties))}

    def close(self) -> None:
        for duty in self.made:
            duty.close()
        self.quick.dispose()
        self.engine.dispose()


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url)
    yield office
    office.close()


def test_the_promise() -> None:
    """Ten seconds are what is promised; two beats may be lost and the holder stays; a halted one's locks are free."""
    assert MOVES_WITHIN < 10
    assert MARGIN > 0 and LEASE - MARGIN > 2 * BEAT + QUICK_SECONDS / 2
    assert IDLE_SECONDS < 10


async def test_the_first_has_everything_and_keeps_it(office: Office) -> None:
    first, second = office.process(), office.process()
    await first.beat()
    for _ in range(20):
        await second.beat()
        await first.beat()
        assert all(first.on(work) for work in WORKS) and not any(second.on(work) for work in WORKS)
        office.now += BEAT
    rows = office.held()
    assert set(rows) == set(WORKS) and {row.since for row in rows.values()} == {BEGINNING}


async def test_one_that_died_is_followed_within_the_promise(office: Office) -> None:
    first, second = office.process(), office.process()
    await first.beat()
    died = office.now
    moved = None
    while moved is None:
        office.now += BEAT
        await second.beat()
        assert not (first.on(DETECTION) and second.on(DETECTION))
        moved = office.now if second.on(DETECTION) else None
    assert LEASE <= moved - died <= MOVES_WITHIN


async def test_one_that_hears_nothing_stops_before_another_may_begin(office: Office) -> None:
    first, second = office.process(), office.process()
    await first.beat()
    office.now += LEASE - MARGIN / 2
    await second.beat()
    assert not first.on(MAIL) and not second.on(MAIL)
    office.now += MARGIN
    await second.beat()
    assert second.on(MAIL)
    await first.beat()
    assert not first.on(MAIL) and first.elsewhere(MAIL) == {}


async def test_who_ends_leaves_its_work_to_the_next_at_once(office: Office) -> None:
    first, second = office.process(), office.process()
    await first.beat()
    await first.resign()
    assert not first.on(DETECTION) and not office.held()
    await second.beat()
    assert second.on(DETECTION)


async def test_an_answer_that_comes_too_late_is_worth_nothing(office: Office) -> None:
    """The process was halted between its question and the answer."""
    first, second = office.process(), office.process()

    def halt() -> None:
        office.now += LEASE + 1

    office.during = halt
    await first.beat()
    assert not first.on(DETECTION)
    office.during = lambda: None
    await second.beat()
    assert second.on(DETECTION)


async def test_what_was_taken_while_one_was_halted_is_not_taken_back(office: Office) -> None:
    first, second = office.process(), office.process()
    await first.beat()
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    answer = asyncio.run_coroutine_threadsafe

    def meanwhile() -> None:
        office.during = lambda: None
        office.now += LEASE + 1
        answer(second.beat(), loop).result(10)
        loop.call_soon_threadsafe(asked.set)

    office.during = meanwhile
    await first.beat()
    await asked.wait()
    assert second.on(DETECTION) and not first.on(DETECTION)


async def test_a_database_clock_that_is_put_back_stops_nobody_for_long(office: Office) -> None:
    first, second = office.process(), office.process()
    await first.beat()
    office.now -= 3600
    await second.beat()
    assert second.on(DETECTION)  # else nobody could follow for an hour
    office.now += BEAT
    await first.beat()
    assert not first.on(DETECTION)


@pytest.mark.expects_log("on duty")
async def test_a_database_that_is_away_costs_the_duty_and_gives_it_back(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    duty = office.process()
    await duty.beat()

    def away() -> None:
        raise sa.exc.OperationalError("select", {}, Exception("gone"))

    office.during = away
    for _ in range(4):
        office.now += BEAT
        await duty.beat()
    assert not duty.on(DETECTION)
    office.during = lambda: None
    await duty.beat()
    assert duty.on(DETECTION)
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert said == ["who is on duty cannot be agreed on: gone"] + [f"no longer on duty for {work}" for work in WORKS]


async def test_others_are_told_what_the_one_on_duty_says(office: Office) -> None:
    report = {"status": "down", "failing": ["hot_lead"]}
    first = office.process(reports=lambda: {DETECTION: report})
    second = office.process()
    await first.beat()
    assert second.elsewhere(DETECTION) is None
    await second.beat()
    assert second.elsewhere(DETECTION) == report and second.elsewhere(MAIL) == {}
    assert first.elsewhere(DETECTION) is None
    office.now += LEASE + 1
    report["status"] = "ok"
    await first.beat()
    await second.beat()
    assert second.elsewhere(DETECTION) == report


async def test_the_figures_follow(office: Office) -> None:
    told: list[tuple[str, bool, bool]] = []
    first = office.process()
    second = office.process(changed=lambda *what: told.append(what))
    await first.beat()
    await second.beat()
    await first.resign()
    await second.beat()
    of_mail = [(here, anywhere) for work, here, anywhere in told if work == MAIL]
    assert of_mail == [(False, True), (True, True)]


class Job:
    """A work that notes when it begins and ends."""

    def __init__(self) -> None:
        self.running = 0
        self.begun = 0
        self.fail: Exception | None = None

    async def __call__(self) -> None:
        self.running += 1
        self.begun += 1
        try:
            if self.fail is not None:
                raise self.fail
            await asyncio.Event().wait()
        finally:
            self.running -= 1


async def cancelled(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)


def started(work: Awaitable[None]) -> asyncio.Future[None]:
    return asyncio.ensure_future(work)


@pytest.mark.usefixtures("often")
async def test_a_work_runs_only_while_it_is_ours(office: Office) -> None:
    duty, job = office.process(), Job()
    task = started(duty.do(DETECTION, job))
    await asyncio.sleep(0)
    assert job.begun == 0
    await duty.beat()
    await until(lambda: job.running == 1)
    office.now += LEASE  # and no beat: the work ends all the same
    await until(lambda: job.running == 0)
    await duty.beat()
    await until(lambda: job.running == 1)
    assert job.begun == 2
    await cancelled(task)
    assert job.running == 0


@pytest.mark.usefixtures("often")
async def test_what_a_work_raises_is_raised(office: Office) -> None:
    duty, job = office.process(), Job()
    job.fail = ValueError("a fault")
    await duty.beat()
    with pytest.raises(ValueError, match="a fault"):
        await duty.do(DETECTION, job)
    assert duty.on(DETECTION)


Step = tuple[int, str, float]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["beat", "beat", "halt", "resign"]),
        st.floats(0, 2 * LEASE, allow_nan=False),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_never_two_at_once(tmp_path: Path, steps: list[Step]) -> None:
    """Three processes that beat, end, and are halted in the middle of a beat, in any order and with any pauses."""
    office = Office(f"sqlite:///{tmp_path / 'store.db'}")
    with office.engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(duties.delete())
    processes = [office.process() for _ in range(3)]

    def alone() -> None:
        assert sum(duty.on(DETECTION) for duty in processes) <= 1

    async def act(duty: Duty, action: str, seconds: float) -> None:
        if action == "resign":
            await duty.resign()
            return
        if action == "halt":
            office.during = lambda: _pass(office, seconds)
        await duty.beat()
        office.during = lambda: None

    async def play() -> None:
        for index, action, seconds in steps:
            await act(processes[index], action, seconds)
            alone()
            office.now += seconds / 4
            alone()

    try:
        asyncio.run(play())
    finally:
        office.close()


def _pass(office: Office, seconds: float) -> None:
    office.now += seconds


@pytest.mark.expects_log("cannot be agreed on")
def test_a_row_that_is_locked_costs_no_more_than_a_beat(postgres_url: str) -> None:
    """A halted process's transaction, if it ever had one open here, would be in everybody's way."""
    office = Office(postgres_url)
    try:
        asyncio.run(office.process().beat())
        with office.engine.connect() as halted:
            halted.execute(sa.select(duties).with_for_update())
            office.now += LEASE + 1
            second = office.process()
            asyncio.run(second.beat())
            assert not second.on(DETECTION)
        asyncio.run(second.beat())
        assert second.on(DETECTION)
    finally:
        office.close()


async def test_health_on_stand_by_says_what_the_one_on_duty_says(
    office: Office, store_url: str, tmp_path: Path
) -> None:
    async with live_server(tmp_path, database_url=store_url) as live:
        duty = live.server.duty
        _, alone, _ = await request(live, "GET", "/health")
        assert alone["services"]["crm"]["status"] == "starting"
        other = Duty(office.quick, reports=lambda: {DETECTION: {"status": "down", "failing": ["hot_lead"]}})
        await other.beat()
        await duty.beat()
        _, beside, _ = await request(live, "GET", "/health")
        crm = beside["services"]["crm"]
        assert crm == {"status": "down", "failing": ["hot_lead"], "mode": "standby"} and beside["status"] == "degraded"
        await live.server.alerts.check()
        assert live.server.alerts.active == []  # the other tells it
        text = live.server.monitor.text().decode()
        assert 'crmtray_on_duty{work="detection"} 0.0' in text and 'crmtray_duty_held{work="detection"} 1.0' in text
        await other.resign()
        await duty.beat()
        _, followed, _ = await request(live, "GET", "/health")
        assert "mode" not in followed["services"]["smtp"] and duty.on(DETECTION)
        assert 'crmtray_on_duty{work="detection"} 1.0' in live.server.monitor.text().decode()
        other.close()
        duty.close()


def test_what_another_process_has_opened_meanwhile_is_not_opened_again(store_url: str) -> None:
    """Two nodes look at one conversation at once, and each sees another message as its last: one looks again."""
    engine = make_engine(store_url)
    migrate.upgrade(engine)

    def opened(message: str) -> Episode:
        return Episode(UNANSWERED, "1", "5", f"{UNANSWERED}:5:{message}", BEGINNING, "")

    def save(new: list[Episode], closed: list[Episode]) -> None:
        with engine.connect().execution_options(writing=True) as connection, connection.begin():
            episodes.save(connection, new, closed)

    save([opened("first")], [])
    with pytest.raises(episodes.Overtaken):
        save([opened("second")], [])
    save([replace(opened("first"), mark="told")], [])
    save([opened("second")], [opened("first")])
    with engine.connect() as connection:
        (kept,) = episodes.open_episodes(connection, UNANSWERED).values()
    assert kept.key.endswith("second")
    engine.dispose()
