"""What looking at a big CRM costs: passes, memory, and how soon a change is with the seller; beside plain SQL.

`python -m tests.bench.detection --rows 1000000`: so many conversations and as many leads, on a PostgreSQL of its own.
The plain SQL are the questions of the product's guide, fetched by the bare driver, in the same turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from crmtray_server.crm import indexes, schema
from crmtray_server.crm.engine import crm_engine
from crmtray_server.crm.listening import Listener
from crmtray_server.crm.pushed import OverlaidSource
from crmtray_server.detectors import Detection
from crmtray_server.events import Detected
from crmtray_server.scheduler import Scheduler
from crmtray_server.store import episodes, migrate
from crmtray_server.store.database import Store, make_engine
from tests.harness.postgres import Postgres, running_postgres
from tests.server.reference_crm import settings

ROOT = Path(__file__).parents[2]
SELLERS, BACKLOG, NEW, ROUNDS, HEARD = 200, 100_000, 200, 5, 200

GUIDE = {
    "waiting": """
SELECT c.id, c.tenant_id, c.assigned_seller_id, u.full_name, c.phone_number,
       EXTRACT(EPOCH FROM (NOW() - c.last_message_time)) / 3600 AS hours_since_last_message
FROM conversations c JOIN users u ON c.assigned_seller_id = u.id
WHERE c.last_message_from_customer = true AND c.last_message_time < NOW() - INTERVAL '1 hour'
  AND c.assigned_seller_id IS NOT NULL AND c.status = 'active'
ORDER BY hours_since_last_message DESC""",
    "follow-ups": """
SELECT l.id, l.first_name, l.last_name, l.phone_number, l.assigned_seller_id, u.full_name, l.next_follow_up,
       EXTRACT(EPOCH FROM (l.next_follow_up - NOW())) / 3600 AS hours_until_followup
FROM leads l JOIN users u ON l.assigned_seller_id = u.id
WHERE l.next_follow_up IS NOT NULL AND l.next_follow_up <= NOW() + INTERVAL '24 hours'
  AND l.status IN ('interested', 'negotiation') AND l.assigned_seller_id IS NOT NULL
ORDER BY l.next_follow_up ASC""",
}

FILL = """
INSERT INTO tenants SELECT 1, 'Bench', 'America/Bogota';
INSERT INTO users SELECT n, 1, 'Seller ' || n, n || '@demo.example', 'seller', true
FROM generate_series(1, {sellers}) n;
INSERT INTO leads (id, tenant_id, first_name, last_name, phone_number, source, location, status, assigned_seller_id,
                   estimated_value, next_follow_up, notes, created_at, converted_at)
SELECT n, 1, 'Carlos', 'Rodríguez', '+549110000' || n, (ARRAY['META_ADS', 'WEBSITE', 'REFERRAL', 'ORGANIC'])[1 + n % 4],
       'Palermo', (ARRAY['converted', 'lost', 'lost', 'contacted', 'interested'])[1 + n % 5], 1 + n % {sellers}, 1500,
       CASE WHEN n % 5 = 4 AND n % 100 = 4 THEN now() + (n % 9000) * interval '1 minute' END,
       'Interesada en el producto premium, requiere demo', now() - interval '30 days',
       CASE WHEN n % 5 = 0 THEN now() - interval '9 days' END
FROM generate_series(1, {rows}) n;
INSERT INTO conversations
SELECT n, 1, n, 1 + n % {sellers}, '+549110000' || n,
       CASE WHEN n % 200 = 3 OR n % 5 > 2 THEN 'active' ELSE 'closed' END,
       now() - (CASE WHEN n % 1000 = 4 THEN n % 3600 ELSE 7200 + n % 9000000 END) * interval '1 second', n % 200 = 3
FROM generate_series(1, {rows}) n;
INSERT INTO messages
SELECT 3 * conversations.id + k, conversations.id, k < 2 OR last_message_from_customer, 'Hola, ¿qué precio tiene?',
       last_message_time - (2 - k) * interval '4 minutes'
FROM conversations, generate_series(0, 2) k;
"""
BACKLOG_SQL = """
UPDATE conversations SET status = 'active', last_message_from_customer = true,
       last_message_time = now() - interval '5 hours' - (id % 9000) * interval '1 second'
WHERE id % {every} = 1
"""
CLOSE_SQL = "UPDATE conversations SET status = 'closed' WHERE last_message_from_customer"
NEW_SQL = """
UPDATE conversations SET status = 'active', last_message_from_customer = true,
       last_message_time = now() - interval '2 hours'
WHERE id IN (SELECT id FROM conversations WHERE status = 'closed' AND id % 7 = 2 ORDER BY id LIMIT {new})
"""


class Desk:
    """The real detection on a CRM, and a store that takes episodes; notifications are another bench's."""

    def __init__(self, url: str, store_url: str) -> None:
        made = settings(detection_interval_seconds=30.0)
        self.engine, self.store_engine = crm_engine(url, read_only=True), make_engine(store_url)
        migrate.upgrade(self.store_engine)
        self.store = Store(self.store_engine)
        self.store.open()
        self.detection = Detection(OverlaidSource(self.engine, made, None, self.store), self.store, made)
        self.now = datetime.now(UTC)

    def pass_(self) -> tuple[float, int]:
        """Seconds of looking (storing not counted), and how many events; all that there is."""
        seconds, events = 0.0, 0
        while True:
            began = time.perf_counter()
            detected = self.detection.read(self.now)
            seconds += time.perf_counter() - began
            assert not detected.failures, detected.failures
            events += len(detected.events)
            self.save(detected)
            if not detected.more:
                return seconds, events

    def save(self, detected: Detected) -> None:
        with self.store_engine.connect().execution_options(writing=True) as connection, connection.begin():
            episodes.save(connection, detected.opened, detected.closed)

    def close(self) -> None:
        self.store.close()
        self.engine.dispose()


def plain(url: str) -> dict[str, float]:
    """Seconds of each of the guide's questions, rows fetched in parts."""
    found = {}
    with psycopg.connect(_conninfo(url)) as connection:
        for name, sql in GUIDE.items():
            began = time.perf_counter()
            with connection.cursor(name="guide") as cursor:
                cursor.itersize = 1000
                for _ in cursor.execute(sql):
                    pass
            found[name] = time.perf_counter() - began
    return found


def _conninfo(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def run(url: str, *scripts: str) -> None:
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        for script in scripts:
            connection.execute(script.encode())


def fill(url: str, rows: int) -> None:
    engine = crm_engine(url)
    for table in schema.metadata.sorted_tables:
        table.indexes.clear()
    schema.metadata.create_all(engine)
    engine.dispose()
    run(url, FILL.format(rows=rows, sellers=SELLERS))
    run(url, *(wanted.sql("postgresql") for wanted in indexes.WANTED))
    run(url, "VACUUM ANALYZE")


def private_mb() -> float:
    """Memory that is this process's alone."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) / 1024


def peak_of(function: Callable[[], object]) -> float:
    """MB by which the process's peak grows while this runs."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    function()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def ms(values: list[float]) -> str:
    return f"{statistics.median(values) * 1000:.0f} ms (of {len(values)}, up to {max(values) * 1000:.0f})"


def compare(desk: Desk, url: str, what: str) -> None:
    """Passes with nothing new and the guide's questions, in turns."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        desk.now += timedelta(seconds=1)
        ours.append(desk.pass_()[0])
        theirs.append(sum(plain(url).values()))
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"{what}: {ms(ours)}; the guide's two questions: {ms(theirs)}; ratio {ratio:.2f}", flush=True)


def passes(url: str, store_url: str, rows: int) -> None:
    desk = Desk(url, store_url)
    try:
        seconds, events = desk.pass_()
        print(
            f"first pass, {events} events: {seconds * 1000:.0f} ms; the guide's questions {_said(plain(url))}",
            flush=True,
        )
        desk.pass_()
        compare(desk, url, "pass with nothing new")
        run(url, NEW_SQL.format(new=NEW))
        seconds, events = desk.pass_()
        print(f"pass with {NEW} newly waiting, {events} events: {seconds * 1000:.0f} ms", flush=True)
        whole(desk, url)
        run(url, BACKLOG_SQL.format(every=max(1, rows // BACKLOG)), "VACUUM ANALYZE conversations")
        grown = peak_of(lambda: print(f"backlog, all told: {_events(desk.pass_())}", flush=True))
        print(f"  memory beyond before: {grown:.1f} MB, the alerts of a part among it", flush=True)
        desk.pass_()
        compare(desk, url, "backlog, pass with nothing new")
        whole(desk, url)
        print(f"  private memory of this process now {private_mb():.0f} MB", flush=True)
    finally:
        desk.close()


def whole(desk: Desk, url: str) -> None:
    """A reading of everything with all of it told, its memory beside that of a pass."""
    desk.now += timedelta(minutes=6)
    desk.pass_()
    desk.now += timedelta(minutes=6)
    took: list[float] = []
    grown = peak_of(lambda: took.append(desk.pass_()[0]))
    guide = sum(plain(url).values())
    print(f"  whole reading: {took[0] * 1000:.0f} ms, {grown:.1f} MB; the guide's questions {guide * 1000:.0f} ms")


def _events(took: tuple[float, int]) -> str:
    return f"{took[1]} events in {took[0]:.1f} s"


def _said(plain: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in plain.items())


async def hearing(url: str, store_url: str) -> None:
    """From another program's commit to the alert being found, with an interval of an hour."""
    run(url, (ROOT / "packaging/crm/notify-postgresql.sql").read_text(encoding="utf-8"))
    desk, found = Desk(url, store_url), asyncio.Queue[tuple[str, float]]()

    async def ingest(detected: Detected) -> None:
        await asyncio.to_thread(desk.save, detected)
        for event in detected.events:
            found.put_nowait((event.key.split(":")[1], time.perf_counter()))

    scheduler = Scheduler(desk.detection, ingest, 3600.0)
    listener = Listener(desk.engine, scheduler.look_at, scheduler.wake)
    tasks = [asyncio.create_task(part()) for part in (scheduler.run, listener.run)]
    try:
        await _quiet(found)
        print(f"heard within {_percentiles(await _latencies(url, found))}", flush=True)
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)
        desk.close()


async def _quiet(found: asyncio.Queue[tuple[str, float]]) -> None:
    """Until the first readings are over."""
    with suppress(TimeoutError):
        while True:
            await asyncio.wait_for(found.get(), 3)


async def _latencies(url: str, found: asyncio.Queue[tuple[str, float]]) -> list[float]:
    taken: list[float] = []
    connection = await asyncio.to_thread(partial(psycopg.connect, _conninfo(url), autocommit=True))
    closed = connection.execute(
        "SELECT id FROM conversations WHERE status = 'closed' AND id %% 7 = 3 LIMIT %s", [HEARD]
    )
    update: Any = (
        "UPDATE conversations SET status = 'active', last_message_from_customer = true, "
        "last_message_time = now() - interval '90 minutes' WHERE id = %s"
    )
    for number, (id,) in enumerate(closed.fetchall()):
        await asyncio.sleep(0.05 + number % 5 * 0.05)  # not in step with the pauses between looks
        await asyncio.to_thread(connection.execute, update, [id])
        began = time.perf_counter()
        while (told := await asyncio.wait_for(found.get(), 30))[0] != str(id):
            pass
        taken.append(told[1] - began)
    connection.close()
    return taken


def _percentiles(taken: list[float]) -> str:
    ordered = sorted(taken)
    places = (0.5, 0.99, 1.0)
    return ", ".join(f"p{place * 100:g} {ordered[int(place * (len(ordered) - 1))] * 1000:.0f} ms" for place in places)


def measure(postgres: Postgres, folder: Path, rows: int) -> None:
    url = postgres.new_database()
    began = time.perf_counter()
    fill(url, rows)
    print(f"{rows} conversations, {rows} leads, {3 * rows} messages: {time.perf_counter() - began:.0f} s", flush=True)
    passes(url, f"sqlite:///{folder / 'store.db'}", rows)
    run(
        url,
        "UPDATE conversations SET status = 'closed' WHERE last_message_from_customer",
        "VACUUM ANALYZE conversations",
    )
    asyncio.run(hearing(url, f"sqlite:///{folder / 'heard.db'}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    with running_postgres() as postgres, tempfile.TemporaryDirectory() as folder:
        measure(postgres, Path(folder), rows)


if __name__ == "__main__":
    main()
