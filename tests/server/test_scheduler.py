"""When the CRM is read: at the interval, at moments known before, when asked; and what happens when storing fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmtray.protocol import FOLLOW_UP, KINDS, UNANSWERED, Kind
from crmtray_server.events import Concern, Detected, Episode
from crmtray_server.scheduler import Scheduler
from crmtray_server.store import episodes
from crmtray_server.store.database import StoreUnavailable
from tests.server.live import until
from tests.server.reference_crm import HOUR, NOW, ReferenceCrm, Watch

SOON = 10.0
"""Longest wait for what should be there at once."""


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[ReferenceCrm]:
    crm = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}")
    crm.people()
    yield crm
    crm.close()


class Ingested:
    """Keeps what it is given, and when; fails as often as it is told to."""

    def __init__(self, watch: Watch, failures: int = 0) -> None:
        self._watch = watch
        self._failures = failures
        self.tries = 0
        self.taken: list[tuple[Kind, datetime]] = []
        self._changed = asyncio.Condition()

    async def __call__(self, detected: Detected) -> None:
        async with self._changed:
            self.tries += 1
            self._changed.notify_all()
            if self.tries <= self._failures:
                raise StoreUnavailable("disk full")
            detected.failures.clear()
            await self._watch.tell(detected)
            self.taken += [(event.kind, datetime.now(UTC)) for event in detected.events]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(SOON), self._changed:
            await self._changed.wait_for(true)


@asynccontextmanager
async def running(scheduler: Scheduler) -> AsyncIterator[None]:
    task = asyncio.create_task(scheduler.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Looks:
    """Detection whose answers the test gives; counts how often each is asked."""

    def __init__(self, answer: Callable[[], Detected] = Detected) -> None:
        self.next_due: datetime | None = None
        self.reads = 0
        self.concerned: list[Concern] = []
        self.order: list[str] = []
        self.when_concerned: Callable[[], None] = lambda: None
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self.read_again = asyncio.Event()

    def start_over(self) -> None:
        self.order.append("start over")

    def read(self, _now: datetime) -> Detected:
        self.reads += 1
        self.order.append("read")
        self._loop.call_soon_threadsafe(self.read_again.set)
        return self._answer()

    def due(self, _now: datetime) -> Detected:
        return Detected()

    def concerning(self, _now: datetime, concern: Concern) -> Detected:
        self.concerned.append(concern)
        self.order.append("concerning")
        self._loop.call_soon_threadsafe(self.when_concerned)
        return Detected()

    async def next_read(self) -> None:
        async with asyncio.timeout(SOON):
            await self.read_again.wait()
        self.read_again.clear()


async def nothing(_detected: Detected) -> None:
    """Takes anything."""


async def test_a_known_moment_fires_within_a_second_and_waits_for_no_reading(crm: ReferenceCrm, watch: Watch) -> None:
    due = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    crm.conversation(5, due - HOUR)
    ingested = Ingested(watch)
    async with running(Scheduler(watch.detection, ingested, interval_seconds=3600)):
        await ingested.until(lambda: bool(ingested.taken))
    ((kind, moment),) = ingested.taken
    assert kind == UNANSWERED
    assert timedelta() <= moment - due < timedelta(seconds=1)


async def test_whoever_asks_is_served_before_the_interval_is_over(crm: ReferenceCrm, watch: Watch) -> None:
    ingested, looks = Ingested(watch), watch.detection
    scheduler = Scheduler(looks, ingested, interval_seconds=3600, clock=lambda: NOW)
    crm.lead(1, next_follow_up=NOW)
    async with running(scheduler):
        await ingested.until(lambda: len(ingested.taken) == 1)
        crm.lead(2, next_follow_up=NOW)
        scheduler.wake()
        await ingested.until(lambda: len(ingested.taken) == 2)


async def test_the_crm_is_read_every_interval() -> None:
    looks = Looks()
    async with running(Scheduler(looks, nothing, interval_seconds=0.2)):
        for _ in range(3):
            await looks.next_read()
    assert looks.reads >= 3


async def test_a_clock_that_was_put_back_does_not_stop_the_reading() -> None:
    looks, now = Looks(), [NOW]
    scheduler = Scheduler(looks, nothing, interval_seconds=0.2, clock=lambda: now[0])
    async with running(scheduler):
        await looks.next_read()
        now[0] -= timedelta(days=1)
        looks.next_due = now[0]  # what would wake it
        await looks.next_read()


@pytest.mark.expects_log("could not be stored")
async def test_what_could_not_be_stored_is_found_and_stored_again(
    crm: ReferenceCrm, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    crm.conversation(5, datetime.now(UTC) - 2 * HOUR)
    ingested = Ingested(watch, failures=2)
    scheduler = Scheduler(watch.detection, ingested, interval_seconds=3600)
    with caplog.at_level(logging.INFO, logger="crmtray_server.scheduler"):
        async with running(scheduler):
            await ingested.until(lambda: ingested.tries == 1)
            await ingested.until(lambda: bool(ingested.taken))
    assert ingested.tries == 3
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "What was detected could not be stored (disk full); it is tried again." in caplog.text
    assert scheduler.status().ingest == "ok"


async def test_nothing_counts_as_told_before_it_is_stored(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    lost, found_again = watch.detection.read(NOW), watch.detection.read(NOW)
    assert len(lost.events) == 1 and lost.events == found_again.events


async def test_a_backlog_is_read_on_at_once() -> None:
    parts = iter([True, True, False])
    looks = Looks(lambda: Detected(more=next(parts, False)))
    async with running(Scheduler(looks, nothing, interval_seconds=3600)):
        for _ in range(3):
            await looks.next_read()
    assert looks.reads == 3


@pytest.mark.expects_log("is not detected")
async def test_a_failure_is_said_once_when_it_begins_and_once_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    sentence = "The CRM has no table leads; add it, or give a query followups in CRM_MAPPING."
    failing = iter([True, True, True])
    looks = Looks(lambda: Detected(failures={FOLLOW_UP: sentence} if next(failing, False) else {}))
    scheduler = Scheduler(looks, nothing, interval_seconds=0.2)
    assert set(scheduler.status().kinds.values()) == {"not read yet"}
    with caplog.at_level(logging.INFO, logger="crmtray_server.scheduler"):
        async with running(scheduler):
            await looks.next_read()
            await looks.next_read()
            assert scheduler.status().kinds == dict.fromkeys(KINDS, "ok") | {FOLLOW_UP: sentence}
            assert not scheduler.status().ok
            while looks.reads < 5:
                await looks.next_read()
    assert [record.getMessage() for record in caplog.records] == [
        f"follow_up_reminder is not detected: {sentence}",
        "follow_up_reminder is detected again",
    ]
    assert scheduler.status().ok
    assert scheduler.status().last_read is not None


async def test_episodes_are_kept_replaced_and_only_closed_by_their_own_key(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    detected = watch.detection.read(NOW)
    await watch.tell(detected)
    (old,) = detected.opened
    read = episodes.Reader(watch.store_engine)
    assert read(UNANSWERED, None) == {("1", "5"): old}
    assert read(UNANSWERED, ["5", "6"]) == {("1", "5"): old}
    assert read(UNANSWERED, ["6"]) == read(FOLLOW_UP, None) == {}
    newer = Episode(UNANSWERED, "1", "5", "newer", NOW, old.mark)
    await watch.tell(Detected(opened=[newer], closed=[old]))
    await watch.tell(Detected(closed=[old]))  # of a node that was slow
    assert read(UNANSWERED, None) == {("1", "5"): newer}


# --- what the CRM pushes ---------------------------------------------------------------------------------------------


def concern(*conversations: str) -> Concern:
    return Concern(frozenset(conversations), frozenset({"9"}))


async def test_what_is_pushed_is_looked_at_at_once_and_what_waits_is_looked_at_together() -> None:
    looks = Looks()
    scheduler = Scheduler(looks, nothing, interval_seconds=3600)
    async with running(scheduler):
        await looks.next_read()
        for number in range(50):
            scheduler.look_at(concern(str(number)))
        await until(lambda: bool(looks.concerned))
        scheduler.look_at(concern("50"))
        await until(lambda: len(looks.concerned) == 2)
    assert looks.concerned == [concern(*(str(number) for number in range(50))), concern("50")]
    assert looks.reads == 1


async def test_a_push_waits_for_the_reading_that_is_under_way_and_no_longer() -> None:
    finish = threading.Event()

    def slow() -> Detected:
        assert finish.wait(SOON)
        return Detected(more=True)  # so that another reading is due as well

    looks = Looks(slow)
    scheduler = Scheduler(looks, nothing, interval_seconds=3600)
    async with running(scheduler):
        await looks.next_read()
        scheduler.look_at(concern("5"))
        assert looks.concerned == []
        finish.set()
        await until(lambda: bool(looks.concerned))
        assert looks.order[:3] == ["start over", "read", "concerning"]


async def test_a_stream_of_pushes_does_not_keep_the_crm_from_being_read() -> None:
    looks = Looks()
    scheduler = Scheduler(looks, nothing, interval_seconds=0.2)
    looks.when_concerned = lambda: scheduler.look_at(concern("5"))
    async with running(scheduler):
        scheduler.look_at(concern("5"))
        for _ in range(3):
            await looks.next_read()
    assert looks.reads >= 3 and len(looks.concerned) >= 3


@pytest.mark.expects_log("could not be stored")
async def test_what_a_push_made_true_is_found_again_when_it_could_not_be_stored(
    crm: ReferenceCrm, watch: Watch
) -> None:
    ingested = Ingested(watch, failures=1)
    scheduler = Scheduler(watch.detection, ingested, interval_seconds=3600)
    async with running(scheduler):
        await until(lambda: scheduler.status().last_read is not None)
        crm.lead(9, next_follow_up=datetime.now(UTC))
        scheduler.look_at(concern())
        await ingested.until(lambda: bool(ingested.taken))
    assert ingested.tries == 2


async def test_on_stand_by_nothing_is_read_but_what_is_pushed_is_looked_at() -> None:
    looks, duty = Looks(), [False]
    scheduler = Scheduler(looks, nothing, interval_seconds=3600, on_duty=lambda: duty[0])
    async with running(scheduler):
        for number in range(3):
            scheduler.look_at(Concern(frozenset({str(number)})))
            await until(lambda wanted=number + 1: len(looks.concerned) == wanted)  # type: ignore[misc]
        assert looks.reads == 0
        duty[0] = True
        scheduler.duty_changed()
        await looks.next_read()


async def test_whoever_comes_on_duty_again_reads_everything_at_once() -> None:
    looks, duty = Looks(), [True]
    scheduler = Scheduler(looks, nothing, interval_seconds=3600, on_duty=lambda: duty[0])
    async with running(scheduler):
        await looks.next_read()
        duty[0] = False
        scheduler.duty_changed()
        scheduler.look_at(Concern(frozenset({"1"})))
        await until(lambda: len(looks.concerned) == 1)
        assert looks.reads == 1
        duty[0] = True
        scheduler.duty_changed()
        await looks.next_read()
    assert looks.order == ["start over", "read", "concerning", "start over", "read"]


async def test_what_was_read_by_one_who_is_no_longer_on_duty_is_dropped(crm: ReferenceCrm, watch: Watch) -> None:
    """Halted in the middle of a look: what it says was true then, and another has judged since."""
    duty, ingested = [True], Ingested(watch)

    def answer() -> Detected:
        detected = watch.detection.read(datetime.now(UTC))
        assert detected.events
        if looks.reads == 1:
            duty[0] = False
        return detected

    crm.conversation(5, datetime.now(UTC) - 2 * HOUR)
    looks = Looks(answer)
    scheduler = Scheduler(looks, ingested, interval_seconds=3600, on_duty=lambda: duty[0])
    async with running(scheduler):
        await looks.next_read()
        await until(lambda: not scheduler._reads)
        assert ingested.tries == 0
        duty[0] = True
        scheduler.duty_changed()
        await ingested.until(lambda: len(ingested.taken) == 1)


@pytest.mark.expects_log("could not be stored")
async def test_on_stand_by_a_push_that_could_not_be_stored_is_looked_at_again(crm: ReferenceCrm, watch: Watch) -> None:
    crm.conversation(5, datetime.now(UTC) - 2 * HOUR)
    ingested = Ingested(watch, failures=1)
    scheduler = Scheduler(watch.detection, ingested, interval_seconds=3600, on_duty=lambda: False)
    async with running(scheduler):
        scheduler.look_at(Concern(frozenset({"5"})))
        await ingested.until(lambda: len(ingested.taken) == 1)
    assert ingested.tries == 2


async def test_a_look_that_found_too_much_is_repeated_on_stand_by_too() -> None:
    answers = [Detected(more=True), Detected()]
    looks, asked = Looks(), list[Concern]()

    def concerning(_now: datetime, concern: Concern) -> Detected:
        asked.append(concern)
        return answers.pop(0)

    looks.concerning = concerning  # type: ignore[method-assign]
    concern = Concern(frozenset({"5"}))
    scheduler = Scheduler(looks, nothing, interval_seconds=3600, on_duty=lambda: False)
    async with running(scheduler):
        scheduler.look_at(concern)
        await until(lambda: not answers)
    assert asked == [concern, concern]
