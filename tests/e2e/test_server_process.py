"""The server as an administrator meets it: starts, stops, wrong settings, a CRM that is away or damaged."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.harness.desktop import wait_until
from tests.harness.postgres import Postgres
from tests.harness.server import ServerProcess, sign
from tests.server.reference_crm import ReferenceCrm


@pytest.fixture
def server(crm: ReferenceCrm, tmp_path: Path) -> ServerProcess:
    return ServerProcess(tmp_path, CRM_DATABASE_URL=crm.url)


def command(server: ServerProcess, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "crmtray_server", *arguments],
        env=server.environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def get(server: ServerProcess, path: str, token: str | None = None) -> Any:
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


def post(server: ServerProcess, path: str, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(server.url + path, b"{}", headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


def titles(server: ServerProcess, user: str = "7") -> list[str]:
    return [item["type"] for item in get(server, "/notifications", sign(user))]


def ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def test_sigterm_is_a_clean_end(server: ServerProcess) -> None:
    with server:
        assert get(server, "/health")["services"]["database"]["status"] == "ok"


def test_a_taken_port_is_one_sentence(server: ServerProcess) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = command(server, "serve", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1 and result.stdout == ""
    [line] = [line for line in result.stderr.splitlines() if line.startswith("crmtray-server:")]
    assert "already in use" in line and "--port" in line and "Traceback" not in result.stderr


def test_wrong_settings_stop_the_start(server: ServerProcess) -> None:
    server.environment |= {"JWT_SECRET_KEY": "short", "LOG_LEVEL": "LOUD"}
    result = command(server, "serve")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 2
    assert "JWT_SECRET_KEY" in result.stderr and "LOG_LEVEL" in result.stderr and "Traceback" not in result.stderr


def test_debug_shows_the_traceback(server: ServerProcess) -> None:
    server.environment["CRM_DATABASE_URL"] = "sqlite:////nowhere/crm.db"
    quiet, loud = command(server, "detect", "--once"), command(server, "detect", "--once", "--debug")
    assert quiet.returncode == 1 and "does not exist" in quiet.stderr and "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


@pytest.mark.parametrize("arguments", [("serve", "--port", "x"), ("detect",), ("score",), ("nothing",)])
def test_usage_errors_exit_with_two(server: ServerProcess, arguments: tuple[str, ...]) -> None:
    assert command(server, *arguments).returncode == 2


ACCOUNT = ("user", "add", "--email", "a@demo.example", "--name", "Ana", "--role", "seller", "--password-stdin")


@pytest.mark.parametrize(
    "arguments",
    [
        (*ACCOUNT, "--user-id", ""),
        (*ACCOUNT, "--user-id", "7", "--tenant", " "),
        ("token", "--user-id", ""),
        ("token", "--user-id", "7", "--ttl", "99999999999999"),
    ],
    ids=["no id", "no tenant", "nobody's token", "an endless token"],
)
def test_what_makes_no_sense_is_a_usage_error(server: ServerProcess, arguments: tuple[str, ...]) -> None:
    made = command(server, *arguments, text="una-clave-larga\n")
    assert made.returncode == 2 and not made.stdout and "Traceback" not in made.stderr


@pytest.mark.parametrize(
    ("settings", "arguments", "sentence"),
    [
        ({"DATABASE_URL": "postgresql://u:geheim@h:abc/x"}, ("migrate",), "DATABASE_URL: must be sqlite:///"),
        ({"DATABASE_URL": "sqlite:////proc/nothing/store.db"}, ("migrate",), "/proc/nothing: no such file"),
        ({}, ("user", "passwd", "--email", "a@demo.example"), "--password-stdin"),
    ],
    ids=["port", "folder", "no terminal"],
)
def test_what_can_be_mended_is_one_line(
    server: ServerProcess, settings: dict[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    server.environment |= settings
    failed = command(server, *arguments, text="")
    assert failed.returncode == 1 and failed.stderr.count("\n") == 1
    assert sentence in failed.stderr and "geheim" not in failed.stderr


def test_check_names_what_is_wrong_and_how_to_mend_it(crm: ReferenceCrm, server: ServerProcess) -> None:
    server.environment["CRM_ACTIONS"] = "sql"
    fresh = command(server, "check")
    assert fresh.returncode == 1 and "store: the schema is not up to date; run `crmtray-server migrate`" in fresh.stdout
    server.run("migrate")
    good = command(server, "check")
    assert good.returncode == 0
    assert {line.partition(": ")[2].partition(",")[0] for line in good.stdout.splitlines()} == {"ok"}
    crm.run("ALTER TABLE leads DROP COLUMN next_follow_up")
    bad = command(server, "check")
    wrong = dict(line.split(": ", 1) for line in bad.stdout.splitlines() if not line.endswith(": ok"))
    assert bad.returncode == 1 and set(wrong) - {"crm indexes"} == {"crm followups", "crm actions"}  # those are advice
    assert all("next_follow_up" in sentence for sentence in wrong.values())
    server.environment["CRM_DATABASE_URL"] = "postgresql://nobody:secret@127.0.0.1:1/crm"
    away = command(server, "check")
    [_, crm_line] = away.stdout.splitlines()
    assert away.returncode == 1 and "check that it runs and that CRM_DATABASE_URL is right" in crm_line
    assert "secret" not in away.stdout
    assert away.stderr == "crmtray-server: not in order: crm\n"


def test_accounts_are_made_changed_and_closed(server: ServerProcess) -> None:
    server.add_user("7", "juan@demo.example", "seller", "una-clave-larga")
    assert "has an account already" in command(
        server, "user", "add", "--user-id", "7", "--email", "JUAN@demo.example", "--name", "J", "--role", "seller",
        "--password-stdin", text="otra-clave-larga\n",
    ).stderr  # fmt: skip
    short = command(server, "user", "passwd", "--email", "juan@demo.example", "--password-stdin", text="corta\n")
    assert short.returncode == 1 and "at least 8 characters" in short.stderr
    server.run("user", "passwd", "--email", "juan@demo.example", "--password-stdin", text="nueva-clave-larga\n")
    server.run("user", "disable", "--email", "juan@demo.example")
    [account] = [json.loads(line) for line in server.run("user", "list", "--json").splitlines()]
    assert account["email"] == "juan@demo.example" and account["active"] is False
    assert "no account" in command(server, "user", "disable", "--email", "nadie@demo.example").stderr


def test_a_token_from_the_command_line_is_good(crm: ReferenceCrm, server: ServerProcess) -> None:
    with server:
        token = server.run("token", "--user-id", "7").strip()
        assert get(server, "/auth/me", token)["role"] == "seller"
        expired = sign("7", ttl=-1)
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(server, "/auth/me", expired)
        assert json.loads(refused.value.read())["code"] == "token_expired"
        refused.value.close()


def test_detection_by_hand_tells_once(crm: ReferenceCrm, server: ServerProcess) -> None:
    crm.conversation(11, ago(2))
    planned = [json.loads(line) for line in server.run("detect", "--once", "--dry-run").splitlines()]
    made = [json.loads(line) for line in server.run("detect", "--once").splitlines()]
    assert {line["user_id"] for line in planned} == {line["user_id"] for line in made} == {"7", "3"}
    assert server.run("detect", "--once") == ""


def test_a_missing_column_stops_only_its_kind(crm: ReferenceCrm, server: ServerProcess) -> None:
    crm.run("ALTER TABLE leads DROP COLUMN next_follow_up")
    crm.conversation(11, ago(2))
    with server:
        wait_until(lambda: titles(server) == ["unanswered_conversation"], "the other kinds")
        health = get(server, "/health")
        assert health["services"]["crm"] == {"status": "down", "failing": ["follow_up_reminder"]}
        assert any("next_follow_up" in line and "follow_up_reminder" in line for line in server.log)


def test_a_crm_that_is_away_loses_nothing(crm: ReferenceCrm, server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "crm.db"
    with server:
        wait_until(lambda: get(server, "/health")["services"]["crm"]["status"] == "ok", "the first reading")
        crm.close()
        for name in ("crm.db", "crm.db-wal", "crm.db-shm"):
            if (tmp_path / name).exists():
                (tmp_path / name).rename(tmp_path / f"away-{name}")
        wait_until(lambda: get(server, "/health")["services"]["crm"]["status"] == "down", "the loss")
        assert get(server, "/health")["status"] == "degraded"
        (tmp_path / "away-crm.db").rename(file)
        crm.conversation(11, ago(2))
        wait_until(lambda: titles(server) == ["unanswered_conversation"], "what happened meanwhile")
        assert get(server, "/health")["status"] == "ok"


def test_a_known_due_time_fires_on_time_not_at_the_next_reading(crm: ReferenceCrm, server: ServerProcess) -> None:
    server.environment["DETECTION_INTERVAL_SECONDS"] = "60"
    due = datetime.now(UTC) + timedelta(seconds=6)
    crm.conversation(11, due - timedelta(hours=1))
    with server:
        [notification] = wait_until(lambda: get(server, "/notifications", sign("7")), "the alert")
    made = datetime.fromisoformat(notification["created_at"])
    # The CRM keeps whole seconds: the moment it knows is up to one second before ours.
    assert timedelta(seconds=-1) <= made - due < timedelta(seconds=1)


def test_it_runs_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    with closing(ReferenceCrm(postgres.new_database())) as crm:
        crm.people()
        settings = {"CRM_DATABASE_URL": crm.url, "DATABASE_URL": postgres.new_database(), "CRM_ACTIONS": "sql"}
        with ServerProcess(tmp_path, **settings) as server:
            crm.conversation(11, ago(2))
            wait_until(lambda: titles(server) == ["unanswered_conversation"], "the alert")
            server.kill()
            crm.lead(4, next_follow_up=ago(-2))
            server.start()
            wait_until(lambda: len(titles(server)) == 2, "what happened meanwhile")
            follow_up = get(server, "/notifications?type=follow_up_reminder", sign("7"))[0]
            post(server, f"/notifications/{follow_up['id']}/actions/mark_contacted", sign("7"))
            [unread] = get(server, "/notifications?unread=true", sign("7"))
            assert unread["type"] == "unanswered_conversation"
        with crm.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT last_contacted_at FROM leads").scalar() is not None


def test_log_and_answers_hold_no_secret(crm: ReferenceCrm, server: ServerProcess) -> None:
    server.environment |= {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json"}
    server.add_user("7", "juan@demo.example", "seller", "una-clave-larga")
    with server:
        token = sign("7")
        get(server, "/notifications", token)
        wait_until(lambda: any("listening" in line for line in server.log), "the log")
    text = "\n".join(server.log)
    assert token not in text and "una-clave-larga" not in text and server.environment["JWT_SECRET_KEY"] not in text
    assert all(json.loads(line)["level"] for line in server.log)


def test_the_demo_ends_with_its_standard_input(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path / 'real.db'}"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "crmtray_server", "demo"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready["event"] == "ready" and ready["email"].endswith("@demo.example")
    process.stdin.close()
    started = time.monotonic()
    assert process.wait(15) == 0 and time.monotonic() - started < 10
    process.stdout.close()
    assert list(tmp_path.iterdir()) == [], "nothing is kept, and the real store was not touched"
