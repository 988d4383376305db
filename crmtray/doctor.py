"""`crmtray doctor`: is everything there that the alerts of this workstation need? It only looks, and changes nothing.

Owns which checks there are, in which order, and that all of them together end in time. The desktop's are handed in,
because they need Qt.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from . import doctor_machine as machine
from .checks import Check, in_time
from .config import ClientConfig
from .credentials import Credentials, KeyringUnavailable, Tokens
from .doctor_network import NETWORK_CHECKS, ask
from .network import Network

KEYRING_SECONDS = 3.0
LOGIN_SECONDS = 4.0
NETWORK_SECONDS = 9.0
MACHINE_SECONDS = 5.0
DESKTOP_SECONDS = 10.0
"""At most LOGIN + NETWORK in a row, and the others beside them."""
DESKTOP_CHECKS = ("tray", "notifications")

DesktopChecks = Callable[[], Awaitable[Sequence[Check]]]


@dataclass(slots=True)
class _Login:
    """What is known of it."""

    keyring: Check
    server: str | None
    tokens: Tokens | None = None


async def examine(
    config: ClientConfig, *, network: Network, credentials: Credentials, desktop: DesktopChecks
) -> list[Check]:
    checks = await asyncio.gather(
        _login_and_network(config, network, credentials),
        in_time(MACHINE_SECONDS, ("cache",), _listed(machine.cache(config.profile))),
        in_time(DESKTOP_SECONDS, DESKTOP_CHECKS, desktop()),
    )
    about_login, about_cache, about_desktop = checks
    here = machine.at_once(config)
    return [here[0], *about_login, *about_cache, *here[1:], *about_desktop]


async def desktop_by(command: Sequence[str], why_not: str) -> Sequence[Check]:
    """The desktop's checks, printed by that command as JSON. `why_not`: there is nothing to look at."""
    if why_not:
        return [Check(name, "not_checked", why_not) for name in DESKTOP_CHECKS]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        printed, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # or its pipes stay open behind it
    try:
        return [Check(**entry) for entry in json.loads(printed)]
    except (ValueError, TypeError):
        return _no_qt(complaint.decode(errors="replace"), process.returncode)


def _no_qt(complaint: str, status: int | None) -> Sequence[Check]:
    said = complaint.strip().splitlines()[-1:] or [f"status {status}"]
    detail = f"Qt does not start here: {said[0]}"
    return [Check(name, "broken", detail, "install the system libraries that Qt lacks") for name in DESKTOP_CHECKS]


async def _listed(work: Awaitable[Check]) -> list[Check]:
    return [await work]


async def _login_and_network(config: ClientConfig, network: Network, credentials: Credentials) -> list[Check]:
    login = await _login(config, credentials)
    if login.server is None:
        hint = "crmtray login --server URL --email ADDRESS, or sign in in the window"
        first = Check("server", "warning", "none is known: nobody has signed in here yet", hint)
        rest = [Check(name, "not_checked", "no server is known") for name in NETWORK_CHECKS[1:]]
        return [first, *rest, login.keyring]
    asked = ask(network, login.server, login.tokens, unknown=_why_no_tokens(login))
    return [*await in_time(NETWORK_SECONDS, NETWORK_CHECKS, asked), login.keyring]


def _why_no_tokens(login: _Login) -> str:
    return "" if login.keyring.status == "ok" else "the keyring cannot be asked"


async def _login(config: ClientConfig, credentials: Credentials) -> _Login:
    login = _Login(Check("keyring", "broken", "no answer", "unlock the keyring"), machine.known_server(config))
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            login.keyring = await _keyring(credentials)
            if login.keyring.status == "ok" or credentials.memory_only:
                login.server = login.server or await credentials.last_server()
                login.tokens = await credentials.load(login.server) if login.server else None
    except TimeoutError:
        pass  # then what is known by now has to do
    return login


async def _keyring(credentials: Credentials) -> Check:
    try:
        return Check("keyring", "ok", await credentials.backend())
    except KeyringUnavailable as error:
        if error.locked:
            return Check("keyring", "broken", error.detail, "unlock the keyring, then start crmtray again")
        hint = "install a Secret Service (gnome-keyring, KWallet); until then a login lasts as long as crmtray runs"
        return Check("keyring", "warning", error.detail, hint)
