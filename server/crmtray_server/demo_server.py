"""The throw-away server of `crmtray demo`: a sample CRM that lives, an account for everyone in it, nothing kept.

All of it lies in a temporary folder that goes with the process; the process ends with its standard input, so that a
killed parent leaves no orphan.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from sqlalchemy.engine import Connection

from crmtray.protocol import Json, User

from . import running
from .app import open_store
from .auth import hasher
from .config import Settings
from .crm import demo, demo_pages
from .crm.demo_texts import HIGH_VALUE_AREAS
from .crm.engine import crm_engine
from .crm.living import LivingCrm
from .policy import WORK_DAYS, preset
from .store import accounts, preferences
from .store.feed import Scope

HOST = "127.0.0.1"
REMOVE_SECONDS = 5.0
LINKS = {
    "open_chat": "/demo/chats?conversation={conversation_id}",
    "contact_lead": "/demo/chats?lead={lead_id}",
    "view_lead": "/demo/leads/{lead_id}",
    "view_metrics": "/demo/sellers/{seller_id}/metrics",
}


class DemoSettings(Settings):
    """Takes nothing from the environment: a demo must never touch a real store or CRM."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *others: Any, **more: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def run(role: str, seed: int, ready: Callable[[Json], None]) -> None:
    """Serves until standard input ends or a signal comes. `ready` gets the address and how to sign in."""
    folder = Path(tempfile.mkdtemp(prefix="crmtray-demo-"))
    try:
        _run(folder, role, seed, ready)
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """A look at the CRM that is just ending may make a database's side file anew: then once more."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


def _run(folder: Path, role: str, seed: int, ready: Callable[[Json], None]) -> None:
    crm_url = f"sqlite:///{folder / 'crm.db'}"
    summary = demo.create(crm_url, seed=seed)
    port = _free_port()
    settings = DemoSettings(
        jwt_secret_key=SecretStr(secrets.token_hex(32)),
        database_url=f"sqlite:///{folder / 'store.db'}",
        crm_database_url=crm_url,
        crm_actions="sql",
        crm_web_url={action: f"http://{HOST}:{port}{path}" for action, path in LINKS.items()},
        detection_interval_seconds=2.0,
        high_value_areas=HIGH_VALUE_AREAS,
    )
    password = secrets.token_urlsafe(12)
    _add_accounts(settings, summary, password)
    engine = crm_engine(crm_url)
    person = summary.first(role)
    living = LivingCrm(engine, seed, focus_role=role, focus_seller_id=person.id if role == "seller" else None)

    def announce(url: str) -> None:
        ready({"event": "ready", "url": url, "email": person.email, "password": password, "crm": crm_url})

    def add_pages(web_app: web.Application) -> None:
        demo_pages.add_routes(web_app, engine)

    try:
        running.run(settings, HOST, port, announce, add_pages, _alongside(living))
    finally:
        engine.dispose()


def _alongside(living: LivingCrm) -> Callable[[asyncio.Event], Awaitable[None]]:
    async def live(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        watcher = threading.Thread(target=_wait_for_end, args=(loop, stop), name="stdin", daemon=True)
        watcher.start()
        await living.run(stop)

    return live


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)


def _add_accounts(settings: Settings, summary: demo.DemoSummary, password: str) -> None:
    hashed = hasher.hash(password)
    store = open_store(settings)
    people = [
        (User(str(person.id), str(summary.tenant_id), person.full_name, person.email, person.role), hashed)
        for person in summary.people
    ]
    users = [user for user, _ in people]
    try:
        asyncio.run(store.write(accounts.add, people, datetime.now(UTC)))
        asyncio.run(store.write(_loud_at_any_time, users, settings, datetime.now(UTC)))
    finally:
        store.close()


def _loud_at_any_time(connection: Connection, users: Iterable[User], settings: Settings, now: datetime) -> None:
    """The presets, but for nights and weekends, and by this machine's clock: whoever looks at the demo looks now."""
    zone = _zone_here()
    for user in users:
        wanted = replace(preset(user.role, settings), quiet_hours=None, work_days=WORK_DAYS, timezone=zone)
        preferences.save(connection, Scope(user.tenant_id, user.user_id), wanted, now)


def _zone_here() -> str | None:
    """The name of this machine's time zone, None when it has none that can be read: then it is the sample company's."""
    link = os.path.realpath("/etc/localtime")
    for name in (os.environ.get("TZ", ""), link.partition("zoneinfo/")[2]):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name).key
    return None if time.timezone or time.daylight else "UTC"


def _free_port() -> int:
    """The links in alerts name the port, so it must be known before the server listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
