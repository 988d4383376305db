"""What docs/deploy.md tells an administrator to type, typed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from crmtray_server.redis_server import RULES
from tests.harness.postgres import Postgres
from tests.harness.server import ServerProcess, sign
from tests.server.test_two_servers import ask

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_two_roles_are_enough(postgres: Postgres, tmp_path: Path) -> None:
    """One that migrates, and one that serves and could not create a table."""
    [sql] = re.findall(r"^```sql\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    folder = parse_qs(urlsplit(postgres.new_database()).query)["host"][0]
    psql = shutil.which("psql")
    assert psql is not None, "psql is not installed: scripts/system-packages test"
    command = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "tests", "-d", "postgres"]
    subprocess.run(command, input=sql.replace("…", "geheim"), text=True, check=True, capture_output=True)

    server = ServerProcess(tmp_path, DATABASE_URL=f"postgresql://crmtray@/crmtray?host={folder}")
    with pytest.raises(AssertionError, match="crmtray-server migrate"):
        server.start()
    server.environment["DATABASE_URL"] = f"postgresql://crmtray_owner@/crmtray?host={folder}"
    server.run("migrate")
    server.environment["DATABASE_URL"] = f"postgresql://crmtray@/crmtray?host={folder}"
    with server:
        server.add_user("8", "ana@demo.example", "seller", "una-clave-larga")
        publisher = sign("9", role="admin", scope="notifications:write")
        body = {"user_id": "8", "type": "news", "title": "t", "message": "", "dedupe_key": "t"}
        ask(server, "/notifications", publisher, body)
        assert [item["title"] for item in ask(server, "/notifications", sign("8"))] == ["t"]
    refused = subprocess.run(
        [*command[:-3], "crmtray", "-d", "crmtray", "-c", "CREATE TABLE x (y int)"], capture_output=True, text=True
    )
    assert refused.returncode != 0 and "permission denied" in refused.stderr


def test_the_account_of_redis_may_what_the_server_does() -> None:
    assert RULES in TEXT


def test_what_is_named_exists() -> None:
    for name in re.findall(r"`?(packaging/[\w./-]+\w)(?![\w*])", TEXT):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\bCrmtray[A-Z]\w+", TEXT):
        assert f"alert: {name}" in (ROOT / "packaging/prometheus/crmtray-rules.yml").read_text()
