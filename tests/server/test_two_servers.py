"""Two servers on one store, one of them killed again and again: nobody loses anything, nothing is there twice."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPException
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from crmtray_server.store.database import make_engine
from crmtray_server.store.tables import deliveries
from tests.harness.desktop import wait_until
from tests.harness.server import ServerProcess, sign
from tests.harness.smtp import Received, mail_sink
from tests.server.reference_crm import ReferenceCrm

WRITERS, PUBLICATIONS, CONVERSATIONS, KILLS = 4, 120, 20, 3
PUBLISHER = sign("9", role="admin", scope="notifications:write")


def ask(server: ServerProcess, path: str, token: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(server.url + path, data, headers), timeout=10) as response:
        return json.loads(response.read())


def publish(servers: list[ServerProcess], number: int) -> None:
    """As a CRM does: again, with the same key, at the other server, until one has said that it is stored."""
    user = str(7 + number % 2)
    body = {"user_id": user, "type": "news", "title": f"n{number}", "message": "", "dedupe_key": f"k{number}"}
    for attempt in count():
        try:
            ask(servers[(number + attempt) % 2], "/notifications", PUBLISHER, body)
            return
        except urllib.error.HTTPError as error:
            assert error.code == 503, error.read()
        except (OSError, HTTPException):
            assert attempt < 1000


async def wait_for_mail(store_url: str, received: list[Received]) -> None:
    """No item is in two e-mails; the same one may come twice: it was handed over by a server that was then killed.

    What that one had in its hands is the other's when the lease is over, in minutes.
    """
    engine = make_engine(store_url)
    states: Counter[str] = Counter(["waiting"])
    async with asyncio.timeout(30):
        while states["waiting"]:
            await asyncio.sleep(0.1)
            with engine.connect() as connection:
                rows = connection.execute(sa.select(deliveries.c.state, deliveries.c.detail)).all()
                states = Counter(row.state for row in rows)
    engine.dispose()
    told = told_by_mail(received)
    assert set(told.values()) == {1}
    assert set(states) <= {"sent", "sending"}, {row.detail for row in rows}
    assert states.total() >= PUBLICATIONS


def told_by_mail(received: list[Received]) -> Counter[str]:
    mails = {str(mail.message["Message-ID"]): mail for mail in received}
    return Counter(title for mail in mails.values() for title in set(re.findall(r"\bn[0-9]+\b", mail.body("plain"))))


def whole_feed(server: ServerProcess, user: str) -> list[Any]:
    found: list[Any] = []
    page = ask(server, "/notifications/changes?limit=500", sign(user))
    while True:
        found += page["changes"]
        if not page["has_more"]:
            return found
        where = f"epoch={page['epoch']}&since={page['seq']}&limit=500"
        page = ask(server, f"/notifications/changes?{where}", sign(user))


def has_everything(server: ServerProcess, user: str) -> bool:
    return len(whole_feed(server, user)) >= PUBLICATIONS // 2 + CONVERSATIONS // 2


async def test_a_server_that_is_killed_beside_another_loses_and_doubles_nothing(store_url: str, tmp_path: Path) -> None:
    crm = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}")
    crm.people()
    for id in range(CONVERSATIONS):
        crm.conversation(100 + id, datetime.now(UTC) - timedelta(hours=2), seller=7 + id % 2)
    crm.close()
    async with mail_sink() as sink:
        settings = {
            "DATABASE_URL": store_url,
            "CRM_DATABASE_URL": crm.url,
            "SMTP_URL": sink.url,
            "EMAIL_FROM": "crmtray@example.com",
            "DEFAULT_EMAIL_NOTIFICATIONS": "true",
            "NOTIFICATION_DELIVERY_TIMEOUT_MS": "0",
        }
        servers = [ServerProcess(tmp_path, **settings) for _ in range(2)]
        await asyncio.to_thread(_ordeal, servers)
        try:
            feeds = {user: await asyncio.to_thread(whole_feed, servers[0], user) for user in ("7", "8")}
            await wait_for_mail(store_url, sink.received)
            assert feeds == {user: await asyncio.to_thread(whole_feed, servers[1], user) for user in ("7", "8")}
        finally:
            for server in servers:
                await asyncio.to_thread(server.stop)
    for user, feed in feeds.items():
        assert [change["seq"] for change in feed] == list(range(1, len(feed) + 1))
        items = Counter(
            change["notification"]["data"].get("conversation_id") or change["notification"]["title"] for change in feed
        )
        wanted = {f"n{number}" for number in range(PUBLICATIONS) if str(7 + number % 2) == user}
        wanted |= {str(100 + id) for id in range(CONVERSATIONS) if str(7 + id % 2) == user}
        assert items == Counter(wanted)


def _ordeal(servers: list[ServerProcess]) -> None:
    for server in servers:
        server.start()
    done = threading.Semaphore(0)

    def one(number: int) -> None:
        publish(servers, number)
        done.release()

    with ThreadPoolExecutor(WRITERS) as writers:
        results = [writers.submit(one, number) for number in range(PUBLICATIONS)]
        for kill in range(KILLS):
            for _ in range(PUBLICATIONS // (KILLS + 1)):
                done.acquire()
            servers[kill % 2].kill()
            servers[kill % 2].start()
        for result in results:
            result.result()
    for user in ("7", "8"):
        wait_until(partial(has_everything, servers[0], user), "all is told")
