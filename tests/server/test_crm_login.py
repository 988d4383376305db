"""Signing in with the CRM's own login: what its answers mean, and that what follows is a session like any other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from crmtray_server.api.web import SERVICES
from crmtray_server.auth import Refused, sign_claims
from crmtray_server.store.database import make_engine
from tests.server.live import ALICE, PASSWORD, SECRET, Live, live_server, request
from tests.server.reference_crm import ReferenceCrm

JUAN = {"email": "7@demo.example", "password": "del CRM"}


@dataclass
class Login:
    """A CRM's login that answers what it is told to."""

    url: str = ""
    status: int = 200
    answer: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def lets_in(self, key: str = "access_token", secret: str = SECRET, **claims: Any) -> None:
        self.status, self.answer = 200, {key: sign_claims(secret, claims, timedelta(minutes=5), datetime.now(UTC))}

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        body = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        return web.Response(status=self.status, body=body, headers=self.headers)


@pytest.fixture
async def login() -> AsyncIterator[Login]:
    login, app = Login(), web.Application()
    app.router.add_post("/login", login.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    login.url = f"http://127.0.0.1:{runner.addresses[0][1]}/login"
    yield login
    await runner.cleanup()


@pytest.fixture
async def live(login: Login, crm: ReferenceCrm, tmp_path: Path) -> AsyncIterator[Live]:
    async with with_crm(login, crm, tmp_path) as server:
        yield server


@asynccontextmanager
async def with_crm(login: Login, crm: ReferenceCrm, folder: Path) -> AsyncIterator[Live]:
    async with live_server(folder, crm_login_url=login.url, crm_database_url=crm.url) as live:
        yield live


@asynccontextmanager
async def without_a_crm(login: Login, folder: Path) -> AsyncIterator[Live]:
    async with live_server(folder, crm_login_url=login.url) as server:
        yield server


async def sign_in(live: Live, body: Any = None) -> tuple[int, Any, Any]:
    return await request(live, "POST", "/auth/login", json=body or JUAN)


async def renew(live: Live, answer: Any) -> tuple[int, Any]:
    status, body, _ = await request(live, "POST", "/auth/refresh", json={"refresh_token": answer["refresh_token"]})
    return status, body


async def old_directory(live: Live) -> None:
    """As if half a minute had passed since the CRM's users were read."""
    await live.server.web_app[SERVICES].directory.refresh(0.0)


def forget_accounts(store_url: str) -> None:
    """So that a second server with this store can make them again."""
    engine = make_engine(store_url)
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM accounts")
    engine.dispose()


@pytest.mark.parametrize("key", ["access_token", "token"])
async def test_the_crm_lets_in_and_the_session_is_ours(live: Live, login: Login, key: str) -> None:
    login.lets_in(key, user_id=7)
    status, answer, _ = await sign_in(live)
    assert status == 200 and login.asked == [JUAN]
    person = {"user_id": "7", "tenant_id": "1", "name": "Juan Pérez", "email": "7@demo.example", "role": "seller"}
    assert answer["user"] == person
    assert (await request(live, "GET", "/auth/me", answer["access_token"]))[1] == person
    status, second = await renew(live, answer)
    assert status == 200 and second["user"] == person
    assert (await request(live, "POST", "/auth/logout", second["access_token"]))[0] == 204
    assert (await request(live, "GET", "/auth/me", second["access_token"]))[0] == 401
    assert (await renew(live, second))[0] == 401


async def test_nothing_here_is_known_of_the_password(live: Live, login: Login) -> None:
    login.lets_in(user_id=7)
    await sign_in(live, {"email": "alice@demo.example", "password": PASSWORD})
    assert login.asked == [{"email": "alice@demo.example", "password": PASSWORD}]
    for path in Path(str(live.server.store.engine.url.database)).parent.glob("store.db*"):
        assert b"del CRM" not in path.read_bytes() and PASSWORD.encode() not in path.read_bytes()


@pytest.mark.parametrize("status", [400, 401, 403, 422])
async def test_a_refusal_of_the_crm_is_a_wrong_password_and_counts(live: Live, login: Login, status: int) -> None:
    login.status = status
    for _ in range(5):
        got, problem, _ = await sign_in(live)
        assert (got, problem["code"]) == (401, "invalid_credentials")
    got, problem, headers = await sign_in(live)
    assert (got, problem["code"]) == (429, "too_many_attempts") and int(headers["Retry-After"]) <= 61
    assert len(login.asked) == 5


@pytest.mark.parametrize(("said", "seconds"), [("17", "17"), ("soon", "60"), ("999999", "3600"), ("0", "1")])
async def test_a_crm_that_has_had_enough_is_passed_on(live: Live, login: Login, said: str, seconds: str) -> None:
    login.status, login.headers = 429, {"Retry-After": said}
    status, problem, headers = await sign_in(live)
    assert (status, problem["code"], headers["Retry-After"]) == (429, "too_many_attempts", seconds)


@pytest.mark.expects_log("POST /auth/login")
@pytest.mark.parametrize("status", [500, 503, 404, 302])
async def test_a_crm_that_is_away_is_no_failure_of_the_person(live: Live, login: Login, status: int) -> None:
    login.status = status
    for _ in range(6):
        got, problem, _ = await sign_in(live)
        assert (got, problem["code"]) == (503, "unavailable")
    login.lets_in(user_id=7)
    assert (await sign_in(live))[0] == 200


FOREIGN = sign_claims("another secret of at least 32 bytes", {"user_id": 7}, timedelta(hours=1), datetime.now(UTC))
OLD = sign_claims(SECRET, {"user_id": 7}, timedelta(hours=-1), datetime.now(UTC))
NOBODY = sign_claims(SECRET, {"sub": 7}, timedelta(hours=1), datetime.now(UTC))
STRANGER = sign_claims(SECRET, {"user_id": 404}, timedelta(hours=1), datetime.now(UTC))
ELSEWHERE = sign_claims(
    SECRET, {"user_id": 7, "tenant_id": 9, "role": "ceo"}, timedelta(hours=1), datetime.now(UTC)
)  # fmt: skip


@pytest.mark.expects_log("the CRM's login was accepted, but")
@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": FOREIGN},
        {"access_token": OLD},
        {"access_token": NOBODY},
        {"access_token": STRANGER},
        {"access_token": ELSEWHERE},
        {"access_token": 7},
        {"access_token": "ñ"},
        {},
        [],
        b"<html>",
    ],
)
async def test_an_answer_that_cannot_be_used_is_told_apart(live: Live, login: Login, answer: Any) -> None:
    login.answer = answer
    with pytest.raises(Refused, match="administers") as caught:
        await live.server.web_app[SERVICES].auth.login(**JUAN, address="10.0.0.1", now=datetime.now(UTC))
    assert caught.value.code == "crm_login_failed"


@pytest.mark.expects_log("the CRM's login was accepted, but")
async def test_it_is_the_crm_that_failed_not_the_person(live: Live, login: Login) -> None:
    login.answer = {"access_token": FOREIGN}
    for _ in range(6):
        status, problem, _ = await sign_in(live)
        assert (status, problem["code"]) == (502, "crm_login_failed")


async def test_who_left_the_crm_is_out(live: Live, login: Login, crm: ReferenceCrm) -> None:
    login.lets_in(user_id=7)
    _, answer, _ = await sign_in(live)
    crm.run("UPDATE users SET active = :no WHERE id = 7", no=False)
    await old_directory(live)
    assert (await request(live, "GET", "/auth/me", answer["access_token"]))[0] == 401
    status, problem = await renew(live, answer)
    assert (status, problem["code"]) == (401, "invalid_token")
    login.lets_in(user_id=7, tenant_id=1, role="seller")
    assert (await sign_in(live))[1]["code"] == "invalid_credentials"


async def test_who_was_deleted_from_the_crm_is_out(live: Live, login: Login, crm: ReferenceCrm) -> None:
    login.lets_in(user_id=7)
    _, answer, _ = await sign_in(live)
    crm.run("DELETE FROM users WHERE id = 7")
    await old_directory(live)
    assert (await request(live, "GET", "/auth/me", answer["access_token"]))[0] == 401
    assert (await renew(live, answer))[0] == 401


async def test_another_role_in_the_crm_counts_at_once(live: Live, login: Login, crm: ReferenceCrm) -> None:
    login.lets_in(user_id=7)
    _, answer, _ = await sign_in(live)
    crm.run("UPDATE users SET role = 'ceo' WHERE id = 7")
    await old_directory(live)
    assert (await request(live, "GET", "/auth/me", answer["access_token"]))[1]["role"] == "ceo"
    assert (await renew(live, answer))[1]["user"]["role"] == "ceo"


@pytest.mark.expects_log("the CRM's users could not be read")
@pytest.mark.expects_log("POST /auth/refresh")
async def test_a_crm_that_cannot_be_read_signs_nobody_out(login: Login, crm: ReferenceCrm, tmp_path: Path) -> None:
    login.lets_in(user_id=7)
    async with with_crm(login, crm, tmp_path) as live:
        _, answer, _ = await sign_in(live)
    await asyncio.to_thread(forget_accounts, f"sqlite:///{tmp_path / 'store.db'}")
    crm.run("ALTER TABLE users RENAME TO away")
    async with with_crm(login, crm, tmp_path) as live:
        status, problem = await renew(live, answer)
        assert (status, problem["code"]) == (503, "unavailable")
        crm.run("ALTER TABLE away RENAME TO users")
        await old_directory(live)
        assert (await renew(live, answer))[0] == 200


async def test_an_account_here_says_more_than_the_crm(live: Live, login: Login, crm: ReferenceCrm) -> None:
    """Alice's account is user 1 of tenant 1, whom this CRM does not list."""
    login.lets_in(user_id="1", tenant_id="1", role="ceo")
    _, answer, _ = await sign_in(live)
    assert answer["user"]["role"] == ALICE.role and answer["user"]["name"] == ALICE.name


async def test_without_a_crm_to_read_the_token_says_who_it_is(login: Login, tmp_path: Path) -> None:
    login.lets_in(user_id="70", tenant_id="1", role="ceo")
    async with without_a_crm(login, tmp_path) as live:
        _, answer, _ = await sign_in(live)
        person = {"user_id": "70", "tenant_id": "1", "name": "", "email": "7@demo.example", "role": "ceo"}
        assert answer["user"] == person
        status, second = await renew(live, answer)
        assert status == 200 and second["user"] == person
        assert (await request(live, "GET", "/auth/me", second["access_token"]))[1] == person
