"""Which urgent items are told again until somebody has seen them, and how often that was done already.

Owns the count, which holds over a restart: a program that starts anew must not begin to annoy anew. When it is looked
for, and what telling is, is the affair of `toasts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ..alerts import Told
from ..cache import Cache


class Repeats:
    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.every: timedelta | None = None
        """None: nothing is told again."""
        self._told: dict[str, Told] = {}

    def __bool__(self) -> bool:
        return bool(self._told)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._told))

    def use(self, every: timedelta | None) -> None:
        if every is None and self._told:
            self._told.clear()
            self._keep()
        elif every is not None and self.every is None:
            kept = self._cache.told.items()
            self._told = {id: Told(datetime.fromisoformat(last), again) for id, (last, again) in kept}
        self.every = every

    def begin(self, ids: Iterable[str], now: datetime) -> None:
        """These were told for the first time."""
        if self.every is not None and (new := {id: Told(now) for id in ids}):
            self._told |= new
            self._keep()

    def due(self, id: str, now: datetime) -> bool:
        return self.every is not None and self._told[id].due(now, self.every)

    def over(self, id: str) -> bool:
        return self._told[id].over

    def again(self, id: str, now: datetime) -> None:
        self._told[id] = Told(now, self._told[id].again + 1)
        self._keep()

    def forget(self, id: str) -> None:
        del self._told[id]
        self._keep()

    def _keep(self) -> None:
        self._cache.told = {id: (told.last.isoformat(), told.again) for id, told in self._told.items()}
