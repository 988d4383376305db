"""Databases and CRMs: what is parametrised over the two databases runs on both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from crmtray_server.crm import demo
from crmtray_server.crm.engine import crm_engine
from tests.server import sample_crm
from tests.server.reference_crm import ReferenceCrm, Watch

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


@pytest.fixture
def crm(crm_url: str) -> Iterator[ReferenceCrm]:
    """The reference tables with one tenant's people."""
    crm = ReferenceCrm(crm_url)
    crm.people()
    yield crm
    crm.close()


@pytest.fixture
async def watch(crm: ReferenceCrm, tmp_path: Path) -> AsyncIterator[Watch]:
    """Detection over that CRM, into a store of its own."""
    watch = Watch(crm, f"sqlite:///{tmp_path / 'watch.db'}")
    yield watch
    await watch.close()


@pytest.fixture
def sample(crm_url: str) -> Iterator[Engine]:
    """The sample CRM as it is made."""
    demo.create(crm_url, now=sample_crm.NOW)
    engine = crm_engine(crm_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'crm.db'}"


@pytest.fixture
def sqlite_sample(sqlite_url: str) -> Iterator[Engine]:
    """For what does not depend on the database."""
    demo.create(sqlite_url, now=sample_crm.NOW)
    engine = crm_engine(sqlite_url)
    yield engine
    engine.dispose()
