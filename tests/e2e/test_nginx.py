"""The shipped nginx configuration in front of two real nodes on one PostgreSQL, as clients meet it."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp
import pytest
import socketio

from tests.e2e.test_socketio_js import Page
from tests.e2e.test_socketio_js import node_modules as node_modules
from tests.e2e.workstation import PASSWORD
from tests.harness.nginx import Nginx, running_nginx
from tests.harness.postgres import Postgres
from tests.harness.server import ServerProcess, sign

PUBLISHER = sign("9", role="admin", scope="notifications:write")
BOSS = sign("9", role="ceo")


@dataclass
class Site:
    nginx: Nginx
    nodes: list[ServerProcess]

    def ask(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: Any = None,
        *,
        source: str = "127.0.0.1",
        form: str | None = None,
        **headers: str,
    ) -> tuple[int, Any, dict[str, str]]:
        """Through nginx, from the address `source`: status, body, headers."""
        context = ssl.create_default_context(cafile=self.nginx.authority)
        port = int(self.nginx.url.rpartition(":")[2])
        data = form if form is not None else None if body is None else json.dumps(body)
        kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
        sent = {"Content-Type": kind} if data else {}
        sent |= {"Authorization": f"Bearer {token}"} if token else {}
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=40, source_address=(source, 0), context=context
        )
        try:
            connection.request(method, path, data, sent | headers)
            response = connection.getresponse()
            raw = response.read()
            known = "json" in response.headers.get("Content-Type", "")
            return response.status, json.loads(raw) if known and raw else raw.decode(), dict(response.headers)
        finally:
            connection.close()

    def publish(self, user: str, title: str) -> None:
        """As a CRM does: the same key again until somebody says that it is stored."""
        body = {"user_id": user, "type": "news", "title": title, "message": "", "dedupe_key": title}
        for attempt in count():
            try:
                status, said, _ = self.ask("POST", "/notifications", PUBLISHER, body)
            except (OSError, http.client.HTTPException):
                status, said = 503, "cut"
            if status == 201:
                return
            assert status == 503 and attempt < 1000, (status, said)
            threading.Event().wait(0.02)

    def connections(self, node: ServerProcess) -> list[Any]:
        connection = http.client.HTTPConnection(node.url.removeprefix("http://"), timeout=10)
        try:
            connection.request("GET", "/admin/socketio/connections", headers={"Authorization": f"Bearer {BOSS}"})
            shown: list[Any] = json.loads(connection.getresponse().read())
            return shown
        finally:
            connection.close()


@pytest.fixture(scope="module")
def site(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    settings = {
        "DATABASE_URL": postgres.new_database(),
        "TRUSTED_PROXIES": "127.0.0.1",
        "SOCKETIO_TRANSPORTS": "websocket,polling",
        # So that the library's polling client soon sees that its node is gone.
        "SOCKETIO_PING_INTERVAL": "2000",
        "SOCKETIO_PING_TIMEOUT": "3000",
    }
    with ServerProcess(folder, **settings) as first, ServerProcess(folder, **settings) as second:
        first.add_user("8", "ana@demo.example", "seller", PASSWORD)
        first.add_user("9", "jefa@demo.example", "ceo", PASSWORD)
        nodes = [first, second]
        with running_nginx(folder, [node.url.removeprefix("http://") for node in nodes]) as nginx:
            yield Site(nginx, nodes)


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Client:
    """The stock Python client with a cursor, through nginx. It comes back by itself, as ours does: the library's way
    does not, after a server that closed in good order."""

    def __init__(self, site: Site, user: str, transport: str, source: str = "127.0.0.1") -> None:
        self.user, self._site, self._transport, self._source = user, site, transport, source
        self.titles: list[str] = []
        self.drops = 0
        self.cursor: dict[str, Any] = {"epoch": "", "since": 0}
        self._changed, self._gone = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        context = ssl.create_default_context(cafile=self._site.nginx.authority)
        connector = aiohttp.TCPConnector(ssl=context, local_addr=(self._source, 0))
        async with aiohttp.ClientSession(connector=connector) as self._http:
            await self._connect()
            back = asyncio.create_task(self._come_back())
            try:
                yield self
            finally:
                await ended([back])
                await self._leave()
        for _ in range(5):  # turns of the loop in which what TLS aborted is closed
            await asyncio.sleep(0)

    async def _connect(self) -> None:
        """A new one each time: the library's is not done with the old connection when it says that it is gone."""
        self._gone.clear()
        self.socket = socketio.AsyncClient(http_session=self._http, handle_sigint=False, reconnection=False)
        self.socket.on("new_notification", self._take)
        self.socket.on("notifications_batch", self._take_all)
        self.socket.on("disconnect", self._dropped)
        token = {"token": sign(self.user)}
        await self.socket.connect(self._site.nginx.url, transports=[self._transport], auth=token, wait_timeout=20)
        await self._subscribe()

    async def _leave(self) -> None:
        """The library's loops may wait for a request; only what hangs is cancelled, which would leave it open."""
        found = [self.socket.eio.read_loop_task, self.socket.eio.write_loop_task]
        loops = [loop for loop in found if loop is not None]
        if self.socket.connected:
            await self.socket.disconnect()
            if loops:
                await asyncio.wait(loops, timeout=15)
        await ended(loops)

    def _dropped(self, *_: object) -> None:
        self.drops += 1
        self._gone.set()

    async def _come_back(self) -> None:
        while True:
            await self._gone.wait()
            await self._leave()
            try:
                await self._connect()
            except socketio.exceptions.SocketIOError:
                self._gone.set()
                await asyncio.sleep(0.1)

    async def _subscribe(self) -> None:
        more = True
        while more:
            page = await self.socket.call("subscribe_notifications", dict(self.cursor), timeout=20)
            assert page["ok"], page
            for change in page["changes"]:
                await self._take(change["notification"])
            self.cursor = {"epoch": page["epoch"], "since": max(page["seq"], self.cursor["since"])}
            more = page["has_more"]
        self._changed.set()

    async def _take(self, item: Any) -> None:
        if item["seq"] > self.cursor["since"] + 1:  # a push is a hint: a gap is filled from the feed
            await self._subscribe()
        elif item["seq"] > self.cursor["since"]:
            self.cursor["since"] = item["seq"]
            self.titles.append(item["title"])
        self._changed.set()

    async def _take_all(self, batch: Any) -> None:
        for item in batch["notifications"]:
            await self._take(item)

    async def wait(self, titles: set[str]) -> None:
        """With a websocket by pushes alone. The library's long polling loses some: there the feed is asked as well."""
        async with asyncio.timeout(60):
            while not titles <= set(self.titles):
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(2 if self._transport == "polling" else None):
                        await self._changed.wait()
                if self._transport == "polling" and self.socket.connected:
                    with suppress(socketio.exceptions.SocketIOError):
                        await self._subscribe()


# --- what people do ---------------------------------------------------------------------------------------------


def test_signing_in_by_https_and_never_without(site: Site) -> None:
    status, answer, headers = site.ask("POST", "/auth/login", body={"email": "ana@demo.example", "password": PASSWORD})
    assert status == 200 and answer["user"]["user_id"] == "8" and "max-age" in headers["Strict-Transport-Security"]
    plain = http.client.HTTPConnection(site.nginx.plain.removeprefix("http://"), timeout=10)
    plain.request("POST", "/auth/login?next=1", "{}")
    answered = plain.getresponse()
    assert answered.status == 308 and str(answered.headers["Location"]).startswith("https://127.0.0.1/auth/login?")
    plain.close()


async def test_a_push_reaches_a_socket_on_either_node(site: Site) -> None:
    clients = [Client(site, "20", "websocket") for number in range(4)]
    wanted = {f"push {number}" for number in range(3)}
    async with clients[0].connected(), clients[1].connected(), clients[2].connected(), clients[3].connected():
        spread = [len(await asyncio.to_thread(site.connections, node)) for node in site.nodes]
        assert sum(spread) == 4 and min(spread) >= 1, "the nodes share the work"
        for title in sorted(wanted):
            await asyncio.to_thread(site.publish, "20", title)
        for client in clients:
            await client.wait(wanted)
    for client in clients:
        assert Counter(client.titles) == dict.fromkeys(wanted, 1)


async def test_long_polling_stays_with_its_node(site: Site) -> None:
    """Eight clients; a request that went to the other node would end its session."""
    clients = [Client(site, f"3{number}", "polling", f"127.0.1.{number}") for number in range(8)]
    async with asyncio.TaskGroup() as group:
        done = asyncio.Event()

        async def watch(client: Client) -> None:
            async with client.connected():
                for number in range(3):
                    await asyncio.to_thread(site.publish, client.user, f"{client.user}: {number}")
                    await client.wait({f"{client.user}: {number}"})
                ready.release()
                await done.wait()

        ready = asyncio.Semaphore(0)
        for client in clients:
            group.create_task(watch(client))
        for _ in clients:
            await ready.acquire()
        spread = [len(await asyncio.to_thread(site.connections, node)) for node in site.nodes]
        assert sum(spread) == 8 and min(spread) >= 1, spread
        assert [client.drops for client in clients] == [0] * 8
        done.set()
    for client in clients:
        assert client.titles == [f"{client.user}: {number}" for number in range(3)]


@pytest.mark.usefixtures("node_modules")
def test_the_stock_javascript_client_gets_its_alerts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(site.nginx.authority))
    with Page(site.nginx.url, "ana@demo.example") as ana:
        assert ana.next("login")["status"] == 200
        ana.next("notification_subscribed", "notification_connected")
        site.publish("8", "for ana")
        item = ana.next("new_notification", "notification_count_update")
        assert item["title"] == "for ana"
        assert ana.order("mark_notification_read", {"notification_id": item["id"]})["notification"]["read"]


def test_the_admin_page_has_a_secure_cookie(site: Site) -> None:
    form = f"email=jefa%40demo.example&password={PASSWORD}"
    origin = {"Origin": site.nginx.url, "Sec-Fetch-Site": "same-origin"}
    status, _, headers = site.ask("POST", "/admin/login", form=form, **origin)
    assert status == 303 and "; Secure" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].partition(";")[0]
    status, page, _ = site.ask("GET", "/admin", Cookie=cookie)
    assert status == 200 and "Connected now" in page


# --- limits -----------------------------------------------------------------------------------------------------


def fail(site: Site, source: str, name: str) -> tuple[int, Any, dict[str, str]]:
    """Says that it comes from somewhere else; nginx has seen where."""
    body = {"email": f"{name}@demo.example", "password": "wrong"}
    return site.ask("POST", "/auth/login", body=body, source=source, **{"X-Forwarded-For": "198.51.100.77"})


def test_one_address_that_fails_to_sign_in_does_not_stop_another(site: Site) -> None:
    # Each node counts for itself what came to it.
    statuses = [fail(site, "127.0.0.2", f"a{number}")[0] for number in range(45)]
    assert statuses[:20] == [401] * 20 and 429 in statuses
    status, _, _ = site.ask(
        "POST", "/auth/login", body={"email": "ana@demo.example", "password": PASSWORD}, source="127.0.0.3"
    )
    assert status == 200


def test_a_flood_of_logins_is_stopped_in_front(site: Site) -> None:
    answers = []
    with_many = [threading.Thread(target=lambda: answers.append(fail(site, "127.0.0.4", "b"))) for _ in range(60)]
    for thread in with_many:
        thread.start()
    for thread in with_many:
        thread.join()
    stopped = [(answer, headers) for _, answer, headers in answers if headers.get("Retry-After") == "5"]
    assert stopped and all(answer["code"] == "too_many_attempts" for answer, _ in stopped)


@pytest.mark.parametrize(("path", "status"), [("/metrics", 403), ("/admin", 403), ("/admin/alerts", 403)])
def test_what_is_for_people_inside_is_not_for_others(site: Site, path: str, status: int) -> None:
    assert site.ask("GET", path, BOSS, source="127.0.0.5")[0] == status
    assert site.ask("GET", path, BOSS)[0] == 200


def test_a_body_is_as_large_as_the_server_takes_it(site: Site) -> None:
    large = [
        {"user_id": "40", "type": "news", "title": f"n{number}", "message": "x" * 900, "dedupe_key": f"n{number}"}
        for number in range(200)
    ]
    assert site.ask("POST", "/notifications", PUBLISHER, large)[0] == 201
    assert site.ask("POST", "/auth/login", body={"email": "x" * 70_000, "password": "x"})[0] == 413


def test_nothing_secret_is_in_the_log(site: Site) -> None:
    assert site.ask("GET", "/notifications?q=canario-privado", sign("8"))[0] == 200
    assert "canario-privado" not in site.nginx.accesses and '"GET /notifications" 200' in site.nginx.accesses
    assert "eyJ" not in site.nginx.accesses


# --- nodes that go ----------------------------------------------------------------------------------------------


@pytest.mark.expects_log("packet queue is empty")
async def test_a_killed_node_costs_nobody_an_item(site: Site) -> None:
    clients = [
        Client(site, "50", kind, f"127.0.2.{number}") for kind in ("websocket", "polling") for number in range(2)
    ]
    async with clients[0].connected(), clients[1].connected(), clients[2].connected(), clients[3].connected():
        await asyncio.to_thread(site.publish, "50", "before")
        for client in clients:
            await client.wait({"before"})
        await asyncio.to_thread(site.nodes[1].kill)
        try:
            for number in range(5):
                await asyncio.to_thread(site.publish, "50", f"meanwhile {number}")
            wanted = {"before", *(f"meanwhile {number}" for number in range(5))}
            for client in clients:
                await client.wait(wanted)
            assert len(await asyncio.to_thread(site.connections, site.nodes[0])) >= 4
        finally:
            await asyncio.to_thread(site.nodes[1].start)
    for client in clients:
        assert Counter(client.titles) == dict.fromkeys(wanted, 1)


@pytest.mark.expects_log("packet queue is empty")
async def test_a_rolling_restart_loses_and_doubles_nothing(site: Site) -> None:
    clients = [Client(site, "60", kind) for kind in ("websocket", "websocket", "polling")]
    written: list[str] = []
    stop = threading.Event()

    def write(writer: int) -> None:
        for number in count():
            if stop.is_set():
                return
            title = f"w{writer} {number}"
            site.publish("60", title)
            written.append(title)
            threading.Event().wait(0.02)  # a CRM, not a flood

    async with clients[0].connected(), clients[1].connected(), clients[2].connected():
        writers = [asyncio.create_task(asyncio.to_thread(write, number)) for number in range(2)]
        try:
            for node in site.nodes:
                seen = len(written)
                await asyncio.to_thread(node.stop)
                await asyncio.to_thread(node.start)
                async with asyncio.timeout(40):
                    while len(written) < seen + 5:  # noqa: ASYNC110 - told by threads
                        await asyncio.sleep(0.05)
        finally:
            stop.set()
            await asyncio.gather(*writers)
        for client in clients:
            await client.wait(set(written))
    assert len(written) > 10
    for client in clients:
        assert Counter(client.titles) == dict.fromkeys(written, 1), "each once"


async def test_with_no_node_left_clients_are_told_when_to_come_again(site: Site) -> None:
    for node in site.nodes:
        await asyncio.to_thread(node.kill)
    try:
        status, answer, headers = await asyncio.to_thread(site.ask, "GET", "/notifications", sign("8"))
        assert (status, answer["code"], headers["Retry-After"]) == (503, "unavailable", "2")
    finally:
        for node in site.nodes:
            await asyncio.to_thread(node.start)
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(site.ask, "GET", "/notifications", sign("8")))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
