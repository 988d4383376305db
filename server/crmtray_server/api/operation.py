"""Declares a route by what it takes, answers and demands, and does for its handler what that says.

Owns the parsing of bodies and queries and the check of who may call. The declarations are what the OpenAPI document
is made of (openapi): so it says what the code does. Knows no single route.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_type_hints

from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from crmtray.protocol import FORBIDDEN

from ..auth import Refused
from .web import CLAIMS, LARGEST_BODY, BadRequest, Handler, claims, services

Access = Literal["public", "user", "admin"]
PUBLIC: Access = "public"
USER: Access = "user"
ADMIN: Access = "admin"
ADMIN_ROLES = frozenset({"admin", "ceo"})


class Body(BaseModel):
    """What a request carries: exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Query(BaseModel):
    """The parameters behind `?`. Unknown ones are passed over: a newer client may know more."""

    model_config = ConfigDict(frozen=True)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,19}", value):
        raise ValueError("expected a whole number")
    return value


Moment = Annotated[datetime, AfterValidator(_aware)]
"""ISO 8601; without an offset it is UTC."""


def whole(lowest: int, highest: int) -> tuple[Any, ...]:
    """What makes an `int` of a query a whole number of these bounds: `Annotated[int, *whole(1, 200)]`."""
    return Field(ge=lowest, le=highest), BeforeValidator(_digits)


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `body`, `query`, `answers`: models (or lists of them), None when there is nothing."""

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    access: Access
    scope: str | None
    body: Any
    body_optional: bool
    query: type[Query] | None
    answers: Any
    status: int
    errors: frozenset[int]
    headers: Mapping[str, str]
    media: str
    idempotent: bool


class Operations:
    """The routes of one module, in the order of their declaration."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.all: list[Operation] = []

    def get(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return functools.partial(self._add, "GET", path, **declared)

    def post(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return functools.partial(self._add, "POST", path, **declared)

    def put(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return functools.partial(self._add, "PUT", path, **declared)

    def patch(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return functools.partial(self._add, "PATCH", path, **declared)

    def delete(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return functools.partial(self._add, "DELETE", path, **declared)

    def _add(
        self,
        method: str,
        path: str,
        handler: Callable[..., Awaitable[web.StreamResponse]],
        *,
        answers: Any = None,
        access: Access = USER,
        scope: str | None = None,
        status: int | None = None,
        errors: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
        media: str = "application/json",
        largest: int = LARGEST_BODY,
        idempotent: bool = False,
    ) -> Callable[..., Awaitable[web.StreamResponse]]:
        """`errors`: statuses beyond those that follow from the rest. `headers` of the answer, with what they say.

        `idempotent`: the route takes an Idempotency-Key.
        """
        hints = get_type_hints(handler, include_extras=True)
        body, query = hints.get("body"), hints.get("query")
        optional = body is not None and type(None) in getattr(body, "__args__", ())
        prepared = _checked(_parsed(handler, body, optional, query, largest), access, scope)
        status = status or (204 if answers is None else 200)
        summary = (handler.__doc__ or handler.__name__.replace("_", " ").capitalize()).strip().splitlines()[0]
        documented = frozenset(errors) | _follows(method, path, access, scope, body, query)
        self.all.append(
            Operation(
                method=method,
                path=path,
                handler=prepared,
                summary=summary,
                tag=self.tag,
                access=access,
                scope=scope,
                body=body,
                body_optional=optional,
                query=query,
                answers=answers,
                status=status,
                errors=documented,
                headers=headers or {},
                media=media,
                idempotent=idempotent,
            )
        )
        return handler


def _follows(method: str, path: str, access: Access, scope: str | None, body: Any, query: Any) -> frozenset[int]:
    statuses = {503}
    if body is not None or query is not None:
        statuses.add(400)
    if body is not None:
        statuses.add(413)
    if access != PUBLIC:
        statuses.add(401)
    if access == ADMIN or scope is not None:
        statuses.add(403)
    if "{" in path:
        statuses.add(404)
    return frozenset(statuses)


def _checked(handler: Handler, access: Access, scope: str | None) -> Handler:
    """The handler, for those who may call it."""
    if access == PUBLIC:
        return handler

    async def checked(request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        good = token.strip() if scheme.lower() == "bearer" else None
        request[CLAIMS] = await services(request).auth.check(good)
        if access == ADMIN and claims(request).role not in ADMIN_ROLES:
            raise Refused(FORBIDDEN, "Only for the roles admin and ceo.")
        if scope is not None and scope not in claims(request).scopes:
            raise Refused(FORBIDDEN, f"The access token lacks the scope {scope}.")
        return await handler(request)

    return checked


def _parsed(
    handler: Callable[..., Awaitable[web.StreamResponse]], body: Any, optional: bool, query: Any, largest: int
) -> Handler:
    """The handler, with the body and the query it asks for read and checked."""
    adapter = None if body is None else TypeAdapter(body)

    async def parsed(request: web.Request) -> web.StreamResponse:
        given: dict[str, Any] = {}
        if not all(_is_text(value) for value in request.match_info.values()):
            raise web.HTTPNotFound
        if query is not None:
            given["query"] = _read_query(request, query)
        if adapter is not None:
            given["body"] = _read_body(await _raw(request, largest), adapter, optional)
        return await handler(request, **given)

    return parsed


async def _raw(request: web.Request, largest: int) -> bytes:
    """The body's bytes, never more than `largest` of them in memory."""
    read = bytearray()
    async for chunk in request.content.iter_any():
        read += chunk
        if len(read) > largest:
            raise web.HTTPRequestEntityTooLarge(largest, len(read), text=f"The body may have {largest} bytes at most.")
    return bytes(read)


def _read_body(raw: bytes, adapter: TypeAdapter[Any], optional: bool) -> Any:
    if optional and not raw.strip():
        return None
    try:
        return adapter.validate_json(_NUL.sub(rb"\1\\ufffd", raw))
    except ValidationError as error:
        raise BadRequest(_sentence(error.errors(include_url=False)[0])) from None


def _read_query(request: web.Request, model: type[Query]) -> Query:
    values = {name: request.query[name] for name in request.query}
    if not all(_is_text(value.replace("\0", "")) for value in values.values()):
        raise BadRequest("The query is not UTF-8.")
    try:
        return model.model_validate({name: value.replace("\0", "\ufffd") for name, value in values.items()})
    except ValidationError as error:
        raise BadRequest(_sentence(error.errors(include_url=False)[0])) from None


_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""PostgreSQL has no NUL in text: it becomes what Unicode has for a character that cannot be shown."""


def _is_text(value: str) -> bool:
    """Whether a part of an address is text that a database takes: well-formed, without NUL."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _sentence(error: ErrorDetails) -> str:
    """Which part, and what is allowed there."""
    if error["type"] == "json_invalid":
        return "The body is not JSON."
    place = ".".join(str(part) for part in error["loc"])
    said = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    said = "unknown field" if error["type"] == "extra_forbidden" else said[0].lower() + said[1:]
    return f"{place}: {said}." if place else f"The body: {said}."
