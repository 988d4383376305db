"""Do not disturb: until when, whether it is on now, and its end.

Owns the moment and the timer. Where the moment is kept, and what the desktop itself says, it is given; what came
meanwhile is told by `toasts`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from ..region import hour
from ..relative_time import day_month

if TYPE_CHECKING:
    # The tray's menu needs this module before the icon is there: the cache's libraries come after it.
    from ..cache import Cache

Span = Literal["half_hour", "hour", "tomorrow", "off"]
MORNING = time(8, 0)
NIGHT_ENDS = time(5, 0)
LONGEST_WAIT = timedelta(seconds=30)
"""A timer stands still while the machine sleeps, and knows nothing of a clock that was set."""


class Quiet(QObject):
    changed = Signal()
    """Whether it is on, or until when."""
    ended = Signal()
    """What was held back can be told now."""

    def __init__(
        self,
        cache: Cache,
        setting: datetime | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        parent: QObject | None = None,
    ) -> None:
        """`setting`: the configuration's moment. It holds until the person chooses another, or writes another there."""
        super().__init__(parent)
        self._cache, self._setting, self._clock = cache, setting, clock
        self.until = _kept(cache, setting)
        self._system = False
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.look)

    @property
    def active(self) -> bool:
        return self._system or self.until is not None

    @property
    def words(self) -> str:
        """Empty when it is off."""
        if self.until is None:
            return self.tr("No molestar (del sistema)") if self._system else ""
        until, today = self.until.astimezone(), self._clock().astimezone().date()
        at = hour(until)
        if until.date() == today:
            return self.tr("No molestar hasta las {}").format(at)
        if until.date() == today + timedelta(days=1):
            return self.tr("No molestar hasta mañana a las {}").format(at)
        return self.tr("No molestar hasta el {}").format(f"{day_month(until)}, {at}")

    @property
    def short(self) -> str:
        """The time alone; empty when it is off, or the desktop's own."""
        return "" if self.until is None else hour(self.until.astimezone())

    def start(self) -> None:
        """From now on its end is noticed; also one that passed while the program did not run."""
        self.look()
        self.changed.emit()

    def choose(self, span: Span) -> None:
        self.set_until(moment_of(span, self._clock()))

    def set_until(self, until: datetime | None) -> None:
        was_active = self.active
        self.until = until if until is not None and until > self._clock() else None
        self._keep()
        self._wait()
        self._tell(was_active)

    def set_setting(self, setting: datetime | None) -> None:
        """The configuration was changed."""
        if setting != self._setting:
            self._setting = setting
            self.set_until(setting)

    def set_system(self, active: bool) -> None:
        was_active, self._system = self.active, active
        self._tell(was_active)

    def look(self) -> None:
        """Whether its end is there: by the timer, and when the machine wakes up."""
        if self.until is not None and self.until <= self._clock():
            self.set_until(None)
        else:
            self._wait()

    def stop(self) -> None:
        """The program ends; what was chosen stays."""
        self._timer.stop()

    def forget(self) -> None:
        """The person has left: there is nothing to tell, and nobody to keep it for."""
        self.until = None
        self._timer.stop()
        self.changed.emit()

    # --- inside -------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        self._timer.stop()
        if self.until is not None:
            left = min(self.until - self._clock(), LONGEST_WAIT)
            self._timer.start(max(0, round(left.total_seconds() * 1000)))

    def _tell(self, was_active: bool) -> None:
        self.changed.emit()
        if was_active and not self.active:
            self.ended.emit()

    def _keep(self) -> None:
        self._cache.do_not_disturb = [_text(self.until), _text(self._setting)]


def moment_of(span: Span, now: datetime) -> datetime | None:
    match span:
        case "half_hour":
            return now + timedelta(minutes=30)
        case "hour":
            return now + timedelta(hours=1)
        case "tomorrow":
            return _next_morning(now)
        case "off":
            return None


def _next_morning(now: datetime) -> datetime:
    """Tomorrow on this machine's clock. Long after midnight it is still last evening for whoever is awake."""
    here = now.astimezone()
    day = here.date() if here.time() < NIGHT_ENDS else here.date() + timedelta(days=1)
    # Without a zone, so that the hour is that of the day itself when the clocks change in between.
    return datetime.combine(day, MORNING).astimezone()


def _kept(cache: Cache, setting: datetime | None) -> datetime | None:
    kept = cache.do_not_disturb
    if kept is None or kept[1] != _text(setting):
        return setting
    return None if kept[0] is None else datetime.fromisoformat(kept[0])


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
