"""The server process and the PostgreSQL that tests start."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import psycopg
import pytest

from tests.harness.postgres import Postgres, running_postgres
from tests.harness.server import ServerProcess


def health(server: ServerProcess) -> int:
    with urllib.request.urlopen(f"{server.url}/health", timeout=10) as answer:
        status: int = answer.status
        return status


def test_a_server_comes_back_where_it_was(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        url = server.url
        assert health(server) == 200
        server.kill()
        with pytest.raises(OSError):
            health(server)
        server.start()
        assert server.url == url and health(server) == 200
    with pytest.raises(OSError):
        health(server)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="JWT_SECRET_KEY"), ServerProcess(tmp_path, JWT_SECRET_KEY="short"):
        pass


def test_each_database_is_empty_and_its_own(postgres: Postgres) -> None:
    first, second = postgres.new_database(), postgres.new_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE notes (id int)")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('notes')").fetchone() == (None,)


def test_the_cluster_goes_with_the_run() -> None:
    with running_postgres() as postgres:
        url = postgres.new_database()
        with psycopg.connect(url) as connection:
            [folder] = connection.execute("SHOW data_directory").fetchone() or ()
        assert Path(folder).exists()
    assert not Path(folder).exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url).close()
