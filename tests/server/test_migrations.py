"""The migrations make the tables that the code expects, on both databases, once, and in nobody's way."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Engine, make_url

from crmtray_server.store import migrate
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.migrate import MIGRATIONS
from crmtray_server.store.tables import metadata
from tests.harness.server import ServerProcess, sign
from tests.server.test_two_servers import ask

NEXT = '''
"""A migration of a version to come."""

import sqlalchemy as sa
from alembic import op
from crmtray_server.store.migrate import add_index

revision = "9001"
down_revision = "{before}"


def upgrade() -> None:
    op.add_column("notifications", sa.Column("mood", sa.String()))
    add_index(
        "notifications_mood",
        "notifications",
        ["mood"],
        sqlite_where=sa.text("mood IS NOT NULL"),
        postgresql_where=sa.text("mood IS NOT NULL"),
    )
'''


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    engine = make_engine(store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def to_come(tmp_path: Path) -> Path:
    """The migrations of a version to come."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9001_next.py").write_text(NEXT.format(before=migrate.newest()))
    return folder


def has_index(engine: Engine) -> bool:
    return "notifications_mood" in {index["name"] for index in sa.inspect(engine).get_indexes("notifications")}


def test_the_newest_schema_is_the_one_in_the_code(engine: Engine) -> None:
    assert not migrate.is_current(engine)
    migrate.upgrade(engine)
    migrate.upgrade(engine)
    assert migrate.is_current(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_two_that_begin_at_once_migrate_once(store_url: str, tmp_path: Path) -> None:
    environment = ServerProcess(tmp_path, DATABASE_URL=store_url).environment
    command = [sys.executable, "-P", "-m", "crmtray_server", "migrate"]
    begun = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[1] for process in begun]
    assert [process.returncode for process in begun] == [0, 0, 0], said
    engine = make_engine(store_url)
    assert migrate.is_current(engine)
    engine.dispose()


def test_from_every_schema_before(engine: Engine, to_come: Path) -> None:
    for revision in ("0001", "0002"):
        migrate.upgrade(engine, revision)
    migrate.upgrade(engine)
    assert migrate.is_current(engine) and not has_index(engine)
    migrate.upgrade(engine, scripts=to_come)
    migrate.upgrade(engine, scripts=to_come)
    assert has_index(engine)


@pytest.mark.expects_log("of a newer version")
def test_a_program_goes_on_with_the_schema_of_the_next(engine: Engine, to_come: Path) -> None:
    """As in a rolling update whose older nodes are started again, and after going back to the version before."""
    migrate.upgrade(engine, scripts=to_come)
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    store.close()
    assert has_index(engine)


def test_a_table_in_use_is_waited_for_without_holding_up_the_others(
    postgres_url: str, to_come: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.05)
    store = make_engine(postgres_url)
    migrate.upgrade(store)
    refused = threading.Event()

    def noted(_seconds: float) -> None:
        refused.set()
        threading.Event().wait(0.05)

    monkeypatch.setattr("crmtray_server.store.migrate.time.sleep", noted)
    with ThreadPoolExecutor(1) as other, psycopg.connect(dsn(postgres_url)) as long:
        long.execute("SELECT count(*) FROM notifications")  # a reader in the middle of its transaction
        migrating = other.submit(migrate.upgrade, store, "head", to_come)
        assert refused.wait(30)
        with psycopg.connect(dsn(postgres_url)) as node:  # a running server writes meanwhile
            node.execute("SET lock_timeout = '20s'")
            node.execute("UPDATE notifications SET read_at = now()")
        long.rollback()
        migrating.result(30)
    assert has_index(store)
    store.dispose()


def test_an_index_that_a_broken_off_try_left_is_built_anew(postgres_url: str, to_come: Path) -> None:
    store = make_engine(postgres_url)
    migrate.upgrade(store)
    with psycopg.connect(dsn(postgres_url), autocommit=True) as connection:
        connection.execute("ALTER TABLE notifications ADD COLUMN mood2 text")
        connection.execute("CREATE INDEX notifications_mood ON notifications (mood2)")
        connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'notifications_mood'::regclass")
        migrate.upgrade(store, scripts=to_come)
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'notifications_mood'::regclass"
        assert connection.execute(valid).fetchone() == (True,)
    store.dispose()


def dsn(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


SERVE_ROLE = """
CREATE ROLE {role} LOGIN;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
"""


def test_serve_needs_no_right_to_change_the_schema(postgres_url: str, tmp_path: Path) -> None:
    role = f"serve_{make_url(postgres_url).database}"
    limited = postgres_url.replace("//tests@", f"//{role}@")
    with psycopg.connect(dsn(postgres_url), autocommit=True) as owner:
        owner.execute(SERVE_ROLE.format(role=role))
        server = ServerProcess(tmp_path, DATABASE_URL=limited)
        refused = subprocess.run(
            [sys.executable, "-P", "-m", "crmtray_server", "serve", "--port", "0"],
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert refused.returncode == 1 and refused.stderr.count("\n") == 1
        assert "run `crmtray-server migrate` with one that owns the tables" in refused.stderr
        ServerProcess(tmp_path, DATABASE_URL=postgres_url).run("migrate")
        with server:
            token = sign("9", role="admin", scope="notifications:write")
            item = {"user_id": "7", "type": "news", "title": "n", "message": "", "dedupe_key": "k"}
            ask(server, "/notifications", token, item)
            assert [found["title"] for found in ask(server, "/notifications", sign("7"))] == ["n"]
            assert ask(server, "/health", "")["status"] == "ok"
        owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
