"""A small CRM and a server that reads it, with accounts for two of its sellers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.workstation import PASSWORD
from tests.harness.server import ServerProcess
from tests.server.reference_crm import ReferenceCrm


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[ReferenceCrm]:
    with closing(ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}")) as crm:
        crm.people()
        yield crm


@pytest.fixture
def server(crm: ReferenceCrm, tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, CRM_DATABASE_URL=crm.url) as server:
        server.add_user("7", "juan@demo.example", "seller", PASSWORD)
        server.add_user("8", "ana@demo.example", "seller", PASSWORD)
        server.loud_at_any_time("7")
        server.loud_at_any_time("8")
        yield server
