"""What is going to become true at a known moment, in order of time.

Owns the moments in memory only: every reading of the CRM makes them anew, so nothing is lost with the process.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import datetime

from crmtray.protocol import Kind

Moment = tuple[datetime, str]
"""When, and which subject to look at then."""


class Agenda:
    def __init__(self) -> None:
        self._heaps: dict[Kind, list[Moment]] = {}

    @property
    def next_due(self) -> datetime | None:
        return min((heap[0][0] for heap in self._heaps.values() if heap), default=None)

    def replace(self, kind: Kind, moments: Iterable[Moment]) -> None:
        heap = list(moments)
        heapq.heapify(heap)
        self._heaps[kind] = heap

    def add(self, kind: Kind, moments: Iterable[Moment]) -> None:
        """Those that it has already are not there twice."""
        heap = self._heaps.setdefault(kind, [])
        for moment in set(moments).difference(heap):
            heapq.heappush(heap, moment)

    def pop_due(self, now: datetime) -> dict[Kind, list[str]]:
        """Takes out what has fallen due: subjects by kind, each once."""
        due = {kind: _pop(heap, now) for kind, heap in self._heaps.items()}
        return {kind: subjects for kind, subjects in due.items() if subjects}


def _pop(heap: list[Moment], now: datetime) -> list[str]:
    subjects: dict[str, None] = {}
    while heap and heap[0][0] <= now:
        subjects[heapq.heappop(heap)[1]] = None
    return list(subjects)
