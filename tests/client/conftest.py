"""What the client's tests share as fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.client.support import client_tasks


@pytest.fixture
async def no_client_tasks_left() -> AsyncIterator[None]:
    """A session that was stopped has nothing running any more."""
    yield
    assert client_tasks() == []
