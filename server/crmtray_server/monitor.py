"""What the server counts about itself, for /metrics, the admin pages and the alerts.

Owns the names of the metrics and the sums of the last five minutes. Nothing here names a tenant or a user, and no label
takes values without end. Must not decide what is too much: that is `alerts`. One Monitor a server, no globals.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric

from crmtray.protocol import KINDS, TEAM_MESSAGE

from .events import Detected

WINDOW_SECONDS, SLOT_SECONDS = 300.0, 10.0
RECONNECT_SECONDS = 60.0
"""Who comes back within this time has reconnected; later it is a new visit."""
MOST_GONE = 10_000
MOST_LABELS = 30

LATENCY_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TYPES = frozenset({*KINDS, TEAM_MESSAGE})


@dataclass(slots=True)
class Slot:
    """Ten seconds. `latencies` counts per bucket of LATENCY_BUCKETS, the last one above all of them."""

    number: int
    connected: int = 0
    reconnected: int = 0
    refused: int = 0
    received: int = 0
    errors: int = 0
    delivered: int = 0
    latency_sum: float = 0.0
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS) + 1))


@dataclass(frozen=True, slots=True)
class Stats:
    """Totals since the start; rates and latencies of the last five minutes (0, and 1 for success, when nothing was)."""

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
    recent_messages: int
    recent_connections: int
    recent_attempts: int


class Bounded:
    """Label values as they come, but no more different ones than a dashboard can hold."""

    def __init__(self, most: int = MOST_LABELS) -> None:
        self._most, self._known = most, set[str]()

    def __call__(self, value: str) -> str:
        if value not in self._known and len(self._known) >= self._most:
            return "other"
        self._known.add(value)
        return value


class Monitor:
    """Counters that others raise. Those about sockets on the loop's thread only, the others from any thread."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._began = clock, clock()
        self._gone: dict[Hashable, float] = {}
        self._slots: deque[Slot] = deque()
        self._active = self._connected = self._refused = self._reconnected = 0
        self._sent = self._received = self._errors = 0
        self._reasons, self._outcomes, self._codes = Bounded(), Bounded(), Bounded()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._socket_metrics()
        self._work_metrics()
        self._bus_metrics()

    def _socket_metrics(self) -> None:
        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        self._connections_active = gauge("crmtray_connections_active", "Sockets that are signed in now")
        self._connections_total = counter("crmtray_connections", "Sockets that signed in")
        self._connections_refused = counter("crmtray_connections_refused", "Sockets that were not let in", "code")
        self._reconnects = counter("crmtray_reconnects", "Sockets of a device that had gone less than a minute before")
        self._messages_sent = counter("crmtray_messages_sent", "Events handed to the transport")
        self._messages_received = counter("crmtray_messages_received", "Events that clients sent", "event")
        self._socket_errors = counter("crmtray_socket_errors", "Sockets cut for a fault, and failed events", "reason")
        self._delivery = histogram(
            "crmtray_delivery_seconds",
            "From the commit of a change to its frame being handed to the transport",
            LATENCY_BUCKETS,
        )
        self._acknowledgement = histogram(
            "crmtray_acknowledgement_seconds", "From a pushed item to the device's ack_notifications", ACK_BUCKETS
        )
        self._receipts_dropped = counter("crmtray_receipts_dropped", "Delivery receipts that could not be kept")

    def _work_metrics(self) -> None:
        counter, histogram = self._counter, self._histogram
        self._stored = counter("crmtray_notifications_stored", "Notifications that were stored", "type")
        self._silent = counter("crmtray_notifications_silent", "Stored without being announced", "reason")
        self._suppressed = counter("crmtray_notifications_suppressed", "Kept out by preferences", "reason")
        self._detections = counter("crmtray_detections", "Events found in the CRM and stored", "kind")
        self._detection_failures = counter("crmtray_detection_failures", "Looks at the CRM that failed", "kind")
        self._detection = histogram(
            "crmtray_detection_seconds", "One look at the CRM: all of it, or what is due", DURATION_BUCKETS, "look"
        )
        self._emails = counter("crmtray_emails", "E-mails by what became of them", "outcome")
        self._on_duty = self._gauge("crmtray_on_duty", "1: this process does this work", "work")
        self._duty_held = self._gauge("crmtray_duty_held", "1: this or another process does this work", "work")
        self._http = histogram(
            "crmtray_http_request_seconds", "HTTP requests", DURATION_BUCKETS, "route", "method", "status"
        )
        self._batch = histogram("crmtray_store_batch_writes", "Writes that shared one commit", BATCH_BUCKETS)
        self._commit = histogram("crmtray_store_commit_seconds", "One transaction of writes", DURATION_BUCKETS)

    def _bus_metrics(self) -> None:
        counter = self._counter
        self._found = counter("crmtray_foreign_changes", "Changes of other processes passed on to sockets here", "by")
        self._bells_sent = counter("crmtray_doorbells_sent", "Doorbells given to Redis")
        self._bells_received = counter("crmtray_doorbells_received", "Doorbells of other nodes")
        self._bells_dropped = counter("crmtray_doorbells_dropped", "Doorbells that could not be given to Redis")
        self._bells_ignored = counter("crmtray_doorbells_ignored", "Messages on the channel that are no doorbell")
        self._bus_connected = self._gauge("crmtray_bus_connected", "1: this node hears what is published on Redis")
        self._bus_reconnects = counter("crmtray_bus_reconnects", "Connections to Redis that replaced a lost one")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    # --- sockets -----------------------------------------------------------------------------------------------

    def connected(self, who: Hashable) -> None:
        """`who` is a user on a device."""
        self._active += 1
        self._connected += 1
        self._connections_active.inc()
        self._connections_total.inc()
        slot = self._slot()
        slot.connected += 1
        gone = self._gone.pop(who, None)
        if gone is not None and self._clock() - gone <= RECONNECT_SECONDS:
            self._reconnected += 1
            self._reconnects.inc()
            slot.reconnected += 1

    def disconnected(self, who: Hashable) -> None:
        self._active -= 1
        self._connections_active.dec()
        now = self._clock()
        self._gone.pop(who, None)
        self._gone[who] = now
        for other in tuple(self._gone)[:2]:  # two out for each one in: it never grows for long
            if now - self._gone[other] > RECONNECT_SECONDS or len(self._gone) > MOST_GONE:
                del self._gone[other]

    def refused(self, code: str) -> None:
        self._refused += 1
        self._connections_refused.labels(self._codes(code)).inc()
        self._slot().refused += 1

    def sent(self, seconds: float | None = None) -> None:
        """A frame goes to the transport, so long after the commit of what it tells; None when that is not known."""
        self._sent += 1
        self._messages_sent.inc()
        if seconds is not None:
            self._delivery.observe(seconds)
            self._slot_latency(seconds)

    def sent_together(self, since: list[float | None]) -> None:
        """Frames go to the transport in one write; `since`: when what each tells was committed, where it is known."""
        self._sent += len(since)
        self._messages_sent.inc(len(since))
        now = self._clock()
        for moment in since:
            if moment is not None:
                self._delivery.observe(now - moment)
                self._slot_latency(now - moment)

    def received(self, event: str) -> None:
        self._received += 1
        self._messages_received.labels(event).inc()
        self._slot().received += 1

    def failed(self, reason: str) -> None:
        """A socket was cut for a fault, or an event could not be answered as it should."""
        self._errors += 1
        self._socket_errors.labels(reason).inc()
        self._slot().errors += 1

    def acknowledged(self, seconds: float) -> None:
        self._acknowledgement.observe(seconds)

    def receipts_dropped(self, count: int) -> None:
        self._receipts_dropped.inc(count)

    def clock(self) -> float:
        """Seconds, by the clock of the store's commits."""
        return self._clock()

    # --- work --------------------------------------------------------------------------------------------------

    def stored(self, type: str, silent: bool, reason: str | None) -> None:
        self._stored.labels(type if type in TYPES else "other").inc()
        if silent:
            self._silent.labels(self._reasons(reason or "unknown")).inc()

    def suppressed(self, reason: str, count: int = 1) -> None:
        self._suppressed.labels(self._reasons(reason)).inc(count)

    def looked(self, look: str, seconds: float, detected: Detected) -> None:
        """`look`: read (the whole CRM) or due (what the clock alone made true)."""
        self._detection.labels(look).observe(seconds)
        for kind in detected.failures:
            self._detection_failures.labels(kind).inc()

    def detected(self, detected: Detected) -> None:
        """What was found has been stored."""
        for event in detected.events:
            self._detections.labels(event.kind).inc()

    def mail_sent(self, outcome: str, count: int = 1) -> None:
        """sent, failed, skipped: whatever the mailer calls it."""
        self._emails.labels(self._outcomes(outcome)).inc(count)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """`route` is a template such as /notifications/{id}."""
        self._http.labels(route, method if method in METHODS else "OTHER", str(status)).observe(seconds)

    def duty(self, work: str, here: bool, anywhere: bool) -> None:
        self._on_duty.labels(work).set(here)
        self._duty_held.labels(work).set(anywhere)

    def committed(self, writes: int, seconds: float) -> None:
        self._batch.observe(writes)
        self._commit.observe(seconds)

    # --- between nodes -----------------------------------------------------------------------------------------

    def found(self, by: str, count: int) -> None:
        """Changes that another process stored; `by`: doorbell, sweep, gap."""
        self._found.labels(by).inc(count)

    def bells_sent(self, count: int) -> None:
        self._bells_sent.inc(count)

    def bells_received(self, count: int) -> None:
        self._bells_received.inc(count)

    def bells_dropped(self, count: int) -> None:
        self._bells_dropped.inc(count)

    def bell_ignored(self) -> None:
        self._bells_ignored.inc()

    def bus_connected(self, connected: bool) -> None:
        self._bus_connected.set(int(connected))

    def bus_reconnected(self) -> None:
        self._bus_reconnects.inc()

    # --- reading -----------------------------------------------------------------------------------------------

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(_WithoutCreated(self.registry))

    def latencies(self) -> list[tuple[float, int]]:
        """Deliveries of the last five minutes by upper bound in seconds, the last one infinite."""
        sums = self._latency_sums()
        return list(zip((*LATENCY_BUCKETS, float("inf")), sums, strict=True))

    def stats(self) -> Stats:
        recent = self._recent()
        connected = sum(slot.connected for slot in recent)
        refused = sum(slot.refused for slot in recent)
        errors = sum(slot.errors for slot in recent)
        delivered = sum(slot.delivered for slot in recent)
        attempts = connected + refused + errors + sum(slot.received for slot in recent)
        sums = self._latency_sums()
        return Stats(
            connections_total=self._connected,
            connections_active=self._active,
            connections_refused=self._refused,
            reconnects=self._reconnected,
            messages_sent=self._sent,
            messages_received=self._received,
            errors=self._errors,
            avg_message_latency_ms=_ms(_share(sum(slot.latency_sum for slot in recent), delivered)),
            latency_p50_ms=_ms(quantile(sums, 0.5)),
            latency_p99_ms=_ms(quantile(sums, 0.99)),
            connection_success_rate=_share(connected, connected + refused) if connected + refused else 1.0,
            reconnect_rate=_share(sum(slot.reconnected for slot in recent), connected),
            error_rate=_share(errors, attempts),
            uptime_seconds=round(self._clock() - self._began, 3),
            window_seconds=WINDOW_SECONDS,
            recent_messages=delivered,
            recent_connections=connected,
            recent_attempts=attempts,
        )

    def _slot(self) -> Slot:
        number = int(self._clock() // SLOT_SECONDS)
        if not self._slots or self._slots[-1].number != number:
            self._slots.append(Slot(number))
            self._forget(number)
        return self._slots[-1]

    def _slot_latency(self, seconds: float) -> None:
        slot = self._slot()
        slot.delivered += 1
        slot.latency_sum += seconds
        slot.latencies[bisect_left(LATENCY_BUCKETS, seconds)] += 1

    def _recent(self) -> deque[Slot]:
        self._forget(int(self._clock() // SLOT_SECONDS))
        return self._slots

    def _forget(self, number: int) -> None:
        while self._slots and self._slots[0].number <= number - WINDOW_SECONDS // SLOT_SECONDS:
            self._slots.popleft()

    def _latency_sums(self) -> list[int]:
        sums = [0] * (len(LATENCY_BUCKETS) + 1)
        for slot in self._recent():
            sums = [total + count for total, count in zip(sums, slot.latencies, strict=True)]
        return sums


class _WithoutCreated:
    """The registry without the time at which each series began: a second line for every line, that nobody reads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def quantile(counts: list[int], share: float) -> float:
    """Seconds below which this share of the deliveries was, straight between the bounds of its bucket."""
    wanted, below = share * sum(counts), 0
    for position, count in enumerate(counts):
        if count and below + count >= wanted:
            if position >= len(LATENCY_BUCKETS):
                break
            low = LATENCY_BUCKETS[position - 1] if position else 0.0
            return low + (LATENCY_BUCKETS[position] - low) * (wanted - below) / count
        below += count
    return LATENCY_BUCKETS[-1] if sum(counts) else 0.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
