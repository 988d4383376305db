"""The administrators' page, in a real browser: signing in and out, what it shows, and that it cannot be misused."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from sqlalchemy.engine import Connection as Database

from crmtray.protocol import User
from crmtray_server.api import admin_page, admin_view
from crmtray_server.auth import hasher
from crmtray_server.store import accounts
from crmtray_server.store.database import StoreUnavailable
from crmtray_server.store.tables import deliveries
from tests.harness.browser import Page, browser
from tests.server.live import ALICE, CHARLIE, PASSWORD, Live, live_server, request, sockets

BOSS = User("9", "1", "Marta Gil", "marta@demo.example", "ceo")
FORM = {"email": BOSS.email, "password": PASSWORD}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        await server.server.store.write(accounts.add, [(BOSS, hasher.hash(PASSWORD))], datetime.now(UTC))
        yield server


def enter(page: Page, live: Live) -> None:
    page.driver.delete_all_cookies()
    page.open(f"{live.url}/admin")
    page.wait_for("Sign in")
    page.fill("E-mail address", BOSS.email)
    page.fill("Password", PASSWORD)
    page.press("Sign in")
    page.wait_for("Connected now")


async def fetch(live: Live, method: str, path: str, **more: Any) -> tuple[int, str, Any]:
    """Status, text and headers, redirects not followed."""
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.request(method, live.url + path, allow_redirects=False, **more) as response,
    ):
        return response.status, await response.text(), response.headers


async def signed_in(live: Live) -> dict[str, str]:
    _, _, headers = await fetch(live, "POST", "/admin/login", data=FORM)
    return {"Cookie": headers["Set-Cookie"].partition(";")[0]}


async def fail_an_email(live: Live, id: str, tenant_id: str = "1") -> None:
    now = datetime.now(UTC)
    row: dict[str, Any] = {
        "notification_id": id,
        "channel": "email",
        "device": "<b>ana</b>@example.com",
        "tenant_id": tenant_id,
    }
    row |= {"user_id": "1", "state": "failed", "attempts": 1, "detail": "550 no such mailbox"}

    def write(connection: Database) -> None:
        connection.execute(deliveries.insert(), [row | {"created_at": now, "updated_at": now}])

    await live.server.store.write(write)


async def test_signing_in_shows_the_server_and_signing_out_ends_it(live: Live, page: Page) -> None:
    await live.tell(ALICE, "a", "b")
    async with sockets(live, live.token(ALICE), live.token(CHARLIE)) as [alice, _]:
        await alice.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 0})
        await live.tell(ALICE, "c")
        await alice.wait("notification_count_update")
        await asyncio.to_thread(enter, page, live)
    tables = [element.text for element in page.all("table.roster")]
    assert "Alice" in tables[0] and "Charlie" not in page.text and "1 connection\n" in page.text
    assert "1 of your company" in page.text and "All well" in page.text and "Nothing is wrong." in page.text
    assert "Hot leads\n3" in page.text or "Hot leads 3" in page.text
    assert len(page.all("svg.chart rect")) == 15 and "1 message." in page.text
    cookie = page.driver.get_cookie(admin_page.COOKIE)
    assert cookie is not None and cookie["httpOnly"] and cookie["sameSite"] == "Strict" and cookie["path"] == "/admin"
    await asyncio.to_thread(page.press, "Sign out")
    await asyncio.to_thread(page.wait_for, "Password")
    assert page.driver.get_cookie(admin_page.COOKIE) is None
    status, _, headers = await fetch(live, "GET", "/admin", headers={"Cookie": f"crmtray_admin={cookie['value']}"})
    assert (status, headers["Location"]) == (303, "/admin/login"), "the login itself has ended, not just its cookie"


async def test_the_page_says_when_there_is_nothing_and_reloads_itself(live: Live, page: Page) -> None:
    await asyncio.to_thread(enter, page, live)
    assert "Nobody of your company is connected." in page.text and "0 e-mails" in page.text
    assert page.one("meta[http-equiv=refresh]").get_attribute("content") == "10"


@pytest.mark.expects_log("alert crm_unreachable")
async def test_alerts_failed_emails_and_services_are_shown_as_text(
    live: Live, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    [id] = await live.tell(ALICE, "<script>alert(1)</script>")
    [theirs] = await live.tell(CHARLIE, "private")
    await fail_an_email(live, id)
    await fail_an_email(live, theirs, tenant_id="2")
    health = live.server.alerts._health

    async def without_crm() -> Any:
        _, report = await health()
        report["services"]["crm"] = {"status": "down", "failing": ["hot_lead"]}
        return True, report | {"status": "degraded"}

    monkeypatch.setattr(live.server.alerts, "_health", without_crm)
    await live.server.alerts.check()
    await asyncio.to_thread(enter, page, live)
    assert "1 alert" in page.text and "CRM unreachable" in page.text and "(hot_lead)" in page.text
    [emails] = [element.text for element in page.all("table.roster")]
    assert "<b>ana</b>@example.com" in emails and "<script>alert(1)</script>" in emails and "1 try" in emails
    assert "private" not in page.text and page.all("script") == []


async def test_it_can_be_read_by_everyone_and_on_every_screen(live: Live, page: Page) -> None:
    async with sockets(live, live.token(ALICE)):
        for scheme in ("light", "dark"):
            page.scheme("dark" if scheme == "dark" else "light")
            await asyncio.to_thread(enter, page, live)
            contrasts = await asyncio.to_thread(page.driver.execute_script, CONTRASTS)
            assert len(contrasts) > 30 and [row for row in contrasts if row[0] < 4.5] == []
        headings = [element.tag_name for element in page.all("h1, h2, h3")]
        assert headings[0] == "h1" and headings.count("h1") == 1 and len(headings) > 5
        assert all(element.get_attribute("scope") for element in page.all("th"))
        assert page.one("html").get_attribute("lang") == "en" and page.one("svg.chart").get_attribute("aria-label")
        for width in (320, 390, 800, 1400):
            page.size(width, 900)
            wide = page.driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"scrolls sideways at {width}"
    page.size(1200, 900)
    assert page.complaints() == [], "the policy blocks nothing that the page needs"


CONTRASTS = """
const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(n => n / 255)
  .map(n => n <= .03928 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2] };
const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  if (!/, 0\\)$/.test(c)) return c } return 'rgb(255, 255, 255)' };
const says = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
return [...document.querySelectorAll('body *')].filter(says)
  .map(e => { const style = getComputedStyle(e), ink = e instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(ink), light(back(e))].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), e.textContent.trim()] });
"""


async def test_a_thousand_connections_are_capped_and_counted(live: Live, page: Page) -> None:
    async with sockets(live, live.token(ALICE)):
        [one] = live.server.hub.connections()
        for number in range(999):
            live.server.hub.add(replace(one, since=one.since + timedelta(milliseconds=number)))
        await asyncio.to_thread(enter, page, live)
        assert len(page.all("table.roster tbody tr")) == admin_view.MOST_ROWS
        assert "1,000 connections" in page.text and "And 800 more." in page.text
        for connection in live.server.hub.connections():
            live.server.hub.remove(connection)


# --- what it must not allow --------------------------------------------------------------------------------------


async def test_pages_carry_the_headers_that_let_nobody_misuse_them(live: Live) -> None:
    for path, headers in (("/admin/login", {}), ("/admin", await signed_in(live))):
        status, text, answered = await fetch(live, "GET", path, headers=headers)
        policy = answered["Content-Security-Policy"]
        assert status == 200 and policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
        assert answered["X-Frame-Options"] == "DENY" and answered["Referrer-Policy"] == "no-referrer"
        assert answered["X-Content-Type-Options"] == "nosniff" and answered["Cache-Control"] == "no-store"
        assert not re.search(r"<script|\son\w+=|javascript:|\sstyle=", text)


async def test_the_api_does_not_know_the_pages_cookie(live: Live) -> None:
    cookie = await signed_in(live)
    assert (await fetch(live, "GET", "/admin", headers=cookie))[0] == 200
    refused = []
    for route in live.server.web_app.router.routes():
        path = route.resource.canonical if route.resource else ""
        if path in ("/admin", "/admin/login", "/admin/logout") or path.startswith("/socket.io"):
            continue
        path = re.sub(r"\{\w+\}", "x", path)
        without = (await fetch(live, route.method, path))[0]
        assert (await fetch(live, route.method, path, headers=cookie))[0] == without, path
        refused.append(without == 401)
    assert sum(refused) >= 15


async def test_a_header_works_as_well(live: Live) -> None:
    headers = {"Authorization": f"Bearer {live.token(BOSS)}"}
    status, text, _ = await fetch(live, "GET", "/admin", headers=headers)
    assert status == 200 and "Sign out" in text


async def test_only_admins_and_ceos_get_in(live: Live) -> None:
    status, text, headers = await fetch(live, "POST", "/admin/login", data=FORM | {"email": ALICE.email})
    assert status == 403 and "role admin or ceo" in text and "Set-Cookie" not in headers
    for user in (ALICE, replace(ALICE, role="secretary")):
        status, text, _ = await fetch(live, "GET", "/admin", headers={"Authorization": f"Bearer {live.token(user)}"})
        assert status == 403 and "role admin or ceo" in text and "Connected now" not in text


async def test_an_expired_cookie_leads_to_the_form(live: Live) -> None:
    for token in (live.token(BOSS, ttl=-5), "nonsense", ""):
        status, _, headers = await fetch(live, "GET", "/admin", headers={"Cookie": f"crmtray_admin={token}"})
        assert (status, headers["Location"]) == (303, "/admin/login")


async def test_a_page_that_stays_open_stays_signed_in_until_the_login_ends(live: Live) -> None:
    cookie = (await signed_in(live))["Cookie"].partition("=")[2]
    session = jwt.decode(cookie, options={"verify_signature": False})["sid"]
    old = {"Cookie": f"crmtray_admin={live.token(BOSS, ttl=60, sid=session)}"}
    status, _, headers = await fetch(live, "GET", "/admin", headers=old)
    fresh = headers["Set-Cookie"].partition(";")[0].partition("=")[2]
    assert status == 200 and jwt.decode(fresh, options={"verify_signature": False})["sid"] == session
    status, _, headers = await fetch(live, "GET", "/admin", headers={"Cookie": f"crmtray_admin={fresh}"})
    assert status == 200 and "Set-Cookie" not in headers  # not at every look
    await fetch(live, "POST", "/admin/logout", headers=old)
    for token in (fresh, old["Cookie"].partition("=")[2]):
        status, _, headers = await fetch(live, "GET", "/admin", headers={"Cookie": f"crmtray_admin={token}"})
        assert (status, headers["Location"]) == (303, "/admin/login")


async def test_wrong_passwords_count_as_those_of_the_api(live: Live) -> None:
    wrong = FORM | {"password": "wrong"}
    for _ in range(5):
        status, text, _ = await fetch(live, "POST", "/admin/login", data=wrong)
        assert status == 401 and 'value="marta@demo.example"' in text and "wrong" in text
    status, text, headers = await fetch(live, "POST", "/admin/login", data=FORM)
    assert status == 429 and "Too many" in text and 0 < int(headers["Retry-After"]) <= 61
    assert (await request(live, "POST", "/auth/login", json=FORM))[0] == 429


@pytest.mark.parametrize("path", ["/admin/login", "/admin/logout"])
@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
async def test_another_site_cannot_send_our_forms(live: Live, path: str, headers: dict[str, str]) -> None:
    cookie = await signed_in(live)
    status, _, answered = await fetch(live, "POST", path, data=FORM, headers=headers | cookie)
    assert status == 403 and "Set-Cookie" not in answered
    assert (await fetch(live, "GET", "/admin", headers=cookie))[0] == 200, "still signed in"


@pytest.mark.parametrize(
    ("fields", "said"), [({}, "Give an"), ({"email": "x"}, "Give an"), ({"email": "x" * 1001, "password": "x"}, "long")]
)
async def test_a_form_that_is_not_filled_in_is_asked_for_again(live: Live, fields: dict[str, str], said: str) -> None:
    status, text, _ = await fetch(live, "POST", "/admin/login", data=fields)
    assert status == 400 and said in text


@pytest.mark.expects_log("the store is not available")
async def test_without_the_store_it_stays_a_page_that_says_so(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = await signed_in(live)

    def away(*_: Any) -> Any:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(live.server.store, "_read", away)
    status, text, headers = await fetch(live, "GET", "/admin", headers=cookie)
    assert status == 503 and "does not answer" in text and "the disk is gone" not in text
    assert 'content="10; url=/admin"' in text and headers["Content-Type"].startswith("text/html")


# --- words -------------------------------------------------------------------------------------------------------


def test_amounts_agree_with_their_noun() -> None:
    said = [admin_view.amount(count, "connection") for count in (0, 1, 2, 1204)]
    assert said == ["0 connections", "1 connection", "2 connections", "1,204 connections"]
    assert admin_view.amount(1, "try", "tries") == "1 try" and admin_view.amount(3, "try", "tries") == "3 tries"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86_400, "1 day"),
        (190_000, "2 days 4 h"),
    ],
)
def test_durations_are_short(seconds: int, said: str) -> None:
    assert admin_view.duration(timedelta(seconds=seconds)) == said


def test_a_moment_of_another_day_carries_its_date() -> None:
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert admin_view.moment(now - timedelta(hours=1), now).text == "11:00:00"
    assert admin_view.moment(now - timedelta(days=1), now).text == "2026-03-01 12:00"
