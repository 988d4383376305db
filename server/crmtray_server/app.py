"""Builds the server: makes every object once, hands each what it needs, runs and ends it all.

The only place that constructs collaborators. Nothing imports this but the commands.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy.engine import Engine

from crmtray.protocol import Json, User

from .actions import Actions
from .api import routes
from .api.web import LARGEST_BODY, SERVICES, Services, problems
from .auth import Auth
from .config import Settings, SettingsError
from .crm.engine import crm_engine
from .crm.queries import MappingError, load_mapping
from .crm.source import CrmSource
from .crm.writer import CrmWriter
from .detectors import Detection
from .directory import Directory
from .events import Detected
from .hub import Hub
from .inbox import Inbox, utc_now
from .pipeline import Pipeline
from .realtime import Realtime
from .scheduler import Scheduler
from .store import migrate
from .store.database import Store, StoreUnavailable, make_engine
from .store.tables import meta

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 8.0
RESTART_SECONDS = 2.0


@dataclass(slots=True)
class Server:
    """Everything that runs. `web_app` is what the listening socket serves."""

    store: Store
    hub: Hub
    inbox: Inbox
    realtime: Realtime
    scheduler: Scheduler | None
    web_app: web.Application
    engines: list[Engine]

    def background(self) -> Iterable[tuple[str, Callable[[], Awaitable[None]]]]:
        yield "sweep", self.hub.sweep_forever
        yield "wake", self.inbox.wake_forever
        if self.scheduler is not None:
            yield "detection", self.scheduler.run


def build(settings: Settings, add_routes: Callable[[web.Application], None] | None = None) -> Server:
    """Blocking: opens the store and brings its schema up to date. `add_routes` lets the demo add its pages."""
    store = open_store(settings)
    reading = crm_engine(settings.crm_database_url, read_only=True) if settings.crm_database_url else None
    writing = _writing_engine(settings)
    source = None if reading is None else open_source(settings, reading)
    hub = Hub(store)
    inbox = Inbox(store, hub)
    directory = Directory(store, None if source is None else lambda: crm_users(source))
    auth = Auth(store, settings.jwt_secret_key.get_secret_value(), directory.find)
    actions = Actions(store, hub, inbox, directory, None if writing is None else CrmWriter(writing))
    realtime = Realtime(settings, store, auth, hub, inbox, actions)
    scheduler = None if source is None else _scheduler(settings, store, source, inbox, directory)

    async def health() -> tuple[bool, Json]:
        return await _health(store, hub, scheduler)

    services = Services(store, auth, hub, inbox, actions, directory, health, utc_now)
    web_app = _web_app(services, realtime, add_routes)
    engines = [engine for engine in (reading, writing) if engine is not None]
    return Server(store, hub, inbox, realtime, scheduler, web_app, engines)


def open_store(settings: Settings) -> Store:
    engine = make_engine(settings.database_url)
    migrate.upgrade(engine)
    store = Store(engine, settings.notification_batch_size)
    store.open()
    return store


def _writing_engine(settings: Settings) -> Engine | None:
    if settings.crm_actions == "off" or not settings.crm_database_url:
        return None
    return crm_engine(settings.crm_database_url)


def open_source(settings: Settings, engine: Engine) -> CrmSource:
    try:
        return CrmSource(engine, settings, load_mapping(settings.crm_mapping) if settings.crm_mapping else None)
    except MappingError as error:
        raise SettingsError(f"CRM_MAPPING={settings.crm_mapping}: {error}") from None


def crm_users(source: CrmSource) -> list[User]:
    return [
        User(user.user_id, user.tenant_id, user.name, user.email, user.role) for user in source.users() if user.active
    ]


def _scheduler(settings: Settings, store: Store, source: CrmSource, inbox: Inbox, directory: Directory) -> Scheduler:
    detection = Detection(source, store, settings)
    pipeline = Pipeline(inbox, directory, settings.links, detection.timezone)

    async def ingest(detected: Detected) -> None:
        await pipeline.ingest(detected)

    return Scheduler(detection, ingest, settings.detection_interval_seconds)


def _web_app(
    services: Services, realtime: Realtime, add_routes: Callable[[web.Application], None] | None
) -> web.Application:
    web_app = web.Application(middlewares=[problems], client_max_size=LARGEST_BODY)
    web_app[SERVICES] = services
    web_app.add_routes(routes.table())
    realtime.sio.attach(web_app, socketio_path="socket.io")
    if add_routes is not None:
        add_routes(web_app)
    return web_app


async def _health(store: Store, hub: Hub, scheduler: Scheduler | None) -> tuple[bool, Json]:
    """The store is needed; a CRM that is away delays alerts and loses none, so the server stays in service."""
    services: Json = {"socket_io": {"status": "ok", "connections": len(hub)}}
    try:
        await store.read(lambda connection: connection.execute(meta.select().limit(1)).first())
        services["database"] = {"status": "ok"}
        healthy = True
    except StoreUnavailable as error:
        log.warning("the store is not available: %s", error)
        services["database"] = {"status": "down"}
        healthy = False
    services["redis"] = services["smtp"] = {"status": "off"}
    services["crm"] = {"status": "off"} if scheduler is None else _crm_health(scheduler)
    degraded = any(service["status"] == "down" for service in services.values())
    status = "down" if not healthy else "degraded" if degraded else "ok"
    return healthy, {"status": status, "services": services}


def _crm_health(scheduler: Scheduler) -> Json:
    """Which kinds of alert cannot be read now; why stands in the log, where no stranger reads it."""
    status = scheduler.status()
    if status.last_read is None and status.ingest == "ok":
        return {"status": "starting"}
    failing = sorted(kind for kind, sentence in status.kinds.items() if sentence != "ok")
    return {"status": "ok" if status.ok else "down", "failing": failing}


def run(
    settings: Settings,
    host: str,
    port: int,
    ready: Callable[[str], None],
    add_routes: Callable[[web.Application], None] | None = None,
    alongside: Callable[[asyncio.Event], Awaitable[None]] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT. `alongside(stop)` runs with the server and may set `stop` to end it."""
    server = build(settings, add_routes)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(server, host, port, ready, alongside))
    finally:
        server.store.close()
        for engine in server.engines:
            engine.dispose()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(
    server: Server,
    host: str,
    port: int,
    ready: Callable[[str], None],
    alongside: Callable[[asyncio.Event], Awaitable[None]] | None,
) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    runner = web.AppRunner(server.web_app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    tasks: list[asyncio.Task[None]] = []
    try:
        await _listen(site, host, port)
        tasks = [
            asyncio.create_task(_keep_running(name, function), name=name) for name, function in server.background()
        ]
        if alongside is not None:
            tasks.append(asyncio.ensure_future(alongside(stop)))
        address = _address(runner, host)
        log.info("listening on %s", address)
        ready(address)
        await stop.wait()
        log.info("stopping")
        await site.stop()
        await server.realtime.close()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()


async def _listen(site: web.TCPSite, host: str, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(f"cannot listen on {host}:{port}: {reason}. Choose another with --port.") from None


def _address(runner: web.AppRunner, host: str) -> str:
    port = runner.addresses[0][1]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: Ctrl+C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, stop.set)


async def _keep_running(name: str, function: Callable[[], Awaitable[None]]) -> None:
    """A background part that fails is started again: one lost connection must not end alerts until a restart."""
    while True:
        try:
            await function()
        except StoreUnavailable as error:
            log.warning("%s: the store is not available, trying again: %s", name, error)
        except Exception:
            log.exception("%s failed, starting it again", name)
        await asyncio.sleep(RESTART_SECONDS)
