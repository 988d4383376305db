"""Applies what a button says: once, by whoever may, to what the item is about.

Owns the rules of every action: which parameters, who may, what it does. The target always comes from the stored
item, never from the request. An effect on the CRM comes first and can be repeated; then the item becomes read and
the answer is remembered under the client's operation id, in one transaction.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from icalendar import Alarm, Calendar, vCalAddress, vText
from icalendar import Event as CalendarEvent

from crmtray.protocol import LINK_ACTIONS, Json, Notification, User, WireError, format_time, parse_time

from .crm.writer import Actor, CrmUnavailable, CrmWriter, TargetGone
from .directory import Directory
from .hub import Hub
from .inbox import Clock, Inbox, NotFound, utc_now
from .store import feed, operations
from .store.database import Store
from .store.feed import Committed, NewItem, Scope

log = logging.getLogger(__name__)

WHOLE_TENANT = frozenset({"ceo", "secretary", "admin"})
"""Roles that may act on what is assigned to others; everybody else only on what is his."""
LONGEST_MESSAGE = 1000
FURTHEST = timedelta(days=5 * 366)
MEETING = timedelta(minutes=30)


class ActionRefused(Exception):
    """The action cannot be done: a stable code, and a sentence for the person who pressed the button."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class _Order:
    """One press of a button, checked."""

    scope: Scope
    actor: Actor
    user: User
    notification: Notification
    action: str
    target: Json
    params: Json
    operation_id: str
    now: datetime

    @property
    def lead_id(self) -> str:
        return str(self.target["lead_id"])


class Actions:
    """`perform` is the only entry. `writer` is None when this server may not change the CRM."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        inbox: Inbox,
        directory: Directory,
        writer: CrmWriter | None,
        clock: Clock = utc_now,
    ) -> None:
        self._store, self._hub, self._inbox, self._directory = store, hub, inbox, directory
        self._writer, self._clock = writer, clock
        self._effects: dict[str, Callable[[_Order], Awaitable[Json]]] = {
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
        """`{"ok": true, "notification": …, "result": …}`. Raises NotFound, ActionRefused, IdReused."""
        scope = Scope(user.tenant_id, user.user_id)
        operation_id = operation_id or str(uuid.uuid4())
        request = f"{action} {notification_id}"
        earlier = await self._store.read(operations.find, scope, operation_id, request)
        if earlier is not None:
            return earlier
        order = await self._order(user, notification_id, action, params, operation_id)
        effect = self._effects.get(action)
        result = {} if effect is None else await effect(order)
        answer, committed = await self._store.write(_finish, order, request, result)
        self._hub.publish([committed])
        return answer

    async def _order(self, user: User, notification_id: str, action: str, params: Json, operation_id: str) -> _Order:
        scope = Scope(user.tenant_id, user.user_id)
        notification = await self._store.read(feed.get, scope, notification_id)
        if notification is None:
            raise NotFound
        offered = next((item for item in notification.actions if item.action == action), None)
        if offered is None or (action not in self._effects and action not in LINK_ACTIONS):
            raise ActionRefused("action_not_offered", "Esta notificación no ofrece esa acción.")
        owner = None if user.role in WHOLE_TENANT else user.user_id
        return _Order(
            scope=scope,
            actor=Actor(scope.tenant_id, owner),
            user=user,
            notification=notification,
            action=action,
            target=offered.params,
            params=params,
            operation_id=operation_id,
            now=self._clock(),
        )

    async def _reassign(self, order: _Order) -> Json:
        seller = await self._seller(order)
        await self._change_crm(
            CrmWriter.reassign_conversation, order.actor, str(order.target["conversation_id"]), seller.user_id
        )
        return {"seller_id": seller.user_id, "seller_name": seller.name}

    async def _assign_lead(self, order: _Order) -> Json:
        seller = await self._seller(order)
        await self._change_crm(CrmWriter.assign_lead, order.actor, order.lead_id, seller.user_id)
        return {"seller_id": seller.user_id, "seller_name": seller.name}

    async def _set_follow_up(self, order: _Order) -> Json:
        at = _moment(order)
        await self._change_crm(CrmWriter.set_follow_up, order.actor, order.lead_id, at)
        return {"at": format_time(at)}

    async def _mark_contacted(self, order: _Order) -> Json:
        scheduled = order.notification.data.get("scheduled_time")
        follow_up = parse_time(scheduled) if isinstance(scheduled, str) else None
        await self._change_crm(CrmWriter.mark_contacted, order.actor, order.lead_id, order.now, follow_up)
        return {"last_contacted_at": format_time(order.now)}

    async def _schedule_meeting(self, order: _Order) -> Json:
        self._needs_whole_tenant(order)
        at = _moment(order)
        seller = await self._named_seller(order, str(order.target["seller_id"]))
        return {"at": format_time(at), "filename": "reunion.ics", "ics": _invitation(order, seller, at)}

    async def _notify_seller(self, order: _Order) -> Json:
        self._needs_whole_tenant(order)
        message = order.params.get("message")
        if not isinstance(message, str) or not 0 < len(message.strip()) <= LONGEST_MESSAGE:
            raise ActionRefused("invalid_params", f"Escribe un mensaje de hasta {LONGEST_MESSAGE} caracteres.")
        seller = await self._named_seller(order, str(order.target["seller_id"]))
        item = NewItem(
            scope=Scope(seller.tenant_id, seller.user_id),
            dedupe_key=f"message:{order.scope.user_id}:{order.operation_id}",
            type="team_message",
            title=f"Mensaje de {order.user.name or 'tu equipo'}",
            message=message.strip(),
            data={"from_user_id": order.user.user_id, "from_name": order.user.name},
            priority="high",
        )
        await self._inbox.add([item])
        return {"seller_id": seller.user_id, "seller_name": seller.name}

    async def _seller(self, order: _Order) -> User:
        seller_id = order.params.get("seller_id")
        if not isinstance(seller_id, str | int) or isinstance(seller_id, bool):
            raise ActionRefused("invalid_params", "Elige a quién se asigna.")
        return await self._named_seller(order, str(seller_id))

    async def _named_seller(self, order: _Order, seller_id: str) -> User:
        for seller in await self._directory.with_role(order.scope.tenant_id, ["seller"]):
            if seller.user_id == seller_id:
                return seller
        raise ActionRefused("unknown_seller", "Esa persona no es un vendedor activo de tu empresa.")

    def _needs_whole_tenant(self, order: _Order) -> None:
        if order.actor.owner is not None:
            raise ActionRefused("forbidden", "Tu rol no permite esta acción.")

    async def _change_crm(self, change: Callable[..., None], *args: Any) -> None:
        if self._writer is None:
            raise ActionRefused("crm_actions_off", "Este servidor no tiene permiso para cambiar el CRM.")
        try:
            await asyncio.to_thread(change, self._writer, *args)
        except TargetGone:
            raise ActionRefused("target_gone", "Ya no existe en el CRM o ya no está a tu cargo.") from None
        except CrmUnavailable as error:
            log.warning("an action could not change the CRM: %s", error)
            raise


def _finish(connection: Any, order: _Order, request: str, result: Json) -> tuple[Json, Committed]:
    earlier = operations.find(connection, order.scope, order.operation_id, request)
    if earlier is not None:  # the same operation came twice at the same time
        return earlier, Committed(order.scope, (), 0)
    committed = feed.mark_read(connection, order.scope, [order.notification.id], order.now)
    notification = feed.get(connection, order.scope, order.notification.id) or order.notification
    answer: Json = {"ok": True, "notification": notification.to_wire(), "result": result}
    operations.remember(connection, order.scope, order.operation_id, request, answer, order.now)
    return answer, committed


def _moment(order: _Order) -> datetime:
    at = order.params.get("at")
    try:
        moment = parse_time(at) if isinstance(at, str) else None
    except WireError:
        moment = None
    if moment is None or not order.now < moment <= order.now + FURTHEST:
        raise ActionRefused("invalid_params", "Elige una fecha y hora futuras.")
    return moment


def _invitation(order: _Order, seller: User, at: datetime) -> str:
    """RFC 5545, with the operation's id as UID: opened twice, it is one meeting."""
    event = CalendarEvent()
    event.add("uid", f"{order.operation_id}@crmtray")
    event.add("dtstamp", order.now)
    event.add("dtstart", at)
    event.add("dtend", at + MEETING)
    event.add("summary", f"Reunión con {seller.name}")
    event.add("description", order.notification.message)
    if order.user.email:
        event["organizer"] = _address(order.user)
    if seller.email:
        event.add("attendee", _address(seller))
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", f"Reunión con {seller.name}")
    alarm.add("trigger", timedelta(minutes=-10))
    event.add_component(alarm)
    calendar = Calendar()
    calendar.add("prodid", "-//crmtray//ES")
    calendar.add("version", "2.0")
    calendar.add("method", "REQUEST")
    calendar.add_component(event)
    return str(calendar.to_ical().decode())


def _address(user: User) -> vCalAddress:
    address = vCalAddress(f"mailto:{user.email}")
    address.params["cn"] = vText(user.name)
    return address
