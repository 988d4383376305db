"""Requests to addresses that the administrator configured: the CRM's webhook, the CRM's login.

Owns what such a request may reach and how long it may take. The name is resolved once and the connection goes to an
address that was looked at, so that a name cannot turn into an address of our own network on the way. Knows nothing
of what is sent.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

SECONDS = 5.0
LARGEST_ANSWER = 256 * 1024
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class OutboundError(Exception):
    """No answer came. `permanent`: asking again is of no use before somebody changes something."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `whole` is False when there was more than we read."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    whole: bool = True


class Outbound:
    """`post`, and `reach` for a look without effect.

    `private_hosts`: names that may lead into private networks (CRM_PRIVATE_HOSTS).
    """

    def __init__(
        self,
        private_hosts: Iterable[str] = (),
        resolver: AbstractResolver | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._private = frozenset(_folded(host) for host in private_hosts) | {"localhost"}
        self._resolver, self._seconds = resolver, seconds

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, whatever its status but a redirect. Raises OutboundError."""
        return await self._ask("POST", url, body, headers)

    async def reach(self, url: str) -> None:
        """Whether somebody answers there at all, without ordering anything. Raises OutboundError."""
        await self._ask("HEAD", url, None, {})

    async def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        host = URL(url).host or url
        try:
            return await self._request(method, url, body, {"Accept-Encoding": "identity", **headers})
        except OutboundError:
            raise
        except aiohttp.ClientSSLError as error:
            raise OutboundError(f"{host}: no trusted TLS connection: {error}", permanent=True) from error
        except aiohttp.InvalidURL as error:
            raise OutboundError(f"{host} is not an address that can be asked", permanent=True) from error
        except TimeoutError as error:
            raise OutboundError(f"{host} did not answer within {self._seconds:g} seconds") from error
        except (aiohttp.ClientError, OSError) as error:
            raise OutboundError(f"{host} cannot be reached: {error or type(error).__name__}") from error

    async def _request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        # A session a request: nothing of one, connection or cookie, is left for the next.
        connector = aiohttp.TCPConnector(resolver=self._guard(), use_dns_cache=False, force_close=True)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            ) as session,
            session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            _not_elsewhere(response)
            content, whole = await _read(response.content)
            return Answer(response.status, content, response.headers, whole)

    def _guard(self) -> AbstractResolver:
        return _Guard(self._resolver or aiohttp.ThreadedResolver(), self._private)


class _Guard(AbstractResolver):
    """Resolves a name and refuses it when it leads into a network that is nobody else's business.

    An address that stands literally in the URL never comes here: the administrator wrote it, and means it.
    """

    def __init__(self, resolver: AbstractResolver, private: frozenset[str]) -> None:
        self._resolver, self._private = resolver, private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if _folded(host) not in self._private:
            for result in found:
                if not is_public(result["host"]):
                    raise OutboundError(
                        f"{host} leads to {result['host']}, which is not a public address; "
                        f"if it is meant, list {host} in CRM_PRIVATE_HOSTS",
                        permanent=True,
                    )
        return found

    async def close(self) -> None:
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether this is an ordinary address of the Internet, also when it is wrapped into an IPv6 one."""
    try:
        parsed = _unwrapped(ipaddress.ip_address(address))
    except ValueError:
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _unwrapped(address: IpAddress) -> IpAddress:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    return wrapped or address


def _not_elsewhere(response: aiohttp.ClientResponse) -> None:
    if 300 <= response.status < 400:
        raise OutboundError(
            f"{response.url.host} answered {response.status}, a redirect, which is not followed; "
            "configure the address that it leads to",
            permanent=True,
        )


async def _read(content: aiohttp.StreamReader) -> tuple[bytes, bool]:
    parts = bytearray()
    while chunk := await content.read(64 * 1024):
        parts += chunk
        if len(parts) > LARGEST_ANSWER:
            return bytes(parts[:LARGEST_ANSWER]), False
    return bytes(parts), True


def _folded(host: str) -> str:
    return host.strip().strip("[]").rstrip(".").casefold()
