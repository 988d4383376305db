"""What a newcomer does first: the demo, with a display and without."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

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


def test_a_wrong_role_is_a_usage_error() -> None:
    result = subprocess.run([*CRMTRAY, "demo", "--role", "king"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "seller" in result.stderr
