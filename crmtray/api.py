"""HTTP calls to the server: wire types out, one error type in.

Owns the access token in use and its renewal. It must not know about the cache or retry on its own: who calls decides
with `ApiError.permanent`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp

from .credentials import Tokens
from .identity import user_agent
from .network import Network, fault
from .preferences import Preferences
from .protocol import (
    CRM_LOGIN_FAILED,
    FORBIDDEN,
    INVALID_CREDENTIALS,
    INVALID_REQUEST,
    INVALID_TOKEN,
    NOT_FOUND,
    PROTOCOL,
    PROTOCOL_HEADER,
    TOO_MANY_ATTEMPTS,
    ChangesPage,
    Json,
    User,
    WireError,
)
from .words import mark, say

log = logging.getLogger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=8)
MAX_ANSWER = 16_000_000
PAGE = 200
T = TypeVar("T")
_RETRYABLE = (401, 408, 425, 429)

_SENTENCES: Mapping[str, str] = {
    INVALID_CREDENTIALS: mark("El correo o la contraseña no son correctos."),
    TOO_MANY_ATTEMPTS: mark("Demasiados intentos fallidos; se puede volver a probar en un minuto."),
    NOT_FOUND: mark("Esta notificación ya no existe."),
    FORBIDDEN: mark("No hay permiso para hacer esto."),
    INVALID_REQUEST: mark("El servidor no aceptó los datos; hay que revisarlos."),
    INVALID_TOKEN: mark("La sesión terminó; hay que volver a entrar."),
    CRM_LOGIN_FAILED: mark(
        "El CRM aceptó la contraseña, pero crmtray no entiende su respuesta; avisa a quien lo administra."
    ),
}


class ApiError(Exception):
    """A call that did not succeed.

    `message` is a sentence for the person, in the language of the program, `detail` one in English for logs and
    terminals. `permanent`: the same call will fail again. `status` 0: there was no answer.
    """

    def __init__(
        self, code: str, message: str, *, status: int, permanent: bool, detail: str, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.message, self.status = code, message, status
        self.permanent, self.detail, self.retry_after = permanent, detail, retry_after


@dataclass(frozen=True, slots=True)
class Seller:
    """Somebody a conversation can be given to."""

    id: str
    name: str


Renewed = Callable[[Tokens], Awaitable[None]]
Reload = Callable[[], Awaitable[Tokens | None]]
Ended = Callable[[ApiError], None]


class Api:
    """One server, one login at a time. Close it when done."""

    def __init__(
        self,
        server: str,
        tokens: Tokens | None = None,
        *,
        renewed: Renewed | None = None,
        reload: Reload | None = None,
        ended: Ended | None = None,
        network: Network | None = None,
    ) -> None:
        """`renewed` stores a new pair before it is used; `reload` tells the pair that is stored now; `ended` is
        called when the server no longer accepts this login."""
        self.server = server
        self.tokens = tokens
        self._renewed = renewed
        self._reload = reload
        self._ended = ended
        self._network = network or Network()
        self._renewing: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None
        self._proxy: str | None = None

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    # --- the calls ----------------------------------------------------------------------------------------------

    async def login(self, email: str, password: str) -> Tokens:
        body = {"email": email, "password": password}
        self.tokens = _tokens(await self._call("POST", "/auth/login", body=body))
        return self.tokens

    async def logout(self) -> None:
        await self.request("POST", "/auth/logout")

    async def changes(self, cursor: tuple[str, int] | None) -> ChangesPage:
        query = {"limit": str(PAGE)}
        if cursor is not None:
            query |= {"epoch": cursor[0], "since": str(cursor[1])}
        return _parsed(ChangesPage.from_wire, await self.request("GET", "/notifications/changes", query=query))

    async def sellers(self) -> list[Seller]:
        answer = await self.request("GET", "/sellers")
        return _parsed(_sellers, answer)

    async def settings(self) -> Preferences:
        return _parsed(Preferences.from_wire, await self.request("GET", "/notifications/settings"))

    async def save_settings(self, changes: Json) -> Preferences:
        """Changes these fields and no other; what counts from now on."""
        return _parsed(Preferences.from_wire, await self.request("PATCH", "/notifications/settings", body=changes))

    async def explain(self, id: str) -> Json:
        """Why this item was told: `rule`, `decision`, `deliveries`, as docs/preferences.md has them."""
        return _parsed(dict, await self.request("GET", item_path(id, "explain")))

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        op_id: str = "",
    ) -> Any:
        """The answer's JSON, None when it has no body. An access token that ran out is renewed once."""
        used = self.tokens
        try:
            return await self._call(method, path, body=body, query=query, op_id=op_id)
        except ApiError as error:
            if error.status != 401 or used is None:
                raise
            await self.renew(used)
            return await self._call(method, path, body=body, query=query, op_id=op_id)

    async def renew(self, old: Tokens | None = None) -> Tokens:
        """A new token pair in place of `old` (the current one). One renewal at a time; others wait for it."""
        if self._renewing is None and (old is None or old is self.tokens):
            self._renewing = asyncio.create_task(self._renew(), name="renew the token")
            self._renewing.add_done_callback(self._renewal_over)
        if self._renewing is not None:
            await asyncio.shield(self._renewing)
        if self.tokens is None:
            raise _no_session()
        return self.tokens

    def _renewal_over(self, task: asyncio.Task[None]) -> None:
        self._renewing = None
        if not task.cancelled():
            task.exception()  # whoever waits gets it; with nobody left it must not be reported as forgotten

    async def _renew(self) -> None:
        current = self.tokens
        if current is None:
            raise _no_session()
        fresh = await self._renewed_elsewhere(current) or await self._exchange(current)
        if self._renewed is not None:
            await self._renewed(fresh)
        self.tokens = fresh

    async def _renewed_elsewhere(self, current: Tokens) -> Tokens | None:
        """What another crmtray of this profile has stored: using a refresh token twice ends the login for both."""
        stored = await self._reload() if self._reload else None
        return None if stored is None or stored.refresh_token == current.refresh_token else stored

    async def _exchange(self, current: Tokens) -> Tokens:
        body = {"refresh_token": current.refresh_token}
        try:
            return _tokens(await self._call("POST", "/auth/refresh", body=body, signed=False), current.user)
        except ApiError as error:
            if error.status not in (400, 401, 403):
                raise
            if other := await self._renewed_elsewhere(current):
                return other  # it was renewed while we asked
            if self._ended is not None:
                self._ended(error)
            raise

    # --- one exchange -------------------------------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        op_id: str = "",
        signed: bool = True,
    ) -> Any:
        headers = {PROTOCOL_HEADER: str(PROTOCOL), "Accept": "application/json", "User-Agent": user_agent()}
        if signed and self.tokens is not None:
            headers["Authorization"] = f"Bearer {self.tokens.access_token}"
        if op_id:
            headers["Idempotency-Key"] = op_id
        try:
            # A redirect is refused: it could carry the token to another host.
            session = await self._session()
            async with session.request(
                method, self.server + path, json=body, params=query, headers=headers, allow_redirects=False
            ) as response:
                return _answer(response, await _bounded(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise no_answer(self.server, error) from error

    async def _session(self) -> aiohttp.ClientSession:
        """Another one when the way to the server has changed: a laptop that left the office."""
        proxy = self._network.proxy(self.server)
        if self._http is None or proxy != self._proxy:
            old, self._proxy, self._http = self._http, proxy, self._network.session(self.server, TIMEOUT)
            if old is not None:
                await old.close()
        return self._http


def item_path(id: str, *rest: str) -> str:
    """The path of one notification, with what comes from outside quoted."""
    return "/".join(["/notifications", *(quote(part, safe="") for part in (id, *rest))])


def no_answer(server: str, error: BaseException) -> ApiError:
    """The sentence for a server that could not be talked to."""
    host = urlsplit(server).hostname or server
    detail = f"{server}: {str(error) or type(error).__name__}"
    if (known := fault(server, error)) is not None:
        return ApiError(*known, status=0, permanent=False, detail=detail)
    text = say("No se pudo conectar con {}; hay que revisar la conexión y la dirección del servidor.")
    return ApiError("unreachable", text.format(host), status=0, permanent=False, detail=detail)


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(65536):
        size += len(part)
        if size > MAX_ANSWER:
            raise aiohttp.ClientPayloadError(f"the answer is longer than {MAX_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


def _answer(response: aiohttp.ClientResponse, content: bytes) -> Any:
    try:
        value = json.loads(content) if content else None
    except (ValueError, RecursionError):
        value = None if response.status >= 300 else content
    if response.status >= 300:
        raise _refusal(response, value if isinstance(value, dict) else {})
    if isinstance(value, bytes):
        raise _not_ours(f"{response.url.path}: the answer is not JSON")
    return value


def _refusal(response: aiohttp.ClientResponse, problem: Json) -> ApiError:
    status = response.status
    code = str(problem.get("code") or f"http_{status}")
    permanent = 300 <= status < 500 and status not in _RETRYABLE
    general = (
        mark("El servidor no pudo hacerlo; hay que volver a intentarlo más tarde.")
        if status >= 500
        else mark("El servidor no aceptó la operación.")
    )
    said = str(problem.get("detail") or "")
    detail = f"{status} {said or problem.get('title') or response.reason or ''}".strip()
    return ApiError(
        code,
        # Why an action was refused is told by the server, in a sentence for whoever pressed the button.
        said if said and status in (403, 409, 422) else say(_SENTENCES.get(code, general)),
        status=status,
        permanent=permanent,
        detail=detail,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def _parsed(parse: Callable[[Any], T], answer: Any) -> T:
    try:
        return parse(answer)
    except (WireError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise _not_ours(str(error)) from error


def _not_ours(detail: str) -> ApiError:
    message = say("La respuesta no es de un servidor de crmtray; hay que revisar la dirección.")
    return ApiError("not_crmtray", message, status=0, permanent=False, detail=detail)


def _no_session() -> ApiError:
    return ApiError(
        INVALID_TOKEN, say(_SENTENCES[INVALID_TOKEN]), status=401, permanent=True, detail="nobody is signed in"
    )


def _tokens(answer: Any, user: User | None = None) -> Tokens:
    def parse(data: Any) -> Tokens:
        whose = User.from_wire(data["user"]) if user is None or data.get("user") else user
        ends = time.time() + float(data["expires_in"])
        return Tokens(str(data["access_token"]), str(data["refresh_token"]), whose, ends)

    return _parsed(parse, answer)


def _sellers(answer: Any) -> list[Seller]:
    entries = answer["sellers"] if isinstance(answer, dict) else answer
    return [Seller(str(entry["id"]), str(entry["name"])) for entry in entries]
