"""Is it working? For load balancers and the people on call; says nothing that needs a login."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from crmtray.protocol import PROTOCOL, PROTOCOL_HEADER, Json

from ..hub import Hub
from ..store.database import Store, StoreUnavailable
from ..store.tables import meta
from .operation import PUBLIC, Operations
from .schemas import HealthOut
from .web import answer, services

log = logging.getLogger(__name__)

STORE_SECONDS = 5.0
"""A load balancer gives up at about this time as well."""

operations = Operations("Operations")


class Health:
    """What each service says of itself. `crm`, `smtp` and `redis` answer from memory; without Redis it is off."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        crm: Callable[[], Json],
        smtp: Callable[[], Json],
        redis: Callable[[], Json] | None = None,
    ) -> None:
        self._store, self._hub, self._crm, self._smtp, self._redis = store, hub, crm, smtp, redis
        self._problem: str | None = None

    async def report(self) -> tuple[bool, Json]:
        """The store is needed; a CRM that is away delays alerts and loses none, so the server stays in service."""
        self._note(await self._store_problem())
        healthy = self._problem is None
        services: Json = {
            "socket_io": {"status": "ok", "connections": len(self._hub)},
            "database": {"status": "ok" if healthy else "down"},
            "redis": {"status": "off"} if self._redis is None else self._redis(),
            "crm": self._crm(),
            "smtp": self._smtp(),
        }
        degraded = any(service["status"] == "down" for service in services.values())
        return healthy, {"status": "down" if not healthy else "degraded" if degraded else "ok", "services": services}

    async def _store_problem(self) -> str | None:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._store.read(lambda connection: connection.execute(meta.select().limit(1)).first())
        except StoreUnavailable as error:
            return str(error)
        except TimeoutError:
            return f"no answer in {STORE_SECONDS:g} seconds"
        return None

    def _note(self, problem: str | None) -> None:
        """Said when it begins and when it ends, not at every question."""
        if problem is not None and self._problem is None:
            log.warning("the store is not available: %s", problem)
        elif problem is None and self._problem is not None:
            log.info("the store is available again")
        self._problem = problem


@operations.get("/health", answers=HealthOut, access=PUBLIC)
async def health(request: web.Request) -> web.Response:
    """Whether each service works; 503 when one that is needed does not."""
    healthy, report = await services(request).health()
    return answer(report, 200 if healthy else 503, {PROTOCOL_HEADER: str(PROTOCOL)})
