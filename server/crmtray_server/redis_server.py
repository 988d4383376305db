"""How this server reaches Redis: its address, its time limits, what it may need, and whether that is there.

Owns the connections' options and the one way to speak on them. What is published is the bus's affair, what is counted
that of redis_counts. Imported only when `REDIS_URL` is set: the package redis comes with the extra `postgres`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

PREFIX = "crmtray:"
"""Of the channel and of every key, so that an account of Redis can be confined to them."""
CHANNEL = f"{PREFIX}doorbell"
CONNECT_SECONDS = 2.0
COMMAND_SECONDS = 0.25
"""A Redis that takes longer is away, for us."""
OLDEST = 6
"""The first with accounts (ACL)."""

UNREACHABLE = (RedisError, OSError, TimeoutError, ValueError)
"""What speaking to a Redis that is away, or is none, may raise."""
RULES = f"~{PREFIX}* &{PREFIX}* +hello +select +publish +subscribe +multi +exec +set +get +incr +decr +del +pttl"
"""What our account in Redis needs, as `ACL SETUSER` takes it."""


Command = tuple[str | bytes | int, ...]


class Wrong(Exception):
    """What is wrong with Redis, and how to mend it: one sentence."""


def connection(url: str) -> AbstractConnection:
    """One that is not connected yet. It never connects again by itself: whoever uses it decides when."""
    options = cast(dict[str, Any], parse_url(url))
    kind = options.pop("connection_class", Connection)
    # Of RESP 3 we would use nothing, and its greeting needs a permission more; nor need Redis know our library.
    made: AbstractConnection = kind(**options, protocol=2, socket_timeout=None, driver_info=None, **_keepalive(kind))
    return made


def _keepalive(kind: type[AbstractConnection]) -> dict[str, Any]:
    return {"socket_keepalive": True} if issubclass(kind, Connection) else {}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AbstractConnection]:
    """A connection for as long as the block runs."""
    made = connection(url)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await made.connect()  # type: ignore[no-untyped-call]
        yield made
    finally:
        # Without waiting for the other side: it may be the one that does not answer.
        await made.disconnect(nowait=True)


async def ask(made: AbstractConnection, *command: str | bytes | int, seconds: float = COMMAND_SECONDS) -> Any:
    """Sends one command and gives its answer. After an error other than ResponseError the connection is of no use."""
    async with asyncio.timeout(seconds):
        await made.send_command(*command, check_health=False)
        return await made.read_response()


async def ask_together(made: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    """Several commands that nobody else's come between; their answers."""
    async with asyncio.timeout(COMMAND_SECONDS):
        packed = made.pack_commands([("MULTI",), *commands, ("EXEC",)])
        await made.send_packed_command(packed, check_health=False)
        problems = [problem for _ in range(len(commands) + 1) if (problem := await _problem(made)) is not None]
        if problems:
            await _problem(made)  # EXEC's own: that the transaction was given up
            raise problems[0]
        answers: list[Any] = await made.read_response()
    failed = next((answer for answer in answers if isinstance(answer, ResponseError)), None)
    if failed is not None:
        raise failed
    return answers


async def _problem(made: AbstractConnection) -> ResponseError | None:
    try:
        await made.read_response()
    except ResponseError as error:
        return error
    return None


# --- is it as it should be? --------------------------------------------------------------------------------------


async def probe(url: str, counting: Sequence[Command]) -> None:
    """Does what the server does: signs in, subscribes, hears what it publishes, and counts. Raises Wrong."""
    try:
        async with connected(url) as listening, connected(url) as speaking:
            _judge_version(await ask(speaking, "HELLO", seconds=CONNECT_SECONDS))
            await ask(listening, "SUBSCRIBE", CHANNEL, seconds=CONNECT_SECONDS)
            # No node takes this for a doorbell.
            await ask(speaking, "PUBLISH", CHANNEL, b"check", seconds=CONNECT_SECONDS)
            async with asyncio.timeout(CONNECT_SECONDS):
                await listening.read_response()
            await ask_together(speaking, counting)
    except UNREACHABLE as error:
        raise Wrong(sentence(error)) from None


def _judge_version(greeting: list[Any]) -> None:
    pairs = dict(zip(greeting[::2], greeting[1::2], strict=True))
    version = str(pairs.get(b"version", b"0").decode())
    if int(version.partition(".")[0]) < OLDEST:
        raise Wrong(_too_old(version))


def _too_old(version: str) -> str:
    return f"this is Redis {version}; take {OLDEST} or later (Debian, Ubuntu and Valkey have newer ones)"


def sentence(error: BaseException) -> str:
    """What an error of a connection means and how to mend it; never what stands in the URL."""
    reason = _reason(error)
    if isinstance(error, NoPermissionError):
        return f"the account may not do what is needed ({reason}). As an administrator of Redis: ACL SETUSER … {RULES}"
    if isinstance(error, AuthenticationError) or "NOAUTH" in reason or "WRONGPASS" in reason:
        return "the account or the password is wrong. Correct REDIS_URL: redis://account:password@host:6379"
    if "unknown command" in reason.lower():
        return _too_old("5 or older")
    if _is_about_tls(error):
        return (
            f"no encrypted connection: {reason}. Name the authority's file in REDIS_URL: rediss://…?ssl_ca_certs=FILE"
        )
    if isinstance(error, TimeoutError):
        return f"no answer in {CONNECT_SECONDS:g} seconds. Correct REDIS_URL, or start Redis"
    return f"{reason}. Correct REDIS_URL, or start Redis"


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError) or "certificate" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return re.sub(r"\.+$", "", lines[0]) if lines else type(error).__name__
