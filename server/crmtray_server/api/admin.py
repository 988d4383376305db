"""What administrators see of the running server, as JSON: who is connected, how it does, what is wrong.

Connections are those of one's own company only. Figures and alerts are of this whole server process.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from aiohttp import web
from pydantic import AwareDatetime

from crmtray.protocol import Json, format_time

from ..alerts import Alert
from ..hub import Connection
from ..monitor import Stats
from .operation import ADMIN, Operations
from .schemas import Answer
from .web import answer, claims, services

operations = Operations("Operations")


class ConnectionOut(Answer):
    """`sent_seq`, `acked_seq`: how far in the feed the device was sent and has acknowledged."""

    user_id: str
    tenant_id: str
    role: str
    client: str
    device: str
    address: str | None
    since: AwareDatetime
    mode: Literal["none", "subscribing", "cursor", "simple"]
    sent_seq: int
    acked_seq: int


class StatsOut(Answer):
    """Totals since the start; rates and latencies of the last `window_seconds`."""

    connections_total: int
    connections_active: int
    connections_refused: int
    reconnects: int
    messages_sent: int
    messages_received: int
    errors: int
    avg_message_latency_ms: float
    latency_p50_ms: float
    latency_p99_ms: float
    connection_success_rate: float
    reconnect_rate: float
    error_rate: float
    uptime_seconds: float
    window_seconds: float


class AlertOut(Answer):
    """`until` is null while it lasts."""

    type: str
    severity: Literal["warning", "critical"]
    message: str
    since: AwareDatetime
    until: AwareDatetime | None
    value: float
    threshold: float


class AlertsOut(Answer):
    active: list[AlertOut]
    recent: list[AlertOut]


@operations.get("/admin/socketio/connections", answers=list[ConnectionOut], access=ADMIN)
async def connections(request: web.Request) -> web.Response:
    """Who of one's own company is connected now, the newest first."""
    found = services(request).hub.connections(claims(request).scope.tenant_id)
    return answer([_connection(connection) for connection in found])


@operations.get("/admin/socketio/stats", answers=StatsOut, access=ADMIN)
async def stats(request: web.Request) -> web.Response:
    """Connections, messages, latencies and errors of this server."""
    return answer(_stats(services(request).monitor.stats()))


@operations.get("/admin/alerts", answers=AlertsOut, access=ADMIN)
async def alerts(request: web.Request) -> web.Response:
    """What is wrong with this server now, and what was since its start."""
    known = services(request).alerts
    return answer({"active": [_alert(one) for one in known.active], "recent": [_alert(one) for one in known.recent]})


def _connection(connection: Connection) -> Json:
    return {
        "user_id": connection.scope.user_id,
        "tenant_id": connection.scope.tenant_id,
        "role": connection.claims.role,
        "client": connection.device.client,
        "device": connection.device.name,
        "address": connection.address,
        "since": format_time(connection.since),
        "mode": connection.mode,
        "sent_seq": connection.sent,
        "acked_seq": connection.acknowledged,
    }


def _stats(known: Stats) -> Json:
    """The counts that rates are made of are for the alerts."""
    everything = dataclasses.asdict(known)
    return {name: everything[name] for name in StatsOut.model_fields}


def _alert(alert: Alert) -> Json:
    return {
        "type": alert.type,
        "severity": alert.severity,
        "message": alert.message,
        "since": format_time(alert.since),
        "until": None if alert.until is None else format_time(alert.until),
        "value": alert.value,
        "threshold": alert.threshold,
    }
