"""The living mode of the sample CRM: customers write, sellers answer, leads heat up, calls are put off.

Owns what happens after `demo` made the first state; every step is one transaction that leaves messages and
conversations in agreement. Whatever needs remembering is read from the database, so that a restart or an action of
the user's in between changes nothing. Never makes notifications: it only gives detection something to find.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from . import demo_texts as texts
from . import engine as database
from .demo import whole_minutes
from .demo_scenes import Scene
from .living_moment import Chat, Moment, few_messages
from .schema import conversations, leads

log = logging.getLogger(__name__)

ALERT_EVERY: Final = (19.0, 28.0)
"""Seconds between two happenings that alert the focused user; a step may come a few seconds after its time."""
DUE_AFTER: Final = timedelta(hours=1)
CEO_AFTER: Final = 4 * DUE_AFTER
ALMOST: Final = timedelta(seconds=10)
"""A late message is written with so much left until it is due."""
ALMOST_AT_FIRST: Final = timedelta(seconds=3)
"""The first time somebody is watching the screen for something to happen."""
LEFT_TO_FOCUS: Final = timedelta(minutes=5)
"""How long the focused seller may answer a customer himself before the sample does it for him."""
SLOW_BACKLOG: Final = 6
OPEN_LIMIT: Final = 150
"""Open conversations, and open leads, from which on for each new one an old one is closed."""
WAITING_LIMIT: Final = 25
FOCUS_OVERDUE_LIMIT: Final = 6
AT_ONCE: Final = 3
"""How many of a backlog are answered in one step."""
SEEN_FIRST: Final = ((timedelta(minutes=50), timedelta(minutes=75)), (timedelta(minutes=230), timedelta(minutes=245)))
"""Who waits so long is about to alert somebody, or just did: the sample does not answer in the user's place."""

Happening = Callable[[Moment], list[str]]


class LivingCrm:
    """One small thing at each `step`; in between, on time, something that alerts the focused user.

    The focus is a seller (`focus_seller_id`, without it any seller in turn), or by `focus_role` a `secretary` (waiting
    customers of everybody) or a `ceo` or `admin` (unassigned hot leads, long waits, slow sellers).
    """

    def __init__(
        self,
        engine: Engine,
        seed: int = 1,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        focus_seller_id: int | str | None = None,
        focus_role: str = "seller",
    ) -> None:
        self._engine = engine
        self._rng = random.Random(seed)
        self._clock = clock
        self._focus = int(focus_seller_id) if focus_seller_id is not None and focus_role == "seller" else None
        self._alerts = itertools.cycle(self._alerts_of(focus_role))
        self._next_alert_at: datetime | None = None
        self._almost = ALMOST
        self._slowed: set[tuple[date, int]] = set()
        self._open_limits: tuple[int, int] | None = None
        self._unavailable = False

    def step(self, now: datetime) -> list[str]:
        """Lets one thing happen and returns what it was, a line each. Blocking; one transaction."""
        with database.write(self._engine) as connection:
            moment = Moment(connection, self._rng, now)
            if not moment.sellers:
                return []
            happening = next(self._alerts) if self._alert_is_due(now) else self._small_thing
            lines = happening(moment)
            return lines + self._tidy(moment)

    async def run(self, stop: asyncio.Event, interval: float = 4.0) -> None:
        """Steps at slightly random intervals until `stop` is set. A database that is away is tried again.

        The first thing happens a moment later: whoever has just come shall see it come.
        """
        pause = interval / 2
        while not await _set_within(stop, pause):
            for line in await asyncio.to_thread(self._try_step):
                log.info("sample CRM: %s", line)
            pause = interval * self._rng.uniform(0.6, 1.4)

    def _try_step(self) -> list[str]:
        try:
            lines = self.step(self._clock())
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            if not self._unavailable:
                log.warning("the sample CRM's database cannot be written, trying again: %s", str(error).splitlines()[0])
            self._unavailable = True
            self._next_alert_at = None  # what did not happen is due again
            return []
        self._unavailable = False
        return lines

    def _alert_is_due(self, now: datetime) -> bool:
        if self._next_alert_at is not None and now < self._next_alert_at:
            return False
        self._almost = ALMOST_AT_FIRST if self._next_alert_at is None else ALMOST
        self._next_alert_at = now + timedelta(seconds=self._rng.uniform(*ALERT_EVERY))
        return True

    # What alerts somebody.

    def _alerts_of(self, role: str) -> tuple[Happening, ...]:
        if role == "seller":
            return (self._heat_up, self._fall_due, self._plan_call)
        if role == "secretary":
            return (self._fall_due,)
        if role in ("ceo", "admin"):
            unassigned, long_wait = self._heat_up_unassigned, self._stay_open
            return (unassigned, long_wait, self._slow_down, unassigned, long_wait)
        raise ValueError(f"no such role in the sample CRM: {role}")

    def _heat_up(self, moment: Moment) -> list[str]:
        return _heat_up(moment, self._seller(moment))

    def _heat_up_unassigned(self, moment: Moment) -> list[str]:
        return _heat_up(moment, None)

    def _fall_due(self, moment: Moment) -> list[str]:
        return _write_late(moment, self._seller(moment), DUE_AFTER - self._almost)

    def _stay_open(self, moment: Moment) -> list[str]:
        return _write_late(moment, self._seller(moment), CEO_AFTER - ALMOST)

    def _plan_call(self, moment: Moment) -> list[str]:
        """A follow-up that was for later, or for no day, becomes one of the next hours."""
        seller = self._seller(moment)
        at = whole_minutes(moment.now + timedelta(minutes=moment.rng.uniform(20, 180)))
        later = sa.or_(leads.c.next_follow_up.is_(None), leads.c.next_follow_up > moment.now + timedelta(hours=24))
        lead_id = moment.some_lead(leads.c.assigned_seller_id == seller, _REMINDED, later)
        if lead_id is None:
            lead_id = moment.new_chat(seller, Scene(0, "interested", timedelta(hours=2), 4)).lead_id
        return [moment.plan_call(lead_id, at, texts.CALL_TODAY)]

    def _slow_down(self, moment: Moment) -> list[str]:
        """A seller leaves more than five customers without an answer for over an hour; news once a day."""
        fresh = [seller for seller in moment.sellers if (moment.now.date(), seller) not in self._slowed]
        if not fresh:
            return self._stay_open(moment)
        seller = min(fresh, key=moment.waiting_count)
        self._slowed = {known for known in self._slowed if known[0] == moment.now.date()} | {
            (moment.now.date(), seller)
        }
        missing = max(SLOW_BACKLOG - moment.waiting_count(seller, before=moment.now - DUE_AFTER), 1)
        ages = [DUE_AFTER + timedelta(minutes=1 + 2 * number) for number in range(missing)]
        return [line for age in ages for line in _write_late(moment, seller, age)]

    def _seller(self, moment: Moment) -> int:
        if self._focus in moment.sellers:
            return self._focus
        return moment.rng.choice(tuple(moment.sellers))

    # What just happens.

    def _small_thing(self, moment: Moment) -> list[str]:
        """The first thing there is material for, in a random order that favours what happens often."""
        weighted: tuple[tuple[Happening, float], ...] = (
            (self._answer, 4),
            (self._ask, 4),
            (self._arrive, 1),
            (self._put_off, 1),
            (self._assign, 1),
        )
        order = sorted(weighted, key=lambda pair: moment.rng.random() ** (1 / pair[1]), reverse=True)
        for happening, _weight in order:
            if lines := happening(moment):
                return lines
        return []

    def _answer(self, moment: Moment) -> list[str]:
        """A seller answers in time; what is overdue is left to the focused user and to `_tidy`."""
        fresh = conversations.c.last_message_time > moment.now - timedelta(minutes=55)
        seller = conversations.c.assigned_seller_id
        patient = conversations.c.last_message_time < moment.now - LEFT_TO_FOCUS
        chat = moment.some_chat(*_waiting(moment, fresh), seller.is_not(None), sa.or_(seller != self._focus, patient))
        return [moment.answer(chat)] if chat else []

    def _ask(self, moment: Moment) -> list[str]:
        recent = conversations.c.last_message_time > moment.now - timedelta(days=2)
        chat = moment.some_chat(*_answered(moment, timedelta(seconds=45)), recent)
        return [moment.go_on(chat)] if chat else []

    def _arrive(self, moment: Moment) -> list[str]:
        seller = moment.rng.choice([*moment.sellers, None])
        chat = moment.new_chat(seller, Scene(0, "new", timedelta(0), 1, waiting=True))
        return [f"new lead {chat.customer} for {chat.seller}: {chat.body}"]

    def _put_off(self, moment: Moment) -> list[str]:
        soon = leads.c.next_follow_up < moment.now + timedelta(days=1)
        lead_id = moment.some_lead(soon, _REMINDED, leads.c.assigned_seller_id != self._focus)
        if lead_id is None:
            return []
        at = whole_minutes(moment.now + timedelta(days=moment.rng.randint(2, 9)))
        return [moment.plan_call(lead_id, at, texts.CALL_LATER)]

    def _assign(self, moment: Moment) -> list[str]:
        settled = conversations.c.last_message_time < moment.now - timedelta(minutes=10)
        chat = moment.some_chat(conversations.c.assigned_seller_id.is_(None), settled)
        return [moment.assign(chat, min(moment.sellers, key=moment.waiting_count))] if chat else []

    # That it does not only grow.

    def _tidy(self, moment: Moment) -> list[str]:
        """Answers the oldest of a backlog, and closes the oldest when there is too much open."""
        lines: list[str] = []
        if self._focus is not None:
            mine = conversations.c.assigned_seller_id == self._focus
            overdue = moment.waiting_count(self._focus, before=moment.now - DUE_AFTER)
            lines += self._answer_oldest(moment, overdue - FOCUS_OVERDUE_LIMIT, mine)
        lines += self._answer_oldest(moment, moment.waiting_count() - WAITING_LIMIT)
        if self._open_limits is None:
            self._open_limits = (max(OPEN_LIMIT, moment.open_chats()), max(OPEN_LIMIT, moment.open_leads()))
        lines += moment.close_chats(moment.open_chats() - self._open_limits[0])
        return lines + moment.close_leads(moment.open_leads() - self._open_limits[1])

    def _answer_oldest(self, moment: Moment, number: int, *terms: Any) -> list[str]:
        waited = conversations.c.last_message_time
        seen = [~waited.between(moment.now - oldest, moment.now - newest) for newest, oldest in SEEN_FIRST]
        theirs = sa.or_(conversations.c.assigned_seller_id != self._focus, waited < moment.now - LEFT_TO_FOCUS)
        chats = moment.oldest_chats(min(number, AT_ONCE), *_waiting(moment, theirs), *seen, *terms)
        return [moment.answer(chat) for chat in chats]


_REMINDED: Final = leads.c.status.in_(("interested", "negotiation"))


def _waiting(moment: Moment, *terms: Any) -> tuple[Any, ...]:
    settled = conversations.c.last_message_time < moment.now - timedelta(seconds=30)
    return (conversations.c.last_message_from_customer, settled, *terms)


def _answered(moment: Moment, at_least: timedelta) -> tuple[Any, ...]:
    return (~conversations.c.last_message_from_customer, conversations.c.last_message_time < moment.now - at_least)


async def _set_within(stop: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


def _heat_up(moment: Moment, seller: int | None) -> list[str]:
    """A lead from an advertisement that was quiet decides to buy, with more than five messages by now.

    One with so few before that it cannot have been hot already: that would be no news.
    """
    chat = moment.some_chat(
        *_answered(moment, timedelta(minutes=70)),
        conversations.c.assigned_seller_id.is_(None)
        if seller is None
        else conversations.c.assigned_seller_id == seller,
        leads.c.source == "META_ADS",
        leads.c.status.in_(("contacted", "interested", "negotiation")),
        few_messages(),
    )
    if chat is None:
        scene = Scene(0, "negotiation", timedelta(0), 6, waiting=True, buying=True, source="META_ADS")
        chat = moment.new_chat(seller, scene, moment.rng.choice(texts.HIGH_VALUE_AREAS))
        return [f"{chat.customer} decides to buy from {chat.seller}: {chat.body}"]
    return [moment.decide(chat)]


def _write_late(moment: Moment, seller: int, age: timedelta) -> list[str]:
    """A customer's message comes in with a time of a while ago, as an import that was late would bring it."""
    chat: Chat | None = moment.some_chat(
        *_answered(moment, age + timedelta(minutes=1)), conversations.c.assigned_seller_id == seller
    )
    if chat is None:
        chat = moment.new_chat(seller, Scene(0, "interested", age, 3, waiting=True))
        return [f"{chat.customer} wrote to {chat.seller} {_minutes(age)} min ago: {chat.body}"]
    return [moment.ask_late(chat, moment.now - age)]


def _minutes(age: timedelta) -> int:
    return round(age / timedelta(minutes=1))
