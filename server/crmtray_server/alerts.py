"""Is the server itself well? Compares the last five minutes with the thresholds, and remembers what was wrong.

Owns when an alert begins and ends: it begins at once and ends when it has been calm for a minute, so that a value on
the edge does not flap. A rate over a handful of events says nothing and is not judged. Each alert is logged when it
begins and when it ends. Reads the monitor and /health; changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from crmtray.protocol import Json

from .config import Settings
from .monitor import Monitor, Stats

log = logging.getLogger(__name__)

CHECK_SECONDS = 10.0
CALM = timedelta(minutes=1)
CALM_SHARE = 0.8
"""Calm is below this share of the threshold, not just below it."""
MOST_RECENT = 50
FEWEST_MESSAGES, FEWEST_CONNECTIONS, FEWEST_ATTEMPTS = 10, 20, 20

Severity = Literal["warning", "critical"]
Health = Callable[[], Awaitable[tuple[bool, Json]]]


@dataclass(frozen=True, slots=True)
class Alert:
    """`value` and `threshold` are 1 and 0 for what is either well or not. `until`: it has ended."""

    type: str
    severity: Severity
    message: str
    since: datetime
    value: float
    threshold: float
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is looked at, as it is now."""

    type: str
    severity: Severity
    message: str
    value: float
    threshold: float

    @property
    def bad(self) -> bool:
        return self.value > self.threshold

    @property
    def calm(self) -> bool:
        return self.value <= self.threshold * CALM_SHARE


class Alerts:
    """What is wrong now, and what was."""

    def __init__(self, settings: Settings, monitor: Monitor, health: Health, clock: Callable[[], datetime]) -> None:
        self._settings, self._monitor, self._health, self._clock = settings, monitor, health, clock
        self._active: dict[str, Alert] = {}
        self._calm_since: dict[str, datetime] = {}
        self._recent: deque[Alert] = deque(maxlen=MOST_RECENT)

    @property
    def active(self) -> list[Alert]:
        """The newest first."""
        return sorted(self._active.values(), key=lambda alert: alert.since, reverse=True)

    @property
    def recent(self) -> list[Alert]:
        """Those that have ended, the newest first."""
        return list(self._recent)

    async def watch_forever(self) -> None:
        while True:
            await self.check()
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        _, report = await self._health()
        now = self._clock()
        for condition in conditions(self._settings, self._monitor.stats(), report):
            self._judge(condition, now)

    def _judge(self, condition: Condition, now: datetime) -> None:
        known = self._active.get(condition.type)
        if condition.bad:
            self._calm_since.pop(condition.type, None)
            self._begin(condition, now) if known is None else self._update(known, condition)
        elif known is not None:
            self._settle(known, condition, now)

    def _begin(self, condition: Condition, now: datetime) -> None:
        log.warning("alert %s: %s", condition.type, condition.message)
        self._active[condition.type] = Alert(
            condition.type, condition.severity, condition.message, now, condition.value, condition.threshold
        )

    def _update(self, alert: Alert, condition: Condition) -> None:
        self._active[alert.type] = replace(alert, message=condition.message, value=condition.value)

    def _settle(self, alert: Alert, condition: Condition, now: datetime) -> None:
        if not condition.calm:
            self._calm_since.pop(alert.type, None)
        elif now - self._calm_since.setdefault(alert.type, now) >= CALM:
            log.info("alert %s is over", alert.type)
            del self._active[alert.type], self._calm_since[alert.type]
            self._recent.appendleft(replace(alert, until=now))


def conditions(settings: Settings, stats: Stats, report: Json) -> Iterator[Condition]:
    """Everything that is watched, whether it is well or not."""
    yield _connections(settings, stats)
    yield _latency(settings, stats)
    yield _errors(settings, stats)
    yield _reconnects(settings, stats)
    yield from _services(report["services"])


def _connections(settings: Settings, stats: Stats) -> Condition:
    limit, count = settings.socketio_max_connections, stats.connections_active
    message = f"{count} open connections; SOCKETIO_MAX_CONNECTIONS is {limit}, at {2 * limit} new ones are refused."
    return Condition("high_connections", "warning", message, count, limit)


def _latency(settings: Settings, stats: Stats) -> Condition:
    limit = settings.socketio_avg_latency_ms_threshold
    value = stats.avg_message_latency_ms if stats.recent_messages >= FEWEST_MESSAGES else 0.0
    message = f"Messages take {value:.0f} ms on average; SOCKETIO_AVG_LATENCY_MS_THRESHOLD is {limit:g}."
    return Condition("high_latency", "warning", message, value, limit)


def _errors(settings: Settings, stats: Stats) -> Condition:
    limit = settings.socketio_error_rate_threshold
    value = stats.error_rate if stats.recent_attempts >= FEWEST_ATTEMPTS else 0.0
    message = f"{value:.1%} of what sockets ask for fails; SOCKETIO_ERROR_RATE_THRESHOLD is {limit:g}."
    return Condition("high_error_rate", "warning", message, value, limit)


def _reconnects(settings: Settings, stats: Stats) -> Condition:
    limit = settings.socketio_reconnect_rate_threshold
    value = stats.reconnect_rate if stats.recent_connections >= FEWEST_CONNECTIONS else 0.0
    message = f"{value:.1%} of the connections are reconnections; SOCKETIO_RECONNECT_RATE_THRESHOLD is {limit:g}."
    return Condition("high_reconnect_rate", "warning", message, value, limit)


def _services(services: Json) -> Iterator[Condition]:
    database, crm, smtp = services["database"], services["crm"], services["smtp"]
    away = "The notification store does not answer: check DATABASE_URL and its database. The log says why."
    yield _service("store_unavailable", "critical", away, database)
    kinds = ", ".join(crm.get("failing") or ()) or "what is detected cannot be stored"
    yield _service("crm_unreachable", "critical", f"Detection fails ({kinds}). The log says why.", crm)
    yield _service("mail_failing", "warning", "E-mails cannot be sent: check SMTP_URL. The log says why.", smtp)
    deaf = "Changes of other nodes come some seconds late: check REDIS_URL and its server. The log says why."
    yield _service("bus_down", "warning", deaf, services["redis"])


def _service(type: str, severity: Severity, message: str, service: Json) -> Condition:
    down = service["status"] == "down" and service.get("mode") != "standby"  # then the process on duty says it
    return Condition(type, severity, message, float(down), 0.0)
