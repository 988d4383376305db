"""What the cache keeps by name beside the items: whose it is, up to where, and what holds over a restart.

Owns the table `meta`. It must not know what becomes of what is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from sqlite_utils import Database

from .protocol import Json


class Meta:
    def __init__(self, db: Database) -> None:
        self._db = db

    @property
    def cursor(self) -> tuple[str, int] | None:
        stored = self._meta("cursor")
        return None if stored is None else (str(stored[0]), int(stored[1]))

    @property
    def owner(self) -> tuple[str, str] | None:
        """Server and user id that these rows belong to."""
        stored = self._meta("owner")
        return None if stored is None else (str(stored[0]), str(stored[1]))

    @owner.setter
    def owner(self, value: tuple[str, str]) -> None:
        self._set_meta("owner", list(value))

    @property
    def preferences(self) -> Json | None:
        """What the server said last of the person's preferences, as it came."""
        stored = self._meta("preferences")
        return stored if isinstance(stored, dict) else None

    @preferences.setter
    def preferences(self, value: Json) -> None:
        self._set_meta("preferences", value)

    @property
    def do_not_disturb(self) -> list[str | None] | None:
        """Until when the person is not to be disturbed, and what the configuration said when they chose."""
        return cast("list[str | None] | None", self._meta("do_not_disturb"))

    @do_not_disturb.setter
    def do_not_disturb(self, value: list[str | None]) -> None:
        self._set_meta("do_not_disturb", value)

    @property
    def told(self) -> dict[str, tuple[str, int]]:
        """Urgent items that are told again until they are seen: when last, and how often already."""
        return {id: (str(last), int(again)) for id, (last, again) in (self._meta("told") or {}).items()}

    @told.setter
    def told(self, value: Mapping[str, tuple[str, int]]) -> None:
        self._set_meta("told", value)

    def _meta(self, name: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
        return None if row is None else json.loads(row[0])

    def _set_meta(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", [name, json.dumps(value)])
