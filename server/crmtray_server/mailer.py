"""Sends the e-mails that are due: takes one, looks whether it is still wanted, hands it over, records the outcome.

Owns when and how often. The row was written in the transaction that stored its item, so none is forgotten; between
the mail server's "accepted" and our record a kill makes it go out again, with the same Message-ID: at least once.
A mail server that is away costs no mail a try: all of them wait for it, up to a day.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from email.headerregistry import Address
from typing import Any, TypeVar

from crmtray.protocol import Json, Notification

from . import mail, smtp
from .addressees import Undecided
from .store import deliveries
from .store.database import Store
from .store.deliveries import Claimed, Outcome
from .store.feed import Scope

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_SECONDS = 5.0
"""Other processes store items too, and say nothing."""
LEASE = timedelta(minutes=3)
"""Longer than connecting and handing over can take together."""
OLDEST = timedelta(days=1)
"""An alert that could not be sent for so long helps nobody."""
LONGEST_PAUSE = 8
"""In units of the first pause: how long a mail server that is away is left alone at most."""

FINISH_SECONDS = 1.0
"""A letter that is being handed over gets so long when the server stops, or is no longer on duty."""

NO_SERVER = "the mail server could not be reached"
"""What a row says of an outage; whose server it is stands in the log."""

Unwanted = Callable[[Scope, str], Awaitable[str | None]]
"""Why this person should not get e-mail at this address any more, or None. Raises Undecided."""
ReaderOf = Callable[[Scope], Awaitable[mail.Reader]]


class Mailer:
    """Without a server it sends nothing, and ends what was planned when there was one.

    `counted` is told what became of each e-mail: sent, failed, skipped or retried. A summary is one. `stored` is set
    by others when items were stored, on the loop's thread.
    """

    def __init__(
        self,
        store: Store,
        server: smtp.MailServer | None,
        sender: Address | None,
        unwanted: Unwanted,
        reader_of: ReaderOf,
        clock: Callable[[], datetime],
        *,
        retries: int = 3,
        first_pause: timedelta = timedelta(minutes=1),
        context: ssl.SSLContext | None = None,
        counted: Callable[[str], None] | None = None,
        stored: asyncio.Event | None = None,
    ) -> None:
        self._store, self._server, self._sender = store, server, sender
        self._unwanted, self._reader_of, self._clock = unwanted, reader_of, clock
        self._tries, self._first_pause, self._context = retries + 1, first_pause, context
        self._counted = counted
        self._session: smtp.Session | None = None
        self._stored = stored or asyncio.Event()
        self._failures = 0
        self._not_before: datetime | None = None
        self.counts: Counter[str] = Counter(sent=0, failed=0, skipped=0, retried=0)
        """E-mails by what became of them, since the start."""

    @property
    def on(self) -> bool:
        return self._server is not None and self._sender is not None

    def status(self) -> Json:
        """For /health, where no stranger may read why."""
        if not self.on:
            return {"status": "off"}
        return {"status": "down" if self._failures else "ok"}

    async def run(self) -> None:
        """Sends what is due, and rests until more is."""
        while True:
            self._stored.clear()
            await self.send_due()
            _end_if_told_to()
            seconds = self._rest(await self._store.read(deliveries.next_due))
            try:
                await asyncio.wait_for(self._stored.wait(), seconds)
            except TimeoutError:
                continue

    async def send_due(self) -> None:
        """Everything that is due now, over one connection. Raises StoreUnavailable."""
        await self._let_go_of_old()
        if not self.on or (self._not_before is not None and self._clock() < self._not_before):
            return
        try:
            while await _to_its_end(self._send_next()):
                _end_if_told_to()
        except smtp.Unreachable as error:
            self._pause(str(error))
        except Undecided as error:
            log.warning("e-mail waits: %s", error)
            self._not_before = self._clock() + self._first_pause
        finally:
            await self._hang_up()

    def _rest(self, due: datetime | None) -> float:
        if due is None or not self.on:
            return LOOK_SECONDS
        moment = due if self._not_before is None else max(due, self._not_before)
        return min(LOOK_SECONDS, max(0.0, (moment - self._clock()).total_seconds()))

    # --- one message ---------------------------------------------------------------------------------------------

    async def _send_next(self) -> bool:
        """Whether there was one."""
        claimed = await self._store.write(deliveries.claim, self._clock(), LEASE)
        if claimed is not None:
            await self._deliver(claimed)
        return claimed is not None

    async def _deliver(self, claimed: Claimed) -> None:
        """Raises Unreachable or Undecided, with the mail as it was before."""
        if claimed.attempts > self._tries:
            await self._settle(claimed, claimed.due, "failed", "the server was stopped each time while sending it")
            return
        wanted = await self._still_wanted(claimed)
        if wanted and (self._session is None or not self._session.open):
            await self._connect(claimed)
            wanted = await self._still_wanted(claimed)  # connecting took time
        if wanted:
            await self._send(claimed, wanted)

    async def _still_wanted(self, claimed: Claimed) -> list[Notification]:
        """What is still to be told; the rest is recorded as skipped."""
        try:
            reason = await self._unwanted(claimed.scope, claimed.address)
        except Undecided as error:
            await self._store.write(deliveries.give_back, claimed, str(error), self._clock())
            raise
        items = await self._store.read(deliveries.still_there, claimed)
        reasons = {id: reason or _seen(items.get(id)) for id in claimed.due}
        for why in sorted({why for why in reasons.values() if why}):
            await self._settle(claimed, [id for id in reasons if reasons[id] == why], "skipped", why)
        return [items[id] for id in claimed.due if not reasons[id]]

    async def _connect(self, claimed: Claimed) -> None:
        assert self._server is not None
        await self._hang_up()
        try:
            self._session = await smtp.connect(self._server, self._context)
        except smtp.Unreachable as error:
            if error.permanent:
                await self._settle(claimed, claimed.due, "failed", str(error))
            else:
                await self._store.write(deliveries.give_back, claimed, NO_SERVER, self._clock())
            raise
        self._reached()

    async def _send(self, claimed: Claimed, items: list[Notification]) -> None:
        assert self._sender is not None and self._session is not None
        ids = [item.id for item in items]
        if self._clock() >= claimed.lease:  # halted meanwhile: another may be sending it
            return
        reader = await self._reader_of(claimed.scope)
        try:
            message = mail.compose(items, reader, claimed.address, self._sender, self._clock())
            recipient = mail.parse_address(claimed.address)
            await self._session.send(self._sender.addr_spec, recipient, message.as_bytes())
        except mail.AddressError as error:
            await self._settle(claimed, ids, "failed", str(error))
        except smtp.NotAccepted as error:
            await self._not_accepted(claimed, ids, error)
        else:
            await self._settle(claimed, ids, "sent", None)

    async def _not_accepted(self, claimed: Claimed, ids: list[str], error: smtp.NotAccepted) -> None:
        if error.permanent or claimed.attempts >= self._tries:
            await self._settle(claimed, ids, "failed", str(error))
        else:
            again = self._clock() + self._first_pause * 2 ** (claimed.attempts - 1)
            await self._settle(claimed, ids, "waiting", str(error), again)
        if error.hung:
            raise smtp.Unreachable(str(error))  # the next one would wait as long for nothing

    async def _settle(
        self, claimed: Claimed, ids: Iterable[str], outcome: Outcome, detail: str | None, due_at: datetime | None = None
    ) -> None:
        now = self._clock()
        count = await self._store.write(deliveries.settle, claimed, list(ids), outcome, detail, now, due_at)
        if count:
            self._count(outcome)
        if outcome == "failed" and count:
            log.warning("an e-mail to user %s could not be sent: %s", claimed.scope.user_id, detail)

    def _count(self, outcome: Outcome) -> None:
        name = "retried" if outcome == "waiting" else outcome
        self.counts[name] += 1
        if self._counted is not None:
            self._counted(name)

    # --- the server ----------------------------------------------------------------------------------------------

    def _pause(self, reason: str) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("e-mail waits: %s", reason)
        factor = min(2 ** min(self._failures - 1, 16), LONGEST_PAUSE)
        self._not_before = self._clock() + self._first_pause * factor

    def _reached(self) -> None:
        if self._failures:
            log.info("the mail server is back")
        self._failures, self._not_before = 0, None

    async def _hang_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _let_go_of_old(self) -> None:
        now = self._clock()
        due = await self._store.read(deliveries.next_due)
        if due is None or due > now - OLDEST:
            return
        outcome: Outcome = "failed" if self.on else "skipped"
        detail = "not sent within a day" if self.on else "SMTP_URL is not set"
        count = await self._store.write(deliveries.let_go, now - OLDEST, outcome, detail, now)
        for _ in range(count):
            self._count(outcome)
        if count:
            log.warning("%d e-mails were let go: %s", count, detail)


async def _to_its_end(letter: Coroutine[Any, Any, T]) -> T:
    """What is under way when we are told to stop is finished, if that takes but a moment: else it waits for the end of
    its claim, though another could send it at once."""
    task = asyncio.ensure_future(letter)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=FINISH_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


def _end_if_told_to() -> None:
    """Before Python 3.12 a cancellation is lost that meets an answer just coming in, https://bugs.python.org/issue37658.
    The mail that was answered is recorded, and this is the next moment to stop."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _seen(item: Notification | None) -> str | None:
    """Why an e-mail about this item would tell nothing new."""
    if item is None:
        return "removed"
    if item.read:
        return "read"
    return "snoozed" if item.snoozed_until is not None else None
