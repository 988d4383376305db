"""Applies what a button says: once, by whoever may, to what the item is about.

Owns the rules of every action: which parameters, who may, what it does. The target always comes from the stored
item, never from the request. An effect on the CRM comes first and can be repeated; then the item becomes read and
the answer is remembered under the client's operation id, in one transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy.exc import IntegrityError

from crmtray.protocol import LINK_ACTIONS, TEAM_MESSAGE, Json, Notification, User, WireError, format_time, parse_time

from .crm.orders import Crm, CrmForbids, CrmRefuses, CrmUnavailable, Order, TargetGone
from .directory import Directory
from .hub import Hub
from .inbox import Clock, Inbox, NotFound, utc_now
from .invitation import invitation, plain
from .refusals import ActionRefused, refusal
from .store import feed, operations
from .store.database import Store
from .store.feed import Committed, NewItem, Scope

__all__ = ["ActionRefused", "Actions"]

log = logging.getLogger(__name__)

WHOLE_TENANT = frozenset({"ceo", "secretary", "admin"})
"""Roles that may act on what is assigned to others; everybody else only on what is his."""
LONGEST_MESSAGE = 1000
FURTHEST = timedelta(days=5 * 366)

Tell = Callable[[Sequence[NewItem]], Awaitable[object]]
LocaleOf = Callable[[User], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class _Press:
    """One press of a button, checked as far as every action has it in common."""

    scope: Scope
    user: User
    notification: Notification
    action: str
    target: Json
    params: Json
    operation_id: str
    now: datetime
    locale: str

    @property
    def owner(self) -> str | None:
        return None if self.user.role in WHOLE_TENANT else self.user.user_id

    def no(self, why: str, said: str = "", **values: object) -> ActionRefused:
        return refusal(why, self.locale, said, **values)

    def on(self, key: str) -> str:
        """The id of what the item is about. Whoever publishes items may have left it out."""
        value = self.target.get(key)
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise self.no("no_target")
        return str(value)


class Actions:
    """`perform` is the only entry.

    `crm` changes the CRM, None when this server may not. `tell` stores a message for somebody and shows it as its
    reader wants to be told; `locale_of` says in which language a person reads.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        inbox: Inbox,
        directory: Directory,
        crm: Crm | None,
        clock: Clock = utc_now,
        tell: Tell | None = None,
        locale_of: LocaleOf | None = None,
    ) -> None:
        self._store, self._hub, self._directory = store, hub, directory
        self._crm, self._clock = crm, clock
        self._tell, self._locale_of = tell or inbox.add, locale_of
        self._under_way: WeakValueDictionary[tuple[Scope, str], asyncio.Lock] = WeakValueDictionary()
        self._effects: dict[str, Callable[[_Press], Awaitable[Json]]] = {
            "reassign": self._reassign,
            "assign_lead": self._assign_lead,
            "schedule_call": self._set_follow_up,
            "reschedule": self._set_follow_up,
            "mark_contacted": self._mark_contacted,
            "schedule_meeting": self._schedule_meeting,
            "notify_seller": self._notify_seller,
        }

    async def perform(
        self, user: User, notification_id: str, action: str, params: Json, operation_id: str | None = None
    ) -> Json:
        """`{"ok": true, "notification": …, "result": …}`. Raises NotFound, ActionRefused, IdReused, CrmUnavailable."""
        scope = Scope(user.tenant_id, user.user_id)
        operation_id = operation_id or str(uuid.uuid4())
        request = _fingerprint(notification_id, action, params)
        # The same order twice at once: the second waits, and finds the answer of the first.
        lock = self._under_way.setdefault((scope, operation_id), asyncio.Lock())
        async with lock:
            earlier = await self._store.read(operations.find, scope, operation_id, request)
            if earlier is not None:
                return earlier
            press = await self._press(user, notification_id, action, params, operation_id)
            effect = self._effects.get(action)
            result = {} if effect is None else await effect(press)
            answer, committed = await self._conclude(press, request, result)
        self._hub.publish([committed])
        return answer

    async def _conclude(self, press: _Press, request: str, result: Json) -> tuple[Json, Committed]:
        try:
            return await self._store.write(_finish, press, request, result)
        except IntegrityError:
            # The same operation came to another process at the same time, and that one has concluded it.
            earlier = await self._store.read(operations.find, press.scope, press.operation_id, request)
            if earlier is None:
                raise
            return earlier, Committed(press.scope, (), 0)

    async def _press(self, user: User, notification_id: str, action: str, params: Json, operation_id: str) -> _Press:
        scope = Scope(user.tenant_id, user.user_id)
        notification = await self._store.read(feed.get, scope, notification_id)
        if notification is None:
            raise NotFound
        locale = await self._locale_of(user) if self._locale_of else "es"
        offered = next((item for item in notification.actions if item.action == action), None)
        if offered is None or (action not in self._effects and action not in LINK_ACTIONS):
            raise refusal("not_offered", locale)
        target, now = offered.params, self._clock()
        return _Press(scope, user, notification, action, target, params, operation_id, now, locale)

    async def _reassign(self, press: _Press) -> Json:
        return await self._hand_on(press, "conversation_id")

    async def _assign_lead(self, press: _Press) -> Json:
        return await self._hand_on(press, "lead_id")

    async def _hand_on(self, press: _Press, what: str) -> Json:
        target = {what: press.on(what)}
        seller_id = press.params.get("seller_id")
        if not isinstance(seller_id, str | int) or isinstance(seller_id, bool):
            raise press.no("no_seller")
        seller = await self._seller(press, str(seller_id))
        await self._change_crm(press, target, {"seller_id": seller.user_id})
        return {"seller_id": seller.user_id, "seller_name": seller.name}

    async def _set_follow_up(self, press: _Press) -> Json:
        target, at = {"lead_id": press.on("lead_id")}, format_time(_moment(press))
        await self._change_crm(press, target, {"at": at})
        return {"at": at}

    async def _mark_contacted(self, press: _Press) -> Json:
        await self._change_crm(press, {"lead_id": press.on("lead_id")}, {"follow_up": _follow_up(press.notification)})
        return {"last_contacted_at": format_time(press.now)}

    async def _schedule_meeting(self, press: _Press) -> Json:
        seller = await self._led(press)
        at = _moment(press)
        ics = invitation(
            uid=press.operation_id,
            organizer=press.user,
            seller=seller,
            at=at,
            description=press.notification.message,
            locale=press.locale,
            now=press.now,
        )
        return {"at": format_time(at), "filename": "reunion.ics", "ics": ics}

    async def _notify_seller(self, press: _Press) -> Json:
        seller = await self._led(press)
        given = press.params.get("message")
        message = plain(given).strip() if isinstance(given, str) else ""
        if not 0 < len(message) <= LONGEST_MESSAGE:
            raise press.no("no_message", longest=LONGEST_MESSAGE)
        await self._tell([_message(press, seller, message)])
        return {"seller_id": seller.user_id, "seller_name": seller.name}

    async def _led(self, press: _Press) -> User:
        """The seller whom the item is about, for those who may lead him."""
        if press.owner is not None:
            raise press.no("role")
        return await self._seller(press, press.on("seller_id"))

    async def _seller(self, press: _Press, seller_id: str) -> User:
        for seller in await self._directory.with_role(press.scope.tenant_id, ["seller"]):
            if seller.user_id == seller_id:
                return seller
        raise press.no("unknown_seller")

    async def _change_crm(self, press: _Press, target: Json, params: Json) -> None:
        if self._crm is None:
            raise press.no("crm_off")
        user, item = press.user, press.notification
        order = Order(press.operation_id, press.action, press.now, user, press.owner, item, target, params)
        try:
            await self._crm.apply(order)
        except TargetGone:
            raise press.no("gone") from None
        except CrmForbids:
            raise press.no("crm_forbids") from None
        except CrmRefuses as error:
            raise press.no("crm_refuses", error.sentence) from None
        except CrmUnavailable as error:
            log.warning("an action could not change the CRM: %s", error)
            if error.permanent:
                raise press.no("crm_broken") from None
            raise


def _fingerprint(notification_id: str, action: str, params: Json) -> str:
    """What was asked, so that the same id for something else is noticed. Params as they came, so hashed."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:32]
    return f"{action} {notification_id} {digest}"


def _finish(connection: Any, press: _Press, request: str, result: Json) -> tuple[Json, Committed]:
    earlier = operations.find(connection, press.scope, press.operation_id, request)
    if earlier is not None:  # another process was faster
        return earlier, Committed(press.scope, (), 0)
    committed = feed.mark_read(connection, press.scope, [press.notification.id], press.now)
    notification = feed.get(connection, press.scope, press.notification.id) or press.notification
    answer: Json = {"ok": True, "notification": notification.to_wire(), "result": result}
    operations.remember(connection, press.scope, press.operation_id, request, answer, press.now)
    return answer, committed


def _moment(press: _Press) -> datetime:
    at = press.params.get("at")
    try:
        moment = parse_time(at) if isinstance(at, str) else None
    except (WireError, OverflowError):
        moment = None
    if moment is None or not press.now < moment <= press.now + FURTHEST:
        raise press.no("no_future")
    return moment


def _follow_up(notification: Notification) -> str | None:
    """The follow-up that the item is about, if it is about one."""
    scheduled = notification.data.get("scheduled_time")
    try:
        return format_time(parse_time(scheduled)) if isinstance(scheduled, str) else None
    except (WireError, OverflowError):
        return None


def _message(press: _Press, seller: User, text: str) -> NewItem:
    sender = press.user
    return NewItem(
        scope=Scope(seller.tenant_id, seller.user_id),
        dedupe_key=f"message:{sender.user_id}:{press.operation_id}",
        type=TEAM_MESSAGE,
        title=f"Mensaje de {sender.name or 'tu equipo'}",
        message=text,
        data={"from_user_id": sender.user_id, "from_name": sender.name},
        priority="high",
    )
