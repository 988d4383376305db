"""The `crmtray` command as a person at a terminal meets it: exit codes, and what stands where."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from crmtray import __version__
from crmtray.cache import Cache
from crmtray.protocol import Notification
from tests.client.fake_server import PASSWORD, USER, FakeServer
from tests.client.support import item, page, put, wait_until

COMMAND = [sys.executable, "-P", "-m", "crmtray"]
NO_KEYRING = "keyring.backends.fail.Keyring"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own, no display, no keyring."""
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    return {**kept, **folders, "PYTHON_KEYRING_BACKEND": NO_KEYRING}


def run(environment: dict[str, str], *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fill_cache(tmp_path: Path) -> list[Notification]:
    folder = tmp_path / "crmtray" / "profiles" / "default"
    folder.mkdir(parents=True)
    items = [item(f"n{n}", n, title=f"Reunión {n}", read=n == 1) for n in range(1, 131)]
    cache = Cache.open(folder / "cache.db")
    cache.apply(page(*(put(entry) for entry in items), reset=True), now=items[0].created_at)
    cache.close()
    return items


def test_version_and_help(environment: dict[str, str]) -> None:
    assert run(environment, "--version").stdout == f"crmtray {__version__}\n"
    for command in ("demo", "login", "logout", "listen", "list"):
        shown = run(environment, command, "--help")
        assert shown.returncode == 0 and "--debug" in shown.stdout, command


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["login", "--server", "https://crm.example.com"],
        ["login", "--email", "ana@example.com"],
        ["demo", "--role", "king"],
        ["demo", "--duration", "-1"],
        ["listen", "--password-stdin"],
    ],
)
def test_usage_errors_exit_2(environment: dict[str, str], arguments: list[str]) -> None:
    done = run(environment, *arguments)
    assert done.returncode == 2 and done.stdout == "" and "Usage" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no display"),
        (["listen"], "nobody is signed in"),
        (["--profile", "../x", "list"], "--profile '../x'"),
        (["listen", "--server", "http://crm.example.com"], "https://"),
        (["login", "--server", "localhost:1", "--email", "a@b.c", "--password-stdin"], "keyring"),
        (["listen", "--server", "localhost:1", "--email", "a@b.c", "--password-stdin"], "could not sign in"),
    ],
)
def test_failures_exit_1_with_one_line(environment: dict[str, str], arguments: list[str], said: str) -> None:
    done = run(environment, *arguments, stdin="secret\n")
    assert done.returncode == 1 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1 and done.stderr.startswith("crmtray: ")


def test_debug_shows_where(environment: dict[str, str]) -> None:
    done = run(environment, "listen", "--debug")
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_a_bad_setting_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "crmtray").mkdir()
    (tmp_path / "crmtray" / "config.toml").write_text("pol_seconds = 5\n")
    done = run(environment, "list")
    assert done.returncode == 1 and "pol_seconds" in done.stderr and "config.toml" in done.stderr


def test_list_works_offline(environment: dict[str, str], tmp_path: Path) -> None:
    items = fill_cache(tmp_path)
    shown = run(environment, "list")
    assert shown.returncode == 0 and len(shown.stdout.splitlines()) == 130
    assert "Reunión 130" in shown.stdout.splitlines()[0]
    unread = run(environment, "list", "--unread", "--json").stdout.splitlines()
    assert len(unread) == 129 and Notification.from_wire(json.loads(unread[0])) == items[-1]
    found = run(environment, "list", "--search", "reunion 7", "--type", "hot_lead")
    assert [line.split("·")[0].split("🔥")[1].strip() for line in found.stdout.splitlines()] == [
        f"Reunión {number}" for number in [*range(79, 69, -1), 7]
    ]
    assert run(environment, "list", "--type", "follow_up_reminder").stdout == "No hay notificaciones.\n"


def test_a_reader_that_stops_reading_is_no_error(environment: dict[str, str], tmp_path: Path) -> None:
    fill_cache(tmp_path)
    command = f"{' '.join(COMMAND)} list --json | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0" and done.stderr == ""


async def test_listen_prints_what_arrives_and_ends_on_ctrl_c(environment: dict[str, str], tmp_path: Path) -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        command = [*COMMAND, "listen", "--server", server.url, "--email", USER["email"], "--password-stdin", "--json"]
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{PASSWORD}\n".encode())
        lines: list[dict[str, object]] = []

        async def read(stream: asyncio.StreamReader) -> None:
            async for line in stream:
                lines.append(json.loads(line))

        reading = asyncio.create_task(read(process.stdout))
        try:
            await wait_until(lambda: any(line.get("state") == "real_time" for line in lines), "real time")
            await server.add(item("n2", 0))
            await wait_until(lambda: any(line.get("id") == "n2" for line in lines), "the alert")
        finally:
            process.send_signal(signal.SIGINT)
            await reading
            _, error = await process.communicate()
        new = [(line["id"], line["catching_up"]) for line in lines if line["event"] == "new_notification"]
        assert new == [("n1", True), ("n2", False)]
        assert process.returncode == 0 and error == b""
    assert files_under(tmp_path) == [], "a session with a password leaves nothing on the disk"


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_demo_without_a_display_runs_in_the_terminal(environment: dict[str, str]) -> None:
    done = run(environment, "demo", "--duration", "8", "--role", "secretary")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and done.stderr == ""
    assert lines[0] == "No hay pantalla: mostrando las alertas en esta terminal (Ctrl+C para salir)."
    assert lines[1].startswith("Sesión iniciada: ") and lines[1].endswith("(secretaría)")
    assert "● En tiempo real" in lines and any("💬" in line for line in lines)


def test_views_speak_the_language_of_the_system_or_the_configured_one(
    environment: dict[str, str], tmp_path: Path
) -> None:
    fill_cache(tmp_path)
    empty = ("list", "--type", "follow_up_reminder")
    english = environment | {"LC_ALL": "en_US.UTF-8", "LANGUAGE": ""}
    assert run(english, *empty).stdout == "No notifications.\n"
    assert run(environment | {"LANGUAGE": "fr:en_GB:es"}, *empty).stdout == "No notifications.\n"
    (tmp_path / "crmtray").mkdir(exist_ok=True)
    (tmp_path / "crmtray" / "config.toml").write_text('language = "es"\n')
    assert run(english, *empty).stdout == "No hay notificaciones.\n"


def test_the_demo_for_programs(environment: dict[str, str]) -> None:
    done = run(environment, "demo", "--duration", "8", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and {"connection", "new_notification"} <= {entry["event"] for entry in events}
