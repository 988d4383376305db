"""When access ends it ends everywhere: requests at once, sockets within a second, whichever process ended it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import socketio
import sqlalchemy as sa

from crmtray.protocol import User
from crmtray_server.api.web import SERVICES
from crmtray_server.directory import FRESH_SECONDS, Directory
from crmtray_server.store import accounts, migrate, revocations, sessions
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import Scope
from crmtray_server.store.tables import meta
from tests.harness import server as process
from tests.harness.server import ServerProcess
from tests.server.live import ALICE, BOB, PASSWORD, Live, Socket, live_server, request, sockets, until
from tests.server.reference_crm import ReferenceCrm


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path) as server:
        yield server


@pytest.fixture
async def with_crm(crm: ReferenceCrm, tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path, crm_database_url=crm.url) as server:
        yield server


async def sign_in(live: Live, user: User) -> Any:
    status, answer, _ = await request(live, "POST", "/auth/login", json={"email": user.email, "password": PASSWORD})
    assert status == 200
    return answer


async def status(live: Live, token: str) -> int:
    return (await request(live, "GET", "/notifications", token))[0]


async def cut(socket: Socket) -> None:
    async with asyncio.timeout(5):
        await socket.closed.wait()


async def elsewhere(live: Live, change: Any, *args: Any) -> None:
    """What another process does to the same store."""
    other = Store(make_engine(str(live.server.store.engine.url)))
    await asyncio.to_thread(other.open)
    try:
        await other.write(change, *args)
    finally:
        await asyncio.to_thread(other.close)


def disable(connection: Any) -> None:
    accounts.set_active(connection, ALICE.email, False)


def sign_out_everywhere(connection: Any) -> None:
    sessions.revoke_all(connection, Scope("1", "1"), datetime.now(UTC))


@pytest.mark.parametrize("change", [disable, sign_out_everywhere])
async def test_what_another_process_revokes_is_over_here(live: Live, change: Any) -> None:
    alice, bob = await sign_in(live, ALICE), await sign_in(live, BOB)
    async with sockets(live, alice["access_token"], bob["access_token"]) as [first, second]:
        await live.server.watch.look()
        await elsewhere(live, change)
        assert await status(live, alice["access_token"]) == 401
        await live.server.watch.look()
        await cut(first)
        assert (await second.call("get_notification_count"))["ok"]
    renewed = await request(live, "POST", "/auth/refresh", json={"refresh_token": alice["refresh_token"]})
    assert renewed[0] == 401
    assert await status(live, bob["access_token"]) == 200


async def test_a_closed_account_refuses_tokens_of_any_origin(live: Live) -> None:
    """Such as the CRM's own, and those of the `token` command."""
    full, bare = live.token(ALICE), live.token(ALICE, tenant_id=None, role=None, user_id="2")
    async with sockets(live, full, bare) as [alice, bob]:
        await elsewhere(live, disable)
        assert await status(live, full) == 401 and await status(live, bare) == 200
        await live.server.watch.look()
        await cut(alice)
        assert (await bob.call("get_notification_count"))["ok"]
        again = Socket()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await again.connect(live, full)
        assert again.refusal["code"] == "invalid_token"


async def test_a_closed_account_is_told_nothing_more(live: Live) -> None:
    directory = live.server.web_app[SERVICES].directory
    assert await directory.get(Scope("1", "1")) == ALICE
    await elsewhere(live, disable)
    await live.server.watch.look()
    assert await directory.get(Scope("1", "1")) is None


async def test_a_stolen_refresh_token_ends_the_sockets_too(live: Live) -> None:
    answer = await sign_in(live, ALICE)
    auth = live.server.web_app[SERVICES].auth
    now = datetime.now(UTC)
    second = await auth.refresh(answer["refresh_token"], now)
    async with sockets(live, second["access_token"]) as [socket]:
        await auth.refresh(second["refresh_token"], now)
        await request(live, "POST", "/auth/refresh", json={"refresh_token": answer["refresh_token"]})
        await live.server.watch.look()
        await cut(socket)


async def test_nothing_is_looked_up_while_nothing_was_revoked(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    current = live.server.watch._auth.ended

    async def counted(claims: Any) -> Any:
        looked.append(len(claims))
        return await current(claims)

    monkeypatch.setattr(live.server.watch._auth, "ended", counted)
    async with sockets(live, live.token(ALICE)):
        for _ in range(3):
            await live.server.watch.look()
        assert len(looked) <= 1
        await elsewhere(live, sign_out_everywhere)
        await live.server.watch.look()
        assert looked[-1] == 1


async def test_another_role_takes_the_sockets_and_counts_at_once(live: Live) -> None:
    answer = await sign_in(live, ALICE)
    token = answer["access_token"]
    async with sockets(live, token) as [socket]:
        await live.server.watch.look_at_people()
        assert not socket.closed.is_set()
        await elsewhere(live, lambda connection: connection.exec_driver_sql("UPDATE accounts SET role = 'ceo'"))
        assert (await live.server.web_app[SERVICES].auth.check(token)).role == "ceo"
        await live.server.watch.look_at_people()
        await cut(socket)
    async with sockets(live, token) as [again]:
        await live.server.watch.look_at_people()
        assert (await again.call("get_notification_count"))["ok"]


@pytest.mark.expects_log("the store was restored")
async def test_a_restored_store_makes_everybody_start_anew(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    await live.tell(ALICE, "a")
    async with sockets(live, live.token(ALICE)) as [socket]:
        await socket.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 1})
        restored = sa.update(meta).where(meta.c.key == revocations.EPOCH).values(value="another")
        await live.server.store.write(lambda connection: connection.execute(restored).rowcount)
        await live.server.watch.look()
        assert live.server.store.epoch == "another"
        await cut(socket)
    assert "restored" in caplog.text
    async with sockets(live, live.token(ALICE)) as [socket]:
        page = await socket.call("subscribe_notifications", {"epoch": "another", "since": 1})
        assert page["epoch"] == "another" and not page["reset"]
        await live.tell(ALICE, "b")
        assert (await socket.wait("new_notification"))[0]["title"] == "Título b"


async def test_who_is_inactive_in_the_crm_is_out_of_here(with_crm: Live, crm: ReferenceCrm) -> None:
    """With an account here or without; tokens that say everything themselves included."""
    crm.user(1, "Alice", "seller")
    juan = User("7", "1", "Juan Pérez", "7@demo.example", "seller")
    answer = await sign_in(with_crm, ALICE)
    tokens = [answer["access_token"], with_crm.token(juan), with_crm.token(juan, tenant_id=None, role=None)]
    async with sockets(with_crm, *tokens) as opened:
        crm.run("UPDATE users SET active = :no WHERE id IN (1, 7)", no=False)
        await with_crm.server.web_app[SERVICES].directory.refresh(0.0)
        assert [await status(with_crm, token) for token in tokens] == [401] * 3
        await with_crm.server.watch.look_at_people()
        for socket in opened:
            await cut(socket)
    refused, problem, _ = await request(
        with_crm, "POST", "/auth/login", json={"email": ALICE.email, "password": PASSWORD}
    )
    assert (refused, problem["code"]) == (401, "invalid_credentials")


async def test_the_directory_is_at_most_half_a_minute_old(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(engine)
    store, clock, users = Store(engine), [1000.0], [ALICE]
    store.open()
    directory = Directory(store, lambda: [*users], lambda: clock[0])
    alice = Scope("1", "1")
    assert await directory.standing(alice) == "active"
    users.clear()
    clock[0] += FRESH_SECONDS - 1
    assert await directory.standing(alice) == "active"
    clock[0] += 1
    assert await directory.standing(alice) == "absent"
    await asyncio.to_thread(store.close)


async def test_while_the_crm_is_read_others_do_not_wait(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(engine)
    store, clock, loop = Store(engine), [1000.0], asyncio.get_running_loop()
    store.open()
    asked, go_on = asyncio.Event(), asyncio.Event()

    def load() -> list[User]:
        loop.call_soon_threadsafe(asked.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(5)
        return [ALICE]

    directory = Directory(store, load, lambda: clock[0])
    go_on.set()
    await directory.refresh()
    go_on.clear()
    asked.clear()
    clock[0] += FRESH_SECONDS
    reader = asyncio.create_task(directory.refresh())
    await asyncio.wait_for(asked.wait(), 5)
    assert await asyncio.wait_for(directory.get(Scope("1", "1")), 5) == ALICE
    assert not reader.done()
    go_on.set()
    await reader
    await asyncio.to_thread(store.close)


DISABLE = ("user", "disable", "--email", "a@demo.example")
PASSWD = ("user", "passwd", "--email", "a@demo.example", "--password-stdin")


@pytest.mark.parametrize("command", [DISABLE, PASSWD], ids=["disable", "passwd"])
async def test_a_command_beside_the_running_server_cuts_within_a_second(
    store_url: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    server = ServerProcess(tmp_path, DATABASE_URL=store_url)
    await asyncio.to_thread(server.add_user, "1", "a@demo.example", "seller", PASSWORD)
    await asyncio.to_thread(server.start)
    try:
        live: Any = server  # has what is needed of it: the address
        body = {"email": "a@demo.example", "password": PASSWORD}
        _, answer, _ = await request(live, "POST", "/auth/login", json=body)
        async with sockets(live, answer["access_token"], process.sign("1")) as [signed_in, of_the_crm]:
            await asyncio.to_thread(server.run, *command, text="otra-clave-1\n")
            # The command ends after its commit, so the second has begun.
            await asyncio.wait_for(signed_in.closed.wait(), 1)
            assert await status(live, answer["access_token"]) == 401
            if command == DISABLE:
                await asyncio.wait_for(of_the_crm.closed.wait(), 1)
            else:
                assert (await of_the_crm.call("get_notification_count"))["ok"]
    finally:
        await asyncio.to_thread(server.stop)


async def test_signing_out_ends_the_sockets_of_that_login_only(live: Live) -> None:
    one, other = await sign_in(live, ALICE), await sign_in(live, ALICE)
    async with sockets(live, one["access_token"], other["access_token"]) as [first, second]:
        assert (await request(live, "POST", "/auth/logout", one["access_token"]))[0] == 204
        await cut(first)
        await live.server.watch.look()
        assert (await second.call("get_notification_count"))["ok"]
        await until(lambda: len(live.server.hub) == 1)
