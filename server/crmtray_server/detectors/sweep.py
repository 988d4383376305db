"""A long answer of the CRM beside the open episodes, a few buckets at a time, and only those that may differ.

Owns which buckets are settled: looked at, with nothing found, and unchanged since. That is for the CRM's database to
say, by a digest of the rows, not for a clock: nothing is missed that is committed late or changed without a date. What
was found may not be stored after all: its bucket is looked at again. Decides nothing of a kind's own.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Generic, Protocol, TypeVar

from crmtray.protocol import Kind

from ..crm.buckets import LENGTH, BucketsDiffer, Digest, bucket_of
from ..events import Episode
from .findings import Found, Open, OpenEpisodes

Row = TypeVar("Row")
TOGETHER: Final = 500
"""Rows that are examined, and held, at a time; more when one bucket has more."""
MOST_SOME: Final = 0.5
"""From this share of all buckets on, all are read: to pick them out costs more."""

Buckets = frozenset[str] | None
Part = tuple[frozenset[str], list[Row], Open]
"""Some buckets: their rows and their open episodes."""


class Swept(Protocol[Row]):
    """The kind's rule, and how its rows are asked for."""

    @property
    def kind(self) -> Kind: ...

    def subject(self, row: Row, /) -> str: ...

    def digests(self, until: datetime, /) -> dict[str, Digest] | None: ...

    def rows(self, until: datetime, buckets: Buckets, /) -> Generator[Row, None, None]: ...

    def examine(self, rows: Iterable[Row], now: datetime, opened: Open, found: Found, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Settled:
    """What a bucket was when nothing was found in it. `wakes`: the clock alone may make something true then."""

    digest: Digest | None
    wakes: datetime | None = None


UNREAD: Final = Settled(None)


class Sweep(Generic[Row]):
    def __init__(self, detector: Swept[Row], episodes: OpenEpisodes, horizon: timedelta) -> None:
        self._detector, self._episodes, self._horizon = detector, episodes, horizon
        self._buckets: dict[str, Settled] = {}
        self._seen: set[str] = set()

    def start_over(self) -> None:
        """Nothing is settled, whatever has no row any more but an open episode included."""
        suffixes = self._episodes.suffixes(self._detector.kind, LENGTH)
        self._buckets = dict.fromkeys(suffixes, UNREAD)

    def unsettle(self, subjects: Iterable[str]) -> None:
        for subject in subjects:
            self._buckets[bucket_of(subject)] = UNREAD

    def read(self, now: datetime, skip: Collection[str]) -> Found:
        """What is to be told or ended. `skip`: subjects that are looked at in another way."""
        until = now + self._horizon
        # Before the rows: what changes in between is seen as a change by the next reading.
        digests = self._detector.digests(until)
        try:
            return self._read(now, until, digests, skip)
        except BucketsDiffer:
            return self._read(now, until, None, skip)

    def _read(self, now: datetime, until: datetime, digests: dict[str, Digest] | None, skip: Collection[str]) -> Found:
        found = Found()
        which = None if digests is None else self._unsettled(digests, until)
        if which is not None and not which:
            return found
        if digests is not None and which is not None and len(which) > MOST_SOME * len(digests):
            which = None
        for buckets, rows, opened in self._parts(until, which, skip):
            part = found.rest()
            self._detector.examine(rows, now, opened, part)
            found.take(part)
            if found.more:
                break
            if digests is not None:
                self._settle(buckets, digests, part, until)
        return found

    def _unsettled(self, digests: dict[str, Digest], until: datetime) -> frozenset[str]:
        changed = {bucket for bucket, digest in digests.items() if not self._is_settled(bucket, digest, until)}
        return frozenset(changed | (self._buckets.keys() - digests.keys()))

    def _is_settled(self, bucket: str, digest: Digest, until: datetime) -> bool:
        known = self._buckets.get(bucket, UNREAD)
        return known.digest == digest and (known.wakes is None or known.wakes > until)

    def _settle(self, buckets: frozenset[str], digests: dict[str, Digest], part: Found, until: datetime) -> None:
        unsure = {bucket_of(subject) for subject in part.concerned()}
        wakes: dict[str, datetime] = {}
        for moment, subject in part.later:
            if moment > until:
                bucket = bucket_of(subject)
                wakes[bucket] = min(moment, wakes.get(bucket, moment))
        for bucket in buckets:
            if bucket in unsure:
                self._buckets[bucket] = UNREAD
            elif bucket in digests:
                self._buckets[bucket] = Settled(digests[bucket], wakes.get(bucket))
            else:
                self._buckets.pop(bucket, None)

    def _parts(self, until: datetime, which: Buckets, skip: Collection[str]) -> Generator[Part[Row], None, None]:
        buckets, rows, opened = set[str](), list[Row](), Open()
        with closing(self._by_bucket(until, which)) as found:
            for bucket, some, episodes in found:
                rows += (row for row in some if self._detector.subject(row) not in skip)
                opened |= {(one.tenant_id, one.subject): one for one in episodes if one.subject not in skip}
                buckets.add(bucket)
                if len(rows) + len(opened) >= TOGETHER:
                    yield frozenset(buckets), rows, opened
                    buckets, rows, opened = set(), [], {}
        # Buckets with neither rows nor episodes any more have not come up: they are done with.
        yield frozenset(buckets | ((which or self._buckets.keys()) - self._seen)), rows, opened

    def _by_bucket(
        self, until: datetime, which: Buckets
    ) -> Generator[tuple[str, list[Row], list[Episode]], None, None]:
        """Two streams in the same order, side by side."""
        self._seen = set()
        subject = self._detector.subject
        # Closed also when something fails: connections go back at once.
        with (
            closing(self._detector.rows(until, which)) as rows,
            closing(self._episodes.in_order(self._detector.kind, LENGTH, which)) as episodes,
        ):
            tagged: Iterable[tuple[str, bool, Any]] = heapq.merge(
                ((bucket_of(subject(row)), True, row) for row in rows),
                ((bucket_of(one.subject), False, one) for one in episodes),
                key=itemgetter(0),
            )
            for bucket, items in groupby(tagged, itemgetter(0)):
                both = list(items)
                self._seen.add(bucket)
                yield bucket, [one for _, is_row, one in both if is_row], [one for _, is_row, one in both if not is_row]
