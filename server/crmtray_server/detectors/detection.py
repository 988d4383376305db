"""One look at the CRM with all four detectors, and further looks at what has fallen due or was changed since.

Owns the guard round each kind (one that fails never stops the others) and the agenda. Keeps nothing that matters:
what was told stands in the store's episodes. Blocking; used from one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

from crmtray.protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED, Kind

from ..config import Settings
from ..crm.queries import CrmError
from ..crm.source import CrmSource
from ..events import Concern, Detected
from ..store import episodes
from ..store.database import Store, StoreUnavailable
from .agenda import Agenda
from .findings import Found, Open
from .follow_up import FollowUpDetector
from .hot_lead import HotLeadDetector
from .performance import PerformanceDetector
from .sweep import Sweep
from .unanswered import UnansweredDetector

log = logging.getLogger(__name__)


WHOLE_EVERY: Final = timedelta(minutes=5)
"""Everything is read at least so often, whatever is known to be as it was."""
LARGE: Final = 100_000
"""With more leads than this, what cannot be read in part (performance, leads with whom nobody wrote) is read so often
only."""


class Looking(Protocol):
    """A kind that can look at a few subjects alone: their moment has come, or the CRM said that they changed.

    `opened` are their open episodes, and the detector may take out of them what it has seen.
    """

    def look(self, now: datetime, opened: Open, subjects: Sequence[str], /) -> Found: ...


class Detection:
    """Episodes are read from `store` directly: detection has a thread of its own."""

    def __init__(
        self,
        source: CrmSource,
        store: Store,
        settings: Settings,
        whole_every: timedelta = WHOLE_EVERY,
        large: int = LARGE,
    ) -> None:
        self._source, self._store = source, store
        self._whole_every, self._large = whole_every, large
        self._episodes = episodes.Reader(store.engine)
        # Two intervals: one reading may fail and nothing is late.
        self._horizon = 2 * timedelta(seconds=settings.detection_interval_seconds)
        unanswered, follow_up = UnansweredDetector(source), FollowUpDetector(source)
        self._hot_lead, self._performance = HotLeadDetector(source), PerformanceDetector(source)
        self._looking: dict[Kind, Looking] = {UNANSWERED: unanswered, FOLLOW_UP: follow_up, HOT_LEAD: self._hot_lead}
        self._sweeps: dict[Kind, Sweep[Any]] = {
            UNANSWERED: Sweep(unanswered, self._episodes, self._horizon),
            FOLLOW_UP: Sweep(follow_up, self._episodes, self._horizon),
        }
        self._readings: dict[Kind, Callable[[datetime, bool], Found]] = {
            UNANSWERED: partial(self._sweep, UNANSWERED),
            FOLLOW_UP: partial(self._sweep, FOLLOW_UP),
            HOT_LEAD: self._read_hot_leads,
            PERFORMANCE: self._read_performance,
        }
        self._agenda = Agenda()
        self._faults: dict[Kind, str] = {}
        self._prepared = False
        self._whole: dict[Kind, datetime] = {}
        """When each kind was last read whole, with nothing left to read or to tell again."""
        self._touched: dict[Kind, frozenset[str]] = {}
        self._epoch = store.epoch

    @property
    def next_due(self) -> datetime | None:
        return self._agenda.next_due

    def timezone(self, tenant_id: str) -> str | None:
        """The name of a tenant's time zone, as the CRM had it at the last reading; asks nothing."""
        return self._source.timezone(tenant_id)

    def start_over(self) -> None:
        """The next reading is a whole one: others have told what this one does not know of, or a restore forgot it."""
        self._whole.clear()

    def read(self, now: datetime) -> Detected:
        """Everything that is true now and was not told. Reads what may have changed, and now and then everything."""
        detected = self._begin()
        for kind, subjects in self._agenda.pop_due(now).items():
            self._sweeps[kind].unsettle(subjects)
        for kind, reading in self._readings.items():
            whole = self._is_due(kind, now)
            found = self._guarded(kind, detected, partial(reading, now, whole))
            if found is not None:
                soon = self._soon(found, now)
                self._agenda.replace(kind, soon) if whole else self._agenda.add(kind, soon)
        return detected

    def due(self, now: datetime) -> Detected:
        """What has become true by the clock alone since the last look; reads only the rows concerned."""
        detected = self._begin()
        for kind, subjects in self._agenda.pop_due(now).items():
            found = self._guarded(kind, detected, partial(self._look, kind, subjects, now))
            self._seen(kind, found, now)
        return detected

    def concerning(self, now: datetime, concern: Concern) -> Detected:
        """What has changed with what the CRM said it changed; reads only the rows concerned.

        Performance is a sum over a seller's whole day: a reading finds it.
        """
        detected = self._begin()
        for kind in self._looking:
            found = self._guarded(kind, detected, partial(self._look_at, kind, concern, now))
            self._seen(kind, found, now)
        return detected

    def _begin(self) -> Detected:
        self._prepared = False
        return Detected()

    def _prepare(self, now: datetime) -> None:
        """Once in a look, but as a part of each kind's: whatever keeps it from reading is that kind's failure."""
        if not self._prepared:
            self._source.prepare(now)
            self._prepared = True

    def _is_due(self, kind: Kind, now: datetime) -> bool:
        """A store that was restored knows less than was told; a clock that was put back says nothing."""
        if self._epoch != self._store.epoch:
            self._epoch = self._store.epoch
            self.start_over()
        last = self._whole.get(kind)
        return last is None or not last <= now < last + self._whole_every

    def _sweep(self, kind: Kind, now: datetime, whole: bool) -> Found:
        self._prepare(now)
        sweep, touched = self._sweeps[kind], self._touched_now(kind)
        sweep.unsettle(self._touched.get(kind, frozenset()) - touched)
        if whole:
            sweep.start_over()
        found = sweep.read(now, touched)
        if touched:
            found.take(self._look(kind, sorted(touched), now))
        self._touched[kind] = touched
        if whole:
            self._whole[kind] = now
        return found

    def _touched_now(self, kind: Kind) -> frozenset[str]:
        touched = self._source.touched()
        return touched.conversations if kind == UNANSWERED else touched.leads

    def _read_hot_leads(self, now: datetime, whole: bool) -> Found:
        self._prepare(now)
        touched = self._touched_now(HOT_LEAD)
        self._hot_lead.look_again(self._touched.get(HOT_LEAD, frozenset()) - touched)
        self._touched[HOT_LEAD] = touched
        found = None if whole or not self._is_large() else self._hot_lead.glance(now, self._episodes)
        if found is not None:
            return found
        found = self._hot_lead.read(now, self._episodes(HOT_LEAD, None))
        self._was_whole(HOT_LEAD, now, not found.more)
        return found

    def _read_performance(self, now: datetime, whole: bool) -> Found:
        if not whole and self._is_large():
            return Found()
        self._prepare(now)
        found = self._performance.read(now, self._episodes(PERFORMANCE, None))
        self._was_whole(PERFORMANCE, now, found.empty)  # what was found may not be stored
        return found

    def _was_whole(self, kind: Kind, now: datetime, done: bool) -> None:
        if done:
            self._whole[kind] = now
        else:
            self._whole.pop(kind, None)

    def _is_large(self) -> bool:
        return self._performance.leads > self._large

    def _look(self, kind: Kind, subjects: Sequence[str], now: datetime) -> Found:
        self._prepare(now)
        return self._looking[kind].look(now, self._episodes(kind, subjects), subjects)

    def _look_at(self, kind: Kind, concern: Concern, now: datetime) -> Found:
        self._prepare(now)
        subjects = concern.conversations
        if kind != UNANSWERED:
            subjects = concern.leads | self._source.leads_of(sorted(concern.conversations))
        return self._look(kind, sorted(subjects), now) if subjects else Found()

    def _seen(self, kind: Kind, found: Found | None, now: datetime) -> None:
        """A look at a few rows leaves the rest to the next reading: what was not stored, and what is far off."""
        if found is None:
            return
        self._agenda.add(kind, self._soon(found, now))
        if kind in self._sweeps:
            far_off = {subject for moment, subject in found.later if moment > now + self._horizon}
            self._sweeps[kind].unsettle(found.concerned() | far_off)

    def _soon(self, found: Found, now: datetime) -> list[tuple[datetime, str]]:
        # Later ones come with a later reading: memory does not grow with what is far off.
        return [moment for moment in found.later if moment[0] <= now + self._horizon]

    def _guarded(self, kind: Kind, detected: Detected, look: Callable[[], Found]) -> Found | None:
        """Adds what `look` finds, or why it could not look: then nothing of this kind is opened or closed."""
        try:
            found = look()
        except CrmError as error:
            detected.failures[kind] = str(error)
        except StoreUnavailable as error:
            detected.failures[kind] = f"The notification store cannot be read ({error}); check DATABASE_URL."
        except Exception as error:
            detected.failures[kind] = self._fault(kind, error)
        else:
            self._faults.pop(kind, None)
            detected.add(found)
            return found
        self._whole.pop(kind, None)
        return None

    def _fault(self, kind: Kind, error: Exception) -> str:
        """Our bug: its traceback is logged when it begins, not at every look."""
        if self._faults.get(kind) != repr(error):
            log.exception("the detection of %s failed", kind)
        self._faults[kind] = repr(error)
        return f"Detection failed by a fault of this program ({type(error).__name__}); see its log."
