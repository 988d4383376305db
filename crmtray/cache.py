"""What this device knows: notifications, the feed's cursor and the queue of intents, in one SQLite file.

Two layers in each row: the server's truth, written only by `apply`, and what is shown, which is the truth with the
queued intents laid over it. A page of the feed and the cursor after it are one transaction, so a crash loses nothing
and repeats nothing. It must not talk to the network.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlite_utils import Database

from .cache_file import claim as claim_file
from .cache_file import open_database, remove_set_aside
from .cache_meta import Meta
from .cache_rows import ROW, Applied, alert, as_shown, notification, truth
from .cache_views import EVERYTHING, SNOOZED, VISIBLE, Counts, Narrowing, count_query, counted, page_query
from .intents import IntentKind, PendingAction, Shown, from_micros, overlay, to_micros
from .protocol import Change, ChangesPage, Json, Notification

__all__ = ["Applied", "Cache", "PendingAction"]

TOAST_MAX_AGE = timedelta(minutes=10)
CLOCKS_DIFFER = 60_000_000
"""Microseconds that a live change may be old; more is a clock that is wrong."""
_SHOWN = "read, read_at, snoozed_until, hidden"


class Cache(Meta):
    """The one place the screen reads from."""

    def __init__(self, db: Database, *, recovered: bool = False, lock: int | None = None, owned: bool = True) -> None:
        super().__init__(db)
        self._lock = lock
        self.recovered = recovered
        self.owned = owned
        """False when another process keeps this file up to date: then read from it only."""

    @classmethod
    def open(cls, path: Path | None, *, claim: bool = True) -> Cache:
        """A damaged file is set aside and a new one made (`recovered`). Without a path: in memory."""
        db, recovered = open_database(path, datetime.now(UTC))
        lock = claim_file(path) if claim and path is not None else None
        return cls(db, recovered=recovered, lock=lock, owned=path is None or lock is not None)

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def wipe(self) -> None:
        """Forgets everything, on the disk too."""
        with self._db.atomic():
            for table in ("items", "outbox", "meta"):
                self._db.execute(f"DELETE FROM {table}")
            self._db.execute("INSERT INTO items_fts (items_fts) VALUES ('rebuild')")
        # Deleted rows stay readable in free pages and in the journal until these two.
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        remove_set_aside(self._db)

    # --- the server's truth -------------------------------------------------------------------------------------

    def apply(self, page: ChangesPage, *, now: datetime, live: bool = False) -> Applied:
        """Takes in a page that was asked for from the cursor. A repeated page changes nothing.

        `live`: this device was up to date, so what is new here is new, whatever the server's clock says.

        A reset is marked and swept: rows that the new feed does not mention go when its last page is in, so the
        screen is never empty in between and toast marks survive.
        """
        with self._db.atomic():
            since = self._begin(page)
            applied = Applied(reset=page.reset)
            filling = self._meta("filling") is not None
            fresh: dict[str, Notification] = {}
            for change in page.changes:
                if page.reset or change.seq > since:
                    self._take(change, applied, fresh, filling, to_micros(now), live)
            if filling and not page.has_more:
                self._sweep(applied)
            seq = page.seq if page.reset else max(page.seq, since)
            self._set_meta("cursor", [page.epoch, seq])
            self._confirm(seq, applied, to_micros(now))
            shown = [(item, self._shown(id)) for id, item in fresh.items()]
            applied.arrived = [as_shown(item, looks) for item, looks in shown if looks is not None and not looks.hidden]
        return applied

    def _begin(self, page: ChangesPage) -> int:
        cursor = self.cursor
        if page.reset:
            self._db.execute("UPDATE items SET stale = 1")
            self._set_meta("filling", True)
            return 0
        if cursor is None or cursor[0] != page.epoch:
            raise ValueError(f"a page of feed {page.epoch!r} for the cursor {cursor!r}")
        return cursor[1]

    def _take(
        self, change: Change, applied: Applied, fresh: dict[str, Notification], filling: bool, now: int, live: bool
    ) -> None:
        if change.notification is None:
            if self._db.execute("DELETE FROM items WHERE id = ?", [change.id]).rowcount:
                applied.removed.add(change.id)
            applied.changed.discard(change.id)
            fresh.pop(change.id, None)
            return
        before, was_silent = self._shown(change.id), not filling and self._is_silent(change.id)
        made = to_micros(change.notification.created_at)
        # A clock that is an hour off must not make every alert too old to be shown.
        alert_at = now if live and now - made > CLOCKS_DIFFER else made
        self._put(change.seq, change.notification, "skipped" if filling else "pending", alert_at)
        self._refresh("id = :id", {"id": change.id}, now)
        applied.changed.add(change.id)
        applied.removed.discard(change.id)
        if before is None or self._woke(change.id, before, now) or (was_silent and self._sounds(change.id)):
            fresh[change.id] = change.notification

    def _put(self, seq: int, item: Notification, toast: str, alert_at: int) -> None:
        row = truth(item) | {
            "first_seq": seq,
            "alert_at": alert_at,
            "toast": "skipped" if item.read or item.silent else toast,
        }
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        kept = {"id", "first_seq", "toast", "alert_at", "read", "read_at", "snoozed_until"}
        updates = ", ".join(f"{name} = excluded.{name}" for name in row if name not in kept)
        # After a reset the numbers are another feed's: the item counts as made by the entry that brought it.
        first = "first_seq = CASE WHEN stale THEN excluded.first_seq ELSE first_seq END, stale = 0"
        self._db.execute(
            f"INSERT INTO items ({names}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {updates}, {first}", row
        )

    def _woke(self, id: str, before: Shown, now: int) -> bool:
        """A snooze that ended is an alert again."""
        after = self._shown(id)
        if after is None or before.snoozed_until is None or after.snoozed_until is not None or after.read:
            return False
        self._db.execute(
            "UPDATE items SET toast = CASE WHEN silent THEN 'skipped' ELSE 'pending' END, alert_at = ? WHERE id = ?",
            [min(before.snoozed_until, now), id],
        )
        return True

    def _sounds(self, id: str) -> bool:
        """Silent when this device's own clock brought it back, and loud by what the server decided just then."""
        query = "UPDATE items SET toast = 'pending' WHERE id = ? AND silent = 0 AND read = 0 AND hidden = 0"
        return bool(self._db.execute(f"{query} AND snoozed_until IS NULL", [id]).rowcount)

    def _is_silent(self, id: str) -> bool:
        return self._db.execute("SELECT 1 FROM items WHERE id = ? AND silent = 1", [id]).fetchone() is not None

    def _sweep(self, applied: Applied) -> None:
        gone = [row[0] for row in self._db.execute("SELECT id FROM items WHERE stale = 1")]
        self._db.execute("DELETE FROM items WHERE stale = 1")
        self._db.execute("DELETE FROM meta WHERE name = 'filling'")
        applied.removed.update(gone)

    def _confirm(self, seq: int, applied: Applied, now: int) -> None:
        """Intents whose effect has come back by the feed need no overlay any more."""
        query = "SELECT op_id FROM outbox WHERE sent = 1 AND settle_seq <= ?"
        done = [row[0] for row in self._db.execute(query, [seq])]
        applied.changed |= self._forget(done, now)

    # --- reading ------------------------------------------------------------------------------------------------

    def page(
        self,
        narrowing: Narrowing = EVERYTHING,
        *,
        before: tuple[datetime, str] | None = None,
        limit: int = 100,
        now: datetime | None = None,
    ) -> list[Notification]:
        """Newest first by (created_at, id); go on with the last one's. Removed ones are not there, snoozed ones only
        when they are asked for. A search ends after its newest hits."""
        after = None if before is None else (to_micros(before[0]), before[1])
        return self._select(*page_query(narrowing, after, limit, _micros_or_now(now)))

    def counts(self, narrowing: Narrowing, *, now: datetime | None = None) -> Counts:
        moment = _micros_or_now(now)
        query, args = count_query(narrowing, moment)
        table = self._db.execute(query, args).fetchall()
        asleep = f"SELECT count(*) FROM items INDEXED BY items_snoozed WHERE {SNOOZED}"
        snoozed = self._db.execute(asleep, {"now": moment}).fetchone()[0]
        return counted(narrowing, table, unread=self.unread_count(now=now), snoozed=int(snoozed))

    def get(self, id: str) -> Notification | None:
        """None too when it was removed here and the server does not know yet."""
        found = self._select("WHERE id = :id AND hidden = 0", {"id": id})
        return found[0] if found else None

    def unread_count(self, *, now: datetime | None = None) -> int:
        query = f"SELECT count(*) FROM items INDEXED BY items_unread WHERE read = 0 AND {VISIBLE}"
        return int(self._db.execute(query, {"now": _micros_or_now(now)}).fetchone()[0])

    def next_wake(self) -> datetime | None:
        """When the next snooze ends."""
        query = "SELECT min(snoozed_until) FROM items WHERE snoozed_until IS NOT NULL AND hidden = 0"
        moment = self._db.execute(query).fetchone()[0]
        return None if moment is None else from_micros(moment)

    def wake(self, *, now: datetime) -> list[Notification]:
        """Brings back, unread and to be toasted, what was snoozed until now or earlier."""
        due = "snoozed_until <= :at AND hidden = 0"
        moment = to_micros(now)
        with self._db.atomic():
            ids = [row[0] for row in self._db.execute(f"SELECT id FROM items WHERE {due}", {"at": moment})]
            before = {id: self._shown(id) for id in ids}
            self._refresh(due, {"at": moment}, moment)
            woken = [id for id, shown in before.items() if shown is not None and self._woke(id, shown, moment)]
        return [self._existing(id) for id in woken]

    # --- toasts -------------------------------------------------------------------------------------------------

    def pending_toasts(self, *, now: datetime, max_age: timedelta = TOAST_MAX_AGE) -> list[Notification]:
        """Unread, not silent, not yet toasted, oldest first. What is too old or was read meanwhile is let go."""
        args = {"oldest": to_micros(now - max_age), "now": to_micros(now)}
        self._db.execute(
            "UPDATE items SET toast = 'skipped' WHERE toast = 'pending'"
            " AND (read = 1 OR hidden = 1 OR alert_at < :oldest OR snoozed_until > :now)",
            args,
        )
        rows = self._db.execute(f"SELECT {ROW} FROM items WHERE toast = 'pending' ORDER BY alert_at, key")
        return [alert(row) for row in rows]

    def mark_toasted(self, ids: Iterable[str], state: Literal["shown", "skipped"] = "shown") -> None:
        with self._db.atomic():
            self._db.conn.executemany("UPDATE items SET toast = ? WHERE id = ?", [(state, id) for id in ids])

    # --- intents (written by the outbox only) -------------------------------------------------------------------

    def queue(
        self, kind: IntentKind, notification_id: str | None = None, args: Json | None = None, *, now: datetime
    ) -> tuple[PendingAction, set[str]]:
        """The intent and its effect on what is shown, in one transaction; the ids that look different now."""
        covered = dict(args or {})
        if notification_id is None:
            epoch, seq = self.cursor or ("", 0)
            covered = {"epoch": epoch, "up_to_seq": seq} | covered
        intent = PendingAction(str(uuid.uuid4()), kind, notification_id, covered, now)
        row = [intent.op_id, kind, notification_id, json.dumps(covered), to_micros(now)]
        with self._db.atomic():
            self._db.execute(
                "INSERT INTO outbox (op_id, kind, notification_id, args, queued_at) VALUES (?, ?, ?, ?, ?)", row
            )
            if notification_id is None:
                # Only the rows it can change: a long list must not make a click wait.
                where = "hidden = 0 AND read = 0" if kind == "read_all" else "hidden = 0"
                return intent, self._refresh(where, {}, to_micros(now))
            return intent, self._refresh_for(notification_id, to_micros(now))

    def outbox_rows(self) -> list[PendingAction]:
        """Not yet accepted by the server, in the order in which they were made."""
        return self._intents("sent = 0")

    def pending_ids(self) -> set[str]:
        """The items that something is still to be sent of."""
        query = "SELECT DISTINCT notification_id FROM outbox WHERE sent = 0 AND notification_id IS NOT NULL"
        return {row[0] for row in self._db.execute(query)}

    def pending_actions(self, id: str) -> list[PendingAction]:
        return self._intents("sent = 0 AND notification_id = ?", [id])

    def fail(self, op_id: str, message: str) -> None:
        """An attempt that did not get through; it stays queued."""
        query = "UPDATE outbox SET attempts = attempts + 1, error = ? WHERE op_id = ?"
        self._db.execute(query, [message, op_id])

    def sent(self, op_id: str, seq: int | None, *, now: datetime) -> set[str]:
        """The server accepted it. Its effect stays laid over until the feed, at `seq`, brings it back."""
        with self._db.atomic():
            self._db.execute("UPDATE outbox SET sent = 1, settle_seq = ? WHERE op_id = ?", [seq, op_id])
            cursor = self.cursor
            if seq is not None and cursor is not None and cursor[1] >= seq:
                return self._forget([op_id], to_micros(now))
        return set()

    def covered(self, ids: Iterable[str], seq: int) -> set[str]:
        """Those that were made by change `seq` or an earlier one, as "all of them" up to there would cover."""
        query = "SELECT 1 FROM items WHERE id = ? AND first_seq <= ?"
        return {id for id in ids if self._db.execute(query, [id, seq]).fetchone() is not None}

    def sent_ids(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT op_id FROM outbox WHERE sent = 1")]

    def drop(self, op_id: str, *, now: datetime) -> set[str]:
        """Takes the intent and its effect back; the ids that look different now."""
        return self.drop_all([op_id], now=now)

    def drop_all(self, op_ids: Sequence[str], *, now: datetime) -> set[str]:
        with self._db.atomic():
            return self._forget(op_ids, to_micros(now))

    def _forget(self, op_ids: Sequence[str], now: int) -> set[str]:
        changed: set[str] = set()
        for op_id in op_ids:
            row = self._db.execute("SELECT notification_id FROM outbox WHERE op_id = ?", [op_id]).fetchone()
            if row is not None:
                self._db.execute("DELETE FROM outbox WHERE op_id = ?", [op_id])
                changed |= self._refresh_for(row[0], now)
        return changed

    def _intents(self, where: str, args: Sequence[Any] = ()) -> list[PendingAction]:
        columns = "op_id, kind, notification_id, args, queued_at, attempts, error"
        rows = self._db.execute(f"SELECT {columns} FROM outbox WHERE {where} ORDER BY n", args)
        return [PendingAction(r[0], r[1], r[2], json.loads(r[3]), from_micros(r[4]), r[5], r[6]) for r in rows]

    # --- rows ---------------------------------------------------------------------------------------------------

    def _refresh_for(self, notification_id: str | None, now: int) -> set[str]:
        if notification_id is None:
            return self._refresh("1", {}, now)
        return self._refresh("id = :id", {"id": notification_id}, now)

    def _refresh(self, where: str, args: dict[str, Any], now: int) -> set[str]:
        """Lays the intents over the truth of these rows again; the ids for which that shows."""
        intents = self._intents("1")
        columns = f"id, first_seq, true_read, true_read_at, true_snoozed_until, {_SHOWN}"
        updates = []
        for row in self._db.execute(f"SELECT {columns} FROM items WHERE {where}", args):
            truth = Shown(bool(row[2]), row[3], row[4])
            shown = overlay(truth, row[0], row[1], intents, now)
            if shown != Shown(bool(row[5]), row[6], row[7], bool(row[8])):
                updates.append((shown.read, shown.read_at, shown.snoozed_until, shown.hidden, row[0]))
        self._db.conn.executemany(
            "UPDATE items SET read = ?, read_at = ?, snoozed_until = ?, hidden = ? WHERE id = ?", updates
        )
        return {update[-1] for update in updates}

    def _shown(self, id: str) -> Shown | None:
        row = self._db.execute(f"SELECT {_SHOWN} FROM items WHERE id = ?", [id]).fetchone()
        return None if row is None else Shown(bool(row[0]), row[1], row[2], bool(row[3]))

    def _existing(self, id: str) -> Notification:
        return self._select("WHERE id = :id", {"id": id})[0]

    def _select(self, rest: str, args: dict[str, Any]) -> list[Notification]:
        return [notification(row) for row in self._db.execute(f"SELECT {ROW} FROM items {rest}", args)]


def _micros_or_now(now: datetime | None) -> int:
    return to_micros(now or datetime.now(UTC))
