"""`POST /notifications`: other programs tell people something.

Owns the form of what is published and who it is for. Whether and how loudly each person is told is the pipeline's.
The tenant is the token's, always.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from crmtray.protocol import Json, NotificationAction, Priority

from ..crm.orders import CrmUnavailable
from ..crm_events import CrmEvents
from ..directory import Directory
from ..pipeline import Pipeline
from ..store import published
from ..store.feed import NewItem, Scope
from .entries import LARGEST, LONGEST_ID, MOST, PLAIN, SCOPE, Id, one_or_many, plain_text
from .operation import Body, Operations
from .schemas import NotificationOut
from .web import answer, claims, problem, services

LARGEST_DATA: Final = 16 * 1024
DEEPEST_DATA: Final = 8
MOST_ACTIONS: Final = 5
ROLES: Final = ("ceo", "seller", "secretary", "admin")
ADDRESS: Final = r"https?://[A-Za-z0-9\[][!-~]*"
PREFIX: Final = "published:"
"""Before a dedupe key: a publisher's keys are not those of detection."""

operations = Operations("Push")


def _data(value: Json) -> Json:
    if _deeper_than(value, DEEPEST_DATA):
        raise ValueError(f"expected at most {DEEPEST_DATA} levels of objects and arrays")
    try:
        data: Json = _portable(value)
        json.dumps(data, allow_nan=False)
    except (OverflowError, ValueError):
        raise ValueError("expected finite numbers") from None
    if len(orjson.dumps(data)) > LARGEST_DATA:
        raise ValueError(f"expected at most {LARGEST_DATA} bytes of JSON")
    return data


def _portable(value: Any) -> Any:
    """Whole numbers of more than 64 bits as what every JSON reader makes of them."""
    if isinstance(value, dict):
        return {key: _portable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_portable(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def _deeper_than(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_deeper_than(one, levels - 1) for one in inner))


def _web_address(url: str) -> str:
    try:
        good = re.fullmatch(ADDRESS, url) is not None and bool(urlsplit(url).hostname)
    except ValueError:
        good = False
    if not good:
        raise ValueError("expected an http or https address")
    return url


WebAddress = Annotated[
    str, Field(max_length=2000, json_schema_extra={"pattern": f"^{ADDRESS}$"}), AfterValidator(_web_address)
]
Key = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, json_schema_extra=PLAIN), AfterValidator(plain_text)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
Data = Annotated[dict[str, Any], AfterValidator(_data)]


class PublishedAction(Body):
    """A button. With `url` it opens that page; without, only the actions of this server do anything."""

    label: Annotated[str, Field(min_length=1, max_length=100, json_schema_extra=PLAIN), AfterValidator(plain_text)]
    action: Name
    params: Data = Field(default_factory=dict)
    url: WebAddress | None = None


_NULL, _GIVEN = {"type": "null"}, {"not": {"type": "null"}}
_FOR_ONE: Json = {
    "oneOf": [
        {"required": [one], "properties": {one: _GIVEN, other: _NULL}}
        for one, other in (("user_id", "role"), ("role", "user_id"))
    ]
}


class Published(Body):
    """For one person (`user_id`) or everyone who is active in a role of the token's company (`role`)."""

    model_config = ConfigDict(json_schema_extra=_FOR_ONE)

    user_id: Id | None = None
    role: Literal["ceo", "seller", "secretary", "admin"] | None = None
    type: Name
    title: Annotated[str, Field(min_length=1, max_length=200, json_schema_extra=PLAIN), AfterValidator(plain_text)]
    message: Annotated[str, Field(max_length=4000, json_schema_extra=PLAIN), AfterValidator(plain_text)]
    data: Data = Field(default_factory=dict)
    priority: Priority = "medium"
    actions: Annotated[list[PublishedAction], Field(max_length=MOST_ACTIONS)] = Field(default_factory=list)
    dedupe_key: Key | None = None

    @model_validator(mode="after")
    def _for_one(self) -> Published:
        if (self.user_id is None) == (self.role is None):
            raise ValueError("expected either user_id or role")
        return self


Notifications = Annotated[
    Annotated[Published, Tag("notification")]
    | Annotated[list[Published], Field(min_length=1, max_length=MOST), Tag("notifications")],
    Discriminator(one_or_many("notification", "notifications")),
]


class UnknownUser(Exception):
    """Nobody of this tenant has that id; the sentence names the entry."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """What publishing works with, made once by app."""

    pipeline: Pipeline
    directory: Directory
    crm_events: CrmEvents


PUBLISHER = web.AppKey("publisher", Publisher)


@operations.post(
    "/notifications", answers=list[NotificationOut], status=201, scope=SCOPE, largest=LARGEST, errors={404}
)
async def publish(request: web.Request, body: Notifications) -> web.Response:
    """Publishes one notification or up to 1000, all or none; answers with the items as they stand, in that order."""
    entries = body if isinstance(body, list) else [body]
    publisher = request.app[PUBLISHER]
    try:
        items = await _items(publisher, claims(request).scope.tenant_id, entries)
    except UnknownUser as unknown:
        return problem(404, "unknown_user", str(unknown))
    await publisher.pipeline.tell(items)
    keys = [(item.scope, item.dedupe_key) for item in items]
    found = await services(request).store.read(published.find, keys)
    return answer([found[key].to_wire() for key in keys if key in found], 201)


async def _items(publisher: Publisher, tenant_id: str, entries: Sequence[Published]) -> list[NewItem]:
    """One for each person, in the order of the entries."""
    items: list[NewItem] = []
    strict = await _knows_everyone(publisher, tenant_id)
    for index, entry in enumerate(entries):
        place = f"notifications.{index}" if len(entries) > 1 else "notification"
        key = PREFIX + (entry.dedupe_key or str(uuid.uuid4()))
        items += [_item(scope, key, entry) for scope in await _readers(publisher, tenant_id, entry, place, strict)]
    return items


async def _readers(publisher: Publisher, tenant_id: str, entry: Published, place: str, strict: bool) -> list[Scope]:
    if entry.user_id is None:
        people = await publisher.directory.with_role(tenant_id, [str(entry.role)])
        return sorted(Scope(tenant_id, person.user_id) for person in people)
    scope = Scope(tenant_id, entry.user_id)
    if strict:
        await _check(publisher.directory, scope, place)
    return [scope]


async def _check(directory: Directory, scope: Scope, place: str) -> None:
    standing = await directory.standing(scope, again=True)
    if standing == "unreadable":
        raise CrmUnavailable("the CRM's users could not be read")  # not "unknown": it may be known a moment later
    if standing != "active":
        raise UnknownUser(f"{place}.user_id: there is no active user {scope.user_id!r} in this company.")


async def _knows_everyone(publisher: Publisher, tenant_id: str) -> bool:
    """Without a CRM people may be known by their tokens alone, and then nobody can tell a wrong id from a right one."""
    if not await publisher.directory.with_role(tenant_id, ROLES):
        return False
    return publisher.directory.reads_crm or await publisher.crm_events.is_used_by(tenant_id)


def _item(scope: Scope, key: str, entry: Published) -> NewItem:
    return NewItem(
        scope=scope,
        dedupe_key=key,
        type=entry.type,
        title=entry.title,
        message=entry.message,
        data=entry.data,
        priority=entry.priority,
        actions=tuple(NotificationAction(one.label, one.action, one.params, one.url) for one in entry.actions),
    )
