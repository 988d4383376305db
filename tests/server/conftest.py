"""The two databases: what is parametrised over them runs on both."""

from __future__ import annotations

from pathlib import Path

import pytest

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(params=DATABASES)
def crm_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database for a CRM."""
    return empty_database(request, tmp_path / "crm.db")


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database for the store."""
    return empty_database(request, tmp_path / "store.db")


def empty_database(request: pytest.FixtureRequest, file: Path) -> str:
    param: str = request.param
    return f"sqlite:///{file}" if param == "sqlite" else str(request.getfixturevalue("postgres_url"))
