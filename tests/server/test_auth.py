"""Logins and tokens: what is accepted, what is refused and how, and what a stolen refresh token does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from crmtray.protocol import User
from crmtray_server.auth import ACCESS_LIFETIME, Auth, Refused, hasher, sign_claims
from crmtray_server.crm.orders import CrmUnavailable
from crmtray_server.directory import Directory
from crmtray_server.login_limit import LoginLimit
from crmtray_server.store import accounts, migrate, sessions
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import Scope

SECRET = "0123456789abcdef" * 4
ANA = User("7", "1", "Ana López", "ana@demo.example", "seller")
FROM_CRM = User("9", "3", "Del CRM", "crm@demo.example", "ceo")
PASSWORD_HASH = hasher.hash("correcta")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    await store.write(accounts.add, [(ANA, PASSWORD_HASH)], datetime.now(UTC))
    yield store
    await asyncio.to_thread(store.close)


@pytest.fixture
def auth(store: Store) -> Auth:
    return Auth(store, SECRET, Directory(store, lambda: [FROM_CRM]))


def now() -> datetime:
    return datetime.now(UTC)


async def refused(coroutine: Any) -> str:
    with pytest.raises(Refused) as caught:
        await coroutine
    return caught.value.code


async def test_login_gives_a_token_that_is_accepted(auth: Auth) -> None:
    answer = await auth.login(" ANA@demo.example", "correcta", "10.0.0.1", now())
    claims = await auth.check(answer["access_token"])
    assert (claims.scope, claims.role) == (Scope("1", "7"), "seller")
    assert answer["user"]["name"] == "Ana López" and answer["expires_in"] == 900


async def test_unknown_people_and_wrong_passwords_are_told_the_same(auth: Auth) -> None:
    with pytest.raises(Refused) as unknown:
        await auth.login("nadie@demo.example", "correcta", "10.0.0.1", now())
    with pytest.raises(Refused) as wrong:
        await auth.login("ana@demo.example", "otra", "10.0.0.1", now())
    assert (unknown.value.code, unknown.value.message) == (wrong.value.code, wrong.value.message)


async def test_five_failures_in_a_minute_close_the_login_for_a_while(auth: Auth) -> None:
    start = now()
    for _ in range(5):
        assert await refused(auth.login("ana@demo.example", "otra", "10.0.0.1", start)) == "invalid_credentials"
    with pytest.raises(Refused) as caught:
        await auth.login("ana@demo.example", "correcta", "10.0.0.2", start)
    assert caught.value.code == "too_many_attempts" and caught.value.retry_after == 61
    assert await auth.login("ana@demo.example", "correcta", "10.0.0.2", start + timedelta(seconds=61))


async def test_many_guesses_at_the_same_time_are_no_more_than_one_after_the_other(auth: Auth) -> None:
    start = now()
    guesses = [refused(auth.login("ana@demo.example", f"guess {n}", f"10.0.0.{n}", start)) for n in range(12)]
    codes = await asyncio.gather(*guesses)
    assert sorted(codes) == ["invalid_credentials"] * 5 + ["too_many_attempts"] * 7


async def test_a_success_forgets_the_failures(auth: Auth) -> None:
    start = now()
    for _ in range(3):
        for _ in range(4):
            await refused(auth.login("Ana@demo.example", "otra", "10.0.0.1", start))
        assert await auth.login("ana@demo.example ", "correcta", "10.0.0.1", start)


@pytest.mark.parametrize(
    ("addresses", "same"),
    [
        (("10.0.0.1", "10.0.0.1"), True),
        (("10.0.0.1", "10.0.0.2"), False),
        (("2001:db8::1", "2001:db8:0:0:ffff::2"), True),
        (("2001:db8::1", "2001:db8:0:1::1"), False),
        (("::ffff:10.0.0.1", "::ffff:10.0.0.2"), False),
        (("", ""), True),
    ],
)
def test_twenty_failures_close_the_login_for_one_address(addresses: tuple[str, str], same: bool) -> None:
    limit, start = LoginLimit(), now()
    for number in range(20):
        with pytest.raises(Refused) as caught, limit.attempt(f"{number}@demo.example", addresses[0], start):
            raise Refused("invalid_credentials", "wrong")
        assert caught.value.code == "invalid_credentials"
    refusals = []
    try:
        with limit.attempt("another@demo.example", addresses[1], start):
            pass
    except Refused as refusal:
        refusals.append(refusal.code)
    assert refusals == (["too_many_attempts"] if same else [])
    with limit.attempt("another@demo.example", addresses[1], start + timedelta(seconds=60)):
        pass


def test_what_says_nothing_about_the_password_does_not_count() -> None:
    limit, start = LoginLimit(), now()
    for _ in range(6):
        for error in (CrmUnavailable("away"), Refused("crm_login_failed", "x"), asyncio.CancelledError()):
            with pytest.raises(type(error)), limit.attempt("ana@demo.example", "10.0.0.1", start):
                raise error
    with limit.attempt("ana@demo.example", "10.0.0.1", start):
        pass


def test_a_flood_of_invented_addresses_does_not_fill_the_memory() -> None:
    limit, start = LoginLimit(), now()
    for number in range(12_000):
        with pytest.raises(Refused), limit.attempt(f"{number}@demo.example", f"address {number}", start):
            raise Refused("invalid_credentials", "wrong")
    assert len(limit) <= 10_000


async def test_a_disabled_account_cannot_sign_in_or_renew(auth: Auth, store: Store) -> None:
    answer = await auth.login("ana@demo.example", "correcta", "10.0.0.1", now())
    await store.write(accounts.set_active, "ana@demo.example", False)
    assert await refused(auth.login("ana@demo.example", "correcta", "10.0.0.1", now())) == "invalid_credentials"
    assert await refused(auth.refresh(answer["refresh_token"], now())) == "invalid_token"


async def test_refresh_tokens_rotate_and_reuse_ends_the_session(auth: Auth) -> None:
    start = now()
    first = await auth.login("ana@demo.example", "correcta", "10.0.0.1", start)
    second = await auth.refresh(first["refresh_token"], start)
    third = await auth.refresh(second["refresh_token"], start)
    assert await refused(auth.refresh(first["refresh_token"], start)) == "invalid_token"
    assert await refused(auth.refresh(third["refresh_token"], start)) == "invalid_token"
    assert await refused(auth.check(third["access_token"])) == "invalid_token"


async def test_a_lost_answer_may_be_asked_for_again_within_a_minute(auth: Auth) -> None:
    start = now()
    first = await auth.login("ana@demo.example", "correcta", "10.0.0.1", start)
    await auth.refresh(first["refresh_token"], start)
    assert await auth.refresh(first["refresh_token"], start + timedelta(seconds=30))
    late = await auth.login("ana@demo.example", "correcta", "10.0.0.1", start)
    await auth.refresh(late["refresh_token"], start)
    after_grace = start + sessions.GRACE + timedelta(seconds=1)
    assert await refused(auth.refresh(late["refresh_token"], after_grace)) == "invalid_token"


async def test_logout_ends_the_session(auth: Auth) -> None:
    answer = await auth.login("ana@demo.example", "correcta", "10.0.0.1", now())
    await auth.logout(await auth.check(answer["access_token"]), now())
    assert await refused(auth.check(answer["access_token"])) == "invalid_token"
    assert await refused(auth.refresh(answer["refresh_token"], now())) == "invalid_token"


async def test_a_token_of_the_crm_gets_tenant_and_role_from_the_crm(auth: Auth) -> None:
    token = sign_claims(SECRET, {"user_id": 9}, timedelta(minutes=5), now())
    claims = await auth.check(token)
    assert (claims.scope, claims.role) == (Scope("3", "9"), "ceo")
    stranger = sign_claims(SECRET, {"user_id": "404"}, timedelta(minutes=5), now())
    assert await refused(auth.check(stranger)) == "invalid_token"


async def test_a_token_never_becomes_another_companys_person(auth: Auth) -> None:
    """The CRM knows a user 9 as well, in company 3."""
    claims = await auth.check(sign_claims(SECRET, FULL | {"user_id": 9, "tenant_id": 2}, timedelta(minutes=5), now()))
    user = await auth.user(claims)
    assert (user.tenant_id, user.name, user.role) == ("2", "", "seller")
    half = sign_claims(SECRET, {"user_id": 9, "tenant_id": 2}, timedelta(minutes=5), now())
    assert await refused(auth.check(half)) == "invalid_token"


@pytest.mark.expects_log("the CRM's users could not be read")
async def test_a_crm_that_is_away_is_not_a_wrong_token(store: Store) -> None:
    def away() -> list[User]:
        raise OSError("connection refused")

    directory = Directory(store, away)
    auth = Auth(store, SECRET, directory)
    with pytest.raises(CrmUnavailable):
        await auth.check(sign_claims(SECRET, {"user_id": 9}, timedelta(minutes=5), now()))
    local = await auth.login("ana@demo.example", "correcta", "10.0.0.1", now())
    assert (await auth.check(local["access_token"])).role == "seller"


FULL = {"user_id": "7", "tenant_id": "1", "role": "seller"}
UNSIGNED = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1c2VyX2lkIjoiNyIsImV4cCI6ODU4OTkzNDU5Mn0."


def test_tokens_live_a_quarter_of_an_hour() -> None:
    assert timedelta(minutes=15) == ACCESS_LIFETIME


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "authentication_required"),
        ("", "authentication_required"),
        ("nonsense", "invalid_token"),
        (jwt.encode(FULL, SECRET, "HS256"), "invalid_token"),  # without exp
        (sign_claims(SECRET, FULL, timedelta(seconds=-1), now()), "token_expired"),
        (sign_claims("another secret of at least 32 bytes", FULL, timedelta(hours=1), now()), "invalid_token"),
        (jwt.encode(FULL | {"exp": 2**33}, SECRET, "HS512"), "invalid_token"),
        (UNSIGNED, "invalid_token"),
        (jwt.encode({"sub": "7", "exp": 2**33}, SECRET, "HS256"), "invalid_token"),
        (jwt.encode(FULL | {"sid": "unknown", "exp": 2**33}, SECRET, "HS256"), "invalid_token"),
        # Signed, but of no use: milliseconds, a text, an endless number, what no database takes.
        *(
            (jwt.encode(FULL | {"exp": exp}, SECRET, "HS256"), "invalid_token")
            for exp in (2**33 * 1000, 1e300, math.inf)
        ),
        *(
            (jwt.encode(FULL | {"exp": 2**33} | odd, SECRET, "HS256"), "invalid_token")
            for odd in (
                {"user_id": "a\0"},
                {"sid": "\ud800"},
                {"tenant_id": {"id": 1}},
                {"role": ["ceo"]},
                {"user_id": True},
            )
        ),
    ],
)
async def test_bad_tokens_are_refused_with_a_code(auth: Auth, token: str | None, code: str) -> None:
    assert await refused(auth.check(token)) == code
