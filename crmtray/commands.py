"""What the terminal commands do, from a session's beginning to its end.

Apart from `__main__`, so that `--help` and a usage error do not wait for the network libraries. Raises Failure for
what the person can mend.
"""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace

from . import checks, doctor, launch
from .cache import Cache
from .cache_views import Narrowing
from .config import ClientConfig
from .credentials import Credentials, KeyringUnavailable
from .failure import Failure
from .local_server import LocalServer
from .network import Network, SystemProxy
from .paths import cache_file
from .protocol import Notification
from .session import LoginFailed, Session
from .terminal import JsonOutput, Lines, Output, TextOutput, View, print_list, signed_in_line, watch
from .words import say


def show_list(
    config: ClientConfig, as_json: bool, *, unread: bool | None, type: str | None, search: str | None
) -> None:
    cache = open_cache(config, claim=False)
    kinds = frozenset({type} if type is not None else ())
    try:
        items = _all_pages(cache, Narrowing(unread, search or "", kinds))
    finally:
        cache.close()
    print_list(items, as_json=as_json, stream=Lines(sys.stdout))


async def sign_in(config: ClientConfig, email: str, ask: Callable[[], str]) -> None:
    credentials = Credentials(config.profile)
    try:
        await credentials.check()
    except KeyringUnavailable as error:
        raise Failure(f"{error.detail}; a login cannot be kept without it") from error
    password = ask()
    session, cache = _only_session(config, credentials)
    try:
        await _login(session, config, email, password)
        if session.memory_only:
            raise Failure("the system keyring did not take the login; unlock it and try again")
    finally:
        await session.stop()
        cache.close()


async def _login(session: Session, config: ClientConfig, email: str, password: str) -> None:
    try:
        await session.login(config.server or "", email, password)
    except LoginFailed as error:
        raise Failure(f"could not sign in: {error.detail}") from error


async def sign_out(config: ClientConfig) -> None:
    session, cache = _only_session(config, Credentials(config.profile))
    try:
        await session.start()
        await session.logout()
    finally:
        await session.stop()
        cache.close()


async def listen_to(config: ClientConfig, email: str | None, password: str | None, as_json: bool) -> str | None:
    lines = Lines(sys.stdout)
    output = _output(lines, as_json)
    session, view, cache = _session(
        config, Credentials(config.profile, memory_only=email is not None), output, private=email is not None
    )
    try:
        if email is not None:
            await _login(session, config, email, password or "")
        elif not await session.start():
            raise Failure("nobody is signed in; use `crmtray login --server URL --email ADDRESS`")
        if isinstance(output, TextOutput) and session.user is not None:
            output.line(signed_in_line(session.user), "bold")
        return await watch(view, session, lines)
    finally:
        await session.stop()
        cache.close()


async def check_up(config: ClientConfig, as_json: bool, *, system_proxy: SystemProxy, no_desktop: str) -> bool:
    """Prints what `doctor` found. `no_desktop`: why there is none to look at. True: nothing is broken."""
    found = await doctor.examine(
        config,
        network=Network(config, system_proxy),
        credentials=Credentials(config.profile, time_limit=doctor.KEYRING_SECONDS),
        desktop=lambda: doctor.desktop_by(launch.command("desktop-checks"), no_desktop),
    )
    if as_json:
        print(json.dumps(checks.to_json(found), ensure_ascii=False))
    else:
        print("\n".join(checks.lines(found)))
    return checks.passed(found)


async def demo_in_terminal(
    server: LocalServer, config: ClientConfig, duration: float | None, as_json: bool
) -> str | None:
    lines = Lines(sys.stdout)
    output = _output(lines, as_json)
    here = replace(config, server=server.url)
    session, view, cache = _session(here, Credentials("demo", memory_only=True), output, private=True)
    try:
        await _login(session, here, server.email, server.password)
        if isinstance(output, TextOutput) and session.user is not None:
            output.line(signed_in_line(session.user), "bold")
            output.line(say("Los clientes de este CRM de muestra escriben solos: cada alerta aparece aquí al momento."))
        return await watch(view, session, lines, duration=duration, failure=server.failure)
    finally:
        await session.stop()
        cache.close()


def _only_session(config: ClientConfig, credentials: Credentials) -> tuple[Session, Cache]:
    """For commands that change who is signed in, and print nothing of what arrives."""
    cache = open_cache(config)
    if not cache.owned:
        cache.close()
        raise Failure(f"crmtray is running with the profile {config.profile!r}; use its own menu, or another --profile")
    return Session(config, View(cache, JsonOutput(io.StringIO())), cache=cache, credentials=credentials), cache


def _session(
    config: ClientConfig, credentials: Credentials, output: Output, *, private: bool = False
) -> tuple[Session, View, Cache]:
    """A session that shows itself in `output`. `private`: what it takes in is forgotten with it."""
    cache = Cache.open(None) if private else open_cache(config)
    if not cache.owned:
        # The tray app keeps this profile's cache up to date; two writers would take news away from each other.
        cache.close()
        cache = Cache.open(None)
    view = View(cache, output)
    return Session(config, view, cache=cache, credentials=credentials), view, cache


def open_cache(config: ClientConfig, *, claim: bool = True) -> Cache:
    path = cache_file(config.profile)
    try:
        return Cache.open(path, claim=claim)
    except (OSError, sqlite3.OperationalError) as error:
        raise Failure(f"the cache {path} cannot be opened: {error}") from error


def _all_pages(cache: Cache, narrowing: Narrowing) -> list[Notification]:
    items = page = cache.page(narrowing)
    while page:
        last = page[-1]
        page = cache.page(narrowing, before=(last.created_at, last.id))
        items = items + page
    return items


def _output(lines: Lines, as_json: bool) -> Output:
    return JsonOutput(lines) if as_json else TextOutput(lines)
