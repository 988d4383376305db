"""What a newcomer does first: the demo, with a display and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workstation import CRMTRAY, workstation
from tests.harness.desktop import desktop, wait_until

pytestmark = pytest.mark.timeout(120)


def test_with_a_display_a_toast_comes_up_by_itself(tmp_path: Path) -> None:
    with desktop() as session, workstation(session, tmp_path) as station:
        station.start("demo")
        station.wait_for_tooltip("En tiempo real")
        wait_until(station.toasts, "a toast", seconds=10)
        wait_until(lambda: "Notificaciones" in session.names("crmtray"), "the open center")
        station.stop()


@pytest.mark.parametrize("role", ["seller", "secretary", "ceo"])
def test_without_a_display_the_terminal_shows_the_same(role: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    result = subprocess.run(
        [*CRMTRAY, "demo", "--role", role, "--duration", "8", "--json"],
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    said = [json.loads(line) for line in result.stdout.splitlines()]
    alerts = [line for line in said if line["event"] == "new_notification"]
    assert len(alerts) >= 3 and all(alert["title"] and alert["actions"] for alert in alerts)
    assert len({alert["id"] for alert in alerts}) == len(alerts), "nothing twice"
    assert any(line.get("state") == "real_time" for line in said)


def test_the_demo_goes_by_the_clock_of_this_machine(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "crmtray_server", "demo"]
    environment = os.environ | {"HOME": str(tmp_path), "TZ": "Europe/Madrid"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdin is not None
        ready = json.loads(server.stdout.readline())
        signed_in = _asked(f"{ready['url']}/auth/login", {"email": ready["email"], "password": ready["password"]})
        settings = _asked(f"{ready['url']}/notifications/settings", None, signed_in["access_token"])
        server.stdin.close()
    assert settings["timezone"] == "Europe/Madrid"


def _asked(url: str, body: dict[str, str] | None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def test_a_wrong_role_is_a_usage_error() -> None:
    result = subprocess.run([*CRMTRAY, "demo", "--role", "king"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "seller" in result.stderr
