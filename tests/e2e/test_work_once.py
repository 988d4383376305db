"""Several real processes on one real PostgreSQL: whatever happens to the one on duty, everything is told once.

A CRM in a database of its own, a mail server, nodes that are killed, halted, cut off and restarted. How soon a work
moves is asserted on the constants (tests/server/test_duty.py); here it is waited for.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from crmtray_server.duty import WORKS
from crmtray_server.store.database import make_engine
from crmtray_server.store.tables import deliveries, duties, notifications
from tests.harness.desktop import wait_until
from tests.harness.postgres import Postgres
from tests.harness.server import ServerProcess, WorkerProcess, sign
from tests.harness.smtp import MailSink, mail_sink
from tests.server.reference_crm import ReferenceCrm
from tests.server.test_two_servers import ask

pytestmark = pytest.mark.timeout(400)
PATIENCE = 60.0
"""Seconds, on a machine that does much else; nothing is concluded from how long it took."""
TOLD = {"3", "7"}
"""Who is told of a conversation that waits two hours: the secretary and its seller."""


class Site:
    """A company: its CRM, its store, and the mail server's letters. Nodes are started by the tests."""

    def __init__(self, folder: Path, postgres: Postgres, sink: MailSink) -> None:
        self.crm = ReferenceCrm(postgres.new_database())
        self.crm.people()
        self.store_url = postgres.new_database()
        self.store = make_engine(self.store_url)
        self._folder, self._sink = folder, sink
        self._numbers = iter(range(100, 10_000))
        self.conversations: list[int] = []
        self.nodes: list[ServerProcess] = []

    def node(self, made: type[ServerProcess] = ServerProcess, **settings: str) -> ServerProcess:
        usual = {
            "DATABASE_URL": self.store_url,
            "CRM_DATABASE_URL": self.crm.url,
            "SMTP_URL": self._sink.url,
            "EMAIL_FROM": "crmtray@example.com",
            "DEFAULT_EMAIL_NOTIFICATIONS": "true",
            "NOTIFICATION_DELIVERY_TIMEOUT_MS": "0",
        }
        node = made(self._folder, **usual | settings)
        node.start()
        self.nodes.append(node)
        return node

    def kill(self, node: ServerProcess) -> None:
        self.nodes.remove(node)
        node.kill()

    def customer_waits(self, count: int = 1) -> None:
        for _ in range(count):
            id = next(self._numbers)
            self.crm.conversation(id, datetime.now(UTC) - timedelta(hours=2), seller=7)
            self.conversations.append(id)

    def on_duty(self, among: list[ServerProcess] | None = None) -> ServerProcess:
        """Who detects; waits until somebody does."""
        found = wait_until(partial(self._on_duty, among or self.nodes), "somebody on duty", PATIENCE)
        assert found is not None
        return found

    def _on_duty(self, among: list[ServerProcess]) -> ServerProcess | None:
        now = sa.func.clock_timestamp()
        with self.store.connect() as connection:
            held = connection.execute(sa.select(duties.c.work, duties.c.node).where(duties.c.until > now)).all()
        node_of = {row.work: row.node for row in held}
        if set(node_of) != set(WORKS) or len(set(node_of.values())) != 1:
            return None
        pid = int(node_of["detection"].rpartition(":")[2])
        return next((node for node in among if node.pid == pid), None)

    def told(self) -> Counter[tuple[str, str]]:
        with self.store.connect() as connection:
            query = sa.select(notifications.c.user_id, notifications.c.data)
            rows = connection.execute(query.where(notifications.c.type == "unanswered_conversation")).all()
        return Counter((row.user_id, str(row.data["conversation_id"])) for row in rows)

    def mailed(self) -> Counter[tuple[str, str]]:
        """By address and conversation, in how many letters."""
        return Counter(
            (letter.recipients[0].partition("@")[0], str(int(number)))
            for letter in list(self._sink.offered)
            for number in set(re.findall(r"549110000(\d+)", letter.body("plain")))
        )

    def wanted(self) -> Counter[tuple[str, str]]:
        return Counter((user, str(id)) for user in TOLD for id in self.conversations)

    def everything_is_told(self) -> bool:
        return self.told() == self.wanted() and not self._owed()

    def _owed(self) -> bool:
        with self.store.connect() as connection:
            query = sa.select(sa.func.count()).where(deliveries.c.state.in_(("waiting", "sending")))
            return bool(connection.execute(query).scalar())

    def wait_until_told(self) -> None:
        try:
            wait_until(self.everything_is_told, "everything to be told", PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}; missing: {self._missing()}") from None

    def _missing(self) -> tuple[Any, ...]:
        with self.store.connect() as connection:
            owed = connection.execute(sa.select(deliveries).where(deliveries.c.state.in_(("waiting", "sending"))))
            return self.wanted() - self.told(), self.told() - self.wanted(), owed.all()

    def assert_once(self) -> None:
        """A letter that is sent again has the Message-ID that it had; a long one does not name everything."""
        assert self.told() == self.wanted()
        letters = Counter(str(letter.message["Message-ID"]) for letter in self._sink.offered)
        assert letters and set(letters.values()) == {1}
        named = self.mailed()
        assert set(named) <= set(self.wanted()) and set(named.values()) == {1}

    def close(self) -> None:
        for node in self.nodes:
            node.signal(signal.SIGCONT)
            node.kill()
        self.crm.close()
        self.store.dispose()


@pytest.fixture
def sink() -> Iterator[MailSink]:
    """In a loop of its own: the tests wait for processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    manager = mail_sink()
    found = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(10)
    yield found
    asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def site(tmp_path: Path, postgres: Postgres, sink: MailSink) -> Iterator[Site]:
    with closing(Site(tmp_path, postgres, sink)) as site:
        yield site


def metric(node: ServerProcess, line: str) -> float:
    with urllib.request.urlopen(node.url + "/metrics", timeout=10) as response:
        text = response.read().decode()
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def readings(node: ServerProcess) -> float:
    return metric(node, 'crmtray_detection_seconds_count{look="read"}')


def works(node: ServerProcess) -> bool:
    return metric(node, 'crmtray_on_duty{work="detection"}') == 1


def stands_by(node: ServerProcess) -> bool:
    crm = ask(node, "/health", "")["services"]["crm"]
    return bool((crm["status"], crm["mode"]) == ("ok", "standby"))


def test_three_nodes_tell_once(site: Site) -> None:
    nodes = [site.node() for _ in range(3)]
    worker = site.on_duty()
    site.customer_waits(5)
    site.wait_until_told()
    others = [node for node in nodes if node is not worker]
    assert readings(worker) > 0 and [readings(node) for node in others] == [0, 0]
    for work in WORKS:
        assert sum(metric(node, f'crmtray_on_duty{{work="{work}"}}') for node in nodes) == 1
        wait_until(partial(held_everywhere, nodes, work), "the others to know")
    for node in others:
        wait_until(partial(stands_by, node), "what the one on duty says of the CRM")
    assert "mode" not in ask(worker, "/health", "")["services"]["crm"]
    site.assert_once()


def held_everywhere(nodes: list[ServerProcess], work: str) -> bool:
    return all(metric(node, f'crmtray_duty_held{{work="{work}"}}') == 1 for node in nodes)


def test_the_one_on_duty_is_killed(site: Site) -> None:
    for _ in range(3):
        site.node()
    for _ in range(2):
        worker = site.on_duty()
        site.customer_waits(2)
        site.wait_until_told()
        site.kill(worker)
        site.customer_waits(2)
        assert site.on_duty() is not worker
        site.wait_until_told()
    site.assert_once()


def test_the_one_on_duty_hangs_and_comes_back(site: Site) -> None:
    """Halted while it works: what it had begun goes on when another has been at work for long."""
    for _ in range(2):
        site.node()
    for _ in range(2):
        worker = site.on_duty()
        site.customer_waits(3)  # it may be in the middle of telling these
        wait_until(lambda: bool(site.told() - Counter()), "the first alert", PATIENCE)
        worker.signal(signal.SIGSTOP)
        site.customer_waits(2)
        other = site.on_duty([node for node in site.nodes if node is not worker])
        wait_until(lambda: site.told() == site.wanted(), "the alerts", PATIENCE)
        worker.signal(signal.SIGCONT)
        wait_until(lambda halted=worker: not works(halted), "the halted one to stop", PATIENCE)  # type: ignore[misc]
        site.customer_waits(1)
        wait_until(lambda: site.told() == site.wanted(), "the last alert", PATIENCE)
        assert site.on_duty() is other
    assert site.told() == site.wanted()
    # A letter that was being handed over when its node was halted is the node's for as long as its claim lasts.
    wait_until(site.everything_is_told, "the letters", 4 * PATIENCE)
    site.assert_once()


class Wire:
    """What lies between a node and its database; can be cut without a word."""

    def __init__(self, folder: Path, url: str) -> None:
        parsed = make_url(url)
        host = str(parsed.query["host"])
        folder.mkdir()
        self.url = parsed.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
        self._target = f"{host}/.s.PGSQL.5432"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/.s.PGSQL.5432")
        self._listener.listen(50)
        self._whole = threading.Event()
        self._whole.set()
        self._open: list[socket.socket] = []
        self._made: list[socket.socket] = []
        self._pool = ThreadPoolExecutor(100)
        self._pool.submit(self._accept)

    def cut(self) -> None:
        """Nothing gets through, and nobody is told so."""
        self._whole.clear()

    def mend(self) -> None:
        """Connections that were cut are not there any more."""
        self._end_all()
        self._whole.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._whole.set()
        self._end_all()
        self._pool.shutdown()
        for one in self._made:
            one.close()

    def _end_all(self) -> None:
        ended, self._open = self._open, []
        for one in ended:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._target)
                self._open += [here, there]
                self._made += [here, there]
                self._pool.submit(self._pass_on, here, there)
                self._pool.submit(self._pass_on, there, here)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._whole.wait()
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(site: Site, tmp_path: Path) -> Iterator[Wire]:
    with closing(Wire(tmp_path / "wire", site.store_url)) as wire:
        yield wire


def test_the_one_on_duty_is_cut_off_from_the_database(site: Site, wire: Wire) -> None:
    site.node().stop()  # the schema
    site.nodes.clear()
    lonely = site.node(DATABASE_URL=wire.url)
    assert site.on_duty() is lonely
    site.customer_waits(2)
    site.wait_until_told()
    other = site.node()
    wire.cut()
    site.customer_waits(2)
    assert site.on_duty([other]) is other
    site.wait_until_told()
    assert not works(lonely)  # it knows by itself, without the database
    wire.mend()
    site.customer_waits(1)
    site.wait_until_told()
    wait_until(lambda: ask(lonely, "/health", "")["services"]["crm"].get("mode") == "standby", "it to know", PATIENCE)
    site.assert_once()


def test_a_worker_apart_from_the_nodes_that_serve(site: Site) -> None:
    worker = site.node(WorkerProcess)
    assert site.on_duty() is worker
    serving = [site.node() for _ in range(2)]
    site.customer_waits(3)
    site.wait_until_told()
    for node in serving:
        assert len(ask(node, "/notifications", sign("7"))) == 3
        wait_until(partial(held_everywhere, serving, "detection"), "the others to know")
        assert readings(node) == 0 and not works(node)
    site.nodes.remove(worker)
    worker.stop()  # SIGTERM, and exit code 0
    site.customer_waits(2)
    assert site.on_duty() in serving
    site.wait_until_told()
    site.assert_once()


def test_a_rolling_restart_loses_and_doubles_nothing(site: Site) -> None:
    nodes = [site.node() for _ in range(3)]
    site.on_duty()
    done = threading.Event()

    def customers() -> None:
        while not done.wait(0.2):
            site.customer_waits()

    with ThreadPoolExecutor(1) as crm:
        writing = crm.submit(customers)
        try:
            for node in nodes:
                site.nodes.remove(node)
                node.stop()
                site.on_duty()
                node.start()
                site.nodes.append(node)
        finally:
            done.set()
        writing.result()
    site.wait_until_told()
    site.assert_once()


def push(node: ServerProcess, ids: range) -> None:
    at = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    events = [
        {
            "event": "message.received",
            "occurred_at": at,
            "conversation": {
                "id": str(id),
                "assigned_seller_id": "7",
                "phone_number": f"+549110000{id}",
                "status": "active",
                "last_message_time": at,
                "last_message_from_customer": True,
            },
            "message": {"id": f"m{id}", "body": "Hola", "created_at": at},
        }
        for id in ids
    ]
    body = json.dumps(events).encode()
    token = sign("9", role="admin", scope="notifications:write")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(node.url + "/crm/events", body, headers), timeout=20) as answer:
        assert answer.status == 202


def of_user(store: sa.Engine, user: str) -> Counter[str]:
    with store.connect() as connection:
        query = sa.select(notifications.c.data).where(notifications.c.user_id == user)
        return Counter(str(row.data["conversation_id"]) for row in connection.execute(query))


@contextmanager
def pair(folder: Path, url: str) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """The first one is on duty. They read at their start, and not again for an hour."""
    settings = {"DATABASE_URL": url, "DETECTION_INTERVAL_SECONDS": "3600"}
    with ServerProcess(folder, **settings) as first:
        first.add_user("7", "juan@demo.example", "seller", "una-clave-larga")
        wait_until(lambda: works(first), "the first one on duty", PATIENCE)
        wait_until(lambda: readings(first) == 1, "its reading", PATIENCE)
        with ServerProcess(folder, **settings) as second:
            yield first, second
            assert works(first) and not works(second) and readings(first) == 1


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_url"))


def test_a_push_is_told_at_once_by_whoever_it_reaches(store_url: str, tmp_path: Path) -> None:
    store = make_engine(store_url)
    with pair(tmp_path, store_url) as (first, second):
        push(second, range(100, 103))
        wait_until(lambda: of_user(store, "7") == Counter(map(str, range(100, 103))), "the push to be told", PATIENCE)
        assert metric(second, 'crmtray_detection_seconds_count{look="push"}') > 0
        assert metric(first, 'crmtray_detection_seconds_count{look="push"}') == 0
        # Each push gives the messages another time: whoever looks second must see that they are told.
        both(partial(push, first, range(200, 240)), partial(push, second, range(200, 240)))
        wanted = Counter(map(str, [*range(100, 103), *range(200, 240)]))
        wait_until(lambda: of_user(store, "7") == wanted, "all of them, once", PATIENCE)
        wait_until(lambda: metric(first, 'crmtray_detection_seconds_count{look="push"}') > 0, "its own look", PATIENCE)
        assert of_user(store, "7") == wanted
    assert of_user(store, "7") == wanted
    store.dispose()


def both(*functions: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(len(functions)) as threads:
        for result in [threads.submit(function) for function in functions]:
            result.result()


def test_a_look_by_hand_beside_the_running_nodes_doubles_nothing(site: Site) -> None:
    nodes = [site.node() for _ in range(2)]
    site.on_duty()
    site.customer_waits(10)
    both(*[partial(node.run, "detect", "--once") for node in nodes])
    site.wait_until_told()
    site.assert_once()
