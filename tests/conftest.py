"""What every test gets: the strict rules of tests/harness/strict.py, and databases of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.postgres import Postgres, running_postgres

pytest_plugins = ["tests.harness.strict"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The address of an empty PostgreSQL database."""
    return postgres.new_database()
