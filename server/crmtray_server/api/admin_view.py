"""What the admin page shows, in words and shapes: names, amounts, durations, bars. Decides nothing, asks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crmtray.protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED, Json, User

from ..alerts import Alert
from ..hub import Connection
from ..monitor import Stats
from ..store.feed import Scope
from ..store.overview import FailedEmail

MOST_ROWS = 200
CHART_HEIGHT = 225.0
BAR_WIDTH = 220.0
KIND_NAMES: dict[str, str] = {
    UNANSWERED: "Unanswered conversations",
    HOT_LEAD: "Hot leads",
    FOLLOW_UP: "Follow-up reminders",
    PERFORMANCE: "Performance alerts",
}
SERVICE_NAMES = {
    "socket_io": "Real-time sockets",
    "database": "Notification store",
    "redis": "Redis",
    "crm": "CRM",
    "smtp": "E-mail",
}
MODE_NAMES = {
    "none": "Signed in, not subscribed",
    "subscribing": "Catching up",
    "cursor": "Live",
    "simple": "Live, without a cursor",
}
ALERT_NAMES = {
    "high_connections": "Many connections",
    "high_latency": "Slow delivery",
    "high_error_rate": "Many errors",
    "high_reconnect_rate": "Many reconnections",
    "store_unavailable": "Store unavailable",
    "crm_unreachable": "CRM unreachable",
    "mail_failing": "E-mail failing",
}


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Bar:
    """`size` in units of the drawing."""

    label: str
    count: int
    size: float


@dataclass(frozen=True, slots=True)
class Moment:
    iso: str
    text: str


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    person: str
    role: str
    client: str
    device: str
    address: str
    since: Moment
    mode: str
    feed: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    name: str
    severity: str
    message: str
    since: Moment
    lasted: str


@dataclass(frozen=True, slots=True)
class ServiceRow:
    name: str
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class EmailRow:
    address: str
    title: str
    reason: str
    tries: str
    at: Moment


def amount(count: int, one: str, many: str | None = None) -> str:
    """`1 connection`, `1,204 connections`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(length: timedelta) -> str:
    """The two largest units, `2 h 5 min`; never negative."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{amount(days, 'day')} {hours} h" if hours else amount(days, "day")
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def moment(at: datetime, now: datetime) -> Moment:
    """The time of day, with the date when it is another day's."""
    utc = at.astimezone(UTC)
    same_day = utc.date() == now.astimezone(UTC).date()
    return Moment(utc.isoformat(timespec="seconds"), utc.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M"))


def summary(health: str, alerts: int) -> tuple[str, str]:
    """Of everything: a state for the eye, and the words for it."""
    if health == "down":
        return "down", "Down"
    if alerts:
        return "alerts", amount(alerts, "alert")
    return ("ok", "All well") if health == "ok" else ("degraded", "Degraded")


def tiles(stats: Stats, own: int) -> list[Tile]:
    """Rates and delivery of the last five minutes. `own`: connections of the reader's company."""
    note = "all of your company" if own == stats.connections_active else f"{own:,} of your company"
    measured = amount(stats.recent_messages, "message")
    return [
        Tile("Connected now", f"{stats.connections_active:,}", note if stats.connections_active else "nobody"),
        Tile("Delivery, median", milliseconds(stats.latency_p50_ms, stats.recent_messages), measured),
        Tile("Delivery, 99 %", milliseconds(stats.latency_p99_ms, stats.recent_messages), measured),
        Tile("Errors", f"{stats.error_rate:.1%}", f"{stats.errors:,} since the start"),
        Tile("Reconnections", f"{stats.reconnect_rate:.1%}", f"{stats.reconnects:,} since the start"),
        Tile(
            "Connections let in",
            f"{stats.connection_success_rate:.1%}",
            f"{stats.connections_refused:,} refused since the start",
        ),
        Tile("Messages sent", f"{stats.messages_sent:,}", "since the start"),
        Tile("Messages received", f"{stats.messages_received:,}", "since the start"),
    ]


def milliseconds(value: float, measured: int) -> str:
    if not measured:
        return "–"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def latency_bars(latencies: Sequence[tuple[float, int]]) -> list[Bar]:
    highest = max((count for _, count in latencies), default=0)
    bounds = [_bound(bound) for bound, _ in latencies[:-1]]
    labels = [*(f"≤ {bound}" for bound in bounds), f"> {bounds[-1]}"] if bounds else []
    return [
        Bar(label, count, _size(count, highest, CHART_HEIGHT))
        for label, (_, count) in zip(labels, latencies, strict=True)
    ]


def _bound(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def kind_bars(counts: Mapping[str, int]) -> list[Bar]:
    highest = max(counts.values(), default=0)
    return [Bar(KIND_NAMES.get(kind, kind), count, _size(count, highest, BAR_WIDTH)) for kind, count in counts.items()]


def _size(count: int, highest: int, whole: float) -> float:
    """What is there at all can be seen."""
    return max(2.0, round(whole * count / highest, 1)) if count else 0.0


def connection_rows(
    connections: Iterable[Connection], people: Mapping[Scope, User], now: datetime
) -> list[ConnectionRow]:
    return [_connection(connection, people.get(connection.scope), now) for connection in connections]


def _connection(connection: Connection, user: User | None, now: datetime) -> ConnectionRow:
    keeps_up = connection.mode == "cursor" and connection.acknowledged >= connection.sent
    return ConnectionRow(
        person=user.name or user.email if user else f"User {connection.scope.user_id}",
        role=connection.claims.role,
        client=connection.device.client,
        device="–" if connection.device.name == connection.device.client else connection.device.name,
        address=connection.address or "–",
        since=Moment(connection.since.isoformat(timespec="seconds"), duration(now - connection.since)),
        mode=MODE_NAMES[connection.mode],
        feed=f"{connection.sent:,}" if keeps_up else f"{connection.acknowledged:,} of {connection.sent:,}",
    )


def alert_rows(alerts: Iterable[Alert], now: datetime) -> list[AlertRow]:
    return [
        AlertRow(
            ALERT_NAMES.get(alert.type, alert.type),
            alert.severity,
            alert.message,
            moment(alert.since, now),
            duration((alert.until or now) - alert.since),
        )
        for alert in alerts
    ]


def service_rows(report: Json) -> list[ServiceRow]:
    return [
        ServiceRow(SERVICE_NAMES.get(name, name), str(service["status"]), _service_note(service))
        for name, service in report["services"].items()
    ]


def _service_note(service: Json) -> str:
    if service["status"] == "off":
        return "not set up"
    if service.get("failing"):
        return "not detected: " + ", ".join(KIND_NAMES.get(kind, kind).lower() for kind in service["failing"])
    if "connections" in service:
        return amount(service["connections"], "connection")
    return ""


def email_rows(failed: Iterable[FailedEmail], now: datetime) -> list[EmailRow]:
    return [
        EmailRow(
            email.address,
            email.title or "an alert that is no longer kept",
            email.reason or "no reason was given",
            amount(email.attempts, "try", "tries"),
            moment(email.at, now),
        )
        for email in failed
    ]
