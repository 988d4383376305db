"""The checks of `crmtray doctor` on the way to the server: is it there, is it ours, does it know this login.

Asks once each, by the same proxy and certificates as the program. An access token that has run out is not renewed:
that would take the login away from a crmtray that is running.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from . import identity
from .checks import Check
from .credentials import Tokens
from .network import Network, fault
from .protocol import PROTOCOL, PROTOCOL_HEADER, Json
from .realtime import refusal_code

NETWORK_CHECKS = ("server", "protocol", "clock", "proxy", "certificate", "socket_io", "token")
TIMEOUT = aiohttp.ClientTimeout(total=4)
SOCKET_SECONDS = 4.0
CLOCK_SECONDS = 60
CERTIFICATE_DAYS = 14
MOST_BYTES = 100_000
_HINTS: Mapping[str, str] = {
    "certificate": "tell whoever runs the server; an authority of one's own goes into `ca_file`",
    "proxy": "look at `proxy` in the configuration file, and at the system's own setting",
    "unreachable": "look at the network, at the address, and whether the server runs",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: Any
    seconds: float
    middle: float
    """The moment between question and answer, by this machine's clock."""


async def ask(network: Network, server: str, tokens: Tokens | None, *, unknown: str) -> list[Check]:
    """`unknown`: why it is not known whether there is a login; empty when it is."""
    proxy = _proxy(network, server)
    async with network.session(server, TIMEOUT) as http:
        try:
            answer = await _get(http, server + "/health")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return [*_unreachable(server, error), proxy]
        first = [_server(server, answer), _protocol(answer), _clock(answer), proxy]
        if first[0].status == "broken":
            why = "this is not a crmtray server" if answer.status != 503 else "the server is down"
            return [*first, *_not_checked(("certificate", "socket_io", "token"), why)]
        both = await asyncio.gather(_socket(http, server, tokens), _token(http, server, tokens, unknown))
        return [*first, *both[0], both[1]]


async def _get(http: aiohttp.ClientSession, url: str, token: str | None = None) -> _Answer:
    headers = {PROTOCOL_HEADER: str(PROTOCOL), "Accept": "application/json", "User-Agent": identity.user_agent()}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    began, at = time.monotonic(), time.time()
    async with http.get(url, headers=headers, allow_redirects=False) as response:
        took = time.monotonic() - began
        content = await response.content.read(MOST_BYTES)
        return _Answer(response.status, response.headers, _parsed(content), took, at + took / 2)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _unreachable(server: str, error: BaseException) -> list[Check]:
    known = fault(server, error)
    code = known[0] if known is not None else "unreachable"
    said = "no answer in 4 s" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    checks = [Check("server", "broken", f"{server}: {said}", _HINTS[code])]
    rest = [name for name in NETWORK_CHECKS if name not in ("server", "proxy")]
    if code == "certificate":
        rest.remove("certificate")
        checks.append(Check("certificate", "broken", said, _HINTS[code]))
    return [*checks, *_not_checked(rest, "the server cannot be reached")]


def _not_checked(names: Any, why: str) -> list[Check]:
    return [Check(name, "not_checked", why) for name in names]


# --- from one answer ---------------------------------------------------------------------------------------------


def _server(server: str, answer: _Answer) -> Check:
    services = answer.body.get("services") if isinstance(answer.body, dict) else None
    if not isinstance(services, dict) or answer.status not in (200, 503):
        detail = f"{server} answers with status {answer.status}, and not as a crmtray server does"
        return Check("server", "broken", detail, "look at the address")
    down = [str(name) for name, state in services.items() if isinstance(state, dict) and state.get("status") == "down"]
    if answer.status == 503:
        return Check("server", "broken", f"{server} is down: {', '.join(down)}", "tell whoever runs the server")
    took = f"{server} answers in {answer.seconds * 1000:.0f} ms"
    if down:
        return Check("server", "warning", f"{took}; down there: {', '.join(down)}", "tell whoever runs the server")
    return Check("server", "ok", took)


def _protocol(answer: _Answer) -> Check:
    theirs = answer.headers.get(PROTOCOL_HEADER)
    if theirs is None:
        return Check("protocol", "not_checked", f"the server does not tell its own; ours is {PROTOCOL}")
    if theirs == str(PROTOCOL):
        return Check("protocol", "ok", f"{PROTOCOL}, as the server")
    older = "crmtray" if theirs.isdecimal() and int(theirs) > PROTOCOL else "the server"
    return Check("protocol", "broken", f"{PROTOCOL} here, {theirs} at the server", f"update {older}")


def _clock(answer: _Answer) -> Check:
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return Check("clock", "not_checked", "the server does not tell its time")
    ahead = answer.middle - theirs - 0.5  # that header has whole seconds
    if abs(ahead) <= CLOCK_SECONDS:
        return Check("clock", "ok", f"within {max(1, round(abs(ahead)))} s of the server's")
    way = "ahead of" if ahead > 0 else "behind"
    return Check(
        "clock", "warning", f"{abs(ahead):.0f} s {way} the server's", "let this machine set its clock by itself"
    )


def _proxy(network: Network, server: str) -> Check:
    proxy = network.proxy(server)
    return Check("proxy", "ok", "none: directly to the server" if proxy is None else proxy)


# --- Socket.IO ---------------------------------------------------------------------------------------------------


async def _socket(http: aiohttp.ClientSession, server: str, tokens: Tokens | None) -> list[Check]:
    """By hand, for the certificate: the library does not let go of it."""
    certificate = Check("certificate", "not_checked", "no real-time connection to see it in")
    try:
        async with asyncio.timeout(SOCKET_SECONDS), http.ws_connect(_socket_url(server), max_msg_size=MOST_BYTES) as ws:
            certificate = _certificate(server, ws.get_extra_info("ssl_object"))
            opening = await ws.receive_str()
            if not opening.startswith("0{"):
                raise ValueError(f"an unexpected opening: {opening[:40]!r}")
            return [certificate, await _introduced(ws, tokens)]
    except TimeoutError:
        said = f"no answer in {SOCKET_SECONDS:g} s"
    except (aiohttp.ClientError, OSError, ValueError, TypeError) as error:
        said = str(error) or type(error).__name__
    hint = "let WebSocket connections through (proxy, firewall); until then alerts come by asking, every half minute"
    return [certificate, Check("socket_io", "broken", said, hint)]


def _socket_url(server: str) -> str:
    scheme, rest = server.split("://", 1)
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/socket.io/?EIO=4&transport=websocket"


async def _introduced(ws: aiohttp.ClientWebSocketResponse[Any], tokens: Tokens | None) -> Check:
    if tokens is None or _has_run_out(tokens):
        return Check("socket_io", "ok", "WebSocket opens; not signed in there, for want of a token")
    await ws.send_str("40" + json.dumps({"token": tokens.access_token, "protocol": PROTOCOL}))
    while True:
        said = await ws.receive_str()
        if said == "2":
            await ws.send_str("3")
        elif said.startswith("40"):
            return Check("socket_io", "ok", "WebSocket opens, and takes this login")
        elif said.startswith("44"):
            code = refusal_code(_parsed(said[2:].encode())) or "no reason"
            return Check("socket_io", "broken", f"the server refuses this login: {code}", "sign in again")


def _certificate(server: str, encrypted: ssl.SSLObject | None) -> Check:
    if encrypted is None:
        return Check("certificate", "ok", "none needed: this machine itself")
    certificate: Json = dict(encrypted.getpeercert() or {})
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    issuer = {name: value for part in certificate.get("issuer", ()) for name, value in part}
    by = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed authority"
    detail = f"{urlsplit(server).hostname}, by {by}, until {ends:%Y-%m-%d}; {encrypted.version()}"
    if (ends - datetime.now(UTC)).days < CERTIFICATE_DAYS:
        return Check("certificate", "warning", detail, "it runs out soon: tell whoever runs the server")
    return Check("certificate", "ok", detail)


# --- the login ---------------------------------------------------------------------------------------------------


def _has_run_out(tokens: Tokens) -> bool:
    return tokens.expires_at <= time.time()


async def _token(http: aiohttp.ClientSession, server: str, tokens: Tokens | None, unknown: str) -> Check:
    if tokens is None:
        if unknown:
            return Check("token", "not_checked", unknown)
        return Check("token", "warning", "nobody is signed in at this server", "sign in")
    if _has_run_out(tokens):
        return Check("token", "not_checked", "the access token has run out; crmtray gets a new one when it starts")
    try:
        answer = await _get(http, server + "/auth/me", tokens.access_token)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Check("token", "broken", str(error) or "no answer", _HINTS["unreachable"])
    if answer.status == 200:
        return Check("token", "ok", f"accepted, role {tokens.user.role}")
    code = answer.body.get("code", "") if isinstance(answer.body, dict) else ""
    return Check("token", "broken", f"the server refuses it: {answer.status} {code}", "sign out and in again")
