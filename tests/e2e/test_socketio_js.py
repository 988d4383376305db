"""The stock JavaScript client: signs in, subscribes, receives, marks read, survives the server's death."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workstation import PASSWORD
from tests.harness.server import ServerProcess
from tests.server.reference_crm import ReferenceCrm

FOLDER = Path(__file__).parent / "js"


@pytest.fixture(scope="session")
def node_modules() -> None:
    """The client's packages, at the versions of the lock file."""
    lock, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = subprocess.run(["npm", "ci"], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert npm.returncode == 0, f"npm could not install the JavaScript client:\n{npm.stderr}"
        installed.touch()


def ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


class Page:
    """The client in Node; `next` gives what it said, in order."""

    def __init__(self, url: str, email: str, password: str = PASSWORD) -> None:
        command = ["node", str(FOLDER / "simple_client.mjs"), url, email, password]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._said: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:  # it waits for a server that is away
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                said = json.loads(line)
                self._said.put((said["what"], said["data"]))

    def next(self, what: str, *passing: str) -> Any:
        """The next thing it says must be this one; things named in `passing` may come before it."""
        while True:
            said, data = self._said.get(timeout=20)
            if said == what:
                return data
            assert said in passing, f"waited for {what}, got {said}: {data}"

    def order(self, event: str, data: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"event": event, "data": data}) + "\n")
        self._process.stdin.flush()
        return self.next(f"ack {event}", "notification_updated", "notification_count_update")

    def silent(self) -> bool:
        return self._said.empty()


pytestmark = pytest.mark.usefixtures("node_modules")


def test_the_guides_page_gets_its_alerts(crm: ReferenceCrm, server: ServerProcess) -> None:
    crm.conversation(11, ago(3), seller=8)
    crm.conversation(12, ago(2), seller=8)
    with Page(server.url, "ana@demo.example") as ana, Page(server.url, "juan@demo.example") as juan:
        assert ana.next("login")["status"] == juan.next("login")["status"] == 200
        assert ana.next("notification_connected") == {"user_id": "8"}
        assert ana.next("notification_subscribed")["user_id"] == "8"
        got = [ana.next("new_notification", "notification_count_update") for _ in range(2)]
        assert {n["data"]["conversation_id"] for n in got} == {"11", "12"}
        assert [n["seq"] for n in got] == [1, 2]
        assert ana.next("notification_count_update")["count"] == 2

        answer = ana.order("mark_notification_read", {"notification_id": got[0]["id"]})
        assert answer["ok"] and answer["notification"]["read"]
        assert ana.order("get_notification_count", {})["count"] == 1

        assert juan.next("notification_connected") == {"user_id": "7"}
        assert juan.next("notification_subscribed")["user_id"] == "7"
        assert juan.next("notification_count_update")["count"] == 0
        assert juan.order("join_room", {"room": "notifications:8"})["code"] == "forbidden"
        assert juan.order("mark_notification_read", {"notification_id": got[1]["id"]})["code"] == "not_found"
        assert juan.silent()


def test_a_killed_server_loses_nothing_and_repeats_nothing(crm: ReferenceCrm, server: ServerProcess) -> None:
    crm.conversation(11, ago(2), seller=8)
    with Page(server.url, "ana@demo.example") as ana:
        first = ana.next("new_notification", "login", "notification_connected", "notification_subscribed",
                         "notification_count_update")  # fmt: skip
        assert ana.next("notification_count_update")["count"] == 1
        assert ana.order("get_notification_count", {})["count"] == 1
        server.kill()
        ana.next("disconnect")
        crm.conversation(12, ago(2), seller=8)
        server.start()
        second = ana.next("new_notification", "connect_error", "notification_connected", "notification_subscribed",
                          "notification_count_update")  # fmt: skip
        assert first["data"]["conversation_id"] == "11" and second["data"]["conversation_id"] == "12"
        assert ana.next("notification_count_update")["count"] == 2


def test_a_wrong_password_is_told(server: ServerProcess) -> None:
    with Page(server.url, "ana@demo.example", "otra") as page:
        assert page.next("login") == {"status": 401, "code": "invalid_credentials"}
