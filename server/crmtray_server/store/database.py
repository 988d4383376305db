"""The store's engine and its two doors: `read` and `write`.

Owns connections, transactions and the writer thread. All writes of a process go through one thread, which puts what
is waiting into one transaction: a durable commit costs as much for fifty writes as for one, and one writer never
meets itself on a counter row. Knows no tables.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from ..config import SettingsError
from . import epoch

log = logging.getLogger(__name__)
T = TypeVar("T")
Job = Callable[[Connection], Any]

READ_THREADS = 4
RETRIES = 5
RETRY_SECONDS = 8.0
"""No further try after this time."""
STATEMENT_SECONDS = 10
"""PostgreSQL ends a statement of ours that takes longer, also one that waits for a lock."""
IDLE_SECONDS = 5
"""And a transaction in which nothing is asked for so long: its process was halted, or its host is gone."""
ANSWER_SECONDS = 20.0
"""Nobody waits longer for the database, whatever keeps it from answering."""
CLOSE_SECONDS = 3.0
"""A write that does not end by then waits for a database that does not answer."""
READERS_SECONDS = 0.5
"""Nobody is left to whom a reading could be told."""
TIMEOUTS = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""Of a connection to PostgreSQL: a host that is gone without a word is noticed, https://www.postgresql.org/docs/current/libpq-connect.html."""
QUICK_SECONDS = 2
QUICK = {
    "connect_timeout": "2",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "tcp_user_timeout": "3000",
}
_NO_ANSWER = f"the database did not answer within {ANSWER_SECONDS:g} seconds"
_committed_at: ContextVar[float | None] = ContextVar("committed_at", default=None)


def committed_at() -> float | None:
    """When the last write that the running task waited for was committed, by `time.perf_counter`."""
    return _committed_at.get()


class StoreUnavailable(Exception):
    """The database cannot be reached or written now; nothing was stored, as far as is known. Try again later."""


def make_engine(url: str | URL) -> Engine:
    """An engine for `sqlite:///file` or `postgresql://…`. Makes the folder of a SQLite file. Raises SettingsError."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed)
    parsed = parsed.set(drivername="postgresql+psycopg").update_query_dict(
        {name: value for name, value in TIMEOUTS.items() if name not in parsed.query}
    )
    try:
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=READ_THREADS + 1)
    except ModuleNotFoundError:
        raise SettingsError(
            "DATABASE_URL names a PostgreSQL; its driver is missing: install it with `pip install 'crmtray[postgres]'`."
        ) from None


def make_quick_engine(url: str | URL) -> Engine:
    """For small questions that are asked again and again: gives up early, and waits for no disk."""
    parsed = make_url(url)
    quick = {} if parsed.get_backend_name() == "sqlite" else QUICK
    engine = make_engine(parsed.update_query_dict({name: quick[name] for name in quick if name not in parsed.query}))

    @sa.event.listens_for(engine, "connect")
    def _hurry(connection: Any, _record: Any) -> None:
        if engine.dialect.name == "sqlite":
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA busy_timeout={1000 * QUICK_SECONDS}")
        else:
            _limit(connection, QUICK_SECONDS)

    return engine


def _sqlite_engine(url: URL) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, connect_args={"timeout": 5.0, "check_same_thread": False}, pool_size=READ_THREADS + 1
    )

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling starts them too late (at the first write); we start them ourselves.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # FULL: a commit that was answered survives a power cut, https://www.sqlite.org/pragma.html#pragma_synchronous
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later is refused at once when another wrote meanwhile, whatever
        # the time-out; so writers say so from the start.
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


class Store:
    """Runs functions of a Connection: `read` in a pool of threads, `write` in the one writer thread.

    A write's result is given only after its commit. When a function of a batch raises, that one alone is undone.
    """

    def __init__(self, engine: Engine, batch_size: int = 50) -> None:
        self.engine = engine
        self.observe: Callable[[int, float], None] | None = None
        """Told of each commit, on the writer's thread: how many writes shared it, and the seconds it took."""
        self.epoch = ""
        """What pushes carry. A page of changes reads it with its rows: another process may have restored the store."""
        _bound(engine)
        self._reading = _one_snapshot(engine)
        self._batch_size = batch_size
        self._readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="store-read")
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="store-write", daemon=True)
        self._closed = False

    def open(self) -> None:
        """Reads or makes the epoch and starts the writer. Blocking."""
        beside = epoch.sidecar(self.engine.url)
        with self.engine.connect().execution_options(writing=True) as connection, connection.begin():
            self.epoch, generation = epoch.at_open(connection, beside)
        epoch.remember(beside, generation)
        self._writer.start()

    async def read(self, function: Callable[..., T], *args: Any) -> T:
        """Runs `function(connection, *args)` in a read transaction. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, function, *args)
        except TimeoutError:
            raise StoreUnavailable(_NO_ANSWER) from None

    async def write(self, function: Callable[..., T], *args: Any) -> T:
        """Runs `function(connection, *args)` and commits. Raises StoreUnavailable, or what the function raised."""
        future: Future[Any] = Future()
        self._jobs.put((lambda connection: function(connection, *args), future))
        done = asyncio.wrap_future(future)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                # Whoever no longer waits for it has still ordered it, e.g. the note that an e-mail was sent.
                result, moment = await asyncio.shield(done)
        except TimeoutError:
            future.cancel()
            raise StoreUnavailable(_NO_ANSWER) from None
        _committed_at.set(moment)
        written: T = result
        return written

    def close(self) -> None:
        """Finishes the writes that wait, then lets go of the database. Blocking, but not for long."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            if self._writer.ident is not None:
                self._writer.join(CLOSE_SECONDS)
            end_threads(self._readers, READERS_SECONDS)
            self.engine.dispose()

    def _read(self, function: Callable[..., T], *args: Any) -> T:
        try:
            with self._reading.connect() as connection, connection.begin():
                return function(connection, *args)
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            raise StoreUnavailable(_reason(error)) from error

    def _write_all(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < self._batch_size and not self._jobs.empty():
                item = self._jobs.get()
                if item is None:
                    last = True
                    break
                batch.append(item)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[tuple[Job, Future[Any]]]) -> None:
        # What nobody waits for any more was refused: it must not happen after all.
        batch = [(job, future) for job, future in batch if not future.cancelled()]
        if not batch:
            return
        outcomes: list[tuple[Any, BaseException | None]] = []
        last_try = time.perf_counter() + RETRY_SECONDS
        for attempt in range(RETRIES):
            began = time.perf_counter()
            try:
                outcomes = self._try_commit([job for job, _ in batch])
                self._observed(len(batch), time.perf_counter() - began)
                break
            except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
                # A deadlock with another node, a restarted database, a locked file: the same jobs once more.
                if attempt + 1 < RETRIES and time.perf_counter() < last_try:
                    time.sleep(0.05 * 2**attempt)
                    continue
                unavailable = StoreUnavailable(_reason(error))
                outcomes = [(None, unavailable)] * len(batch)
                break
            except Exception as error:
                log.exception("the store's writer failed")
                outcomes = [(None, error)] * len(batch)
                break
        moment = time.perf_counter()
        for (_, future), (result, problem) in zip(batch, outcomes, strict=True):
            if not future.set_running_or_notify_cancel():
                continue
            if problem is None:
                future.set_result((result, moment))
            else:
                future.set_exception(problem)

    def _observed(self, writes: int, seconds: float) -> None:
        if self.observe is not None:
            self.observe(writes, seconds)

    def _try_commit(self, jobs: list[Job]) -> list[tuple[Any, BaseException | None]]:
        if len(jobs) == 1:
            return [self._commit_alone(jobs[0])]
        outcomes: list[tuple[Any, BaseException | None]] = []
        with self.engine.connect().execution_options(writing=True) as connection, connection.begin():
            for job in jobs:
                point = connection.begin_nested()
                try:
                    result = job(connection)
                except (sa.exc.OperationalError, sa.exc.InterfaceError):
                    raise  # the whole transaction is lost, not this job
                except Exception as error:
                    point.rollback()
                    outcomes.append((None, error))
                else:
                    point.commit()
                    outcomes.append((result, None))
        return outcomes

    def _commit_alone(self, job: Job) -> tuple[Any, BaseException | None]:
        """Needs no savepoint: nobody else's work is undone with it."""
        try:
            with self.engine.connect().execution_options(writing=True) as connection, connection.begin():
                return job(connection), None
        except (sa.exc.OperationalError, sa.exc.InterfaceError):
            raise
        except Exception as error:
            return None, error


def end_threads(executor: ThreadPoolExecutor, seconds: float) -> None:
    """Waits so long for what runs; a thread that waits for an answer that never comes is left behind."""
    ending = threading.Thread(target=partial(executor.shutdown, cancel_futures=True), daemon=True)
    ending.start()
    ending.join(seconds)


def _bound(engine: Engine) -> None:
    """From here on no statement takes long. Migrations, which may, come before; copies have an engine of their own."""
    if engine.dialect.name == "sqlite":
        return
    engine.dispose()

    @sa.event.listens_for(engine, "connect")
    def _set(connection: Any, _record: Any) -> None:
        _limit(connection, STATEMENT_SECONDS)


def _limit(connection: Any, seconds: int) -> None:
    """Of a psycopg connection. What a halted process has locked is free again before its work has moved on."""
    connection.execute(f"SET statement_timeout = '{seconds}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    connection.commit()


def _one_snapshot(engine: Engine) -> Engine:
    """All statements of a reader see the same commit; with SQLite's WAL they do anyway."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
