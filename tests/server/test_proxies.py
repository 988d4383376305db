"""Who a client is behind a proxy: the proxy's word counts, everybody else's does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from crmtray.protocol import User
from crmtray_server import config
from crmtray_server.api.proxies import TrustedProxies
from crmtray_server.config import SettingsError
from tests.server.live import ALICE, PASSWORD, Live, live_server, request, sockets

BOSS = User("1", "2", "Charlie", "charlie@demo.example", "ceo")
OURS = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, 10.2.3.4"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7", "10.2.3.4"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["127.0.0.1, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("127.0.0.1", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("127.0.0.1", ["2001:db8::5"], "2001:db8::5"),
        ("::ffff:127.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("fd00::1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
        ("127.0.0.1", ["203.0.113.7, unknown, 10.2.3.4"], "10.2.3.4"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("203.0.113.9", ["127.0.0.1"], "203.0.113.9"),
        ("192.168.1.1", ["203.0.113.7"], "192.168.1.1"),
        (None, ["203.0.113.7"], None),
    ],
)
def test_the_client_is_the_last_hop_that_is_not_ours(peer: str | None, lines: list[str], client: str | None) -> None:
    assert TrustedProxies(OURS).client(peer, lines) == client


@pytest.mark.parametrize("value", ["nginx", "10.0.0.1/8", "0.0.0.0/0", "::/0", "127.0.0.1, *"])
def test_wrong_proxies_stop_the_start(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", "x" * 32)
    monkeypatch.setenv("TRUSTED_PROXIES", value)
    with pytest.raises(SettingsError, match=r"TRUSTED_PROXIES.*comma list of addresses and networks"):
        config.load()


async def fail_to_sign_in(live: Live, client: str, times: int) -> list[int]:
    """Each time with another account, so that only the address can be the reason."""
    statuses = []
    for number in range(times):
        body = {"email": f"n{number}@demo.example", "password": "wrong"}
        status, _, _ = await request(live, "POST", "/auth/login", json=body, headers={"X-Forwarded-For": client})
        statuses.append(status)
    return statuses


async def sign_in(live: Live, client: str) -> int:
    body = {"email": ALICE.email, "password": PASSWORD}
    status, _, _ = await request(live, "POST", "/auth/login", json=body, headers={"X-Forwarded-For": client})
    return status


async def test_one_clients_failures_do_not_stop_anothers_login(tmp_path: Path) -> None:
    async with live_server(tmp_path, trusted_proxies=("127.0.0.1",)) as live:
        assert await fail_to_sign_in(live, "203.0.113.7", 21) == [401] * 20 + [429]
        # Whatever it writes further left: what the proxy saw stands at the right.
        assert await sign_in(live, "198.51.100.1, 203.0.113.7") == 429
        assert await sign_in(live, "198.51.100.1") == 200


async def test_without_a_trusted_proxy_a_forged_address_helps_nobody(tmp_path: Path) -> None:
    async with live_server(tmp_path) as live:
        assert await fail_to_sign_in(live, "203.0.113.7", 20) == [401] * 20
        assert await sign_in(live, "198.51.100.1") == 429


async def admin_cookie(live: Live, headers: dict[str, str]) -> str:
    form = {"email": BOSS.email, "password": PASSWORD}
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.post(f"{live.url}/admin/login", data=form, headers=headers, allow_redirects=False) as response,
    ):
        assert response.status == 303
        return response.headers["Set-Cookie"]


@pytest.mark.parametrize(("said", "secure"), [("https", True), ("http", False), ("https, http", False), ("x", False)])
async def test_the_admin_cookie_is_secure_when_the_proxy_speaks_https(tmp_path: Path, said: str, secure: bool) -> None:
    async with live_server(tmp_path, trusted_proxies=("127.0.0.1",)) as live:
        assert ("Secure" in await admin_cookie(live, {"X-Forwarded-Proto": said})) == secure


async def test_nobody_else_says_what_is_https(tmp_path: Path) -> None:
    async with live_server(tmp_path, trusted_proxies=("10.0.0.0/8",)) as live:
        assert "Secure" not in await admin_cookie(live, {"X-Forwarded-Proto": "https"})


async def addresses(live: Live) -> list[Any]:
    _, shown, _ = await request(live, "GET", "/admin/socketio/connections", live.token(BOSS))
    return [connection["address"] for connection in shown]


async def test_sockets_are_listed_by_their_clients_address(tmp_path: Path) -> None:
    async with live_server(tmp_path, trusted_proxies=("127.0.0.0/8",)) as live:
        client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        headers = {"X-Forwarded-For": "203.0.113.7"}
        token = {"token": live.token(BOSS)}
        await client.connect(live.url, headers=headers, transports=["websocket"], auth=token, wait_timeout=5)
        try:
            assert await addresses(live) == ["203.0.113.7"]
            # A socket on a request that was seen through the proxy is served, and cut, like any other.
            answer = await client.call("subscribe_notifications", {"epoch": "", "since": 0}, timeout=5)
            assert answer["ok"]
        finally:
            await client.disconnect()


async def test_a_socket_that_came_without_a_proxy_has_its_own_address(tmp_path: Path) -> None:
    async with live_server(tmp_path) as live, sockets(live, live.token(BOSS)):
        assert await addresses(live) == ["127.0.0.1"]
