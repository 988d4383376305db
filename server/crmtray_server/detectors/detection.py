"""One look at the CRM with all four detectors, and further looks at what has fallen due or was changed since.

Owns the guard round each kind (one that fails never stops the others) and the agenda. Keeps nothing that matters:
what was told stands in the store's episodes. Blocking; used from one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from crmtray.protocol import UNANSWERED, Kind

from ..config import Settings
from ..crm.queries import CrmError
from ..crm.source import CrmSource
from ..events import Concern, Detected
from ..store import episodes
from ..store.database import Store, StoreUnavailable
from .agenda import Agenda
from .findings import Found, Open, OpenEpisodes
from .follow_up import FollowUpDetector
from .hot_lead import HotLeadDetector
from .performance import PerformanceDetector
from .unanswered import UnansweredDetector

log = logging.getLogger(__name__)


class Detector(Protocol):
    """A kind's rule. `opened` are its open episodes, and the detector may take out of them what it has seen."""

    @property
    def kind(self) -> Kind: ...

    def read(self, now: datetime, opened: Open, horizon: timedelta, /) -> Found: ...


class LookingDetector(Detector, Protocol):
    """One that can look at a few subjects alone: their moment has come, or the CRM said that they changed."""

    def look(self, now: datetime, opened: Open, subjects: Sequence[str], /) -> Found: ...


class Detection:
    """Episodes are read from `store` directly: detection has a thread of its own."""

    def __init__(self, source: CrmSource, store: Store, settings: Settings) -> None:
        self._source = source
        self._open_episodes: OpenEpisodes = episodes.reader(store.engine)
        # Two intervals: one reading may fail and nothing is late.
        self._horizon = 2 * timedelta(seconds=settings.detection_interval_seconds)
        looking: tuple[LookingDetector, ...] = (
            UnansweredDetector(source),
            FollowUpDetector(source),
            HotLeadDetector(source),
        )
        self._looking = {detector.kind: detector for detector in looking}
        self._detectors: tuple[Detector, ...] = (*looking, PerformanceDetector(source))
        self._agenda = Agenda()
        self._faults: dict[Kind, str] = {}
        self._prepared = False

    @property
    def next_due(self) -> datetime | None:
        return self._agenda.next_due

    def timezone(self, tenant_id: str) -> str | None:
        """The name of a tenant's time zone, as the CRM had it at the last reading; asks nothing."""
        return self._source.timezone(tenant_id)

    def read(self, now: datetime) -> Detected:
        """Everything that is true now and was not told."""
        detected = self._begin()
        for detector in self._detectors:
            found = self._guarded(detector.kind, detected, partial(self._read, detector, now))
            if found is not None:
                self._agenda.replace(detector.kind, self._soon(found, now))
        return detected

    def due(self, now: datetime) -> Detected:
        """What has become true by the clock alone since the last look; reads only the rows concerned."""
        detected = self._begin()
        for kind, subjects in self._agenda.pop_due(now).items():
            found = self._guarded(kind, detected, partial(self._look, kind, subjects, now))
            if found is not None:
                self._agenda.add(kind, self._soon(found, now))
        return detected

    def concerning(self, now: datetime, concern: Concern) -> Detected:
        """What has changed with what the CRM said it changed; reads only the rows concerned.

        Performance is a sum over a seller's whole day: the next reading finds it.
        """
        detected = self._begin()
        for kind in self._looking:
            found = self._guarded(kind, detected, partial(self._look_at, kind, concern, now))
            if found is not None:
                self._agenda.add(kind, self._soon(found, now))
        return detected

    def _begin(self) -> Detected:
        self._prepared = False
        return Detected()

    def _prepare(self, now: datetime) -> None:
        """Once in a look, but as a part of each kind's: whatever keeps it from reading is that kind's failure."""
        if not self._prepared:
            self._source.prepare(now)
            self._prepared = True

    def _read(self, detector: Detector, now: datetime) -> Found:
        self._prepare(now)
        return detector.read(now, self._open_episodes(detector.kind, None), self._horizon)

    def _look(self, kind: Kind, subjects: Sequence[str], now: datetime) -> Found:
        self._prepare(now)
        return self._looking[kind].look(now, self._open_episodes(kind, subjects), subjects)

    def _look_at(self, kind: Kind, concern: Concern, now: datetime) -> Found:
        self._prepare(now)
        subjects = concern.conversations
        if kind != UNANSWERED:
            subjects = concern.leads | self._source.leads_of(sorted(concern.conversations))
        return self._look(kind, sorted(subjects), now) if subjects else Found()

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
        return None

    def _fault(self, kind: Kind, error: Exception) -> str:
        """Our bug: its traceback is logged when it begins, not at every look."""
        if self._faults.get(kind) != repr(error):
            log.exception("the detection of %s failed", kind)
        self._faults[kind] = repr(error)
        return f"Detection failed by a fault of this program ({type(error).__name__}); see its log."
