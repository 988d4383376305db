"""Who a request really comes from, when a proxy stands in front.

The only place that looks at `X-Forwarded-For` and `X-Forwarded-Proto`. Anybody can send them, so they count only when
the neighbour that sent the request is one of `TRUSTED_PROXIES`. Everything behind this middleware asks
`request.remote` and `request.secure` and knows nothing of proxies.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Middleware

from .web import Handler

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FOR, PROTO = "X-Forwarded-For", "X-Forwarded-Proto"


class TrustedProxies:
    """The proxies whose word counts."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in trusted)

    def client(self, peer: str | None, forwarded: Iterable[str]) -> str | None:
        """The last hop, seen from here, that is not one of ours; further left anybody may have written anything."""
        hop = address_of(peer or "")
        if hop is None or not self.trusts(peer):
            return peer
        for text in reversed([part for line in forwarded for part in line.split(",")]):
            before = address_of(text)
            if before is None:
                break
            hop = before
            if not self._knows(hop):
                break
        return str(hop)

    def trusts(self, peer: str | None) -> bool:
        address = address_of(peer or "")
        return address is not None and self._knows(address)

    def _knows(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def address_of(text: str) -> Address | None:
    """An address as proxies write it: some add the port. IPv4 inside IPv6, as a socket for both says it, is IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def behind(trusted: Iterable[str]) -> Middleware:
    """The middleware, outside of all others."""
    proxies = TrustedProxies(trusted)

    @web.middleware
    async def seen(request: web.Request, handler: Handler) -> web.StreamResponse:
        if proxies.trusts(request.remote):
            client = proxies.client(request.remote, request.headers.getall(FOR, []))
            request = request.clone(remote=client or "", scheme=_scheme(request))
        return await handler(request)

    return seen


def _scheme(request: web.Request) -> str:
    """What the proxy next to us says; of several proxies the outer ones wrote further left."""
    said = ",".join(request.headers.getall(PROTO, [])).rpartition(",")[2].strip().lower()
    return said if said in ("http", "https") else request.scheme
