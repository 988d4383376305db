"""The tokens of a login, in the keyring of the operating system. Nothing else touches `keyring`.

Without a keyring that keeps secrets encrypted the tokens stay in memory: they are never written in the clear. Calls
run in a daemon thread with a time limit, because a locked keyring blocks behind a password prompt, and a thread of
the loop's executor would keep the process from ending.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .protocol import User
from .threads import in_daemon_thread
from .words import mark, say

log = logging.getLogger(__name__)

SERVICE = "crmtray"
TIME_LIMIT = 5.0
ENCRYPTED_BACKENDS = (
    "keyring.backends.SecretService",
    "keyring.backends.kwallet",
    "keyring.backends.libsecret",
    "keyring.backends.Windows",
    "keyring.backends.macOS",
)
_NO_KEYRING = mark("No hay un llavero del sistema donde guardar la sesión; durará hasta que se cierre crmtray.")
_LOCKED = mark("El llavero del sistema no responde; hay que desbloquearlo para guardar la sesión.")


class KeyringUnavailable(Exception):
    """No keyring can be used; `message` is a sentence in Spanish, `detail` one for logs and terminals."""

    def __init__(self, message: str, detail: str, *, locked: bool = False) -> None:
        """`locked`: there is one, and it does not answer now."""
        super().__init__(message)
        self.message, self.detail, self.locked = message, detail, locked


@dataclass(frozen=True, slots=True)
class Tokens:
    """A login. `expires_at` is when the access token ends, by this machine's clock (seconds since 1970)."""

    access_token: str
    refresh_token: str
    user: User
    expires_at: float = 0.0

    def __repr__(self) -> str:
        return f"Tokens(user={self.user.user_id!r})"  # so that no token gets into a log by accident

    def to_json(self) -> str:
        return json.dumps(
            {
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "expires_at": self.expires_at,
                "user": self.user.to_wire(),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Tokens:
        """Raises ValueError or KeyError for what is not ours."""
        data = json.loads(text)
        user = User.from_wire(data["user"])
        return cls(str(data["access_token"]), str(data["refresh_token"]), user, float(data.get("expires_at", 0)))


class Credentials:
    """The tokens of one profile, per server."""

    def __init__(self, profile: str, *, memory_only: bool = False, time_limit: float = TIME_LIMIT) -> None:
        self.memory_only = memory_only
        self._profile = profile
        self._time_limit = time_limit
        self._memory: dict[str, Tokens] = {}

    async def check(self) -> None:
        """Raises KeyringUnavailable when a login could not be kept."""
        await self._in_keyring(lambda backend: backend.get_password(SERVICE, f"{self._profile}@check"))

    async def backend(self) -> str:
        """The name of the keyring that answers. Raises KeyringUnavailable."""
        name: str = await self._in_keyring(lambda backend: _answering(backend, f"{self._profile}@check"))
        return name

    async def load(self, server: str) -> Tokens | None:
        """The stored login; without a usable keyring what this process holds."""
        if self.memory_only:
            return self._memory.get(server)
        try:
            text = await self._in_keyring(lambda backend: backend.get_password(SERVICE, self._name(server)))
        except KeyringUnavailable as error:
            self._fall_back(error)
            return self._memory.get(server)
        return None if text is None else _parse(text)

    async def save(self, server: str, tokens: Tokens) -> None:
        self._memory[server] = tokens
        if self.memory_only:
            return
        try:
            await self._in_keyring(lambda backend: self._store(backend, server, tokens))
        except KeyringUnavailable as error:
            self._fall_back(error)

    async def delete(self, server: str) -> None:
        self._memory.pop(server, None)
        if self.memory_only:
            return
        try:
            await self._in_keyring(lambda backend: self._forget(backend, server))
        except KeyringUnavailable as error:
            log.warning("the stored login could not be deleted: %s", error.detail)

    async def last_server(self) -> str | None:
        """Where the stored login is for: the cache knows it too, but a cache can be lost."""
        if self.memory_only:
            return None
        try:
            server: str | None = await self._in_keyring(lambda backend: backend.get_password(SERVICE, self._profile))
        except KeyringUnavailable:
            return None  # the login window will say so, and ask
        return server

    def _store(self, backend: Any, server: str, tokens: Tokens) -> None:
        backend.set_password(SERVICE, self._name(server), tokens.to_json())
        backend.set_password(SERVICE, self._profile, server)

    def _forget(self, backend: Any, server: str) -> None:
        for name in (self._name(server), self._profile):
            if backend.get_password(SERVICE, name) is not None:
                backend.delete_password(SERVICE, name)

    def _name(self, server: str) -> str:
        return f"{self._profile}@{server}"

    def _fall_back(self, error: KeyringUnavailable) -> None:
        self.memory_only = True
        log.info("the login is kept in memory only: %s", error.detail)

    async def _in_keyring(self, work: Callable[[Any], Any]) -> Any:
        try:
            async with asyncio.timeout(self._time_limit):
                return await in_daemon_thread(lambda: _with_backend(work), "keyring")
        except TimeoutError:
            raise KeyringUnavailable(
                say(_LOCKED), "the system keyring does not answer; unlock it", locked=True
            ) from None


def _parse(text: str) -> Tokens | None:
    try:
        return Tokens.from_json(text)
    except (ValueError, KeyError, TypeError):
        log.warning("the login in the keyring is not readable; sign in again")
        return None


def _with_backend(work: Callable[[Any], Any]) -> Any:
    # Imported here: it costs 170 ms, and the first call is after the icon is up.
    import keyring.errors

    backend = encrypted_backend(keyring.get_keyring())
    try:
        return work(backend)
    except keyring.errors.KeyringLocked as error:
        raise KeyringUnavailable(say(_LOCKED), f"the system keyring is locked: {error}", locked=True) from error
    except Exception as error:  # each backend raises its own system's errors
        raise KeyringUnavailable(say(_NO_KEYRING), f"the system keyring failed: {error!r}") from error


def encrypted_backend(backend: Any) -> Any:
    """The backend, or the first of a chain, that keeps secrets encrypted. Raises KeyringUnavailable."""
    candidates = list(backend.backends) if _module(backend) == "keyring.backends.chainer" else [backend]
    for candidate in candidates:
        if _module(candidate).startswith(ENCRYPTED_BACKENDS):
            return candidate
    raise KeyringUnavailable(say(_NO_KEYRING), f"no encrypted system keyring is available (found: {_module(backend)})")


def _answering(backend: Any, name: str) -> str:
    backend.get_password(SERVICE, name)
    return _module(backend).removeprefix("keyring.backends.")


def _module(backend: Any) -> str:
    return str(type(backend).__module__)
