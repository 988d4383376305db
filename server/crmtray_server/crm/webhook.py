"""Hands orders to the CRM's own webhook: a signed POST, repeated with the same id until the CRM has answered.

Owns the request's form, its signature and the meaning of the answer (docs/actions.md). The CRM decides whether the
actor may do it; we say who he is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import orjson

from crmtray.protocol import Json, format_time

from .orders import CrmForbids, CrmRefuses, CrmUnavailable, Order, TargetGone

LONGEST_DETAIL = 200
TIMESTAMP, SIGNATURE, KEY = "X-Crmtray-Timestamp", "X-Crmtray-Signature", "Idempotency-Key"

Send = Callable[[bytes, Mapping[str, str]], Awaitable[tuple[int, bytes]]]
"""Body and headers → status and body. Raises CrmUnavailable."""

LATER = frozenset({408, 425, 429})
"""Refusals that mean: not now."""


class Webhook:
    """`secret` is the one that the CRM shares with this server."""

    def __init__(self, send: Send, secret: str) -> None:
        self._send, self._secret = send, secret.encode()

    async def apply(self, order: Order) -> None:
        body = orjson.dumps(_body(order))
        timestamp = _timestamp(order.at)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "crmtray-server",
            KEY: order.id,
            TIMESTAMP: timestamp,
            SIGNATURE: signature(self._secret, timestamp, body),
        }
        _judge(*await self._send(body, headers))


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    digest = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def _timestamp(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def _body(order: Order) -> Json:
    user, item = order.user, order.notification
    return {
        "id": order.id,
        "action": order.action,
        "occurred_at": format_time(order.at),
        "actor": {"user_id": user.user_id, "tenant_id": user.tenant_id, "role": user.role, "name": user.name},
        "notification": {"id": item.id, "type": item.type, "data": item.data},
        "target": {name: str(value) for name, value in order.target.items()},
        "params": order.params,
    }


def _judge(status: int, body: bytes) -> None:
    if 200 <= status < 300:
        return
    if status in (404, 410):
        raise TargetGone
    if status == 403:
        raise CrmForbids
    if status == 401:
        raise CrmUnavailable("the CRM's webhook does not accept our signature (401)", permanent=True)
    if 400 <= status < 500 and status not in LATER:
        raise CrmRefuses(_detail(body))
    raise CrmUnavailable(f"the CRM's webhook answered {status}")


def _detail(body: bytes) -> str:
    """The CRM's sentence, as one short line of plain text."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    detail = answer.get("detail") if isinstance(answer, dict) else None
    if not isinstance(detail, str):
        return ""
    line = "".join(letter if letter.isprintable() else " " for letter in detail)
    line = " ".join(line.split())
    return line if len(line) <= LONGEST_DETAIL else line[: LONGEST_DETAIL - 1].rstrip() + "…"
