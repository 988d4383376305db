"""Builds the server: makes every object once, and hands each what it needs.

The only place that constructs collaborators. Nothing imports this but the commands; running runs what is built here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web
from sqlalchemy.engine import Engine

from crmtray.protocol import Json, User

from .actions import Actions
from .addressees import Addressees
from .alerts import Alerts
from .api import admin_page, routes
from .api.crm_events import CRM_EVENTS
from .api.explain import EXPLAINER
from .api.health import Health
from .api.metrics import measured
from .api.preferences import READERS
from .api.proxies import behind
from .api.publish import PUBLISHER, Publisher
from .api.web import LARGEST_BODY, SERVICES, Services, problems
from .auth import Auth
from .cleanup import Cleanup
from .config import Settings, SettingsError
from .crm.engine import crm_engine
from .crm.listening import Listener
from .crm.lookup import conversation
from .crm.mirror import MirrorSource
from .crm.orders import Crm, CrmUnavailable
from .crm.pushed import AHEAD, OverlaidSource
from .crm.queries import MappingError, load_mapping
from .crm.source import CrmSource
from .crm.webhook import Webhook
from .crm.writer import CrmWriter
from .crm_events import CrmEvents
from .crm_login import CrmLogin
from .detectors import Detection
from .directory import Directory
from .duty import CLEANUP, DETECTION, MAIL, WAKE, Duty, Work
from .events import Detected
from .explain import Explainer, Look
from .hub import Hub
from .inbox import Inbox, utc_now
from .mail import AddressError, parse_sender
from .mailer import Mailer
from .monitor import Monitor
from .outbound import Outbound, OutboundError
from .pipeline import Pipeline
from .readers import Readers
from .realtime import Realtime
from .receipts import Receipts
from .scheduler import MeasuredLooks, Scheduler
from .smtp import mail_server
from .store import migrate
from .store.database import Store, make_engine, make_quick_engine
from .store.feed import Scope
from .watch import Watch

if TYPE_CHECKING:
    from .bus import Bus
    from .redis_counts import RedisCounts

NO_REDIS_PACKAGE = "REDIS_URL is set, but the Python package redis is missing: pip install 'crmtray[postgres]'."


@dataclass(slots=True)
class Server:
    """Everything that runs. `web_app` is what the listening socket serves."""

    store: Store
    hub: Hub
    inbox: Inbox
    realtime: Realtime
    scheduler: Scheduler
    cleanup: Cleanup
    monitor: Monitor
    receipts: Receipts
    alerts: Alerts
    watch: Watch
    mailer: Mailer
    duty: Duty
    bus: Bus | None
    listener: Listener | None
    web_app: web.Application
    engines: list[Engine]

    def background(self) -> Iterable[tuple[str, Callable[[], Awaitable[None]]]]:
        """Those that are on duty for a work alone are run by `duty`, the others by each process for itself."""
        yield "duty", self.duty.keep
        yield "sweep", self.hub.sweep_forever
        if self.bus is not None:
            yield "bus", self.bus.run
        yield "watch", self.watch.run
        yield "people", self.watch.run_people
        yield "wake", partial(self.duty.do, WAKE, self.inbox.wake_forever)
        yield "cleanup", partial(self.duty.do, CLEANUP, self.cleanup.run)
        yield "receipts", self.receipts.flush_forever
        yield "alerts", self.alerts.watch_forever
        yield "mail", partial(self.duty.do, MAIL, self.mailer.run)
        yield "detection", self.scheduler.run
        if self.listener is not None:
            yield "listen", partial(self.duty.do, DETECTION, self.listener.run)


def build(settings: Settings, add_routes: Callable[[web.Application], None] | None = None) -> Server:
    """Blocking: opens the store and brings its schema up to date. `add_routes` lets the demo add its pages."""
    sender = mail_sender(settings)
    monitor = Monitor()
    store = open_store(settings)
    store.observe = monitor.committed
    reading = crm_engine(settings.crm_database_url, read_only=True) if settings.crm_database_url else None
    writing = _writing_engine(settings)
    source = None if reading is None else open_source(settings, reading)
    receipts = Receipts(store, utc_now, monitor.receipts_dropped)
    hub = Hub(store, monitor, receipts)
    bus, counts = _redis(settings, hub, monitor)
    directory = Directory(store, None if source is None else partial(_people, source))
    detected = MirrorSource(store, settings) if reading is None else _overlaid(settings, reading, store)
    readers = Readers(store, directory, settings, (source or detected).timezone)
    inbox = Inbox(store, hub, utc_now, readers)
    mail_after = email_after(settings)
    pipeline = Pipeline(inbox, readers, directory, settings.links, mail_after, utc_now, monitor.suppressed)
    outbound = Outbound(settings.crm_private_hosts)
    secret = settings.jwt_secret_key.get_secret_value()
    auth = Auth(store, secret, directory, _crm_login(settings, outbound), counts)
    changes = _crm_changes(settings, writing, outbound)
    actions = Actions(store, hub, inbox, directory, changes, utc_now, pipeline.tell, partial(_locale, readers))
    realtime = Realtime(settings, store, auth, hub, inbox, actions, monitor)
    mailer = _mailer(settings, sender, store, Addressees(readers, directory), monitor, inbox.stored)
    scheduler = _scheduler(settings, store, detected, pipeline, monitor, lambda: duty.on(DETECTION))

    def crm_health() -> Json:
        return _crm_health(scheduler, pushes=reading is None)

    once = make_quick_engine(settings.database_url)
    duty = Duty(
        once,
        changed=partial(_duty_changed, monitor, scheduler),
        reports=lambda: {DETECTION: crm_health(), MAIL: mailer.status()},
    )
    crm_events = CrmEvents(store, scheduler.look_at, None if reading is None else AHEAD)
    health = Health(
        store,
        hub,
        lambda: _told(duty, DETECTION, crm_health),
        lambda: _told(duty, MAIL, mailer.status),
        None if bus is None else bus.status,
    )
    alerts = Alerts(settings, monitor, health.report, utc_now)
    services = Services(store, auth, hub, inbox, actions, directory, health.report, utc_now, monitor, alerts)
    web_app = _web_app(settings, services, realtime, add_routes)
    web_app[READERS] = readers
    web_app[CRM_EVENTS] = crm_events
    web_app[PUBLISHER] = Publisher(pipeline, directory, crm_events)
    web_app[EXPLAINER] = Explainer(store, readers, settings, source, _look(settings, reading), utc_now)
    listener = None if reading is None else Listener(reading, scheduler.look_at, scheduler.wake)
    engines = [engine for engine in (reading, writing, once) if engine is not None]
    cleanup = Cleanup(store, hub, settings.retention)
    watch = Watch(store, hub, auth, directory)
    return Server(
        store,
        hub,
        inbox,
        realtime,
        scheduler,
        cleanup,
        monitor,
        receipts,
        alerts,
        watch,
        mailer,
        duty,
        bus,
        listener,
        web_app,
        engines,
    )


def open_store(settings: Settings) -> Store:
    engine = make_engine(settings.database_url)
    migrate.upgrade(engine)
    store = Store(engine, settings.notification_batch_size)
    store.open()
    return store


def _redis(settings: Settings, hub: Hub, monitor: Monitor) -> tuple[Bus, RedisCounts] | tuple[None, None]:
    """What nodes share beside the store. The package is not there for whoever has one node."""
    if settings.redis_url is None:
        return None, None
    try:
        from .bus import Bus
        from .redis_counts import RedisCounts
    except ImportError:
        raise SettingsError(NO_REDIS_PACKAGE) from None
    url = settings.redis_url.get_secret_value()
    bus = Bus(url, hub.doorbell, hub.sweep_soon, monitor)
    hub.ring = bus.ring
    return bus, RedisCounts(url, settings.jwt_secret_key.get_secret_value())


def _writing_engine(settings: Settings) -> Engine | None:
    if settings.crm_actions != "sql" or not settings.crm_database_url:
        return None
    return crm_engine(settings.crm_database_url)


def _crm_changes(settings: Settings, writing: Engine | None, outbound: Outbound) -> Crm | None:
    """How buttons change the CRM, None when they may not."""
    if settings.crm_actions in ("off", "sql"):
        return None if writing is None else CrmWriter(writing)

    async def send(body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            answer = await outbound.post(settings.crm_actions, body, headers)
        except OutboundError as error:
            raise CrmUnavailable(f"the CRM's webhook: {error}", permanent=error.permanent) from None
        return answer.status, answer.body

    return Webhook(send, settings.jwt_secret_key.get_secret_value())


def _crm_login(settings: Settings, outbound: Outbound) -> CrmLogin | None:
    if settings.crm_login_url is None:
        return None
    return CrmLogin(outbound.post, settings.crm_login_url, settings.jwt_secret_key.get_secret_value())


async def _locale(readers: Readers, user: User) -> str:
    reader = await readers.one(Scope(user.tenant_id, user.user_id), user.role)
    return reader.locale


def open_source(settings: Settings, engine: Engine) -> CrmSource:
    return CrmSource(engine, settings, _mapping(settings))


def _overlaid(settings: Settings, engine: Engine, store: Store) -> CrmSource:
    """For detection alone, which has a thread of its own: it remembers from look to look."""
    return OverlaidSource(engine, settings, _mapping(settings), store)


def _mapping(settings: Settings) -> dict[str, str] | None:
    try:
        return load_mapping(settings.crm_mapping) if settings.crm_mapping else None
    except MappingError as error:
        raise SettingsError(str(error)) from None


def crm_users(source: CrmSource) -> list[User | Scope]:
    """For the directory: whoever is not active is named only."""
    return [
        User(user.user_id, user.tenant_id, user.name, user.email, user.role)
        if user.active
        else Scope(user.tenant_id, user.user_id)
        for user in source.users()
    ]


def _people(source: CrmSource) -> list[User | Scope]:
    """And with them the time zones: at a start too, nobody is told anything before it is known when his night is."""
    source.timezones()
    return crm_users(source)


def _look(settings: Settings, reading: Engine | None) -> Look | None:
    """A CRM that is mapped has its conversations somewhere else."""
    return None if reading is None or settings.crm_mapping else partial(conversation, reading)


def email_after(settings: Settings) -> timedelta | None:
    """None: there is no mail server, so nothing is planned for one."""
    return None if settings.smtp_url is None else settings.email_after


def mail_sender(settings: Settings) -> Address | None:
    """None when there is no mail server. Raises SettingsError when there is one and nobody to send from."""
    if settings.smtp_url is None:
        return None
    if not settings.email_from:
        raise SettingsError("SMTP_URL is set, but EMAIL_FROM is not. Give the address that e-mails shall come from.")
    try:
        return parse_sender(settings.email_from)
    except AddressError as error:
        raise SettingsError(f"EMAIL_FROM={settings.email_from!r}: {error}") from None


def _mailer(
    settings: Settings,
    sender: Address | None,
    store: Store,
    addressees: Addressees,
    monitor: Monitor,
    stored: asyncio.Event,
) -> Mailer:
    return Mailer(
        store,
        None if settings.smtp_url is None else mail_server(settings.smtp_url.get_secret_value()),
        sender,
        addressees.unwanted,
        addressees.reader,
        utc_now,
        retries=settings.notification_max_retries,
        counted=monitor.mail_sent,
        stored=stored,
    )


def _scheduler(
    settings: Settings,
    store: Store,
    source: CrmSource,
    pipeline: Pipeline,
    monitor: Monitor,
    on_duty: Callable[[], bool],
) -> Scheduler:
    detection = MeasuredLooks(Detection(source, store, settings), monitor)

    async def ingest(detected: Detected) -> None:
        await pipeline.ingest(detected)
        monitor.detected(detected)

    return Scheduler(detection, ingest, settings.detection_interval_seconds, on_duty=on_duty)


def _duty_changed(monitor: Monitor, scheduler: Scheduler, work: Work, here: bool, anywhere: bool) -> None:
    monitor.duty(work, here, anywhere)
    if work == DETECTION:
        scheduler.duty_changed()


def _told(duty: Duty, work: Work, own: Callable[[], Json]) -> Json:
    """For /health: when another process is on duty, what that one says."""
    said = None if duty.on(work) else duty.elsewhere(work)
    return own() if said is None else {"status": "ok"} | said | {"mode": "standby"}


def _web_app(
    settings: Settings,
    services: Services,
    realtime: Realtime,
    add_routes: Callable[[web.Application], None] | None,
) -> web.Application:
    middlewares = [behind(settings.trusted_proxies), measured, problems]
    web_app = web.Application(middlewares=middlewares, client_max_size=LARGEST_BODY)
    web_app[SERVICES] = services
    web_app.add_routes(routes.table())
    web_app.add_routes(admin_page.routes())
    realtime.sio.attach(web_app, socketio_path="socket.io")
    if add_routes is not None:
        add_routes(web_app)
    return web_app


def _crm_health(scheduler: Scheduler, *, pushes: bool) -> Json:
    """Which kinds of alert cannot be read now; why stands in the log, where no stranger reads it.

    `pushes`: no CRM is read, and what one pushes is looked at.
    """
    mode = {"mode": "push"} if pushes else {}
    status = scheduler.status()
    if status.last_read is None and status.ingest == "ok":
        return {"status": "starting"} | mode
    failing = sorted(kind for kind, sentence in status.kinds.items() if sentence != "ok")
    return {"status": "ok" if status.ok else "down", "failing": failing} | mode
